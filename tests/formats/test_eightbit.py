"""Eight bits keep the answers: where the plain way changes too many, some layers stay as they
were."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from tests.formats.networks import made
from torch import nn

from shortcut.data.preprocess import Preprocess
from shortcut.events import run_silently
from shortcut.formats import eightbit
from shortcut.formats.eightbit import (
    Ask,
    ask_onnx,
    ask_openvino,
    expected_share,
    judging,
    kept_share,
    quantising,
)
from shortcut.formats.graph import Graph, traced
from shortcut.formats.onnx import converted as as_onnx
from shortcut.formats.openvino import converted as as_openvino
from shortcut.formats.quiet import quietly
from shortcut.formats.rounding import round_weights
from shortcut.runtime.engine import IMAGES

Written = Callable[[Any, Any], Any]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    noise = np.random.default_rng(1)
    return [
        noise.integers(0, int(noise.integers(20, 256)), (32, 32, 3)).astype(np.uint8)
        for _ in range(150)
    ]


Link = tuple[str, set[str]]
"""What a layer does, and what those do that it takes from."""


def openvino_links(model: Any) -> list[Link]:
    """In their order, without quantisers."""
    ops = [one for one in model.get_ordered_ops() if one.get_type_name() != "FakeQuantize"]
    return [
        (one.get_type_name(), {value.get_node().get_type_name() for value in one.input_values()})
        for one in ops
    ]


def onnx_links(model: Any) -> list[Link]:
    """As `openvino_links`."""
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    return [
        (node.op_type, {made_by.get(name, "") for name in node.input})
        for node in model.graph.node
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear")
    ]


def losses(
    written: Written, pictures: list[np.ndarray], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, int, int]:
    """Best answers that are lost: as NNCF does it by itself, where as many as then stay are asked
    for, and where half of what is lost must stay."""
    classifier = made("resnet20", outputs=10)
    classifier.preprocess = Preprocess(32, 36)
    given = [{IMAGES: picture[np.newaxis]} for picture in pictures]
    lost: list[int] = []
    kept: list[float] = []
    with quietly():
        graph = Graph(classifier)
        model = written(traced(graph, 32), graph.outputs)
        wanted = ask(model, given)
        round_weights(graph.network, graph.views(torch.from_numpy(np.stack(pictures))).split(1))
        rounded = written(traced(graph, 32), graph.outputs)
        for asked in (lambda: 0.0, lambda: kept[0], lambda: 1 - lost[0] / 2 / len(given)):
            monkeypatch.setattr(eightbit, "FAITHFUL", asked())
            answers = ask(run_silently(quantising(model, rounded, pictures, ask)), given)
            lost.append(int((answers.argmax(1) != wanted.argmax(1)).sum()))
            kept.append(kept_share(answers, wanted))
    return lost[0], lost[1], lost[2]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("written", "ask"), [(as_openvino, ask_openvino), (as_onnx, ask_onnx)], ids=["openvino", "onnx"]
)
def test_layers_go_back_where_answers_change(
    written: Written, ask: Ask, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network that knows nothing all classes are nearly as likely."""
    plain, same, fewer = losses(written, pictures, ask, monkeypatch)
    assert plain > 0
    assert same == plain
    assert fewer <= plain / 2


@pytest.mark.parametrize(
    ("unfaithful", "stay"),
    [
        pytest.param(0, 0, marks=pytest.mark.nightly),
        pytest.param(1, 1, marks=pytest.mark.nightly),
        (2, 3),
    ],
)
def test_the_first_convolutions_go_back_first(
    pictures: list[np.ndarray], unfaithful: int, stay: int
) -> None:
    """Where the plain way is not faithful: what the picture goes through has no eight bits then,
    what follows has."""
    classifier = made("resnet20", outputs=10)
    classifier.preprocess = Preprocess(32, 36)
    asked: list[Any] = []

    def ask(model: Any, _: object) -> np.ndarray:
        asked.append(model)
        return np.eye(2)[[int(1 < len(asked) <= 1 + unfaithful)]]

    with quietly():
        graph = Graph(classifier)
        model = as_openvino(traced(graph, 32), graph.outputs)
        graph.network.conv1.weight = nn.Parameter(graph.network.conv1.weight.detach() * 0)
        rounded = as_openvino(traced(graph, 32), graph.outputs)
        found = run_silently(quantising(model, rounded, pictures[:20], ask))
    assert asked[0] is model
    assert [bool(_values(_convolutions(one)[0]).any()) for one in asked] == [True] + [False] * (
        1 + unfaithful
    )
    assert len(asked) == 2 + unfaithful
    eight = [_is_quantised(one) for one in _convolutions(found)]
    assert eight == [False] * stay + [True] * (len(eight) - stay)
    assert len(eight) > 10


