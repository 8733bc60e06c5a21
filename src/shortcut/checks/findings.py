"""A finding: what is the matter, how sure that is, which pictures, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shortcut.language import Text

Level = Literal["error", "warning", "note"]
"""An error spoils a training or its figures, a warning may, a note is good to know."""
Sure = Literal["certain", "likely", "look"]
"""`look`: only a person can tell."""


@dataclass(frozen=True)
class Example:
    """Pictures that belong together, and what is to be said of them."""

    files: tuple[Path, ...]
    words: Text = ("", "")


@dataclass(frozen=True)
class Kind:
    """What findings of one kind have in common."""

    name: str
    """In JSON and in lists of exclusions."""
    level: Level
    sure: Sure
    title: Text
    advice: Text


@dataclass(frozen=True)
class Finding:
    """Something of one kind that was found."""

    kind: Kind
    count: int
    """Of pictures; of groups, classes or folders where the kind is about those."""
    examples: tuple[Example, ...] = ()
    exclude: tuple[Path, ...] = ()
    """Pictures that a training should do without."""

    def as_dict(self) -> dict[str, object]:
        """For JSON, in English."""
        kind = self.kind
        return {
            "kind": kind.name,
            "level": kind.level,
            "sure": kind.sure,
            "what": kind.title[0],
            "count": self.count,
            "advice": kind.advice[0],
            "examples": [
                {"files": [str(file) for file in example.files], "words": example.words[0]}
                for example in self.examples
            ],
            "exclude": len(self.exclude),
        }


def found(
    kind: Kind,
    examples: Sequence[Example],
    *,
    count: int | None = None,
    exclude: Sequence[Path] = (),
) -> list[Finding]:
    """One finding, or none where there are no examples.

    Args:
        count: None counts the examples.
    """
    if not examples:
        return []
    number = len(examples) if count is None else count
    return [Finding(kind, number, tuple(examples), tuple(exclude))]
