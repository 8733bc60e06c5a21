"""Test-time augmentation: several views of each picture are asked, and the mean of the answers
counts."""

from dataclasses import replace
from typing import Literal

from shortcut.classifier import Classifier
from shortcut.errors import RecipeError

TestTime = Literal["none", "flip", "crops", "unsure"]
ALWAYS = 1.0
"""But for a score of exactly 1, which leaves nothing to ask."""
UNSURE = 0.9
"""As the shipped recipes for photos have it (`data.mirror_below`)."""


def with_tta(classifier: Classifier, way: TestTime) -> Classifier:
    """A classifier with the same weights that asks more views of each picture than it was measured
    with. It calls no answer `not sure`: a limit kept in it is for answers to fewer views; and how
    well its scores are calibrated has to be measured.

    Args:
        way: `none`: the picture alone, whatever the recipe says. `flip`: the picture and its
            mirror image, twice the time. `crops`: the middle and four corners, and the mirror
            images of the five (Krizhevsky et al. 2012, section 4.1; the "10-crop testing" of He et
            al. 2016), ten times. `unsure`: the mirror image where the best class scores less than
            `UNSURE`.

    Raises:
        RecipeError: its training turned no picture over, so a mirror image would tell it nothing.
    """
    mirrored = classifier.recipe is None or classifier.recipe.augment.flip
    if way == "none":
        return replace(classifier, mirror_below=0.0, sure_from=0.0)
    if not mirrored and way != "crops":
        raise RecipeError(
            f"`--tta {way}`: this model was trained without mirror images (`augment.flip` is "
            "false); only `crops` can help it."
        )
    if way == "crops":
        preprocess = replace(classifier.preprocess, crops=True)
        below = ALWAYS if mirrored else 0.0
        return replace(classifier, preprocess=preprocess, mirror_below=below, sure_from=0.0)
    below = ALWAYS if way == "flip" else max(UNSURE, classifier.mirror_below)
    return replace(classifier, mirror_below=below, sure_from=0.0)
