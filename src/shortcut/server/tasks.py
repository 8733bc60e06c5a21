"""What goes to the worker and what comes back: plain values, since they cross between processes."""

from dataclasses import dataclass
from typing import Any, Literal

from shortcut.data.preprocess import Pixels


@dataclass(frozen=True)
class Task:
    """One picture, and what is asked of it."""

    kind: Literal["predict", "explain", "judge", "read"]
    """`judge`: of pixels that are ready for the network, probabilities and distance. `read`: of an
    inference request what it holds (`read_request`)."""
    picture: bytes | Pixels
    """Or the request."""
    wanted: str | None = None
    """The class to explain; None: the answer."""
    most: int = 1
    """Pictures that a request may have."""

    @property
    def alone(self) -> bool:
        """Whether it goes to the worker by itself: to read numbers takes as long as many pictures,
        and none of it goes through the network."""
        return self.kind == "read"


@dataclass(frozen=True)
class Refusal:
    """Why there is no answer about a picture; the message may be shown to anybody."""

    code: str
    message: str


Result = dict[str, Any] | Refusal


@dataclass(frozen=True)
class Described:
    """A loaded model, in plain values: what `/model` tells."""

    facts: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """The model could not be loaded."""

    message: str
    exit_code: int
