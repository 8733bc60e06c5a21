"""The least believed labels as a gallery: keep, move or drop each, and save the choices."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Gallery:
    """What the page is made of."""

    name: str
    """Of the data set."""
    suspects: Sequence[Suspect]
    root: Path
    """Where the pictures lie."""
    images: int
    """How many labels were looked at."""
    guessed: bool = False
    """Whether the ranking is noise, as the networks guess; see `Scores.guessed`."""
    table: str = "suspects.csv"
    """The list that has all of them."""

    def verdict(self, say: Say) -> tuple[str, str]:
        """Its colour, and what the ranking says, and how far it can be believed."""
        images, right = f"{self.images:,}", percent(1 - len(self.suspects) / self.images, say)
        if self.guessed:
            return "error", say(
                f"The networks agree with {right} of {images} labels, not surely more than by "
                "guessing: this list says nothing yet. Train longer, or on more pictures.",
                f"网络与 {images} 个标签中的 {right} 一致，不能算好于猜测：此列表尚无意义。"
                "请训练更久或增加图片。",
            )
        contradicted = sum(one.contradicted for one in self.suspects)
        return "warning" if contradicted else "good", say(
            f"{contradicted:,} of {images} labels are contradicted with confidence, by networks "
            f"that agree with {right} of them.",
            f"{images} 个标签中有 {contradicted:,} 个受到有力的反驳，网络与其中 {right} 一致。",
        )


def render_gallery(gallery: Gallery, lang: Lang = "en") -> str:
    """The page as HTML text. Its one script makes a file of the choices; it sends nothing."""
    say = speak(lang)
    colour, verdict = gallery.verdict(say)
    name, suspects = gallery.name, gallery.suspects
    script = (resources.files("shortcut") / "pages" / "suspects.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    values = {
        "title": say(f"Labels to look at in {name}", f"{name} 中值得核对的标签"),
        "verdict": verdict,
        "colour": colour,
        "suspects": [_card(one, gallery.root, say) for one in suspects[:SHOWN]],
        "script": script,
        "digest": f"sha256-{digest}",
        "table": gallery.table,
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
