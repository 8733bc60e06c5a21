"""Is the difference between two classifiers real? By hand, against scipy, and by drawing lots."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from shortcut.comparison.significance import (
    ClassGain,
    Comparison,
    compare_answers,
    holm,
    mcnemar,
    paired_interval,
    pictures_needed,
)

CLASSES = ("cat", "dog", "hen")
counts = st.integers(0, 300)


def answers_of(right: NDArray[np.bool_], truths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities whose best is the truth where `right` says so, and the next class elsewhere."""
    called = np.where(right, truths, (truths + 1) % len(CLASSES))
    return np.eye(len(CLASSES), dtype=np.float32)[called] * 0.8 + np.float32(0.1)


def compare(first: NDArray[np.bool_], *others: NDArray[np.bool_]) -> tuple[Comparison, ...]:
    truths = np.arange(len(first)) % len(CLASSES)
    rest = [answers_of(other, truths) for other in others]
    return compare_answers(answers_of(first, truths), rest, truths, CLASSES)


def drawn(
    seed: int, better_by: float = 0.0, images: int = 2000
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Right answers of two classifiers, 85 % and `better_by` more, that fail on much the same."""
    noise = np.random.default_rng(seed)
    shared = noise.normal(size=images)
    own = noise.normal(size=(2, images))
    ease = 0.9 * shared + (1 - 0.9**2) ** 0.5 * own  # normal each, correlated to 0.81
    first, other = (np.quantile(noise.normal(size=10**5), x) for x in (0.15, 0.15 - better_by))
    return ease[0] > first, ease[1] > other


def test_a_comparison_by_hand() -> None:
    first = np.array([1, 1, 1, 0, 0, 0, 1, 0, 1], bool)
    other = np.array([1, 1, 0, 1, 1, 1, 1, 0, 1], bool)
    (found,) = compare(first, other)
    assert (found.pictures, found.both) == (9, 4)
    assert (found.only_first, found.only_other) == ((2,), (3, 4, 5))
    assert found.difference == pytest.approx(2 / 9)
    assert found.by_class == (
        ClassGain("cat", 3, 2, 3, 1, 0),
        ClassGain("dog", 3, 1, 2, 1, 0),
        ClassGain("hen", 3, 2, 2, 1, 1),
    )
    assert found.p_value == found.adjusted_p == pytest.approx(2 * 5 / 16)  # 0 or 1 head of 4 coins
    assert found.verdict == "cannot tell"


def test_six_coins_that_fall_alike_tell_and_five_do_not() -> None:
    for coins, verdict in ((5, "cannot tell"), (6, "better")):
        first = np.ones(20, bool)
        first[:coins] = False
        assert compare(first, np.ones(20, bool))[0].verdict == verdict
    assert compare(np.ones(20, bool), np.arange(20) > 5)[0].verdict == "worse"
    assert pictures_needed(0.0, 1.0) == 6 and pictures_needed(0.0, 1.0, 0.05 / 3) == 7


@given(counts, counts)
def test_the_test_equals_that_of_scipy(first: int, other: int) -> None:
    expected = binomtest(first, first + other).pvalue if first + other else 1.0
    assert mcnemar(first, other) == pytest.approx(expected, rel=1e-9)
    assert 0 <= mcnemar(first, other) <= 1


def test_the_test_holds_for_a_million_pictures() -> None:
    expected = binomtest(50_000, 101_000).pvalue
    assert mcnemar(50_000, 51_000) == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_to_swap_the_runs_mirrors_the_result(right: list[tuple[bool, bool]]) -> None:
    first, other = np.array(right).T
    (one,), (two,) = compare(first, other), compare(other, first)
    assert (one.only_first, one.only_other, one.both) == (two.only_other, two.only_first, two.both)
    assert one.difference == -two.difference
    assert one.interval == pytest.approx([-end for end in reversed(two.interval)])
    assert (one.p_value, one.pictures_needed) == (two.p_value, two.pictures_needed)
    mirrored = {"better": "worse", "worse": "better", "cannot tell": "cannot tell"}
    assert two.verdict == mirrored[one.verdict]
    low, high = one.interval
    assert -1 <= low <= one.difference <= high <= 1
    for gain in one.by_class:
        assert gain.other - gain.first == gain.gained - gain.lost


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_equal_answers_cannot_be_told_apart(right: list[bool]) -> None:
    (found,) = compare(np.array(right), np.array(right))
    assert (found.verdict, found.p_value, found.difference) == ("cannot tell", 1.0, 0.0)
    assert found.pictures_needed is None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # As the R package contingencytables has it, of Cavo et al. (2012) and Bentur et al. (2009).
        ((59, 6, 16, 80), (0.0046, 0.1186)),
        ((1, 7, 1, 12), (-0.5069, -0.0256)),
        # By hand: Wilson's interval of 10 in 10 begins at 0.7225.
        ((10, 0, 0, 0), (-0.2775, 0.2775)),
        ((0, 0, 10, 0), (0.6075, 1.0)),
    ],
)
def test_intervals_are_those_that_others_print(
    table: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    assert paired_interval(*table) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("shares", [(0.8, 0.02, 0.04), (0.6, 0.1, 0.2), (0.5, 0.05, 0.05)])
def test_an_interval_covers_the_truth(shares: tuple[float, float, float]) -> None:
    """In 2,000 draws of 200 pictures; 95 % is promised, on average."""
    tables = np.random.default_rng(0).multinomial(200, [*shares, 1 - sum(shares)], 2000)
    ends = np.array([paired_interval(*map(int, table)) for table in tables])
    truth = shares[2] - shares[1]
    covered = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    assert 0.935 < covered < 0.985


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_lies_between_none_and_bonferroni(ps: list[float]) -> None:
    for p, adjusted in zip(ps, holm(ps), strict=True):
        assert p <= adjusted <= min(1, len(ps) * p)


def test_what_one_comparison_tells_many_may_not() -> None:
    first = np.arange(40) >= 6
    best, same = np.ones(40, bool), first
    assert compare(first, best)[0].verdict == "better"
    found = compare(first, best, same)
    assert [one.verdict for one in found] == ["cannot tell"] * 2
    assert found[0].adjusted_p == pytest.approx(2 * found[0].p_value) and found[0].comparisons == 2


def test_equally_good_classifiers_are_seldom_told_apart() -> None:
    """Two seeds of a recipe, as it were: 100 pairs that fail on much the same pictures."""
    verdicts = [compare(*drawn(seed))[0].verdict for seed in range(100)]
    assert verdicts.count("cannot tell") >= 90


def test_of_many_equally_good_ones_none_is_told_apart_either() -> None:
    """Holm's correction: five others, 100 times; without it a fifth of these would be wrong."""
    calm = 0
    for seed in range(100):
        noise = np.random.default_rng(seed)
        right = noise.normal(size=(6, 1000)) + 2 * noise.normal(size=1000) > -2
        calm += all(found.verdict == "cannot tell" for found in compare(right[0], *right[1:]))
    assert calm >= 90


def test_a_real_difference_is_found() -> None:
    """Four points on 2,000 pictures."""
    verdicts = [compare(*drawn(seed, better_by=0.04))[0].verdict for seed in range(100)]
    assert verdicts.count("better") >= 90 and "worse" not in verdicts


@pytest.mark.parametrize("shares", [(0.05, 0.06), (0.02, 0.05), (0.1, 0.12)])
def test_so_many_pictures_tell_as_are_asked_for(shares: tuple[float, float]) -> None:
    """In 8 of 10 attempts, roughly: the exact test asks for a few more."""
    needed = pictures_needed(*shares)
    assert needed is not None
    noise = np.random.default_rng(0)
    rest = 1 - sum(shares)
    tables = noise.multinomial(needed, [*shares, rest], 500).tolist()
    found = sum(mcnemar(first, other) <= 0.05 for first, other, _ in tables) / 500
    assert 0.7 < found < 0.88


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.integers(1, 5))
def test_who_cannot_tell_needs_more_pictures(
    first: int, other: int, alike: int, comparisons: int
) -> None:
    images = first + other + alike
    if first == other or mcnemar(first, other) * comparisons <= 0.05:
        return
    needed = pictures_needed(first / images, other / images, 0.05 / comparisons)
    assert needed is not None and needed > images


@pytest.mark.parametrize("cut", [lambda rows: rows[:-1], lambda rows: rows[:, :2]])
def test_answers_that_do_not_match_are_refused(
    cut: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> None:
    truths = np.zeros(4, np.int64)
    answers = answers_of(np.ones(4, bool), truths)
    with pytest.raises(ValueError, match="4 pictures and 3 classes"):
        compare_answers(answers, [cut(answers)], truths, CLASSES)
    with pytest.raises(ValueError, match="0 pictures"):
        compare_answers(answers[:0], [answers[:0]], truths[:0], CLASSES)
