"""Eight bits keep the answers: where the plain way changes too many, some layers stay as they
were."""

import numpy as np
import pytest
from tests.formats.networks import made

from shortcut.data.preprocess import Preprocess
from shortcut.exporting.targets import quietly
from shortcut.formats import eightbit
from shortcut.formats.eightbit import best_answers, quantised, quantised_faithfully
from shortcut.formats.graph import Graph, traced
from shortcut.formats.openvino import as_openvino


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    noise = np.random.default_rng(1)
    return [
        noise.integers(0, int(noise.integers(20, 256)), (32, 32, 3)).astype(np.uint8)
        for _ in range(150)
    ]


@pytest.mark.nightly
def test_layers_go_back_where_answers_change(
    pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network that knows nothing all classes are nearly as likely."""
    classifier = made("resnet20", outputs=10)
    classifier.preprocess = Preprocess(32, 36)
    with quietly():
        model = as_openvino(traced(Graph(classifier), 32))
        wanted = best_answers(model, pictures)
        plain = (best_answers(quantised(model, pictures), pictures) == wanted).mean()
        # As many as the plain way keeps are enough, and then it is taken.
        monkeypatch.setattr(eightbit, "FAITHFUL", float(plain))
        assert (best_answers(quantised_faithfully(model, pictures), pictures) == wanted).mean() == (
            plain
        )
        asked = (1 + float(plain)) / 2
        monkeypatch.setattr(eightbit, "FAITHFUL", asked)
        kept = (best_answers(quantised_faithfully(model, pictures), pictures) == wanted).mean()
    assert plain < 1
    assert kept >= asked
