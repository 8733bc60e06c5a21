"""What a comparison found, as tables of text, for the terminal and for the page."""

from shortcut.comparison.significance import Comparison
from shortcut.comparison.story import Contest
from shortcut.comparison.wording import chance, points, setting, span
from shortcut.data.folders import printable
from shortcut.language import Say, duration, percent
from shortcut.pages import Table


def result_tables(contest: Contest, say: Say) -> list[Table]:
    """Runs and what they cost, differences, classes, and settings where these differ."""
    tables = [_runs(contest, say), _differences(contest, say), _classes(contest, say)]
    return tables + ([_settings(contest, say)] if contest.settings else [])


def _runs(contest: Contest, say: Say) -> Table:
    rows = [
        [
            entry.name,
            percent(scores.accuracy, say),
            say(" to ", " 至 ").join(percent(end, say) for end in scores.interval),
            f"{scores.correct:,}",
            "?" if entry.trained_on is None else f"{entry.trained_on:,}",
            "?" if entry.seconds is None else duration(entry.seconds, say),
            f"{entry.parameters:,}",
            f"{entry.size / 1e6:,.1f} MB",
        ]
        for entry, scores in zip(contest.entries, contest.scores, strict=True)
    ]
    heads = say(
        "run|accuracy|95 %|right|trained on|training|parameters|model file",
        "训练|准确率|95% 区间|答对|训练图片|训练用时|参数|模型文件",
    )
    return Table(say("Runs", "各次训练"), heads.split("|"), rows)


def _differences(contest: Contest, say: Say) -> Table:
    first = contest.entries[0].name
    rows = [
        [
            say(f"{entry.name} minus {first}", f"{entry.name} 减 {first}"),
            points(found.difference, say),
            span(found.interval, say),
            chance(found.adjusted_p),
            f"{len(found.only_first):,}",
            f"{len(found.only_other):,}",
            _word(found, say),
        ]
        for entry, found in zip(contest.entries[1:], contest.comparisons, strict=True)
    ]
    heads = say(
        "difference|accuracy|95 %|by chance|only first right|only other right|verdict",
        "差异|准确率|95% 区间|偶然概率|只有前者对|只有后者对|结论",
    )
    return Table(say("Differences", "差异"), heads.split("|"), rows)


def _word(found: Comparison, say: Say) -> str:
    chinese = {"better": "更好", "worse": "更差", "cannot tell": "无法判断"}
    return say(found.verdict, chinese[found.verdict])


def _classes(contest: Contest, say: Say) -> Table:
    """Right answers of each run; behind those of the others what they gain and lose."""
    gains = zip(*(found.by_class for found in contest.comparisons), strict=True)
    rows = [
        [
            printable(of_class[0].label),
            f"{of_class[0].pictures:,}",
            f"{of_class[0].first:,}",
            *(f"{gain.other:,} (+{gain.gained:,} -{gain.lost:,})" for gain in of_class),
        ]
        for of_class in gains
    ]
    heads = [say("class", "类别"), say("pictures", "图片"), *(e.name for e in contest.entries)]
    return Table(say("Right answers by class", "各类别答对数"), heads, rows)


def _settings(contest: Contest, say: Say) -> Table:
    rows = [
        [name, *(printable(setting(value, say)) for value in values)]
        for name, values in contest.settings.items()
    ]
    heads = [say("setting", "设置"), *(entry.name for entry in contest.entries)]
    title = say("Settings that differ", "不同的设置")
    return Table(title, heads, rows, text_columns=len(heads))
