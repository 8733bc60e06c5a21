"""The least believed labels as a gallery: keep, move or drop each, and save the choices."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from shortcut.data.folders import printable
from shortcut.data.splits import portable_path
from shortcut.data.thumbnails import make_thumbnail
from shortcut.labels import Suspect
from shortcut.language import Lang, Say, percent, speak
from shortcut.pages import picture_address, render

SHOWN = 400
"""Pictures of some 6 kB each: 2.4 MB of page, and an hour of looking."""


def render_gallery(
    suspects: Sequence[Suspect],
    root: Path,
    name: str,
    images: int,
    lang: Lang = "en",
    *,
    table: str = "suspects.csv",
) -> str:
    """The page as HTML text. Its one script makes a file of the choices; it sends nothing.

    Args:
        images: how many labels were looked at.
        table: the list that has all of them.
    """
    say = speak(lang)
    contradicted = sum(one.contradicted for one in suspects)
    script = (resources.files("shortcut") / "pages" / "suspects.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    values = {
        "title": say(f"Labels to look at in {name}", f"{name} 中值得核对的标签"),
        "verdict": say(
            f"{contradicted:,} of {images:,} labels are contradicted with confidence.",
            f"{images:,} 个标签中有 {contradicted:,} 个受到有力的反驳。",
        ),
        "colour": "warning" if contradicted else "good",
        "suspects": [_card(one, root, say) for one in suspects[:SHOWN]],
        "script": script,
        "digest": f"sha256-{digest}",
        "table": table,
        "more": max(0, len(suspects) - SHOWN),
        "footer": say("Nothing in the data folder was changed.", "数据文件夹未作任何改动。"),
    }
    return render("suspects.html", values, lang)


def _card(one: Suspect, root: Path, say: Say) -> dict[str, object]:
    small = make_thumbnail(one.sample.path)
    path = portable_path(one.sample.path, root)
    return {
        # A name that is no text would not come back from the browser as it was.
        "path": "" if any("\ud800" <= letter <= "\udfff" for letter in path) else path,
        "name": printable(path),
        "label": printable(one.sample.label),
        "answer": printable(one.answer),
        "class": one.answer,
        "score": percent(one.score, say),
        "contradicted": one.contradicted,
        "address": picture_address(small) if small else "",
    }
