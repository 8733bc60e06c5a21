"""What a data set is before any picture is opened: paths, labels by name, and parts."""

from dataclasses import dataclass
from pathlib import Path

PARTS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture. The label is the class *name*: positions mean nothing across data
    sets."""

    path: Path
    label: str


@dataclass(frozen=True)
class Source:
    """Labelled pictures as found in one place.

    `parts` holds `train`, `val` and `test` as far as the place has them; where it has no parts,
    everything is under `all`. Samples are sorted by path, classes by name.
    """

    name: str
    """Short name for the run folder: `cats-dogs`, `digits`."""
    root: Path
    """The folder (or CSV file) that was read. Nothing is ever written there."""
    kind: str
    """How labels were found: `folders`, `flat names`, `csv`, `digits` or a named set."""
    classes: tuple[str, ...]
    parts: dict[str, tuple[Sample, ...]]
