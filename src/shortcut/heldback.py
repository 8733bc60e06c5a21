"""The pictures of a run as its `split.csv` lists them: those it was trained on, and those it held
back."""

import contextlib
from pathlib import Path

from shortcut.data.sources import find_again
from shortcut.data.splits import Listed, list_split, read_table
from shortcut.errors import DataError
from shortcut.runfolder import Facts, is_run, read_facts


def run_of(model: Path) -> Path | None:
    """The folder of the run that a model file is of; None where it is of none."""
    # Improvements lie in `kept/`, one folder deeper.
    return next((folder for folder in model.resolve().parents[:2] if is_run(folder)), None)


def pictures_of(run: Path) -> tuple[Facts, tuple[Listed, ...]]:
    """The facts of a run, and its pictures, whether they are still there or not.

    Raises:
        ModelError, DataError: what the folder should hold is damaged.
    """
    facts, split = read_facts(run), run / "split.csv"
    root = Path(facts.data_root)
    # What is gone cannot be measured, but its names still tell what was trained on.
    with contextlib.suppress(DataError):
        root = find_again(facts.data_root, facts.location, download=facts.download)
    return facts, tuple(list_split(read_table(split), root, name=str(split)))
