"""A stage as one box: convolutions in brackets and how often, as in the paper's Table 1."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from shortcut.diagram import wording
from shortcut.diagram.blocks import beside
from shortcut.diagram.grid import INSET, Grid, arrow_tip, middle_line, width_of
from shortcut.diagram.network import Block, Stage
from shortcut.diagram.scene import Box, Line, Shape, Text
from shortcut.language import Say

LINE = 21.0
"""Height of a line in brackets."""
WORDS = 18.0
"""Height of a line of words."""
PAD = 10.0
"""Above and below."""
HOOK = 5.0
"""Length of the bent ends of a bracket."""
APART = 18.0
"""Between brackets and words."""


@dataclass(frozen=True)
class Bracket:
    """The convolutions that all blocks of a stage share, how many blocks, what the first does."""

    stage: Stage
    place: str
    """Role of its box."""
    say: Say
    inner: float
    """Width between the brackets."""

    @property
    def height(self) -> float:
        lines, words = len(_lines(self.stage)), len(wording.stage_words(self.stage, self.say))
        return max(lines * LINE, words * WORDS) + 2 * PAD

    def draw(self, grid: Grid, top: float, height: float) -> Iterator[Shape]:
        yield Box(grid.box, top, grid.edge - grid.box, height, self.place, 8)
        yield arrow_tip(grid.spine, top)
        lines, middle = _lines(self.stage), top + height / 2
        left, width = grid.box + INSET, self.inner
        above, below = middle - len(lines) * LINE / 2, middle + len(lines) * LINE / 2
        yield from _bracket(left, left + width, above, below)
        for place, line in enumerate(lines):
            y = above + LINE * (place + 0.5)
            yield Text(left + width / 2, middle_line(y, "bracket"), line, "bracket", "middle")
        times = f"× {len(self.stage.blocks)}"
        yield Text(left + width + 8, middle_line(middle, "times"), times, "times")
        words = wording.stage_words(self.stage, self.say)
        y = middle - WORDS * len(words) / 2
        x = grid.edge - INSET
        for role, text in words:
            yield Text(x, middle_line(y + WORDS / 2, role), text, role, "end")
            y += WORDS
        yield from beside(grid, middle, self.stage.output, self.stage.blocks[0].change)


def alike(stages: Sequence[Stage]) -> list[Stage]:
    """Stages cut where the convolutions change, as they do inside the stages of some networks."""
    return [
        Stage(stage.name, tuple(run))
        for stage in stages
        for _, run in groupby(stage.blocks, key=_block_lines)
    ]


def bracket_width(stages: Sequence[Stage], say: Say) -> float:
    """Width of the boxes of these stages, at least."""
    stages = alike(stages)
    times = max(width_of(f"× {len(stage.blocks)}", "times") for stage in stages)
    lines = [line for stage in stages for line in wording.stage_words(stage, say)]
    words = max(width_of(text, role) for role, text in lines)
    return INSET + inner_width(stages) + 8 + times + APART + words + INSET


def inner_width(stages: Sequence[Stage]) -> float:
    """Width between the brackets of these stages."""
    lines = [line for stage in alike(stages) for line in _lines(stage)]
    return max(width_of(line, "bracket") for line in lines) + 2 * INSET


def _lines(stage: Stage) -> list[str]:
    return _block_lines(stage.blocks[-1])


def _block_lines(block: Block) -> list[str]:
    return [wording.bracket_line(x) for x in block.branch if x.kind not in ("norm", "relu")]


def _bracket(left: float, right: float, top: float, bottom: float) -> Iterator[Shape]:
    yield Line(((left + HOOK, top), (left, top), (left, bottom), (left + HOOK, bottom)), "hook")
    yield Line(((right - HOOK, top), (right, top), (right, bottom), (right - HOOK, bottom)), "hook")
