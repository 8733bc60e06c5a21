"""Which pictures are fair, what is left out and said, and that answers are matched by name."""

import os
import shutil
from pathlib import Path

import pytest
from tests.comparison.made import make_model, make_run, moved, samples
from tests.pictures import digest_of

from shortcut.comparison import Contest, compare, render_page
from shortcut.data.samples import Sample
from shortcut.errors import DataError, ModelError, RecipeError


def names(contest: Contest) -> list[str]:
    return [contest.file_name(position) for position in range(len(contest.samples))]


def told(contest: Contest) -> str:
    return "\n".join(english for english, _ in contest.remarks)


@pytest.fixture
def photos(tiny_photos: Path) -> list[Sample]:
    """Six, then six, then twelve: to test on, to choose by and to train on."""
    return samples(tiny_photos)


def test_the_common_test_part_is_measured_and_classes_go_by_name(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    test, val, train = photos[:6], photos[6:12], photos[12:]
    a = make_run(tmp_path / "a", tiny_photos, {"train": train, "val": val, "test": test}, "blue")
    b = make_run(
        *(tmp_path / "b", tiny_photos, {"train": train, "val": val, "test": test[:5]}, "red"),
        classes=("red", "blue"),
    )
    before = digest_of(tiny_photos), digest_of(a)
    found = compare([a, b])
    assert (digest_of(tiny_photos), digest_of(a)) == before
    assert found.part == "test" and len(found.samples) == 5
    assert [scores.correct for scores in found.scores] == [3, 2]
    (one,) = found.comparisons
    assert {found.samples[i].label for i in one.only_first} == {"blue"}
    assert {found.samples[i].label for i in one.only_other} == {"red"}
    assert found.classes == ("blue", "red") and found.answers[1][0, 1] == pytest.approx(0.731, 1e-3)
    assert "left out: 1 picture that not all runs have in their test part" in told(found)
    assert "optimistic" not in told(found)


def test_what_one_was_trained_on_is_left_out_and_what_chose_is_told(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    a = make_run(tmp_path / "a", tiny_photos, {"train": photos[12:], "val": photos[:12]}, "blue")
    b = make_run(tmp_path / "b", tiny_photos, {"train": photos[:4], "val": photos[2:]}, "red")
    found = compare([a, b])
    assert found.part == "val"
    assert set(names(found)) == {f"{x.label}/{x.path.name}" for x in photos[4:12]}
    assert "left out: 2 pictures that b was trained on" in told(found)
    assert "these pictures chose the best epoch of a and of b" in told(found)
    assert "14 pictures that not all runs have in their val part" in told(found)
    # Everything that either was trained on is left out of other data as well.
    found = compare([a, b], tiny_photos)
    assert len(found.samples) == 8
    assert "12 pictures that a was trained on" in told(found)
    assert "4 pictures that b was trained on" in told(found)


def test_a_test_part_that_chose_is_told_of_the_run_that_it_chose(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[12:], "val": photos[6:12], "test": photos[:6]}
    a = make_run(tmp_path / "a", tiny_photos, parts, "blue")
    parts = {"train": photos[12:], "test": photos[:6]}
    b = make_run(tmp_path / "b", tiny_photos, parts, "red", measured_on="test")
    remarks = told(compare([a, b]))
    assert "these pictures chose the best epoch of b, so its figure is optimistic" in remarks
    assert "leans that way" in remarks and "epoch of a" not in remarks


def test_copies_elsewhere_are_known_by_their_bytes_and_gone_ones_by_name(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[:6], "val": photos[6:]}
    runs = [make_run(tmp_path / x, tiny_photos, parts, "blue") for x in "ab"]
    other = tmp_path / "other"
    for number, sample in enumerate(photos):
        (other / sample.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.path, other / sample.label / f"renamed-{number}.png")
    found = compare(runs, other)
    assert len(found.samples) == 18
    assert not {f"{x.label}/renamed-{i}.png" for i, x in enumerate(photos[:6])} & set(names(found))
    elsewhere = tiny_photos.rename(tmp_path / "moved")
    found = compare(runs, elsewhere)
    left = {f"{x.label}/{x.path.name}" for x in photos[6:]}
    assert set(names(found)) == left
    with pytest.raises(DataError, match=r"its pictures are no longer at .*photos; put them back"):
        compare(runs)


def test_pictures_that_cannot_be_read_are_left_out_for_all(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[12:], "val": photos[:12]}
    a = make_run(tmp_path / "a", tiny_photos, parts, "blue")
    b = make_run(tmp_path / "b", tiny_photos, parts, "red")
    photos[0].path.write_bytes(b"\x89PNG\r\n")
    found = compare([a, b])
    assert len(found.samples) == 11 and told(found).count("photo-00.png") == 1
    for sample in photos[1:8]:
        sample.path.write_bytes(b"\x89PNG\r\n")
    photos[8].path.unlink()
    found = compare([a, b])
    assert len(found.samples) == 3 and told(found).count("photo-") == 5
    assert "left out: 3 more pictures that cannot be read" in told(found)
    assert "left out: 1 picture of the val part, no longer there" in told(found)
    for sample in photos[:12]:
        sample.path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DataError, match="no pictures"):
        compare([a, b])


def test_a_model_file_of_a_run_is_known_and_another_is_not(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[12:], "val": photos[:12]}
    run = make_run(tmp_path / "a", tiny_photos, parts, "blue")
    kept = make_model(run / "kept" / "epoch2.safetensors", "red")
    found = compare([run, kept])
    assert len(found.samples) == 12 and found.entries[1].trained_on == 12
    assert [entry.name for entry in found.entries] == ["a", "epoch2.safetensors"]
    lone = make_model(tmp_path / "lone.safetensors", "red")
    with pytest.raises(DataError, match=r"lone.safetensors: is of no run folder.*`--data`"):
        compare([run, lone])
    found = compare([run, lone], tiny_photos)
    assert len(found.samples) == 12
    assert "which pictures lone.safetensors was trained on is not known" in told(found)
    assert found.settings == {} and found.entries[1].seconds is None


def test_what_cannot_be_compared_is_told(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[12:], "val": photos[:12]}
    a = make_run(tmp_path / "a", tiny_photos, parts, "blue")
    swapped = {"train": photos[:12], "val": photos[12:]}
    b = make_run(tmp_path / "b", tiny_photos, swapped, "red")
    with pytest.raises(DataError, match="a and b hold no picture in common in test or val"):
        compare([a, b])
    with pytest.raises(DataError, match="of its 24 pictures there is none"):
        compare([a, b], tiny_photos)
    with pytest.raises(RecipeError, match="only one run"):
        compare([a])
    with pytest.raises(RecipeError, match="given twice"):
        compare([a, a / "best.safetensors"])
    with pytest.raises(RecipeError, match=r"`--part val` has no effect without `--data`"):
        compare([a, b], part="val")
    c = make_run(tmp_path / "c", tiny_photos, parts, "cat", classes=("cat", "red"))
    with pytest.raises(ModelError, match=r"know other classes.*blue only the first, cat only the"):
        compare([a, c])
    (b / "best.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no best.safetensors yet.*`shortcut resume"):
        compare([a, b])


def test_three_runs_are_corrected_for_each_other(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[18:], "val": photos[:18]}
    words = {"a": "blue", "b": "red", "c": "red"}
    found = compare([make_run(tmp_path / x, tiny_photos, parts, y) for x, y in words.items()])
    assert [one.comparisons for one in found.comparisons] == [2, 2]
    assert "corrected for several comparisons" in told(found)
    page = render_page(found)
    assert page.count("cannot tell") + page.count("Cannot tell") == 4  # in words and in the table
    assert page.count("<img") == 4 * 9


def test_a_page_escapes_what_names_hold(tmp_path: Path, tiny_photos: Path) -> None:
    odd = tiny_photos / "red" / "<b>&\n.png"
    (tiny_photos / "red" / "photo-00.png").rename(odd)
    photos = samples(tiny_photos)
    parts = {"train": photos[12:], "val": [Sample(odd, "red"), *photos[2:12]]}
    runs = [
        make_run(tmp_path / x, tiny_photos, parts, y) for x, y in (("<i>", "blue"), ("b", "red"))
    ]
    for lang in ("en", "zh"):
        page = render_page(compare(runs), lang)
        assert "<b>" not in page and "<i>" not in page and "&lt;b&gt;&amp;\\n.png" in page
        assert "<script" not in page and os.sep + "tmp" not in page.split("<h2>")[-1]


def test_one_picture_by_two_paths_is_one(
    tmp_path: Path, tiny_photos: Path, photos: list[Sample]
) -> None:
    parts = {"train": photos[12:], "val": photos[:12]}
    a = make_run(tmp_path / "a", tiny_photos, parts, "blue")
    link = tmp_path / "link"
    link.symlink_to(tiny_photos)
    parts = {part: moved(each, tiny_photos, link) for part, each in parts.items()}
    b = make_run(tmp_path / "b", link, parts, "red")
    assert names(compare([a, b])) == names(compare([b, a]))
    assert len(names(compare([b, a]))) == 12 and not names(compare([b, a]))[0].startswith("/")
