"""Eight bits for weights and what is between layers, by NNCF: a quarter of the size, and where the
processor has instructions for them several times the speed."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortcut.data.preprocess import Pixels
from shortcut.events import Event, Notice
from shortcut.formats.quiet import quietly
from shortcut.runtime.engine import IMAGES
from shortcut.runtime.onnx import open_session
from shortcut.runtime.openvino import shared_core

CALIBRATING = 300
"""Pictures that show how large numbers get between layers; NNCF's own default."""
JUDGING = 1000
"""Pictures on which answers before and after are compared, those among them."""
FAITHFUL = 0.995
"""Share of best answers that must stay, on these pictures and to be expected of others; else some
layers keep float32. They are of the training, so the network is surer of them than of others: a bit
fewer stay of those."""

EARLY = (0, 1, 3)
"""So many of the first convolutions are given float32, their weights as rounded: the smallest
number that is faithful. Three are the stem and the first basic block; for a ResNet-34 the search
that follows once found just these, in minutes."""
CONVOLUTIONS = ("Conv", "Convolution", "GroupConvolution")
"""As ONNX and OpenVINO call them."""
RANKING = 100
"""Of the pictures that judge, those whose probabilities move most, at most half of them, tell which
layers move them. With NNCF's 300 that takes three times as long."""
FEWEST = 10
"""Pictures that tell how far small leads move, where a tenth of all is less."""

Given = dict[str, Pixels]
Ask = Callable[[Any, Iterable[Given]], NDArray[np.float32]]
"""A network, or what was compiled of it -> (N, C) probabilities."""
Item = tuple[Given, NDArray[np.float32]]
"""A picture, and the (C,) probabilities that are wanted for it."""


def quantising(
    model: Any, rounded: Any, pictures: Sequence[Pixels], ask: Ask
) -> Generator[Event, None, Any]:
    """A network of OpenVINO's or in ONNX with eight bits, as far as answers stay.

    What follows the last convolution stays as it is: it takes no time, and eight bits are too
    coarse for the few large numbers of the last map. Before pooling, where NNCF puts them by
    itself, they moved probabilities of a ResNet-50 by 0.0054 in the mean instead of 0.0035. Where
    fewer than `FAITHFUL` of the best answers stay (`kept_share`), the first convolutions (`EARLY`)
    are given float32: they see the picture, whose every level counts. Where that is not enough, it
    is begun anew with the original, and the layers that change most are left as they were, one
    after the other.

    Args:
        model: whose answers are to stay.
        rounded: the same with weights that eight bits hold (`round_weights`).
        pictures: (S, S, 3) uint8, of the training; the first `CALIBRATING` calibrate.
        ask: `ask_openvino` or `ask_onnx`.
    """
    given = [{IMAGES: picture[np.newaxis]} for picture in pictures]
    with quietly():
        wanted = ask(model, given)
        share = 0.0
        for count in EARLY:
            found = _in_eight_bits(rounded, given, count)
            share = kept_share(ask(found, given), wanted)
            if share >= FAITHFUL:
                return found
    yield Notice(
        f"eight bits behind the first {max(EARLY)} convolutions keep {share:.2%} of the best "
        f"answers, {FAITHFUL:.2%} are asked for: looking for the layers that change most, which "
        "takes minutes"
    )
    with quietly():
        return _as_faithful(model, given, wanted, ask)


def _in_eight_bits(rounded: Any, given: Sequence[Given], early: int) -> Any:
    import nncf

    return nncf.quantize(
        rounded,
        ignored_scope=_stays(rounded, early),
        advanced_parameters=_ranges(early > 0, rounded=True),
        **_calibration(given),
    )


def _as_faithful(model: Any, given: Sequence[Given], wanted: NDArray[np.float32], ask: Ask) -> Any:
    """One layer after the other goes back to float32."""
    import nncf

    items = list(zip(given, wanted, strict=True))
    return nncf.quantize_with_accuracy_control(
        model,
        validation_dataset=nncf.Dataset(items, lambda item: item[0]),
        validation_fn=judging(ask, len(items)),
        max_drop=1 - FAITHFUL,
        ignored_scope=_stays(model, max(EARLY)),
        advanced_quantization_parameters=_ranges(True, rounded=False),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            ranking_subset_size=min(RANKING, len(items) // 2 or 1)
        ),
        **_calibration(given),
    )


