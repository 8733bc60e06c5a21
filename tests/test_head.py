"""A head fitted to features: what scikit-learn answers, the network answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tests.test_training import make_job

from shortcut.evaluation import measure
from shortcut.events import Notice, Progress, heard, run_silently
from shortcut.head import _rows, fit_head
from shortcut.precision import EXACT


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_rows_give_the_same_probabilities(classes: int) -> None:
    noise = np.random.default_rng(0)
    features = noise.normal(size=(90, 7))
    labels = np.argmax(features[:, :classes] + noise.normal(size=(90, classes)), axis=1)
    fit = LogisticRegression().fit(features, labels)
    weight, bias = _rows(fit)
    logits = torch.from_numpy(features.astype(np.float32) @ weight.T + bias)
    np.testing.assert_allclose(logits.softmax(1).numpy(), fit.predict_proba(features), atol=1e-5)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_fitted_head_knows_the_pictures_before_the_first_epoch(
    tiny_photos: Path, ema: float
) -> None:
    job = make_job(tiny_photos, {"train.ema_decay": ema})
    body = {
        name: value.clone()
        for name, value in job.classifier.model.state_dict().items()
        if not name.startswith("fc.")
    }
    seen: list[object] = []
    run_silently(heard(fit_head(job), seen.append))
    scores = measure(job.measured, job.val, EXACT)
    assert scores.accuracy == 1.0  # two colours
    (notice,) = (event for event in seen if isinstance(event, Notice))
    assert notice.text.endswith("validation accuracy 1.0000 before the first epoch")
    assert any(isinstance(event, Progress) for event in seen)
    after = job.classifier.model.state_dict()
    assert all(torch.equal(body[name], after[name]) for name in body)
