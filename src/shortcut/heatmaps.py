"""Where in a picture the network saw its answer: Grad-CAM and occlusion, as maps over its pixels.

Both explain the plain view: where `Classifier.answer` asks the mirror image of an unsure picture
too, the maps know nothing of it. They show what the network used, not whether that is a good
reason.
"""

import copy
from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortcut.classifier import Classifier
from shortcut.data.preprocess import Pixels
from shortcut.events import Progress, run_silently
from shortcut.heat import Heat, enlarged, heat_of
from shortcut.models.resnet import ResNet
from shortcut.models.windows import window_of
from shortcut.precision import EXACT

PATCH = 6
"""A cover has the side of the picture divided by this: some 140 covers a picture."""


def grad_cam(
    classifier: Classifier,
    pixels: Sequence[Pixels] | NDArray[np.uint8],
    targets: Sequence[int] | NDArray[np.int64] | None = None,
) -> Heat:
    """What speaks for a class, where: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391, section 3)
    at the last feature maps.

    Slopes are multiplied with features cell by cell (HiResCAM, Draelos and Carin 2020,
    arXiv:2011.08891). Behind global average pooling that is Grad-CAM up to a factor, and the heat
    of a cell is its part of the output. The tutorial's network pools a part of its map only: there
    Grad-CAM would heat cells that no output depends on. The output that is explained is that of the
    class less the mean of all.

    The map is as coarse as the features (`map_cells`): between the centres of cells it is bilinear.
    Puts the network into evaluation mode and leaves it there; no gradient stays at a parameter.

    Args:
        pixels: (N, S, S, 3) uint8 as `Classifier.pixels` gives them; all go through the network at
            once.
        targets: (N,) positions of classes; None: the answer for each picture.

    Returns:
        (N, S, S) float32. The hottest point of each map is 1; where nothing speaks for the class
        the whole map is 0.
    """
    images = np.stack(list(pixels))
    if targets is None:
        targets = classifier.probabilities(list(images)).argmax(1)
    cells = _evidence(classifier, images, np.asarray(targets, np.int64))
    return heat_of(cells, images.shape[1], cell_centres(classifier.model))


@torch.inference_mode()
def map_cells(classifier: Classifier) -> tuple[int, int]:
    """Height and width, in cells, of the features that `grad_cam` looks at."""
    side = classifier.preprocess.image_size
    blank = torch.zeros(1, 3, side, side, device=classifier.device)
    height, width = classifier.model.eval().features(blank).shape[2:]
    return height, width


def occlusion(
    classifier: Classifier,
    pixels: Pixels,
    target: int | None = None,
    *,
    patch: int | None = None,
    batch_size: int = 32,
) -> Heat:
    """How much the probability of a class falls when a place is covered; see `occluding`."""
    story = occluding(classifier, pixels, target, patch=patch, batch_size=batch_size)
    return run_silently(story)


def occluding(
    classifier: Classifier,
    pixels: Pixels,
    target: int | None = None,
    *,
    patch: int | None = None,
    batch_size: int = 32,
) -> Generator[Progress, None, Heat]:
    """Cover a square at every place in turn (Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2);
    yields progress.

    Covers have the mean colour of the picture. A blurred cover lets a colour shine through that
    may be the very cue, and the grey of the paper is a bright thing in a dark picture.

    Args:
        pixels: (S, S, 3) uint8 as `Classifier.pixels` gives them.
        target: position of the class; None: the answer.
        patch: side of a cover in pixels; None: a sixth of S. Covers overlap by half.

    Returns:
        (S, S) float32: the probability that is lost with a cover around a pixel, bilinear between
        the centres of covers; 0 where covering raises it.

    Raises:
        ValueError: `patch` is not between 1 and S.
    """
    side = len(pixels)
    patch = max(1, round(side / PATCH)) if patch is None else patch
    if not 1 <= patch <= side:
        raise ValueError(f"patch (={patch}) must lie between 1 and {side}")
    if target is None:
        target = int(classifier.probabilities([pixels])[0].argmax())
    plain = replace(classifier, mirror_below=0.0)
    along = 1 + -(-(side - patch) // max(1, patch // 2))
    starts = np.linspace(0, side - patch, along).round().astype(int).tolist()
    places = [(top, left) for top in starts for left in starts]
    colour = pixels.mean((0, 1)).round().astype(np.uint8)
    scores = [plain.probabilities([pixels])[:, target]]
    for begin in range(0, len(places), batch_size):
        yield Progress("covering", begin, len(places))
        part = places[begin : begin + batch_size]
        covered = np.repeat(pixels[np.newaxis], len(part), 0)
        for image, (top, left) in zip(covered, part, strict=True):
            image[top : top + patch, left : left + patch] = colour
        scores.append(plain.probabilities(list(covered))[:, target])
    yield Progress("covering", len(places), len(places))
    falls = (scores[0] - np.concatenate(scores[1:])).clip(0).reshape(1, along, along)
    step = (side - patch) / max(1, along - 1)
    return enlarged(falls, side, (patch - 1) / 2, step or 1.0)[0]


def _evidence(
    classifier: Classifier, images: NDArray[np.uint8], targets: NDArray[np.int64]
) -> Heat:
    """(N, S, S, 3) -> (N, h, w): the part of each cell in the output of a class."""
    # Whatever mode the caller is in: here slopes are wanted, and float32.
    with torch.inference_mode(False), EXACT.autocast(classifier.device):
        model = _outside_inference(classifier.model.eval())
        given = torch.from_numpy(images).to(classifier.device)
        with torch.no_grad():
            features = model.features(EXACT.place(classifier.normalise(given)))
        with torch.enable_grad():
            features = features.detach().requires_grad_()
            chosen = _outputs(model, features)[torch.arange(len(images)), torch.from_numpy(targets)]
            (slopes,) = torch.autograd.grad(chosen.sum(), features)
        return (slopes * features.detach()).sum(1).cpu().numpy()


def _outputs(model: ResNet, features: Tensor) -> Tensor:
    """(N, classes), before any softmax: behind it slopes vanish where the network is sure.

    The mean of all classes is taken away, as a softmax does: else a class that the network knows
    by a low output of another would be seen anywhere. Of 100 pictures with a coloured square one
    network's maps found 53 without this and 94 with it; for others it made no difference.
    """
    if model.ends_in_softmax:
        outputs = ResNet.classify(model, features)  # what its own `classify` puts the softmax on
    else:
        outputs = model.classify(features)
    return outputs - outputs.mean(1, keepdim=True)


def _outside_inference(model: ResNet) -> ResNet:
    """The same weights where torch can find slopes: those loaded in inference mode must be
    copied."""
    return copy.deepcopy(model) if next(model.parameters()).is_inference() else model


def cell_centres(model: ResNet) -> tuple[float, float]:
    """The pixel in whose middle the first cell of the features looks, and pixels from one to the
    next.

    A 3x3 window of stride 2 with padding 1 looks at pixels 0, 2, 4: cells divide the picture
    evenly only behind pools of 2x2, and elsewhere the usual resize puts all heat too far right and
    down.
    """
    first, step = 0.0, 1.0
    for name, module in model.named_modules():
        window = window_of(module)
        if window is None or name == "avgpool" or "downsample" in name:
            continue
        first += step * ((window.side - 1) / 2 - window.padding[0])
        step *= window.stride[0]
    return first, step
