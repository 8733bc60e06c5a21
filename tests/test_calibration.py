"""Scores that mean something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from shortcut.calibration import ENOUGH, HOTTEST, Limit, find_limit, fit_temperature
from shortcut.metrics import at_temperature, count_answers, scores_of


def drawn(seed: int, temperature: float, images: int = 4000, classes: int = 3):
    """Answers that are too sure by `temperature`, and truths."""
    noise = np.random.default_rng(seed)
    logits = noise.normal(0, 2, (images, classes))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truths = np.array([noise.choice(classes, p=row) for row in honest])
    return at_temperature(honest.astype(np.float32), 1 / temperature), truths


def loss(answers: np.ndarray, truths: np.ndarray) -> float:
    return float(-np.log(answers[np.arange(len(truths)), truths] + 1e-12).mean())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_comes_out(temperature: float) -> None:
    answers, truths = drawn(0, temperature)
    found = fit_temperature(answers, truths)
    assert found == pytest.approx(temperature, rel=0.1)
    fitted = at_temperature(answers, found)
    assert (fitted.argmax(1) == answers.argmax(1)).all()
    assert fitted.sum(1) == pytest.approx(np.ones(len(fitted)), abs=1e-5)
    error = scores_of(count_answers(fitted, truths), ("a", "b", "c")).calibration_error
    assert error is not None and error < 0.025


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0.3, 4))
def test_no_other_temperature_has_a_lower_loss(seed: int, temperature: float) -> None:
    answers, truths = drawn(seed, temperature, images=300)
    best = minimize_scalar(
        lambda log: loss(at_temperature(answers, float(np.exp(log))), truths),
        bounds=(-4, 4),
        method="bounded",
    )
    assert loss(at_temperature(answers, fit_temperature(answers, truths)), truths) < best.fun + 1e-4


def test_where_nothing_can_be_fitted_scores_stay() -> None:
    answers = np.array([[0.9, 0.1]] * 200, np.float32)
    assert fit_temperature(answers, np.zeros(200, int)) == 1.0  # all right: the colder the better
    assert fit_temperature(answers[:99], np.ones(99, int)) == 1.0 and ENOUGH == 100
    assert fit_temperature(answers, np.ones(200, int)) == pytest.approx(HOTTEST)  # all wrong
    assert fit_temperature(answers[:0], np.zeros(0, int)) == 1.0


def test_a_limit_holds_on_new_pictures() -> None:
    """In 100 trials, each on 2,000 pictures to choose by and 20,000 to check with."""
    broken = 0
    for seed in range(100):
        noise = np.random.default_rng(seed)
        scores = noise.uniform(0.5, 1, 22_000).astype(np.float32)
        right = noise.random(22_000) < scores
        limit = find_limit(scores[:2000], right[:2000], 0.1)
        assert limit is not None
        assert limit.wrong / limit.answered <= 0.1 and 0.1 < limit.answered / limit.images < 0.5
        answered = scores[2000:] >= limit.score
        broken += bool((answered & ~right[2000:]).sum() > 0.1 * answered.sum())
    assert broken <= 12


def test_a_limit_by_hand() -> None:
    """300 answers at 0.9 are right, of 300 at 0.8 there are 6 wrong, of 300 at 0.7 half."""
    scores = np.repeat(np.array([0.9, 0.8, 0.7], np.float32), 300)
    right = np.ones(900, bool)
    right[300:306] = right[600:750] = False
    assert find_limit(scores, right, 0.25) == Limit(pytest.approx(0.7), 900, 156, 900)
    assert find_limit(scores, right, 0.02) == Limit(pytest.approx(0.8), 600, 6, 900)
    assert find_limit(scores, right, 0.015) == Limit(pytest.approx(0.9), 300, 0, 900)
    assert find_limit(scores, right, 0.005) is None  # so much may be wrong by chance
    assert find_limit(scores[:0], right[:0], 0.5) is None


def test_what_may_be_by_chance_is_the_upper_end_of_an_interval() -> None:
    for wrong, images in ((0, 300), (6, 600), (156, 900)):
        test = binomtest(wrong, images).proportion_ci(0.90, method="wilson")
        scores = np.full(images, 0.9, np.float32)
        right = np.arange(images) >= wrong
        assert find_limit(scores, right, test.high + 1e-9) is not None
        assert find_limit(scores, right, test.high - 1e-9) is None


def test_a_perfect_classifier_may_answer_everything() -> None:
    limit = find_limit(np.linspace(0.5, 1, 400, dtype=np.float32), np.ones(400, bool), 0.01)
    assert limit is not None and (limit.answered, limit.wrong) == (400, 0)


def test_the_calibration_error_by_hand() -> None:
    answers = np.array([[0.95, 0.05]] * 10 + [[0.4, 0.6]] * 10, np.float32)
    truths = np.array([0] * 8 + [1] * 2 + [1] * 6 + [0] * 4)
    scores = scores_of(count_answers(answers, truths), ("a", "b"))
    assert scores.calibration_error == pytest.approx((10 * 0.15 + 10 * 0.0) / 20, abs=1e-6)
    assert scores.reliability is not None and scores.reliability[:, 0].sum() == 20


@pytest.mark.parametrize("images", [100, 2000])
def test_what_true_scores_seem_to_be_off_by(images: int) -> None:
    found = [
        scores_of(count_answers(*drawn(seed, 1.0, images=images)), ("a", "b", "c"))
        for seed in range(60)
    ]
    seen = np.mean([one.calibration_error for one in found])
    said = np.mean([one.calibration_by_chance for one in found])
    assert said == pytest.approx(seen, rel=0.15)
    assert said > 0.005


@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 40))
def test_counts_of_parts_add_up_to_those_of_all(seed: int, classes: int, images: int) -> None:
    noise = np.random.default_rng(seed)
    answers = noise.dirichlet(np.ones(classes), images).astype(np.float32)
    truths = noise.integers(0, classes, images)
    cut = images // 2
    parts = count_answers(answers[:cut], truths[:cut]) + count_answers(answers[cut:], truths[cut:])
    assert parts == pytest.approx(count_answers(answers, truths))
    names = tuple(map(str, range(classes)))
    assert scores_of(parts, names).correct == (answers.argmax(1) == truths).sum()
