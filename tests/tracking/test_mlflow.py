"""Runs in a store of MLflow's, read back with its own client."""

import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.stories import drain, save_always, stop_at
from tests.tracking.reading import recipe_of

from shortcut.errors import NumbersError
from shortcut.events import EpochEnd, Event, Notice, Step
from shortcut.runs import resuming, training
from shortcut.tracking import following, tracked

# MLflow's own use of sqlalchemy warns of its future.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def photos(tiny_photos: Path) -> Path:
    return tiny_photos


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make the tables of a store takes seconds, on a busy machine many."""
    monkeypatch.setattr(following, "PATIENCE", 200.0)
    monkeypatch.setattr(following, "HURRY", 200.0)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a store in a database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)  # where artifacts go by default
    import mlflow

    return mlflow.MlflowClient()


def the_run(client: Any) -> Any:
    """The only one in the experiment of the data."""
    experiment = client.get_experiment_by_name("photos")
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def history(client: Any, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client.get_metric_history(the_run(client).info.run_id, name)]


def test_all_that_happened_is_there(client: Any, photos: Path, tmp_path: Path) -> None:
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "first", log_interval=1)
    events, outcome = drain(tracked(story, ["mlflow"]))
    run = the_run(client)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params["optim.lr"] == "0.01" and run.data.params["model.name"] == "resnet20"
    assert run.data.tags["shortcut.model"] == str(tmp_path / "first" / "best.safetensors")
    steps = [event for event in events if isinstance(event, Step)]
    assert history(client, "step/loss") == [(n, e.loss) for n, e in enumerate(steps, 1)]
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert history(client, "val/accuracy") == [(3 * e.epoch, e.val_accuracy) for e in ends]
    assert run.data.metrics["result/val_accuracy"] == outcome.val.accuracy
    assert run.data.metrics["result/val_accuracy_low"] == outcome.val.interval[0]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files >= {"curves.png", "confusion_matrix.png", "recipe.yaml", "record.md", "log.txt"}
    assert not any(name.endswith(".safetensors") for name in files)
    log = Path(client.download_artifacts(run.info.run_id, "log.txt")).read_text("utf-8")
    assert all(event.text in log for event in events if isinstance(event, Notice))


def test_an_interrupted_training_goes_on_in_the_same_run(
    client: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    run = tmp_path / "run"
    story = training(photos, recipe_of(tmp_path), output=run, log_interval=1)
    stop_at(tracked(story, ["mlflow"]), _is_step(3, 2))
    assert the_run(client).info.status == "KILLED"
    # As after a crash: from a state before the last step that was tracked.
    (sorted((run / "resume").glob("*-step-*"))[-1] / "optimizer.safetensors").write_bytes(b"")
    drain(tracked(resuming(run), ["mlflow"]))
    assert the_run(client).info.status == "FINISHED"
    for name in ("step/loss", "step/lr", "val/loss", "train/accuracy", "result/val_accuracy"):
        points = history(client, name)
        assert all(a < b for (a, _), (b, _) in pairwise(points)), name
    assert [place for place, _ in history(client, "step/loss")] == list(range(1, 10))
    drain(tracked(resuming(run, epochs=4), ["mlflow"]))
    assert [place for place, _ in history(client, "val/loss")] == [3, 6, 9, 12]
    assert [place for place, _ in history(client, "result/val_accuracy")] == [10, 13]


def test_a_failed_training_is_marked(client: Any, photos: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    recipe = recipe.model_copy(update={"optim": recipe.optim.model_copy(update={"lr": 1e30})})
    with pytest.raises(NumbersError):
        drain(tracked(training(photos, recipe, output=tmp_path / "run"), ["mlflow"]))
    run = the_run(client)
    assert run.info.status == "FAILED"
    assert "learning rate is probably too high" in run.data.tags["shortcut.end"]


def test_a_run_that_its_store_does_not_know_is_begun_anew(
    client: Any, photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    drain(tracked(training(photos, recipe_of(tmp_path), output=run), ["mlflow"]))
    place = run / "mlflow.json"
    assert json.loads(place.read_text()) == {"run_id": the_run(client).info.run_id}
    place.write_text(json.dumps({"run_id": "0" * 32}), "utf-8")
    drain(tracked(resuming(run), ["mlflow"]))
    assert json.loads(place.read_text())["run_id"] != "0" * 32


def test_without_an_address_the_store_is_mlflows_own_and_is_found_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    story = training(photos, recipe_of(tmp_path), output=run, log_interval=1)
    stop_at(tracked(story, ["mlflow"]), _is_step(2, 1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    drain(tracked(resuming(run), ["mlflow"]))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    import mlflow

    client = mlflow.MlflowClient(json.loads((run / "mlflow.json").read_text())["uri"])
    (found,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    points = client.get_metric_history(found.info.run_id, "step/loss")
    assert [point.step for point in points] == list(range(1, 10))
    assert found.info.status == "FINISHED"


class _Refusing(BaseHTTPRequestHandler):
    """A server on its last legs."""

    def do_GET(self) -> None:
        self.send_error(400)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_server_that_refuses_costs_a_notice(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run")
    events, outcome = drain(tracked(story, ["mlflow"]))
    server.shutdown()
    server.server_close()
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sum(text.startswith("tracking has ended: mlflow: ") for text in told) == 1
    assert outcome.val.images == 6


def test_a_store_that_breaks_on_the_way_costs_a_notice(
    client: Any, photos: Path, tmp_path: Path
) -> None:
    story = tracked(training(photos, recipe_of(tmp_path), output=tmp_path / "run"), ["mlflow"])
    told, broken = list[str](), False
    for event in story:
        if isinstance(event, EpochEnd) and not broken:
            broken = True
            while not (tmp_path / "run" / "mlflow.json").exists():
                threading.Event().wait(0.05)
            (tmp_path / "store.db").write_bytes(os.urandom(4096))
        if isinstance(event, Notice):
            told.append(event.text)
    assert sum(text.startswith("tracking has ended: mlflow: ") for text in told) == 1
    assert (tmp_path / "run" / "record.md").exists()


def test_nobody_is_told_what_is_used(client: Any) -> None:
    from shortcut.tracking.mlflow import load_package

    load_package()
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert is_telemetry_disabled()


def _is_step(epoch: int, number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Step) and (event.epoch, event.step) == (epoch, number)
