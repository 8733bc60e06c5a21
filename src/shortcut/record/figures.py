"""What a classifier reached, as parts of the record: accuracy, its honesty, classes, confusions."""

from collections.abc import Mapping

import numpy as np

from shortcut.language import Say, part_name, percent
from shortcut.markdown import plain, table
from shortcut.metrics import Scores

SHOWN_CONFUSIONS = 3


def accuracy_table(measured: Mapping[str, Scores], say: Say) -> list[str]:
    """A row for each part, with its interval and its number of pictures."""
    head = say(
        "Part|Accuracy|95 % interval|Right|Images|Loss",
        "子集|准确率|95% 置信区间|正确数|图片数|损失",
    )
    rows = [
        (
            part_name(part, say),
            percent(scores.accuracy, say),
            say(" to ", " 至 ").join(percent(end, say) for end in scores.interval),
            f"{scores.correct:,}",
            f"{scores.images:,}",
            f"{scores.loss:.3f}",
        )
        for part, scores in measured.items()
    ]
    return table(head.split("|"), rows)


def honesty(measured: Mapping[str, Scores], say: Say) -> str:
    """How far the figures can be trusted: whether the pictures also chose the best epoch."""
    if "val" not in measured:
        return say(
            "The best epoch was chosen on these very test pictures, so the figure flatters: "
            "expect less on pictures that took no part.",
            "最佳轮次正是依据这些测试图片选出的，因此该数字偏于乐观；在全新的图片上，准确率预计会更低。",
        )
    if "test" not in measured:
        return say(
            "The best epoch was chosen on val, so its figure flatters a little; there is no test "
            "part to check it with.",
            "最佳轮次依据验证集选出，其数字略偏乐观；本数据没有测试集可供核对。",
        )
    text = say(
        "The best epoch was chosen on val, so its figure flatters a little; test was looked at "
        "once, at the end: quote that figure.",
        "最佳轮次依据验证集选出，其数字略偏乐观；测试集只在最后使用一次，对外应引用测试集的数字。",
    )
    if measured["test"].interval[1] < measured["val"].interval[0]:
        text += say(
            " Test lies below val by more than chance: the two parts differ.",
            "测试集准确率低于验证集，差距超出随机波动的范围，两部分数据可能存在差异。",
        )
    return text


def class_table(part: str, scores: Scores, say: Say) -> list[str]:
    """Precision, recall and F1 of every class."""
    head = say(
        "Class|Precision|Recall|95 % interval|F1|Images", "类别|精确率|召回率|95% 区间|F1|图片数"
    )
    rows = [
        (
            *(plain(one.label), f"{one.precision:.3f}", f"{one.recall:.3f}"),
            *("{:.3f} - {:.3f}".format(*one.interval), f"{one.f1:.3f}", f"{one.images:,}"),
        )
        for one in scores.by_class
    ]
    name = part_name(part, say)
    return [
        say(f"Measured on {name}.", f"在{name}上测得。"),
        "",
        *table(head.split("|"), rows),
    ]


def confusions(part: str, scores: Scores, say: Say) -> list[str]:
    """The most frequent mistakes, a sentence each."""
    errors = scores.confusion.copy()
    np.fill_diagonal(errors, 0)
    found: list[str] = []
    for place in np.argsort(-errors, axis=None, kind="stable")[:SHOWN_CONFUSIONS]:
        truth, answer = divmod(int(place), len(scores.classes))
        count = int(errors[truth, answer])
        if count:
            names = plain(scores.classes[truth]), plain(scores.classes[answer])
            times = "once" if count == 1 else f"{count:,} times"
            name = part_name(part, say)
            found.append(
                say(
                    f"On {name}, {names[0]} was taken for {names[1]} {times}.",
                    f"在{name}上，{names[0]} 被误判为 {names[1]} {count:,} 次。",
                )
            )
    return found
