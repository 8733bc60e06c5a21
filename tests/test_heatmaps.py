"""Heat maps: the planted cue is found, sums are those of autograd, the network stays as it was."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.classifier.made import make, noise
from tests.cues import SIDE, SQUARE, Cued, blank_classifier, cue_classifier, make_cued
from torch import nn

from shortcut.classifier import Classifier, load
from shortcut.data.preprocess import Preprocess
from shortcut.events import Progress
from shortcut.heat import find_spot
from shortcut.heatmaps import grad_cam, map_cells, occluding, occlusion
from shortcut.models import create_model

CUED = [make_cued(seed) for seed in range(100)]
Map = Callable[[Classifier, Cued], np.ndarray]


def by_slopes(classifier: Classifier, cued: Cued) -> np.ndarray:
    return grad_cam(classifier, [cued.pixels])[0]


def by_covering(classifier: Classifier, cued: Cued) -> np.ndarray:
    return occlusion(classifier, cued.pixels, batch_size=256)


def found(classifier: Classifier, make_map: Map, pictures: list[Cued]) -> int:
    """In how many pictures the hottest point lies in the square."""
    spots = [(find_spot(make_map(classifier, cued)), cued) for cued in pictures]
    return sum(spot is not None and cued.holds(*spot.hottest) for spot, cued in spots)


def test_grad_cam_finds_what_decides() -> None:
    assert found(cue_classifier(), by_slopes, CUED) >= 95


def test_occlusion_finds_what_decides() -> None:
    assert found(cue_classifier(), by_covering, CUED[:20]) >= 19


@pytest.mark.nightly
def test_occlusion_finds_what_decides_in_a_hundred() -> None:
    assert found(cue_classifier(), by_covering, CUED) >= 95


@pytest.mark.parametrize("make_map", [by_slopes, by_covering])
def test_an_untrained_network_does_not(make_map: Map) -> None:
    """Else it would be the picture that is found, not what the network makes of it."""
    assert found(blank_classifier(), make_map, CUED[:20]) <= 10


def by_hand(classifier: Classifier, pixels: np.ndarray, target: int) -> np.ndarray:
    """Section 3 of the paper, at the cells: weights are mean slopes, here of the output of a class
    less the mean of all."""
    model = classifier.model.eval()
    features = model.features(classifier.normalise(torch.from_numpy(pixels[None].copy())))
    outputs = model.classify(features)[0]
    (slopes,) = torch.autograd.grad(outputs[target] - outputs.mean(), features)
    return (slopes.mean((2, 3), keepdim=True) * features).sum(1).relu()[0].detach().numpy()


@pytest.mark.parametrize("target", range(4))
def test_it_is_the_papers_map(target: int) -> None:
    classifier = make(size=16)
    pixels = classifier.pixels(noise(40, 30))
    cells = by_hand(classifier, pixels, target)
    found = grad_cam(classifier, [pixels], [target])[0]
    assert cells.shape == map_cells(classifier) == (4, 4)
    assert found.dtype == np.float32 and found.shape == (16, 16)
    # The first three of the padded strides look at pixels 0, 4, 8, 12.
    if not cells.any():
        assert not found.any()
        return
    at_centres = found[::4, ::4]
    np.testing.assert_allclose(at_centres / at_centres.max(), cells / cells.max(), atol=1e-5)


def test_without_a_target_the_answer_is_explained() -> None:
    classifier = cue_classifier()
    images = np.stack([cued.pixels for cued in CUED[:6]])
    answers = classifier.probabilities(list(images)).argmax(1)
    together = grad_cam(classifier, images)
    np.testing.assert_array_equal(together, grad_cam(classifier, images, answers))
    alone = np.concatenate([grad_cam(classifier, images[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    other = grad_cam(classifier, images, 1 - answers)
    assert not np.allclose(together, other)


def test_a_mirrored_picture_has_the_mirrored_map() -> None:
    """Of a network that does not tell left from right: symmetric kernels, pools of 2x2."""
    torch.manual_seed(0)
    model = create_model("resnet18_pool32", num_classes=2, stem="small")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = (module.weight + module.weight.flip(3)).data / 2
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # the last of a branch begin at zero
    classifier = Classifier(model, "resnet18_pool32", "small", ("a", "b"), Preprocess(32, 32))
    pixels = classifier.pixels(noise(32, 32))
    straight, mirrored = grad_cam(classifier, [pixels, pixels[:, ::-1]], [0, 0])
    assert straight.any() and not np.allclose(straight, straight[:, ::-1], atol=0.1)
    np.testing.assert_allclose(mirrored, straight[:, ::-1], atol=1e-3)


def test_a_network_that_ends_in_a_softmax() -> None:
    """However sure it is; and cells that its pool passes over stay cold."""
    classifier = make("resnet34_tutorial", "unpadded", 224, ("cat", "dog"))
    pixels = classifier.pixels(noise(230, 230))
    with torch.no_grad():
        classifier.model.fc.weight *= 1000
    assert set(classifier.probabilities([pixels])[0]) == {0.0, 1.0}
    (heat,) = grad_cam(classifier, [pixels])
    assert map_cells(classifier) == (7, 7)
    assert heat[:100, :100].any() and not heat[-40:].any() and not heat[:, -40:].any()


def test_nothing_that_speaks_for_a_class_is_a_map_of_zeros() -> None:
    classifier = make()
    nn.init.constant_(classifier.model.fc.weight, -1.0)
    (heat,) = grad_cam(classifier, [classifier.pixels(noise(20, 20))], [2])
    assert heat.shape == (16, 16) and not heat.any() and find_spot(heat) is None


@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_as_it_was_but_for_its_mode(training: bool) -> None:
    classifier = make()
    classifier.model.train(training)
    before = copy.deepcopy(classifier.model.state_dict())
    pixels = classifier.pixels(noise(20, 20))
    grad_cam(classifier, [pixels])
    occlusion(classifier, pixels)
    assert not classifier.model.training
    assert all(parameter.grad is None for parameter in classifier.model.parameters())
    after = classifier.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_whatever_mode_the_caller_is_in(tmp_path) -> None:
    classifier = make()
    pixels = classifier.pixels(noise(20, 20))
    expected = grad_cam(classifier, [pixels], [0])
    classifier.model.requires_grad_(False)
    np.testing.assert_array_equal(grad_cam(classifier, [pixels], [0]), expected)
    for mode in (torch.inference_mode(), torch.no_grad(), torch.autocast("cpu", torch.bfloat16)):
        with mode:
            np.testing.assert_array_equal(grad_cam(classifier, [pixels], [0]), expected)
    classifier.save(tmp_path / "model.safetensors")
    with torch.inference_mode():
        inside = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(grad_cam(inside, [pixels], [0]), expected)


def test_covering_says_how_much_of_the_probability_is_lost() -> None:
    classifier, cued = cue_classifier(), CUED[0]
    covered = cued.pixels.copy()
    covered[cued.top : cued.top + SQUARE, cued.left : cued.left + SQUARE] = 128
    before, after = classifier.probabilities([cued.pixels, covered])[:, cued.label]
    heat = occlusion(classifier, cued.pixels, cued.label)
    assert heat.shape == (SIDE, SIDE) and heat.dtype == np.float32 and heat.min() >= 0
    assert heat.max() == pytest.approx(before - after, abs=0.25)
    far = heat[(cued.top + 32) % SIDE, (cued.left + 32) % SIDE]
    assert far < heat.max() / 4


def test_the_mirror_image_has_no_say() -> None:
    asked = cue_classifier()
    asked = Classifier(**(vars(asked) | {"mirror_below": 1.0}))
    pixels = CUED[1].pixels
    expected = occlusion(cue_classifier(), pixels, 1)
    np.testing.assert_array_equal(occlusion(asked, pixels, 1), expected)
    np.testing.assert_array_equal(
        grad_cam(asked, [pixels], [1]), grad_cam(cue_classifier(), [pixels], [1])
    )


@pytest.mark.parametrize(("patch", "places"), [(64, 1), (1, 16), (63, 4), (33, 9)])
def test_covers_of_any_size(patch: int, places: int) -> None:
    classifier = blank_classifier(64 if patch > 1 else 4)
    pixels = np.asarray(classifier.pixels(noise(64, 64)))
    story = occluding(classifier, pixels, patch=patch, batch_size=7)
    events = list(story)
    assert events[-1] == Progress("covering", places, places)
    assert [event.done for event in events] == sorted({*range(0, places, 7), places})


@pytest.mark.parametrize("patch", [0, -1, 65])
def test_a_cover_without_size_or_larger_than_the_picture(patch: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 64"):
        occlusion(blank_classifier(), CUED[0].pixels, patch=patch)
