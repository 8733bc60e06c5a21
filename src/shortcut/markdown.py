"""The little Markdown that records and tables need."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; the cells must be plain, see `plain`."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return [line(head), f"|{'---|' * len(head)}", *map(line, rows)]


def plain(text: str) -> str:
    """A name as it is: whatever stands in it, it ends no cell and becomes no tag and no link."""
    for special in "\\|<`*[":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())
