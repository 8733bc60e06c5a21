"""The whole check, on made folders: what it says, and that it changes nothing."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.pictures import digest_of
from tests.scenes import COPIES, make_scene

from shortcut.checks import Checked, checking, render_page
from shortcut.errors import DataError
from shortcut.events import Progress, heard, run_silently


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """train/ and test/ of two classes, all pictures different."""
    for part, first in (("train", 0), ("test", 500)):
        for label, offset in (("cat", 0), ("dog", 100)):
            folder = tmp_path / "scenes" / part / label
            folder.mkdir(parents=True)
            for number in range(6):
                make_scene(first + offset + number).save(folder / f"{number}.jpg", quality=90)
    return tmp_path / "scenes"


def check(root: Path) -> Checked:
    return run_silently(checking(root))


def kinds(checked: Checked) -> dict[str, int]:
    few = ("few", "tiny")  # of so small a set
    return {f.kind.name: f.count for f in checked.findings if f.kind.name not in few}


def test_a_good_set_is_told_to_be_one(scenes: Path) -> None:
    checked = check(scenes)
    assert kinds(checked) == {} and checked.pictures == 24
    assert checked.verdict[0] == "can be trained on; 2 things to look at"
    assert not checked.is_clean  # so few pictures


def test_everything_is_found_in_one_go_and_nothing_is_changed(scenes: Path) -> None:
    train, test = scenes / "train", scenes / "test"
    for number, how in enumerate(COPIES):
        copy = COPIES[how](make_scene(500 + number))
        copy.save(train / "cat" / f"leak-{number}.png")
    shutil.copy(train / "dog" / "0.jpg", train / "dog" / "copy.jpg")
    make_scene(105).save(train / "cat" / "also-a-dog.jpg", quality=60)
    (train / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.new("RGB", (99, 99), "white").save(test / "dog" / "blank.png")
    (train / "Dog").mkdir()
    make_scene(900).save(train / "Dog" / "9.jpg")
    before = digest_of(scenes)
    checked = check(scenes)
    assert digest_of(scenes) == before
    assert kinds(checked) == {
        **{"twins": 1, "layout": 1, "missing": 1, "leak": len(COPIES), "conflict": 1},
        **{"unreadable": 1, "copies": 1, "blank": 1, "uneven": 1},
    }
    assert checked.verdict[0].startswith("not ready: 6 things to mend, ")
    out = {path.relative_to(scenes).as_posix(): why for path, why in checked.exclusions.items()}
    assert out == {
        **{f"train/cat/leak-{number}.png": "leak" for number in range(len(COPIES))},
        **{"train/cat/also-a-dog.jpg": "conflict", "train/dog/5.jpg": "conflict"},
        **{"train/dog/copy.jpg": "copies", "train/cat/broken.jpg": "unreadable"},
        **{"test/dog/blank.png": "blank"},
    }


def test_it_says_how_far_it_is(scenes: Path) -> None:
    seen: list[object] = []
    run_silently(heard(checking(scenes), seen.append))
    told = [event.what for event in seen if isinstance(event, Progress)]
    assert list(dict.fromkeys(told)) == [
        "looking at pictures",
        "comparing pictures",
        "comparing candidates",
    ]


def test_a_table_a_zip_and_digits_are_checked_too(scenes: Path, tmp_path: Path) -> None:
    rows = [f"scenes/train/{label}/{n}.jpg,{label}" for label in ("cat", "dog") for n in range(6)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]), "utf-8")
    shutil.make_archive(str(tmp_path / "scenes"), "zip", scenes)
    for place, images in (("list.csv", 12), ("scenes.zip", 24)):
        checked = check(tmp_path / place)
        assert (checked.pictures, kinds(checked)) == (images, {})


def test_where_nothing_is_there_that_is_said(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError):
            check(place)


def test_json_names_every_file(scenes: Path) -> None:
    shutil.copy(scenes / "test" / "cat" / "0.jpg", scenes / "train" / "cat" / "leak.jpg")
    facts = json.loads(json.dumps(check(scenes).as_dict()))
    assert facts["pictures"] == 25 and facts["parts"] == {"train": 13, "test": 12}
    leak = next(finding for finding in facts["findings"] if finding["kind"] == "leak")
    assert (leak["level"], leak["count"], leak["exclude"]) == ("error", 1, 1)
    assert [Path(file).name for file in leak["examples"][0]["files"]] == ["0.jpg", "leak.jpg"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_stands_alone_and_believes_no_name(lang: str, scenes: Path) -> None:
    evil = scenes / "train" / "<script>alert(1)<" / "x.jpg"
    evil.parent.mkdir()
    make_scene(7).save(evil, quality=60)
    shutil.copy(evil, evil.parent / "y & z.jpg")
    (evil.parent / "broken.jpg").write_bytes(b"<html>")
    page = render_page(check(scenes), lang)  # type: ignore[arg-type]
    has = {word: word in page for word in ("<script", "&lt;script&gt;", "y &amp; z.jpg", "http:")}
    assert has == {"<script": False, "&lt;script&gt;": True, "y &amp; z.jpg": True, "http:": False}
    pictures = page.count("data:image/jpeg;base64,")
    assert pictures == 2
    words = (
        ('<html lang="zh-Hans">', "无法读取") if lang == "zh" else ('<html lang="en">', "Nothing")
    )
    assert [word for word in words if word not in page] == []


def test_a_page_of_a_dreadful_set_stays_small(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "x" / label).mkdir(parents=True)
        for number in range(150):
            path = tmp_path / "x" / label / f"{'long name ' * 10}{number}.png"
            make_scene(number % 40, (64, 48)).point(lambda v: v // 8).save(path)
    page = render_page(check(tmp_path / "x"))
    size, folded = len(page), "and 32 more" in page
    assert size < 1_000_000 and folded
