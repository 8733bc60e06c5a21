"""How often test pictures were looked at: each look that decides something makes them less of a
test."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from shortcut.data.samples import Sample
from shortcut.language import Text


def count_look(samples: Sequence[Sample], cache: Path, by: str) -> int:
    """Note that these pictures were measured on; how many times that makes on this machine.

    The pictures are known by names, labels and sizes, wherever their folder lies. Where the cache
    cannot be written nothing is counted, and the answer is 0: no measuring fails for that.

    Args:
        samples: all that are to be measured on, readable or not.
        by: what looked, a word or a file.
    """
    file = cache / "looks" / f"{_digest(samples)[:32]}.txt"
    line = f"{datetime.now().astimezone().isoformat(timespec='seconds')} {by!a}\n"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Appended in one write, so that two processes at once are two lines.
        with file.open("ab", buffering=0) as book:
            book.write(os.fsencode(line))
        return file.read_bytes().count(b"\n")
    return 0


def describe_looks(looks: int) -> Text:
    """What it means that test pictures were measured on so often."""
    return (
        f"these test pictures have been measured on {looks:,} times here; each time that decides "
        "something makes the figure flatter more",
        f"这些测试图片已在此被评估 {looks:,} 次；每次据此做决定，数字就更偏于乐观",
    )


def _digest(samples: Sequence[Sample]) -> str:
    """Names alone would not do: many a data set calls its pictures `ok/0001.png`."""
    digest = hashlib.sha256()
    for sample in samples:
        size = 0
        with contextlib.suppress(OSError):
            size = sample.path.stat().st_size
        name = f"{sample.path.parent.name}/{sample.path.name}\t{sample.label}\t{size}\n"
        digest.update(os.fsencode(name))
    return digest.hexdigest()