@pytest.mark.parametrize(
    ("written", "ask", "links", "convolution"),
    [
        pytest.param(as_openvino, ask_openvino, openvino_links, "Convolution", id="openvino"),
        pytest.param(as_onnx, ask_onnx, onnx_links, "Conv", id="onnx"),
    ],
)
def test_what_follows_the_last_convolution_has_no_eight_bits(
    written: Written,
    ask: Ask,
    links: Callable[[Any], list[Link]],
    convolution: str,
    pictures: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the map goes to pooling and to the evidence, NNCF would put eight bits before
    pooling."""
    classifier = made("resnet20", outputs=10)
    classifier.preprocess = Preprocess(32, 36)
    monkeypatch.setattr(eightbit, "FAITHFUL", 0)
    with quietly():
        graph = Graph(classifier, evidence=True)
        model = written(traced(graph, 32), graph.outputs)
        found = links(run_silently(quantising(model, model, pictures[:20], ask)))
    last = max(place for place, (kind, _) in enumerate(found) if kind == convolution)
    eight = {"FakeQuantize", "DequantizeLinear"}
    assert eight & found[last][1]
    assert len(found) - last > 8
    assert not [kind for kind, givers in found[last + 1 :] if eight & givers]


def test_some_pictures_are_held_against_their_own_answers() -> None:
    """Layers are ranked on a few pictures from anywhere: measured against those of the first few,
    every layer is as good as drawn by lot."""
    pictures = [{IMAGES: np.full((1, 1, 1, 3), level, np.uint8)} for level in range(6)]
    wanted = np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0, 1]]

    def ask(_: object, items: Iterable[dict[str, np.ndarray]]) -> np.ndarray:
        levels = [int(item[IMAGES].max()) for item in items]
        found = wanted[levels].copy()
        # Of the fourth it thinks otherwise, of the fifth it is less sure.
        found[[level == 3 for level in levels]] = (0.75, 0.25)
        found[[level == 4 for level in levels]] = (0.75, 0.25)
        return found

    items = list(zip(pictures, wanted, strict=True))
    judge = judging(ask, len(items))
    assert judge(None, iter(items)) == (5 / 6, [1, 1, 1, 0.25, 0.75, 1])
    assert judge(None, iter([items[5], items[3], items[1], items[4]])) == (0.75, [1, 0.25, 1, 0.75])
    assert judge(None, iter(items[5:])) == (1, [1])


def _of_leads(leads: np.ndarray) -> np.ndarray:
    """(N, 2) probabilities whose first class leads by so many logarithms of odds."""
    first = 1 / (1 + np.exp(-leads))
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "shrink", "more", "chance"),
    [(1000, 0, 1.1, 0.7), (40, 0, 1.1, 0.7), (1000, 0.05, 1.2, 0.75), (40, 0.05, 1.5, 0.85)],
    ids=["many", "few", "many, large leads shrink", "few, large leads shrink"],
)
def test_as_many_are_expected_to_change_as_are_counted_with_less_chance(
    count: int, shrink: float, more: float, chance: float
) -> None:
    """Where large leads move further more are expected, which keeps more layers in float32 than
    need be, never fewer."""
    source = np.random.default_rng(0)
    counted, expected = [], []
    for _ in range(40_000 // count):
        leads = source.normal(0, 3, count)
        after = (1 - shrink) * leads + source.normal(0, 0.06, count)
        wanted, found = _of_leads(leads), _of_leads(after)
        counted.append((wanted.argmax(1) != found.argmax(1)).mean())
        expected.append(1 - expected_share(found, wanted))
    assert np.mean(counted) > 0.005
    assert 0.9 < np.mean(expected) / np.mean(counted) < more
    assert np.std(expected) / np.std(counted) < chance


def test_sure_answers_that_are_lost_count() -> None:
    leads = np.linspace(0.5, 8, 1000)
    after = leads.copy()
    after[-200:] *= -1
    assert kept_share(_of_leads(after), _of_leads(leads)) == 0.8


@pytest.mark.parametrize("row", [(0.5, 0.5), (1.0, 0.0), (1.0,)], ids=["tied", "sure", "one class"])
def test_the_same_answers_stay(row: tuple[float, ...]) -> None:
    answers = np.array([row] * 40, np.float32)
    assert kept_share(answers, answers) == 1


def test_a_best_answer_can_be_lost_to_any_other_class() -> None:
    wanted = np.array([[0.5, 0.4, 0.1]] * 4, np.float32)
    assert kept_share(wanted, wanted) == 1
    lost = wanted.copy()
    lost[0] = (0.4, 0.1, 0.5)
    assert kept_share(lost, wanted) == 0.75
    assert kept_share(np.roll(wanted, 1, axis=1), wanted) == 0


def _convolutions(model: Any) -> list[Any]:
    return [one for one in model.get_ordered_ops() if one.get_type_name() == "Convolution"]


def _values(convolution: Any) -> np.ndarray:
    """Of its weights."""
    import openvino

    run = openvino.compile_model(openvino.Model([convolution.input_value(1)], []), "CPU")
    return np.array(run([])[0])


def _is_quantised(convolution: Any) -> bool:
    before = convolution.input_value(0).get_node()
    return before.get_type_name() == "FakeQuantize"
