"""The fenced blocks of a page: which there are, what is a command in them, what is comparable."""

import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CHINESE = DOCS / "zh"

RUN = frozenset({"python", "console"})
"""Blocks that are run; the others are output or settings to look at, and installing."""
LANGUAGES = RUN | {"text", "sh"}

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One fence: its language, where its text begins, its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """What a failure begins with."""
        return f"{self.page}:{self.line}"


def pages(folder: Path = DOCS) -> list[Path]:
    """All pages, or those below `folder`, sorted."""
    return sorted(folder.rglob("*.md"))


def english_pages() -> list[Path]:
    """Pages that are not under zh/."""
    return [page for page in pages() if CHINESE not in page.parents]


def read_blocks(page: Path) -> list[Block]:
    """The fences of a page in their order."""
    text = page.read_text("utf-8")
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    return [
        Block(name, text.count("\n", 0, found.start()) + 2, found["language"], found["text"])
        for found in FENCE.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The lines after `$ `, with the lines that a backslash joins to them; the rest is output."""
    found: list[str] = []
    joined = False
    for line in block.text.splitlines():
        if joined:
            found[-1] += "\n" + line
        elif line.startswith("$ "):
            found.append(line[2:])
        else:
            continue
        joined = line.endswith("\\")
    return found


def comparable(block: Block) -> str:
    """What the two languages must share: all but comments, and of console blocks the commands."""
    if block.language == "python":
        return without_comments(block.text)
    if block.language == "console":
        return "\n".join(re.sub(r"\s+#\s.*", "", line) for line in commands(block))
    return ""


def without_comments(code: str) -> str:
    """Python without comments and without the blanks before them."""
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    return "\n".join(line for line in lines if line.strip())
