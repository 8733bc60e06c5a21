"""The least believed labels as a list of changes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from shortcut.data.changes import COLUMNS
from shortcut.data.splits import portable_path
from shortcut.labels import Suspect


def suspect_table(suspects: Sequence[Suspect], root: Path) -> bytes:
    """A list of changes that changes nothing yet, as CSV text: every `action` is `keep`; `drop`
    leaves the picture out of a training, `move` gives it to `class`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*COLUMNS, "label", "score", "score_of_label"])
    for one in suspects:
        path = portable_path(one.sample.path, root)
        scores = f"{one.score:.4f}", f"{one.of_label:.4f}"
        writer.writerow([path, "keep", one.answer, one.sample.label, *scores])
    return table.getvalue().encode("utf-8", "surrogateescape")
