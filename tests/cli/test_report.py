"""`shortcut report`."""

from pathlib import Path

from tests.cli.conftest import Run


def test_a_report_is_drawn_anew_in_the_language_asked_for(
    shortcut: Run, tiny_photos: Path, tiny_recipe: Path
) -> None:
    trained = shortcut("train", tiny_photos, "--recipe", tiny_recipe, "--output", "run")
    assert trained.code == 0 and "run/report.html" in trained.err
    Path("run/report.html").unlink()
    result = shortcut("report", "run", "--lang", "zh")
    assert result.code == 0 and "report.html" in result.err
    assert 'lang="zh-Hans"' in Path("run/report.html").read_text("utf-8")


def test_what_is_no_run_is_told(shortcut: Run, tiny_photos: Path) -> None:
    for words, said in (([tiny_photos], "not a run folder"), (["none"], "does not exist")):
        result = shortcut("report", *words)
        assert result.code == 4 and said in result.last_error_line
    assert shortcut("report", "run", "--langg", "zh").code == 2
