"""Unlike anything seen in training: distances by hand, and a real training that flags pictures of
another kind."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from shortcut.familiarity import (
    ENOUGH,
    Familiarity,
    Neighbours,
    fit,
    tell_apart,
)
from shortcut.models import create_model
from shortcut.models.stages import classify_and_describe, feature_widths, stage_maps

EARLY, LATE = 5, 8
KNOWN = Image.new("RGB", (32, 24), (40, 70, 200))


def features(count: int, seed: int, far: float = 0.0) -> np.ndarray:
    """Some that a network might give: of a few causes, with noise; `far` from where they lie."""
    noise = np.random.default_rng(seed)
    mixed = np.random.default_rng(0).normal(size=(3, EARLY + LATE))
    given = noise.normal(size=(count, 3)) @ mixed + noise.normal(0, 0.3, (count, EARLY + LATE))
    return (given + 10 + far * np.arange(EARLY + LATE)).astype(np.float32)


def known() -> Familiarity:
    found = fit(features(400, 1), features(200, 2), EARLY)
    assert found is not None
    return found


# Distances ----------------------------------------------------------------------------------


def test_a_distance_by_hand() -> None:
    """Points 0 and 4 on a line whose unit is 2 features; the usual distance is e, and twice as far
    in logarithms is one more."""
    axes = np.array([[0.5], [0.0]], np.float32)
    bank = np.array([[0.0], [4.0]], np.float16)
    line = Neighbours(np.array([1, 7], np.float32), axes, bank, 1, middle=1.0, spread=0.5)
    given = np.array([[1 + 2 * np.e, 0], [1, 3], [1 - 2 * np.e**2, 9]], np.float32)
    near = np.log([4 - np.e, 1e-6, np.e**2])
    assert line.strangeness(given) == pytest.approx((near - 1) / 0.5, rel=1e-5)
    second = replace(line, nearest=2)
    expected = (np.log([np.e, 4, 4 + np.e**2]) - 1) / 0.5
    assert second.strangeness(given) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_early_axes_are_whitened() -> None:
    """Points become as wide along every axis, but for what the narrowest are widened by."""
    found = known()
    points = (features(400, 1)[:, :EARLY] - found.early.centre) @ found.early.axes
    assert np.cov(points.T).diagonal().max() < 1.1
    assert abs(np.corrcoef(points.T) - np.eye(points.shape[1])).max() < 1e-3
    assert found.early.bank == pytest.approx(points, abs=0.01)


def test_late_features_are_unit_vectors() -> None:
    """Brighter, all else equal, is no stranger: means and deviations are divided by their size."""
    found, given = known(), features(50, 3)
    brighter = given.copy()
    brighter[:, EARLY : EARLY + LATE // 2] *= 3
    assert found.distance(brighter) == pytest.approx(found.distance(given), abs=1e-3)
    brighter[:, :EARLY] *= 3
    assert (found.distance(brighter) > found.limit).all()


def test_known_pictures_are_flagged_once_in_a_hundred() -> None:
    found = known()
    of_val, of_new = found.distance(features(200, 2)), found.distance(features(5000, 4))
    assert (of_val > found.limit).sum() == 2
    assert np.median(of_val) == pytest.approx(0, abs=0.4)
    assert (of_new > found.limit).mean() < 0.03
    assert (found.distance(features(100, 5, far=1.0)) > found.limit).all()


@pytest.mark.parametrize("count", [ENOUGH - 1, ENOUGH])
def test_few_pictures_tell_nothing(count: int) -> None:
    assert (fit(features(400, 1), features(count, 2), EARLY) is not None) is (count == ENOUGH)
    assert (fit(features(count, 1), features(400, 2), EARLY) is not None) is (count == ENOUGH)


def test_features_that_are_all_alike_tell_nothing() -> None:
    dead = np.ones((400, EARLY + LATE), np.float32)
    assert fit(dead, dead, EARLY) is None
    assert fit(features(400, 1), dead, EARLY) is None


def test_more_features_than_pictures() -> None:
    noise = np.random.default_rng(0)
    wide = noise.normal(5, 1, (500, 300)).astype(np.float32)
    found = fit(wide[:120], wide[120:320], 180)
    assert found is not None and found.early.axes.shape == (180, 119)
    assert (found.distance(wide[320:]) > found.limit).mean() < 0.1
    assert (found.distance(wide[320:] + noise.normal(0, 5, (180, 300))) > found.limit).all()


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@examples(max_examples=25)
def test_the_order_of_pictures_does_not_matter(seed: int, chance: Any) -> None:
    order = list(range(150))
    chance.shuffle(order)
    first, val, new = features(150, seed), features(150, seed + 1), features(40, seed + 2)
    one, other = fit(first, val, EARLY), fit(first[order], val[order], EARLY)
    assert one is not None and other is not None
    assert other.distance(new) == pytest.approx(one.distance(new), abs=0.05)
    backwards = one.distance(new[::-1])[::-1]
    assert backwards == pytest.approx(one.distance(new), abs=1e-4)


@given(st.integers(0, 1000), st.floats(2, 1e4), st.floats(1.5, 100))
@examples(max_examples=25)
def test_farther_points_have_larger_distances(seed: int, far: float, times: float) -> None:
    """Along a line away from all that is known, of early features; late ones have a direction
    only."""
    found, start = known(), features(20, seed)
    away = np.zeros(EARLY + LATE, np.float32)
    away[:EARLY] = np.random.default_rng(seed).choice([-1, 1], EARLY)
    near, farther = (
        found.distance(start + 20 * far * away),
        found.distance(start + 20 * far * times * away),
    )
    assert (farther > near).all()
    assert (near > found.distance(start)).all()


def test_equal_pictures_give_equal_bits() -> None:
    one, other = known(), known()
    assert one.figures() == other.figures()
    assert all(np.array_equal(value, other.arrays()[name]) for name, value in one.arrays().items())


# Telling apart ------------------------------------------------------------------------------

NUMBERS = st.lists(st.integers(-5, 5), min_size=1, max_size=40)


@given(NUMBERS, NUMBERS)
def test_the_area_is_that_of_scikit_learn(known: list[int], foreign: list[int]) -> None:
    found = tell_apart(np.array(known, np.float32), np.array(foreign, np.float32))
    truths = [0] * len(known) + [1] * len(foreign)
    assert found.auroc == pytest.approx(roc_auc_score(truths, known + foreign))
    low, high = found.interval
    assert 0 <= low <= found.auroc <= high <= 1


def test_the_interval_holds_the_true_area_as_often_as_it_says() -> None:
    noise = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found = tell_apart(noise.normal(0, 1, 60), noise.normal(1.19, 1, 40))  # 0.8 in truth
        held += found.interval[0] <= 0.8 <= found.interval[1]
    assert 0.91 <= held / 400 <= 0.985


def test_a_perfect_separation_is_not_certain() -> None:
    few, many = (tell_apart(np.zeros(n), np.ones(n)) for n in (10, 1000))
    assert few.auroc == many.auroc == few.interval[1] == 1.0
    assert 0.6 < few.interval[0] < 0.9 < many.interval[0] < 1.0


# The network --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem", "size", "stages"),
    [
        ("resnet20", "small", 16, 3),
        ("plain20", "small", 16, 3),
        ("resnet18", "standard", 64, 4),
        ("resnet18_pool32", "standard", 64, 4),
        ("resnet50", "small", 16, 4),
        ("resnet34_tutorial", "unpadded", 112, 4),
    ],
)
@torch.inference_mode()
def test_features_are_of_the_pass_that_answers(
    name: str, stem: Any, size: int, stages: int
) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, stem=stem).eval()
    views = torch.randn(2, 3, size, size)
    maps = list(stage_maps(model, views))
    assert len(maps) == stages and torch.equal(maps[-1], model.features(views))
    outputs, found = classify_and_describe(model, views)
    assert torch.equal(outputs, model(views))
    early, late = feature_widths(model)
    assert found.shape == (2, early + late) and found.dtype == torch.float32
    last = maps[-1].flatten(2)
    assert torch.equal(found[:, : maps[0].shape[1]], maps[0].mean((2, 3)))
    assert torch.allclose(found[:, early:], torch.cat([last.mean(2), last.std(2, False)], 1))
