"""The gallery: one script, known by its digest, that makes a file of the choices."""

import base64
import hashlib
import re
from pathlib import Path

from PIL import Image

from shortcut.data.samples import Sample
from shortcut.labels import Suspect
from shortcut.suspects.page import SHOWN, Gallery, render_gallery


def suspect(folder: Path, number: int, *, contradicted: bool = True) -> Suspect:
    return Suspect(Sample(folder / f"{number}<.png", "a<b"), 'c"d', 0.9, 0.1, contradicted)


def test_the_page_allows_its_own_script_and_no_other(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "0<.png")
    page = render_gallery(Gallery("x<y", [suspect(tmp_path, 0)], tmp_path, 10))
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert not re.search(r"fetch\(|XMLHttpRequest|https?://|eval\(|innerHTML", script)


def test_names_are_escaped_and_pictures_shown(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "0<.png")
    page = render_gallery(
        Gallery("x<y", [suspect(tmp_path, 0), suspect(tmp_path, 1)], tmp_path, 10)
    )
    assert "x&lt;y" in page and 'data-path="0&lt;.png"' in page and 'data-class="c&#34;d"' in page
    assert page.count("data:image/jpeg") == 1 and page.count("cannot be read") == 1
    assert (
        "2 of 10 labels are contradicted with confidence, by networks that agree with 80.0 %"
        in page
    )


def test_no_more_are_shown_than_a_person_looks_at(tmp_path: Path) -> None:
    many = [suspect(tmp_path, n, contradicted=False) for n in range(SHOWN + 5)]
    page = render_gallery(Gallery("x", many, tmp_path, 1000), "zh")
    assert page.count("<fieldset") == SHOWN and "另有 5 项" in page
    assert "每个回答都与标签一致" in render_gallery(Gallery("x", [], tmp_path, 1000), "zh")


def test_a_name_that_is_no_text_cannot_be_chosen(tmp_path: Path) -> None:
    odd = Suspect(Sample(tmp_path / "\udcff.png", "a"), "b", 0.9, 0.1, contradicted=True)
    page = render_gallery(Gallery("x", [odd, suspect(tmp_path, 1)], tmp_path, 10))
    assert 'data-path=""' in page and page.count("rename the file to choose here") == 1
    assert page.count('type="radio"') == 3


def test_a_group_of_choices_is_called_by_its_picture(tmp_path: Path) -> None:
    page = render_gallery(Gallery("x", [suspect(tmp_path, 1)], tmp_path, 10))
    assert re.search(r"<legend>1<span[^>]*> 1&lt;\.png</span>", page)


def test_networks_that_guess_are_said_to(tmp_path: Path) -> None:
    page = render_gallery(Gallery("x", [suspect(tmp_path, 1)], tmp_path, 2, guessed=True))
    assert "this list says nothing yet" in page and 'class="verdict error"' in page
    assert "contradicted with confidence" not in page
