"""Copies are found among strangers, however they were made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scenes import COPIES, make_scene

from shortcut.data import copies
from shortcut.data.copies import Pair, find_copies, group_copies
from shortcut.data.patterns import SIDE, make_thumb
from shortcut.events import Notice, Progress, heard, run_silently

STRANGERS = 60


@pytest.fixture(scope="module")
def strangers() -> np.ndarray:
    return np.stack([make_thumb(make_scene(seed)) for seed in range(STRANGERS)])


def test_strangers_are_no_copies(strangers: np.ndarray) -> None:
    assert run_silently(find_copies(strangers)) == []


@pytest.mark.parametrize("how", COPIES)
def test_each_copy_is_found_and_nothing_else(how: str, strangers: np.ndarray) -> None:
    made = [make_thumb(COPIES[how](make_scene(seed))) for seed in range(0, STRANGERS, 3)]
    pairs = run_silently(find_copies(np.concatenate([strangers, np.stack(made)])))
    expected = {(seed, STRANGERS + n) for n, seed in enumerate(range(0, STRANGERS, 3))}
    assert {(pair.first, pair.second) for pair in pairs} == expected
    assert {pair.mirrored for pair in pairs} == {how == "mirrored"}
    assert all(0.92 <= pair.likeness <= 1.0 for pair in pairs)


def test_equal_files_are_pairs_whatever_they_show() -> None:
    blank = np.full((4, SIDE, SIDE), 200, np.uint8)
    assert run_silently(find_copies(blank, [(0, 2, 3)])) == [Pair(0, 2, 1.0), Pair(2, 3, 1.0)]


def test_a_picture_that_is_its_own_mirror_image_is_no_pair() -> None:
    half = make_thumb(make_scene(0))[:, : SIDE // 2]
    assert run_silently(find_copies(np.hstack([half, half[:, ::-1]])[None])) == []


def test_nothing_has_no_copies() -> None:
    assert run_silently(find_copies(np.zeros((0, SIDE, SIDE), np.uint8))) == []


def test_in_large_sets_only_whole_pictures_are_compared(
    strangers: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MANY", 10)
    monkeypatch.setattr(copies, "BLOCK", 7)  # and blocks that do not divide lose nothing
    made = np.stack([make_thumb(COPIES["mirrored"](make_scene(seed))) for seed in range(5)])
    both = np.concatenate([strangers, made])
    events = [e for e in find_copies(both) if isinstance(e, Progress) and e.what == copies.WORK]
    assert events[-1].done == events[-1].total == 2 * len(both)
    pairs = run_silently(find_copies(both))
    assert sorted(pair.second for pair in pairs) == [STRANGERS + n for n in range(5)]


def test_no_more_than_a_limit_is_compared_closely_and_that_is_told(
    strangers: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_COMPARED", 1)
    how = ("saved anew", "cut by a tenth", "cut by a tenth")
    made = np.stack([make_thumb(COPIES[h](make_scene(n))) for n, h in enumerate(how)])
    both, seen = np.concatenate([strangers, made]), list[object]()
    pairs = run_silently(heard(find_copies(both), seen.append))
    found = {(pair.first, pair.second) for pair in pairs}
    assert len(found) == 2 and (0, STRANGERS) in found  # what is sure costs nothing
    told = [event.text for event in seen if isinstance(event, Notice)]
    assert len(told) == 1 and told[0].startswith("only the 1 most alike of ")


def test_a_placeholder_that_is_there_a_hundred_times_hides_no_copy(
    strangers: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "MOST_COMPARED", 200)
    same = np.stack([strangers[0]] * 100)
    cut_out = make_thumb(COPIES["cut by a tenth"](make_scene(1)))[None]
    groups = [(0, *range(STRANGERS, STRANGERS + 100))]
    pairs = run_silently(find_copies(np.concatenate([strangers, same, cut_out]), groups))
    assert (1, STRANGERS + 100) in {(pair.first, pair.second) for pair in pairs}
    assert len(group_copies(pairs)[0]) == 101


def test_frames_of_a_film_are_one_group_without_every_pair_of_them() -> None:
    noise, frame = np.random.default_rng(0), make_thumb(make_scene(0)).astype(int)
    film = [(frame + noise.normal(0, 4, frame.shape)).clip(0, 255) for _ in range(120)]
    pairs = run_silently(find_copies(np.stack(film).astype(np.uint8)))
    assert group_copies(pairs) == [tuple(range(120))]
    assert len(pairs) < 120 * 119 / 4
    assert all(pair.likeness < 1 for pair in pairs)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_groups_are_what_chains_of_pairs_reach(edges: list[tuple[int, int]]) -> None:
    edges = [(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]]
    groups = group_copies([Pair(a, b, 1.0) for a, b in edges])
    members = [node for group in groups for node in group]
    assert len(members) == len(set(members)) == len({node for edge in edges for node in edge})
    where = {node: number for number, group in enumerate(groups) for node in group}
    assert all(where[a] == where[b] for a, b in edges)
    for group in groups:  # and not two that no edge joins
        reached, inside = {group[0]}, [edge for edge in edges if where[edge[0]] == where[group[0]]]
        for _ in inside:
            for a, b in inside:
                if a in reached or b in reached:
                    reached |= {a, b}
        assert reached == set(group)
