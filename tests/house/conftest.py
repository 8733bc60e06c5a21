"""Small made-up houses, for showing that a check catches what it is there to catch."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from house.house import Module, read_house


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """The real house, parsed."""
    return read_house()


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[dict[str, str]], list[Module]]:
    """Write files (name below the package -> source) and parse them as a house."""

    def write(files: dict[str, str]) -> list[Module]:
        for name, source in files.items():
            path = tmp_path / "shortcut" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        return read_house(tmp_path / "shortcut")

    return write
