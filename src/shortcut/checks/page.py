"""What was found, as one page: words first, then the pictures themselves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from shortcut.checks.findings import Example, Finding
from shortcut.checks.story import Checked
from shortcut.checks.wording import LEVELS, SURE
from shortcut.data.folders import printable
from shortcut.data.splits import portable_path
from shortcut.data.thumbnails import make_thumbnail
from shortcut.language import Lang, Say, speak
from shortcut.pages import picture_address, render

SHOWN_GROUPS = 8
SHOWN_PICTURES = 4
"""Of a group. 8 groups of 4 in 15 kinds of finding are 480 thumbnails of 6 kB: 4 MB of page."""
LISTED = 500
"""Names of files below the thumbnails: more than that nobody reads."""


def render_page(checked: Checked, lang: Lang = "en") -> str:
    """The page as HTML text of at most some MB."""
    say = speak(lang)
    source = checked.source
    name = printable(source.name)
    levels = [finding.kind.level for finding in checked.findings]
    worst = next((level for level in ("error", "warning") if level in levels), "good")
    values = {
        "title": say(f"What was found in {name}", f"{name} 的检查结果"),
        "place": printable(source.root),
        "verdict": _sentence(say(*checked.verdict), say),
        "colour": worst,
        "parts": list(source.parts),
        "rows": _rows(checked),
        "findings": [_finding(finding, source.root, say) for finding in checked.findings],
        "footer": _footer(checked, say),
    }
    return render("check.html", values, lang)


def _footer(checked: Checked, say: Say) -> str:
    images, seconds = f"{checked.pictures:,}", f"{checked.seconds:.0f}"
    return say(
        f"shortcut check looked at {images} pictures in {seconds} s. Nothing there was changed.",
        f"shortcut check 用 {seconds} 秒查看了 {images} 张图片，文件夹内容未作任何改动。",
    )


def _rows(checked: Checked) -> list[tuple[str, list[int]]]:
    parts = checked.source.parts
    counts = {part: Counter(s.label for s in samples) for part, samples in parts.items()}
    classes = checked.source.classes
    return [(printable(c), [counts[part][c] for part in parts]) for c in classes]


def _finding(finding: Finding, root: Path, say: Say) -> dict[str, object]:
    kind = finding.kind
    pictured = [example for example in finding.examples if example.files]
    worded = [example for example in finding.examples if not example.files]
    rest = _names(pictured[SHOWN_GROUPS:], root, say)
    return {
        "level": kind.level,
        "level_word": say(*LEVELS[kind.level]),
        "count": finding.count,
        "title": _capital(say(*kind.title)),
        "advice": _sentence(say(*kind.advice), say),
        "sure": _sentence(say("how sure: ", "把握：") + say(*SURE[kind.sure]), say),
        "lines": [printable(say(*example.words)) for example in worded[:LISTED]],
        "groups": [_group(example, root, say) for example in pictured[:SHOWN_GROUPS]],
        "more": rest[:LISTED],
    }


def _sentence(text: str, say: Say) -> str:
    end = "" if text[-1] in "?？" else say(".", "。")
    return _capital(text) + end


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _group(example: Example, root: Path, say: Say) -> dict[str, object]:
    files = [_picture(file, root) for file in example.files[:SHOWN_PICTURES]]
    hidden = len(example.files) - len(files)
    more = say(f" (and {hidden} more)", f"(另有 {hidden} 张)") if hidden else ""
    return {"words": printable(say(*example.words)) + more, "files": files}


def _picture(file: Path, root: Path) -> dict[str, str]:
    small = make_thumbnail(file)
    address = picture_address(small) if small else ""
    return {"name": printable(portable_path(file, root)), "address": address}


def _names(examples: Sequence[Example], root: Path, say: Say) -> list[str]:
    def line(files: Iterable[Path], words: str) -> str:
        names = " = ".join(printable(portable_path(file, root)) for file in files)
        return f"{names} ({printable(words)})" if words else names

    return [line(example.files, say(*example.words)) for example in examples]
