"""Findings about single files: not readable, stored in an odd way, or odd to look at."""

from collections.abc import Callable, Sequence

import numpy as np

from shortcut.checks.findings import Example, Finding, Kind, found
from shortcut.checks.wording import (
    ANIMATED,
    BLANK,
    BLURRED,
    CMYK,
    DARK,
    DEEP,
    GREY,
    NARROW,
    PLAIN,
    RENAMED,
    SMALL,
    TRANSPARENT,
    TURNED,
    UNREADABLE,
)
from shortcut.data.looks import Look
from shortcut.language import Text

# Chosen by looking at the most extreme of 10,000 photos of cats and dogs.
BLANK_BELOW = 4.0
"""Standard deviation of grey; the flattest of those photos has 15."""
DARK_BELOW = 30.0
"""Mean of grey."""
BLURRED_BELOW = 0.15
"""Of `Look.sharpness`: one photo in a thousand."""
PLAIN_BELOW = 3.0
"""Bits of `Look.colours`: one in four hundred, most of them drawings, logos and cut-outs."""
NARROW_ABOVE = 3.0
"""Long side against short side."""
SMALL_BELOW = 1 / 3
"""Short side against the median of the set."""
TRAITS = {
    RENAMED: ("renamed",),
    TURNED: ("turned",),
    DEEP: ("deep",),
    CMYK: ("cmyk", "lab"),
    TRANSPARENT: ("transparent",),
    ANIMATED: ("animated",),
}


def check_pictures(looks: Sequence[Look]) -> list[Finding]:
    """What can be said of each file for itself."""
    broken = [look for look in looks if look.problem]
    seen = [look for look in looks if not look.problem]
    findings = found(
        UNREADABLE,
        [Example((x.sample.path,), (x.problem, x.problem)) for x in broken],
        exclude=[look.sample.path for look in broken],
    )
    if seen:
        findings += _odd(seen)
    for kind, traits in TRAITS.items():
        findings += _which(kind, seen, lambda look, t=traits: not look.traits.isdisjoint(t))
    grey = sum("grey" in look.traits for look in seen)
    if 0 < grey < len(seen) / 2:
        findings += _which(GREY, seen, lambda look: "grey" in look.traits)
    return findings


def _odd(seen: Sequence[Look]) -> list[Finding]:
    typical = float(np.median([min(look.width, look.height) for look in seen]))
    blank = [look for look in seen if look.contrast < BLANK_BELOW]
    rest = [look for look in seen if look.contrast >= BLANK_BELOW]
    small = SMALL_BELOW * typical
    return [
        *found(BLANK, _examples(blank), exclude=[look.sample.path for look in blank]),
        *_which(DARK, rest, _is_dark, lambda look: look.brightness),
        *_which(PLAIN, rest, _is_plain, lambda look: look.colours),
        *_which(BLURRED, rest, lambda look: look.sharpness < BLURRED_BELOW, lambda x: x.sharpness),
        *_which(SMALL, rest, lambda look: min(look.width, look.height) < small, _short, _size),
        *_which(
            NARROW, rest, lambda look: _ratio(look) > NARROW_ABOVE, lambda x: -_ratio(x), _size
        ),
    ]


def _which(
    kind: Kind,
    looks: Sequence[Look],
    belongs: Callable[[Look], bool],
    order: Callable[[Look], float] | None = None,
    words: Callable[[Look], Text] = lambda look: ("", ""),
) -> list[Finding]:
    """A finding of those that belong, the most extreme first."""
    chosen = [look for look in looks if belongs(look)]
    return found(kind, _examples(sorted(chosen, key=order) if order else chosen, words))


def _examples(
    looks: Sequence[Look], words: Callable[[Look], Text] = lambda look: ("", "")
) -> list[Example]:
    return [Example((look.sample.path,), words(look)) for look in looks]


def _is_dark(look: Look) -> bool:
    return look.brightness < DARK_BELOW


def _is_plain(look: Look) -> bool:
    # Of grey there are sixteen shades in the count: an X-ray has few, and is no drawing.
    return look.colours < PLAIN_BELOW and not _is_dark(look) and "grey" not in look.traits


def _size(look: Look) -> Text:
    text = f"{look.width} x {look.height}"
    return text, text


def _short(look: Look) -> float:
    return min(look.width, look.height)


def _ratio(look: Look) -> float:
    return max(look.width, look.height) / max(1, _short(look))
