"""`shortcut evaluate --foreign`: how well a model tells pictures of another kind from its own."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shortcut.answers import Evaluation
    from shortcut.events import Event
    from shortcut.familiarity import Features
    from shortcut.predictor import Predictor


def find_foreign(classifier: "Predictor", folder: Path) -> list[Path]:
    """Every picture below a folder, whose classes do not matter.

    Raises:
        ModelError: the model knows nothing of what its pictures are like.
        DataError: there is no such folder, or no pictures are in it.
    """
    from shortcut.errors import ModelError
    from shortcut.prediction import find_pictures

    if classifier.unlike_from is None:
        raise ModelError(
            "this model cannot tell what is unlike its training pictures: it is of an older "
            "version, or was trained with fewer than 100 validation pictures. Train it anew, with "
            "more of them by `--set data.val_fraction=` a larger share."
        )
    return find_pictures([folder])


def judging_unlike(
    classifier: "Predictor", found: "Evaluation", files: Sequence[Path], batch_size: int
) -> Generator["Event", None, dict[str, Any]]:
    """How many of the measured pictures are unlike anything seen in training, and of foreign ones
    in `files` as well, if there are any; nothing where the model cannot tell. Yields progress.

    Raises:
        DataError: none of the foreign pictures can be read.
    """
    from shortcut.familiarity import tell_apart

    limit = classifier.unlike_from
    if limit is None or found.distances is None:
        return {}
    facts = {"unlike": int((found.distances > limit).sum())}
    if not files:
        return facts
    distances = yield from _distances(classifier, files, batch_size)
    apart = tell_apart(found.distances, distances)
    unlike = int((distances > limit).sum())
    told = {"auroc": apart.auroc, "interval": list(apart.interval)}
    return facts | {"foreign": {"images": len(distances), "unlike": unlike} | told}


def _distances(
    classifier: "Predictor", files: Sequence[Path], batch_size: int
) -> Generator["Event", None, "Features"]:
    import numpy as np

    from shortcut.errors import DataError
    from shortcut.events import Notice, Progress
    from shortcut.prediction import predict_files

    distances: list[float] = []
    for done, answer in enumerate(predict_files(classifier, files, batch_size=batch_size), 1):
        yield Progress("foreign", done, len(files))
        if answer.prediction is None:
            yield Notice(f"left out: {answer.error}")
        elif (distance := answer.prediction.distance) is not None:
            distances.append(distance)
    if not distances:
        raise DataError("none of the foreign pictures can be read. Name another folder.")
    return np.array(distances, np.float32)


def describe_unlike(facts: Mapping[str, Any], images: int) -> list[str]:
    """What `judging_unlike` found, in one or two lines.

    Args:
        images: how many were measured.
    """
    if not facts:
        return []
    lines = [f"unlike anything seen in training: {_share(facts['unlike'], images)} measured ones"]
    if foreign := facts.get("foreign"):
        low, high = foreign["interval"]
        lines[0] += f", {_share(foreign['unlike'], foreign['images'])} foreign ones"
        lines.append(
            f"told from foreign ones with AUROC {foreign['auroc']:.3f}, 95 % interval "
            f"[{low:.3f}, {high:.3f}] (0.5 is chance)"
        )
    return lines


def _share(count: int, images: int) -> str:
    return f"{count:,} of {images:,} ({count / images:.1%})"
