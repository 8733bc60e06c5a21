"""Files: three formats, and a line for each mistake."""

import pytest
from PIL import Image, ImageStat

import shortcut
from shortcut.diagram import draw_diagram
from shortcut.errors import ModelError, RecipeError, ShortcutError


def test_png_has_two_pixels_a_pixel_of_the_svg(tmp_path):
    draw_diagram("resnet18", tmp_path / "a.svg", detail="stages")
    draw_diagram("resnet18", tmp_path / "a.png", detail="stages")
    head = (tmp_path / "a.svg").read_text("utf-8")[:200]
    with Image.open(tmp_path / "a.png") as picture:
        for side, pixels in zip(("width", "height"), picture.size, strict=True):
            assert f'{side}="{pixels // 2}"' in head
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert colours is not None and len(colours) > 50


def test_pdf_is_one_page_with_text(tmp_path):
    draw_diagram("resnet18", tmp_path / "a.pdf", detail="stages")
    file = (tmp_path / "a.pdf").read_bytes()
    assert file.startswith(b"%PDF-") and file.count(b"/Type /Page ") == 1
    assert b"/Font" in file


def test_dark_is_dark(tmp_path):
    def brightness(theme: str) -> float:
        path = tmp_path / f"{theme}.png"
        draw_diagram("resnet18", path, detail="stages", theme=theme)
        with Image.open(path) as picture:
            return ImageStat.Stat(picture.convert("L")).mean[0]

    assert brightness("light") > 200
    assert brightness("dark") < 60


def test_networks_of_one_s_own(tmp_path):
    model = shortcut.create_model("resnet18", num_classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    shortcut.draw_diagram({"mine": model}, tmp_path / "new" / "a.svg", image_size=64)
    text = (tmp_path / "new" / "a.svg").read_text("utf-8")
    assert ">mine<" in text and ">input 64×64×3<" in text
    assert all((value == before[name]).all() for name, value in model.state_dict().items())


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "a.svg"
    path.write_bytes(b"old")
    draw_diagram("resnet18", path)
    assert path.read_bytes().startswith(b"<?xml")
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize(
    ("networks", "name", "settings", "kind", "said"),
    [
        (
            "resnet18",
            "a.jpg",
            {},
            RecipeError,
            "no such ending of a diagram. Choose .svg, .png or .pdf",
        ),
        ("resnet18", "a", {}, RecipeError, "no such ending"),
        ("resnet18", "a.svg", {"detail": "all"}, RecipeError, "no such detail"),
        ("resnet18", "a.svg", {"theme": "pink"}, RecipeError, "no such theme"),
        ("resnet18", "a.svg", {"lang": "fr"}, RecipeError, "no such language"),
        ([], "a.svg", {}, RecipeError, "no network to draw"),
        ("resnet19", "a.svg", {}, ModelError, "resnet18"),
        ("resnet34_tutorial", "a.svg", {"image_size": 32}, ShortcutError, "32"),
    ],
)
def test_mistakes_get_one_line(tmp_path, networks, name, settings, kind, said):
    with pytest.raises(kind) as caught:
        draw_diagram(networks, tmp_path / name, **settings)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_a_chinese_font_only_svg_is_written(tmp_path, monkeypatch):
    from shortcut.diagram import paint
    from shortcut.errors import ResourceError

    monkeypatch.setattr(paint, "families", lambda: ("DejaVu Sans",))
    with pytest.raises(ResourceError, match=r"no font installed here has Chinese.*write \.svg"):
        draw_diagram("resnet18", tmp_path / "a.png", lang="zh")
    draw_diagram("resnet18", tmp_path / "a.svg", lang="zh")
    assert "恒等捷径" in (tmp_path / "a.svg").read_text("utf-8")
