"""Where an export saw its answer: the maps of the original, without torch."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.classifier.made import CLASSES, encoded, make, noise
from torch import nn

from shortcut.card import ExportCard
from shortcut.classifier import Classifier
from shortcut.data.preprocess import Preprocess
from shortcut.errors import ModelError
from shortcut.events import run_silently
from shortcut.exporting.story import _card
from shortcut.exporting.targets import writing_export
from shortcut.formats.graph import MOST_CLASSES, Graph, tells_where
from shortcut.heatmaps import cell_centres, grad_cam
from shortcut.models.resnet import BasicBlock, Bottleneck, ResNet
from shortcut.runtime.engine import EVIDENCE
from shortcut.runtime.loading import load_exported
from shortcut.server.tasks import Refusal, Task
from shortcut.server.worker import answer, describe

EXPLAINED = """
import sys
absent = "torch", "torchvision", "matplotlib", "jinja2", "yaml", "safetensors"
sys.modules |= dict.fromkeys(absent)
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shortcut.opening import open_predictor
from shortcut.server.tasks import Task
from shortcut.server.worker import answer
tasks = [Task("explain", sys.stdin.buffer.read())]
with ThreadPoolExecutor(1) as pool:
    (found,) = answer(open_predictor(Path(sys.argv[1])), tasks, pool)
print(sorted(found))
"""


def tiny(block: type[BasicBlock] | type[Bottleneck]) -> Classifier:
    """One block a stage, with a map of 4 x 4 cells."""
    torch.manual_seed(0)
    model = ResNet(block, (1, 1, 1), len(CLASSES), stem="small", inplanes=8)
    return Classifier(model, "resnet20", "small", CLASSES, Preprocess(16, 20))


def export(classifier: Classifier, folder: Path, to: str) -> Path:
    card = _card(classifier, "fp32", "", to, raw=False)  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    story = writing_export(classifier, card, folder, to, [])  # type: ignore[arg-type]
    return run_silently(story)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return tiny(Bottleneck)


@pytest.fixture(scope="module", params=["openvino", "onnx"])
def exported(
    classifier: Classifier, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    return export(classifier, tmp_path_factory.mktemp(request.param), request.param)


def test_maps_are_those_of_the_original(classifier: Classifier, exported: Path) -> None:
    pixels = [classifier.pixels(noise(40 + k, 30)) for k in range(4)]
    for engine in ["openvino"] if exported.suffix == ".xml" else ["onnxruntime", "openvino"]:
        shipped = load_exported(exported, engine=engine)  # type: ignore[arg-type]
        for targets in ([0, 1, 2, 3], None):
            expected = grad_cam(classifier, pixels, targets)
            found = shipped.heat(pixels, targets)
            assert expected.any((1, 2)).sum() >= 3
            assert found.dtype == np.float32 and found.shape == (4, 16, 16)
            np.testing.assert_allclose(found, expected, atol=1e-4)
        alone = shipped.heat(pixels[:1], [0])
        np.testing.assert_allclose(alone, grad_cam(classifier, pixels[:1], [0]), atol=1e-4)


def test_the_server_explains_an_export_as_its_original(
    classifier: Classifier, exported: Path
) -> None:
    picture = encoded(noise(40, 30), "PNG")
    tasks = [
        Task("explain", picture),
        Task("explain", picture, "猫"),
        Task("explain", picture, "x"),
    ]
    shipped = load_exported(exported)
    assert describe(shipped, exported)["explains"]
    with ThreadPoolExecutor(1) as pool:
        before, after = (answer(one, tasks, pool) for one in (classifier, shipped))
    assert after[2] == before[2] and isinstance(after[2], Refusal)
    for one, other in zip(before[:2], after[:2], strict=True):
        assert one["label"] == other["label"] and one["picture"] == other["picture"]  # type: ignore
        assert other["heat"].startswith("data:image/jpeg;base64,")  # type: ignore


@pytest.mark.parametrize("exported", ["openvino"], indirect=True)
def test_nothing_but_numpy_and_the_engine_is_needed(exported: Path) -> None:
    """As in an image that has neither torch nor matplotlib."""
    done = subprocess.run(
        [sys.executable, "-c", EXPLAINED, exported],
        input=encoded(noise(40, 30), "PNG"),
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode().strip() == "['heat', 'label', 'picture']", done.stderr.decode()


def test_one_without_evidence_refuses(classifier: Classifier, exported: Path) -> None:
    """Such as those that were written before there was any."""
    shipped = load_exported(exported)
    told = json.loads(shipped.card.model_dump_json())
    assert told.pop("cells") == list(cell_centres(classifier.model))
    shipped.card = ExportCard.model_validate_json(json.dumps(told))
    assert not shipped.explains and not describe(shipped, exported)["explains"]
    with ThreadPoolExecutor(1) as pool:
        (found,) = answer(shipped, [Task("explain", encoded(noise(40, 30), "PNG"))], pool)
    assert isinstance(found, Refusal) and found.code == "unexplained"
    with pytest.raises(ModelError, match="does not tell where"):
        shipped.heat([classifier.pixels(noise(40, 30))], [0])


def test_evidence_adds_up_to_the_outputs() -> None:
    classifier = tiny(BasicBlock)
    graph = Graph(classifier, evidence=True)
    assert graph.outputs == ("probabilities", EVIDENCE)
    images = torch.from_numpy(np.stack([classifier.pixels(noise(20, 30 + k)) for k in range(2)]))
    with torch.no_grad():
        _, evidence = graph(images)
        outputs = graph.network(classifier.normalise(images)) - graph.network.fc.bias
    assert evidence.shape == (2, 4, 4, 4)
    wanted = outputs - outputs.mean(1, keepdim=True)
    torch.testing.assert_close(evidence.sum((2, 3)), wanted, atol=1e-5, rtol=1e-4)


def test_networks_of_which_it_would_not_be_true() -> None:
    assert not tells_where(make("resnet34_tutorial", "unpadded", 224, ("cat", "dog")))
    odd = tiny(BasicBlock)
    assert tells_where(odd)
    odd.model.fc = nn.Sequential(nn.Dropout(), odd.model.fc)  # type: ignore[assignment]
    assert not tells_where(odd)
    many = make(classes=tuple(map(str, range(MOST_CLASSES + 1))))
    assert not tells_where(many)
    told = [_card(tiny(BasicBlock), "fp32", "", to, raw=False).cells for to in ("triton", "onnx")]
    assert told == [None, (0.0, 4.0)]
