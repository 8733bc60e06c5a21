"""Every block of every page is run as a reader would; Chinese ones with their twins."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.docs import fences
from tests.docs.fences import CHINESE, DOCS, Block

RUNNER = Path(__file__).with_name("runner.py")
SLOW = frozenset(
    {
        *("index.md", "learn/layer-table.md"),
        *("learn/tutorial-hotdog.md", "learn/tutorial-cats-dogs.md"),
    }
)
"""Pages whose commands train, or start a program twenty times: `make nightly` runs them."""

TRAINS = [pytest.mark.nightly, pytest.mark.timeout(1200)]
"""A ResNet-34 takes seven minutes for a tutorial on two cores that do 100 GFLOP/s."""

FOR_DEVELOPERS = frozenset({"architecture.md", "experiments.md", "performance.md", "scaling.md"})
"""Pages in English alone: they are read beside the code, whose comments are English too."""

NUMBER = re.compile(r"\d(?:[\d,.]*\d)?")
Environment = Callable[[], dict[str, str]]
TWINS = [page for page in fences.english_pages() if (CHINESE / page.relative_to(DOCS)).is_file()]
WITH_CODE = [page for page in fences.english_pages() if fences.read_blocks(page)]


def name(page: Path) -> str:
    """Where a page lies below docs/."""
    return page.relative_to(DOCS).as_posix()


def script(page: Path) -> list[Block]:
    """The blocks to run: the page's own, and behind each its Chinese twin where that differs."""
    blocks = fences.read_blocks(page)
    twin = CHINESE / page.relative_to(DOCS)
    twins = fences.read_blocks(twin) if twin.is_file() else blocks
    steps: list[Block] = []
    for block, other in zip(blocks, twins, strict=True):
        if block.language in fences.RUN:
            steps.append(block)
            if fences.comparable(other) != fences.comparable(block):
                steps.append(other)
    return steps


def run(blocks: list[Block], folder: Path, environment: dict[str, str]) -> str:
    """Run blocks in `folder`; returns what was printed, which says how it went."""
    records = [
        {
            "where": block.where,
            "line": block.line,
            "language": block.language,
            "text": block.text,
            "commands": fences.commands(block),
        }
        for block in blocks
    ]
    plan = folder / "blocks.json"
    plan.write_text(json.dumps(records), "utf-8")
    command = [sys.executable, str(RUNNER), str(plan)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return f"{done.stdout}{done.stderr}\nended with {done.returncode}"


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=name(page), marks=TRAINS * (name(page) in SLOW)) for page in WITH_CODE],
)
def test_the_page_does_what_it_shows(page: Path, desk: Path, reader: Environment):
    blocks = script(page)
    printed = run(blocks, desk, reader())
    print(printed)
    assert printed.endswith("\nended with 0"), printed
    assert printed.count("RAN ") == len(blocks)


def test_there_is_much_to_run():
    """If blocks were no longer found, every page would do what it shows."""
    daily = [page for page in WITH_CODE if name(page) not in SLOW]
    assert sum(len(script(page)) for page in daily) >= 48
    assert sum(len(script(page)) for page in WITH_CODE) >= 91


# What stands on the pages -----------------------------------------------------------------


@pytest.mark.parametrize("page", fences.pages(), ids=name)
def test_every_fence_says_a_known_language(page: Path):
    for block in fences.read_blocks(page):
        assert block.language in fences.LANGUAGES, f"{block.where}: ```{block.language}"
    # A fence that the pattern does not see would not be run.
    assert page.read_text("utf-8").count("```") == 2 * len(fences.read_blocks(page))


@pytest.mark.parametrize("page", fences.pages(), ids=name)
def test_console_blocks_have_commands(page: Path):
    for block in fences.read_blocks(page):
        if block.language == "console":
            assert fences.commands(block), f"{block.where}: no line begins with `$ `"


@pytest.mark.parametrize("page", fences.pages(), ids=name)
def test_installing_is_as_in_the_readme(page: Path):
    """Blocks that install are not run here: `make demo` installs in each clean checkout."""
    readme = (fences.ROOT / "README.md").read_text("utf-8")
    for block in fences.read_blocks(page):
        if block.language == "sh":
            assert block.text in readme, f"{block.where} is not in README.md"


def test_every_page_has_its_twin():
    english = {name(page) for page in fences.english_pages()} - FOR_DEVELOPERS
    assert {page.relative_to(CHINESE).as_posix() for page in fences.pages(CHINESE)} == english


@pytest.mark.parametrize("page", TWINS, ids=name)
def test_the_chinese_page_shows_the_same_code(page: Path):
    english = fences.read_blocks(page)
    chinese = fences.read_blocks(CHINESE / page.relative_to(DOCS))
    assert [block.language for block in chinese] == [block.language for block in english]
    for mine, other in zip(english, chinese, strict=True):
        same = re.sub(r" --lang zh\b|-zh(?=\.svg)", "", fences.comparable(other))
        assert same == fences.comparable(mine), f"{other.where} differs from {mine.where}"


@pytest.mark.parametrize("page", TWINS, ids=name)
def test_the_twins_have_the_same_sections_and_figures(page: Path):
    """A heading, a row or a number of a table that was changed in one language only."""
    texts = [path.read_text("utf-8") for path in (page, CHINESE / page.relative_to(DOCS))]
    rows, others = (re.findall(r"^\| .*\|$", text, re.M) for text in texts)
    for row, other in zip(rows, others, strict=True):
        assert sorted(NUMBER.findall(row)) == sorted(NUMBER.findall(other)), other
    for pattern in (r"^#+ ", r"^\| .*\|$", r"!\[", r"TODO\(figure"):
        counts = [len(re.findall(pattern, text, re.M)) for text in texts]
        assert counts[0] == counts[1], f"{pattern} in {name(page)}: {counts}"


# Planted faults: each check can fail ------------------------------------------------------


def planted(folder: Path, text: str) -> list[Block]:
    page = folder / "page.md"
    page.write_text(text, "utf-8")
    return fences.read_blocks(page)


def test_a_false_claim_is_caught_at_its_line(tmp_path: Path, reader: Environment):
    blocks = planted(tmp_path, "One\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    printed = run(blocks, tmp_path, reader())
    assert "RAN page.md:4" in printed
    assert 'File "<page.md:8>", line 8' in printed
    assert printed.endswith("\nended with 1")


def test_a_failing_command_is_caught_with_what_it_said(tmp_path: Path, reader: Environment):
    blocks = planted(tmp_path, "```console\n$ true\nfine\n$ echo why \\\n  >&2; exit 3\n```\n")
    assert fences.commands(blocks[0]) == ["true", "echo why \\\n  >&2; exit 3"]
    printed = run(blocks, tmp_path, reader())
    assert "ended with 3\nwhy" in printed
    assert printed.endswith("\nended with 1")


def test_comments_do_not_count_and_code_does(tmp_path: Path):
    texts = ("x = '#'  # one\n", "# eins\nx = '#'\n", "x = '?'\n")
    one, two, three = (
        fences.comparable(planted(tmp_path, f"```python\n{text}```\n")[0]) for text in texts
    )
    assert one == two != three
