"""A comparison as one page: the verdict first, then tables, then the pictures themselves."""

from collections.abc import Sequence
from pathlib import Path

from shortcut.comparison.significance import Comparison
from shortcut.comparison.story import Contest
from shortcut.comparison.tables import result_tables
from shortcut.comparison.wording import COSTS, verdict
from shortcut.data.folders import printable
from shortcut.data.thumbnails import make_thumbnail
from shortcut.language import Lang, Say, percent, speak
from shortcut.pages import picture_address, render

SHOWN = 24
"""Of the pictures that only one gets right. Twice as many thumbnails of 6 kB are 0.3 MB a pair."""
COLOURS = {"better": "good", "worse": "warning", "cannot tell": "note"}


def render_page(contest: Contest, lang: Lang = "en") -> str:
    """The page as HTML text."""
    say = speak(lang)
    first = contest.entries[0].name
    pairs = list(zip(range(1, len(contest.entries)), contest.comparisons, strict=True))
    names = [entry.name for entry in contest.entries]
    images, place = f"{len(contest.samples):,}", printable(contest.place)
    values = {
        "title": say(f"{first} against ", f"{first} 对比 ") + say(", ", "、").join(names[1:]),
        "place": say(
            f"{images} pictures of the {contest.part} part of {place}",
            f"{place} 的 {contest.part} 部分，{images} 张图片",
        ),
        "verdicts": [
            (COLOURS[found.verdict], _sentence(verdict(first, names[i], found, say), say, names))
            for i, found in pairs
        ],
        "tables": result_tables(contest, say),
        "remarks": [_sentence(printable(say(*text)), say) for text in (*contest.remarks, COSTS)],
        "flips": [flip for i, found in pairs for flip in _flips(contest, i, found, say)],
        "footer": say(
            "Made by shortcut compare: McNemar's exact test, Newcombe's paired interval.",
            "由 shortcut compare 生成：McNemar 精确检验，Newcombe 配对区间。",
        ),
    }
    return render("compare.html", values, lang)


def _flips(contest: Contest, other: int, found: Comparison, say: Say) -> list[dict[str, object]]:
    return [
        _flip(contest, (0, other), found.only_first, say),
        _flip(contest, (other, 0), found.only_other, say),
    ]


def _flip(
    contest: Contest, pair: tuple[int, int], positions: Sequence[int], say: Say
) -> dict[str, object]:
    """Pictures that the first of a pair gets right and the second wrong, the clearest first."""
    right, wrong = pair
    truths = contest.truths

    def apart(position: int) -> float:
        good, bad = (contest.answers[i][position, truths[position]] for i in pair)
        return float(bad - good)

    shown = sorted(positions, key=apart)[:SHOWN]
    name, against = contest.entries[right].name, contest.entries[wrong].name
    return {
        "title": say(f"Only {name} is right", f"只有 {name} 答对"),
        "count": len(positions),
        "against": say(f"where {against} is wrong", f"{against} 答错"),
        "files": [_picture(contest, position, pair, say) for position in shown],
        "hidden": len(positions) - len(shown),
    }


def _picture(contest: Contest, position: int, pair: tuple[int, int], say: Say) -> dict[str, object]:
    small = make_thumbnail(contest.samples[position].path)
    name = Path(contest.file_name(position))  # outside of the data's folder a long one
    answers: list[str] = []
    for i in pair:
        row = contest.answers[i][position]
        label = printable(contest.classes[int(row.argmax())])
        answers.append(f"{contest.entries[i].name}: {label} {percent(float(row.max()), say)}")
    return {
        "name": printable(name if not name.is_absolute() else Path(*name.parts[-2:])),
        "address": picture_address(small) if small else "",
        "answers": answers,
    }


def _sentence(text: str, say: Say, names: Sequence[str] = ()) -> str:
    """With a capital, but where it begins with one of `names`."""
    kept = text.startswith(tuple(names))
    capital = text if kept else text[0].upper() + text[1:]
    return say(f"{capital}.", f"{text}。")