def judging(ask: Ask, total: int) -> Callable[[Any, Iterable[Item]], tuple[float, list[float]]]:
    """How NNCF measures a network, again and again, and what it ranks pictures by.

    On all `total` pictures: `kept_share`. On some of them, to rank layers: how near
    probabilities stay, because of so few hardly any best answer changes. Some are from anywhere, so
    each picture brings what is wanted of it.
    """

    def judge(asked: Any, items: Iterable[Item]) -> tuple[float, list[float]]:
        pictures, wanted = zip(*items, strict=True)
        found, wanted = ask(asked, pictures), np.stack(wanted)
        near = 1 - np.abs(found - wanted).max(axis=1)
        of_all = len(near) == total
        return kept_share(found, wanted) if of_all else float(near.mean()), near.tolist()

    return judge


def kept_share(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Share of the wanted best answers that stay: on these pictures, or to be expected of others
    like them, whichever is less. `found`, `wanted`: (N, C) probabilities."""
    counted = float((found.argmax(axis=1) == wanted.argmax(axis=1)).mean())
    return min(counted, expected_share(found, wanted))


def expected_share(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Share of the wanted best answers that is expected to stay, as far as movements tell.

    Counted, it rests on the few pictures whose two best classes are close: of a thousand some five
    change, by chance two or nine. How far the lead of the best class moves is told by more, the
    tenth whose leads are smallest, and every lead is held against each of these movements: a
    standard deviation of 0.17 points for 0.27. (Simulated: leads of standard deviation 3, movements
    of 0.06.) A sure answer that is lost is not seen here, it has to be counted.

    Args:
        found, wanted: (N, C) probabilities.
    """
    best = wanted.argmax(axis=1)
    leads = _leads(wanted, best)
    small = np.argsort(leads, kind="stable")[: max(FEWEST, len(leads) // 10)]
    moved = (_leads(found, best) - leads)[small]
    return float(((leads[:, np.newaxis] + moved > 0) | (moved == 0)).mean())


def _leads(probabilities: NDArray[np.float32], best: NDArray[np.intp]) -> NDArray[np.float64]:
    """How far these classes lie above the best other ones, as logarithms of odds."""
    logs = np.log(probabilities.astype(np.float64).clip(np.finfo(np.float32).tiny))
    rows = np.arange(len(logs))
    own = logs[rows, best]
    logs[rows, best] = -np.inf
    return own - logs.max(axis=1, initial=np.log(np.finfo(np.float32).tiny))


def ask_openvino(model: Any, items: Iterable[Given]) -> NDArray[np.float32]:
    """See `Ask`; by OpenVINO in float32."""
    if hasattr(model, "get_ordered_ops"):
        hint = {"INFERENCE_PRECISION_HINT": "f32"}
        model = shared_core().compile_model(model, "CPU", hint)
    return np.stack([np.array(model(given)[0][0]) for given in items])


def ask_onnx(model: Any, items: Iterable[Given]) -> NDArray[np.float32]:
    """See `Ask`; by ONNX Runtime."""
    session: Any = open_session(model.SerializeToString())
    return np.stack([session.run(None, given)[0][0] for given in items])


def _calibration(given: Sequence[Given]) -> dict[str, Any]:
    import nncf

    shown = given[:CALIBRATING]
    return {
        "calibration_dataset": nncf.Dataset(shown),
        "preset": nncf.QuantizationPreset.MIXED,
        "subset_size": len(shown),
    }


def _ranges(first_stays: bool, *, rounded: bool) -> Any:
    """How numbers become eight bits: from the smallest to the largest that calibration saw.

    NNCF's own, the mean of what each picture has for these, cuts off the larger half of them: of
    three networks' probabilities it moved the worst by 0.19 to 0.26, this by 0.03 to 0.05. In the
    first convolution NNCF spares a bit of each weight, for processors without VNNI, where sums of
    two products overflow; where that one stays there is nothing to spare.
    """
    import nncf
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    fix = nncf.OverflowFix.DISABLE if first_stays else nncf.OverflowFix.FIRST_LAYER
    return nncf.AdvancedQuantizationParameters(
        overflow_fix=fix,
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        disable_bias_correction=rounded,
    )


def _stays(model: Any, early: int) -> Any:
    """The first convolutions, and whatever follows the last."""
    import nncf

    if hasattr(model, "graph"):
        layers = [(node.name, node.op_type in CONVOLUTIONS) for node in model.graph.node]
    else:
        layers = [
            (layer.get_friendly_name(), layer.get_type_name() in CONVOLUTIONS)
            for layer in model.get_ordered_ops()
        ]
    places = [place for place, (_, convolves) in enumerate(layers) if convolves]
    kept = [*layers[places[-1] + 1 :], *(layers[place] for place in places[:early])]
    return nncf.IgnoredScope(names=[name for name, _ in kept], validate=False)
