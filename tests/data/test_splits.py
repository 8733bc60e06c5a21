"""A validation part is stratified and pure; a split file gives back what was written."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut.data import splits
from shortcut.data.samples import Sample
from shortcut.data.splits import carve_validation, read_split, read_table, split_table
from shortcut.errors import DataError, RecipeError

SIZES = st.lists(st.integers(2, 40), min_size=1, max_size=5)
FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**31)
# What file names and labels may hold: separators, quotes, line ends, letters of any script.
NAMES = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))


def made(sizes: list[int], root: str = "/photos") -> list[Sample]:
    return [
        Sample(Path(root) / f"class{c}" / f"{n}.jpg", f"class{c}")
        for c, size in enumerate(sizes)
        for n in range(size)
    ]


@given(SIZES, FRACTIONS, SEEDS)
def test_every_class_gives_its_share_within_one_picture(
    sizes: list[int], fraction: float, seed: int
) -> None:
    samples = made(sizes)
    train, validation = carve_validation(samples, fraction=fraction, seed=seed)
    assert sorted([*train, *validation], key=lambda s: s.path) == sorted(
        samples, key=lambda s: s.path
    )
    counts = Counter(sample.label for sample in validation)
    kept = Counter(sample.label for sample in train)
    for label, size in Counter(sample.label for sample in samples).items():
        assert counts[label] >= 1
        assert kept[label] >= 1
        assert abs(counts[label] - fraction * size) <= 1


@given(SIZES, SEEDS, st.randoms(use_true_random=False))
def test_order_and_place_do_not_matter(
    sizes: list[int], seed: int, shuffler: random.Random
) -> None:
    here, there = made(sizes), made(sizes, "/elsewhere/deeper")
    shuffler.shuffle(there)
    first = carve_validation(here, fraction=0.3, seed=seed)
    second = carve_validation(there, fraction=0.3, seed=seed)
    for one, other in zip(first, second, strict=True):
        assert [s.path.relative_to("/photos") for s in one] == [
            s.path.relative_to("/elsewhere/deeper") for s in other
        ]


def test_the_seed_matters_and_the_choice_is_fixed_for_ever() -> None:
    samples = made([50, 50])
    chosen = [carve_validation(samples, fraction=0.1, seed=seed)[1] for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    # A golden value: another choice would move pictures between the parts of existing runs.
    _, validation = carve_validation(made([9, 9]), fraction=0.2, seed=7)
    names = [f"{sample.label}/{sample.path.stem}" for sample in validation]
    assert names == ["class0/3", "class0/4", "class1/1", "class1/2"]


def test_a_class_of_one_picture_is_named() -> None:
    with pytest.raises(DataError, match="class 'class1' has one picture only") as caught:
        carve_validation(made([5, 1]), fraction=0.2, seed=0)
    assert "0.jpg" in str(caught.value)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_impossible_fractions(fraction: float) -> None:
    with pytest.raises(RecipeError, match="between 0 and 1"):
        carve_validation(made([5]), fraction=fraction, seed=0)


def test_nothing_gives_nothing() -> None:
    assert carve_validation([], fraction=0.2, seed=0) == ((), ())


@given(st.dictionaries(NAMES, st.tuples(NAMES, st.sampled_from(["train", "val", "test"]))))
@settings(max_examples=40)
def test_a_split_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str]]
) -> None:
    root = tmp_path_factory.mktemp("split")
    parts: dict[str, list[Sample]] = {}
    with pytest.MonkeyPatch.context() as patch:
        # Not every system can hold every name; whether they exist is another test.
        patch.setattr(splits, "_size", lambda _: 7)
        for name, (label, part) in rows.items():
            parts.setdefault(part, []).append(Sample(root / label / name, label))
        found = read_split(split_table(parts, root), root, name="split.csv")
    assert found == {part: tuple(samples) for part, samples in parts.items()}


def photos(root: Path) -> list[Sample]:
    samples = [Sample(root / "cat" / name, "cat") for name in ("1.jpg", "2, or 3.jpg")]
    for sample in samples:
        sample.path.parent.mkdir(parents=True, exist_ok=True)
        sample.path.touch()
    return samples


def test_paths_are_relative_to_the_root_or_absolute(tmp_path: Path) -> None:
    inside, outside = photos(tmp_path / "data"), photos(tmp_path / "more")
    table = split_table({"train": inside, "test": outside}, tmp_path / "data")
    assert table.decode().splitlines() == [
        "path,class,split,bytes",
        "cat/1.jpg,cat,train,0",
        '"cat/2, or 3.jpg",cat,train,0',
        f"{(tmp_path / 'more/cat/1.jpg').as_posix()},cat,test,0",
        f'"{(tmp_path / "more/cat/2, or 3.jpg").as_posix()}",cat,test,0',
    ]
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = read_split(table, tmp_path / "moved", name="split.csv")
    assert moved["train"][0].path == tmp_path / "moved" / "cat" / "1.jpg"
    assert list(moved) == ["train", "test"]


def test_a_csv_file_as_root_means_its_folder(tmp_path: Path) -> None:
    samples = photos(tmp_path)
    root = tmp_path / "labels.csv"
    root.touch()
    table = split_table({"train": samples}, root)
    assert b"\ncat/1.jpg,cat,train,0\n" in table
    assert read_split(table, root, name="split.csv") == {"train": tuple(samples)}


def test_pictures_that_are_gone_or_changed_are_named(tmp_path: Path) -> None:
    samples = photos(tmp_path)
    table = split_table({"train": samples}, tmp_path)
    samples[0].path.unlink()
    samples[1].path.write_bytes(b"more than nothing")
    expected = r"2 of 2 pictures are not as they were: cat/1.jpg \(is missing\), cat/2, or 3.jpg"
    with pytest.raises(DataError, match=expected + r" \(has changed\)\. .*accept-data-change"):
        read_split(table, tmp_path, name="split.csv")
    left = read_split(table, tmp_path, name="split.csv", changed=True)
    assert left == {"train": (samples[1],)}


def test_five_of_many_are_named(tmp_path: Path) -> None:
    samples = [Sample(tmp_path / "cat" / f"{number}.jpg", "cat") for number in range(9)]
    table = split_table({"train": samples}, tmp_path)
    with pytest.raises(DataError, match=r"9 of 9 .* cat/4.jpg \(is missing\)\. "):
        read_split(table, tmp_path, name="split.csv")


def test_other_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split\.csv: is not a split"):
        read_split(b"path,label\n", tmp_path, name="split.csv")
    with pytest.raises(DataError, match="row 2"):
        read_split(b"path,class,split,bytes\nx.jpg,cat,all,3\n", tmp_path, name="split.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv")
