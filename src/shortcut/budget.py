"""A budget of time: how long a training may take, from its command to its last file."""

import re
import time
from dataclasses import dataclass

from shortcut.errors import RecipeError

MARGIN = 0.01
"""Share of the budget that is left free: late is worse than early."""


@dataclass(frozen=True)
class Budget:
    """So many seconds from `started` to the last file written."""

    seconds: float
    started: float
    """By `time.monotonic`."""
    free: bool = True
    """The network and its sizes may be chosen too, not only the epochs."""

    def spent(self) -> float:
        """Seconds from the start to now."""
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds from now to the end, less the margin."""
        return self.seconds * (1 - MARGIN) - self.spent()


def parse_duration(text: str) -> float:
    """Seconds of `90`, `90s`, `10m`, `1.5h` or `1h30m`.

    Raises:
        RecipeError: if `text` is none of these, or nought.
    """
    found = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", text.strip().lower())
    parts = found.groups(default="0") if found else ("0", "0", "0")
    try:
        total = sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=True))
    except ValueError:  # 1.2.3
        total = 0.0
    if total <= 0:
        raise RecipeError(f"`{text}` is no time: write 90s, 10m, 1.5h or 1h30m.")
    return total


def clock(seconds: float) -> str:
    """`9:58`, minutes and seconds; with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
