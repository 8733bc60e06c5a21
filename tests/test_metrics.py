"""Counting, against scikit-learn and SciPy."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn import metrics as sklearn_metrics

from shortcut.metrics import Scores, confusion_matrix, wilson_interval


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of classes, truths and answers; some classes may be in neither."""
    count = draw(st.integers(2, 6))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    drawn = draw(st.lists(pairs, min_size=1, max_size=60))
    both = np.array(drawn, np.int64)
    return count, both[:, 0], both[:, 1]


def scores_of(confusion: object) -> Scores:
    confusion = np.array(confusion, np.int64)
    return Scores(tuple(f"c{i}" for i in range(len(confusion))), confusion, loss=0.5)


@given(answers())
def test_the_confusion_matrix_is_scikit_learns(drawn):
    count, truths, called = drawn
    expected = sklearn_metrics.confusion_matrix(truths, called, labels=range(count))
    ours = confusion_matrix(truths, called, count)
    assert ours.shape == (count, count)
    assert (ours == expected).all()


@given(answers())
def test_precision_recall_and_f1_are_scikit_learns(drawn):
    count, truths, called = drawn
    expected = sklearn_metrics.precision_recall_fscore_support(
        truths, called, labels=range(count), zero_division=0
    )
    ours = scores_of(confusion_matrix(truths, called, count)).by_class
    got = np.array([(s.precision, s.recall, s.f1, s.images) for s in ours]).T
    assert got == pytest.approx(np.array(expected))


@given(answers())
def test_accuracy_counts(drawn):
    count, truths, called = drawn
    scores = scores_of(confusion_matrix(truths, called, count))
    assert scores.images == len(truths)
    assert scores.correct == int((truths == called).sum())
    assert scores.accuracy == pytest.approx(sklearn_metrics.accuracy_score(truths, called))
    low, high = scores.interval
    assert 0 <= low <= scores.accuracy + 1e-12
    assert scores.accuracy - 1e-12 <= high <= 1


def test_counts_of_nothing_are_a_matrix_of_noughts():
    nothing = np.array([], np.int64)
    assert (confusion_matrix(nothing, nothing, 3) == np.zeros((3, 3))).all()


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_scipys_wilson_interval(drawn):
    correct, images = drawn
    expected = binomtest(correct, images).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, images) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("correct", "images", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_the_published_one(correct, images, interval):
    """Newcombe (1998), Statistics in Medicine 17, Table I, method 3."""
    assert wilson_interval(correct, images) == pytest.approx(interval, abs=5.1e-5)


@pytest.mark.parametrize(("correct", "images"), [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_an_impossible_count(correct, images):
    with pytest.raises(ValueError, match=rf"correct \(={correct}\) must lie in 0 to images"):
        wilson_interval(correct, images)


def test_classes_that_nobody_is_or_is_called_score_nought():
    silent, absent = scores_of([[2, 0], [3, 0]]), scores_of([[2, 1], [0, 0]])
    assert (silent.by_class[1].precision, silent.by_class[1].f1) == (0, 0)
    assert (absent.by_class[1].recall, absent.by_class[1].images) == (0, 0)


@pytest.mark.parametrize(("images", "share"), [(40, 0.9), (200, 0.97), (1998, 0.94), (1998, 0.6)])
def test_the_interval_covers_the_truth_as_often_as_it_says(images: int, share: float):
    """Of 1,000 simulated test sets, and of all there could be by their weight."""
    counts = np.arange(images + 1)
    bounds = np.array([wilson_interval(int(count), images) for count in counts])
    covers = (bounds[:, 0] <= share) & (share <= bounds[:, 1])
    assert 0.94 <= binom.pmf(counts, images, share)[covers].sum() <= 0.965
    seen = np.random.default_rng(0).binomial(images, share, 1000)
    assert 0.93 <= covers[seen].mean() <= 0.975


@given(answers())
def test_balanced_accuracy_is_scikit_learns_and_classes_have_intervals(drawn):
    count, truths, called = drawn
    scores = scores_of(confusion_matrix(truths, called, count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without a truth
        expected = sklearn_metrics.balanced_accuracy_score(truths, called)
    assert scores.balanced_accuracy == pytest.approx(expected)
    for one in scores.by_class:
        low, high = one.interval
        assert (low <= one.recall + 1e-12 and one.recall - 1e-12 <= high) or not one.images
        assert (low, high) == (0, 1) or one.images


def test_the_best_five_are_told_where_there_are_more():
    confusion = np.eye(6, dtype=np.int64) * 10
    scores = Scores(tuple("abcdef"), confusion, loss=0.1, near=57)
    assert scores.as_dict()["top_5_accuracy"] == 57 / 60
    assert "top_5_accuracy" not in scores_of([[1, 0], [0, 1]]).as_dict()


def test_as_plain_values():
    scores = Scores(
        ("cat", "狗"), np.array([[3, 1], [0, 4]]), loss=0.25, left_out=("b.jpg: empty",)
    )
    plain = json.loads(json.dumps(scores.as_dict()))
    assert plain == scores.as_dict()
    assert plain["accuracy"] == 7 / 8
    assert plain["images"] == 8 and plain["correct"] == 7
    assert plain["interval"] == list(wilson_interval(7, 8))
    assert plain["confusion_matrix"] == [[3, 1], [0, 4]]
    assert [row["label"] for row in plain["classes"]] == ["cat", "狗"]
    assert plain["classes"][0]["precision"] == 1 and plain["classes"][0]["recall"] == 0.75
    assert plain["left_out"] == ["b.jpg: empty"]


@pytest.mark.parametrize(
    ("right", "guessed"), [(300, True), (315, True), (360, False), (570, False), (60, True)]
)
def test_a_figure_that_the_most_frequent_class_would_reach_is_a_guess(
    right: int, guessed: bool
) -> None:
    half = right // 2
    confusion = np.array([[half, 299 - half], [301 - (right - half), right - half]])
    found = Scores(("a", "b"), confusion, 0.5)
    assert found.images == 600 and found.correct == right
    assert found.most_frequent == ("b", 301 / 600) and found.guessed == guessed
