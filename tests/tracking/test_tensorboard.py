"""Curves in TensorBoard's own files, read back with its own reader."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from tests.stories import drain, save_always, stop_at
from tests.tracking.reading import accumulated, recipe_of, scalars, texts

from shortcut.checkpoint import load_state
from shortcut.events import EpochEnd, Notice, Step
from shortcut.runs import resuming, training
from shortcut.tracking import tracked


@pytest.fixture
def photos(tiny_photos: Path) -> Path:
    return tiny_photos


def test_all_that_happened_is_there(photos: Path, tmp_path: Path) -> None:
    recipe, run = recipe_of(tmp_path), tmp_path / "run"
    story = training(photos, recipe, output=run, log_interval=1)
    events, outcome = drain(tracked(story, ["tensorboard"]))
    found = scalars(run)
    steps = [event for event in events if isinstance(event, Step)]
    assert [place for place, _ in found["step/loss"]] == list(range(1, 10))
    for name in ("loss", "lr", "images_per_second", "waiting"):
        expected = [getattr(event, name) for event in steps]
        assert [value for _, value in found[f"step/{name}"]] == pytest.approx(expected)
    ends = [event for event in events if isinstance(event, EpochEnd)]
    expected = [(3 * event.epoch, pytest.approx(event.val_accuracy)) for event in ends]
    assert found["val/accuracy"] == expected
    assert found["epoch/image_size"] == [(3, 16), (6, 16), (9, 16)]
    (result,) = found["result/val_accuracy"]
    assert result == (10, pytest.approx(outcome.val.accuracy))
    low, high = outcome.val.interval
    assert found["result/val_accuracy_low"] == [(10, pytest.approx(low))]
    assert found["result/val_accuracy_high"] == [(10, pytest.approx(high))]


def test_texts_pictures_and_the_recipe(photos: Path, tmp_path: Path) -> None:
    recipe, run = recipe_of(tmp_path), tmp_path / "run"
    events, _ = drain(tracked(training(photos, recipe, output=run), ["tensorboard"]))
    told = "\n".join(text for _, text in texts(run, "notices"))
    assert all(event.text in told for event in events if isinstance(event, Notice))
    ((_, text),) = texts(run, "recipe")
    assert "image_size: 16" in text
    assert texts(run, "end") == [(10, "finished")]
    found = accumulated(run)
    assert set(found.Tags()["images"]) == {"curves", "confusion_matrix"}
    (curves,) = found.Images("curves")
    assert curves.encoded_image_string.startswith(b"\x89PNG") and curves.width > curves.height > 100
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert metadata.PLUGIN_NAME == "hparams"
    assert start.hparams["optim.lr"].number_value == 0.01
    assert start.hparams["model.name"].string_value == "resnet20"
    assert start.hparams["train.clip_norm"].string_value == "null"


@pytest.mark.parametrize("kept", ["newest", "older"])
def test_an_interrupted_training_goes_on_in_the_same_curves(
    kept: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a state before the last step that was tracked, as after a crash."""
    save_always(monkeypatch)
    recipe = recipe_of(tmp_path)
    drain(
        tracked(
            training(photos, recipe, output=tmp_path / "whole", log_interval=1), ["tensorboard"]
        )
    )
    run = tmp_path / "cut"
    place = lambda event: isinstance(event, Step) and (event.epoch, event.step) == (3, 2)  # noqa: E731
    story = training(photos, recipe, output=run, log_interval=1)
    stop_at(tracked(story, ["tensorboard"]), place)
    assert texts(run, "end") == [(8, "interrupted")]
    if kept == "older":
        (sorted((run / "resume").glob("*-step-*"))[-1] / "optimizer.safetensors").write_bytes(b"")
        found = load_state(run / "resume")
        assert found and found[0].step < 8
    drain(tracked(resuming(run), ["tensorboard"]))
    again, whole = scalars(run), scalars(tmp_path / "whole")
    assert again.keys() == whole.keys()
    for name, points in again.items():
        assert all(a < b for (a, _), (b, _) in pairwise(points)), name
    for name in ("step/loss", "step/lr", "val/loss", "result/val_accuracy"):
        assert again[name] == whole[name]  # to the last bit
    assert texts(run, "end")[-1] == (10, "finished")


def test_a_finished_training_may_be_tracked_later_and_trained_on(
    photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    drain(training(photos, recipe_of(tmp_path), output=run, log_interval=1))
    drain(tracked(resuming(run), ["tensorboard"]))
    assert len(scalars(run)["result/val_accuracy"]) == 1
    drain(tracked(resuming(run, epochs=5), ["tensorboard"]))
    found = scalars(run)
    assert [place for place, _ in found["step/loss"]] == list(range(10, 16))
    assert found["result/val_accuracy"][-1][0] == 16
    drain(tracked(resuming(run), ["tensorboard"]))
    assert [place for place, _ in scalars(run)["result/val_accuracy"]][-1:] == [16]
    assert json.loads((run / "tracking.json").read_text()) == {"steps_per_epoch": 3}


def test_a_place_where_nothing_can_be_written_costs_a_notice(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    story = training(photos, recipe_of(tmp_path), output=run)
    stop_at(story, lambda event: isinstance(event, EpochEnd))
    (run / "tensorboard").write_text("a file", "utf-8")
    events, outcome = drain(tracked(resuming(run), ["tensorboard"]))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sum(text.startswith("tracking has ended: tensorboard: ") for text in told) == 1
    assert outcome.val.images == 6
