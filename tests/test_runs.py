"""The whole story: a complete run folder, the data untouched, going on as if never stopped."""

import csv
import hashlib
import itertools
import json
import re
import shutil
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from tests.recipes import write_tiny_recipe
from tests.stories import drain, stop_at

import shortcut
from shortcut import course, foresight, pace, preparation, runs
from shortcut.budget import Budget
from shortcut.costs import CLOSING, Costs, Work
from shortcut.data import cache
from shortcut.data.cache import Keeping
from shortcut.data.sources import default_cache
from shortcut.errors import RecipeError
from shortcut.events import EpochEnd, Event, Measured, Notice, Saved
from shortcut.job import Job
from shortcut.models.tensorfiles import read_tensors
from shortcut.recipe import read_recipe
from shortcut.runs import resuming, training

FILES = {
    "best.safetensors",
    "answers.csv",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "curves.png",
    "environment.json",
    "events.jsonl",
    "findings.json",
    "kept",
    "last.safetensors",
    "log.txt",
    "recipe.yaml",
    "record.md",
    "report.html",
    "results.csv",
    "resume",
    "split.csv",
    "views.jpg",
}


def test_a_run_folder_is_complete_and_the_data_untouched(tiny_photos: Path, tmp_path: Path) -> None:
    before = _digest(tiny_photos)
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    events, outcome = drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    assert {path.name for path in outcome.folder.iterdir()} == FILES
    assert _digest(tiny_photos) == before
    assert read_recipe(outcome.folder / "recipe.yaml") == recipe
    rows = list(csv.DictReader((outcome.folder / "split.csv").read_text("utf-8").splitlines()))
    assert [row["split"] for row in rows].count("val") == 6
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert not any(text.startswith("forecast") for text in notices)  # nothing was timed
    assert len(set(notices)) == len(notices)  # each is said once, and logged
    log = (outcome.folder / "log.txt").read_text("utf-8").splitlines()
    assert [log.count(text) for text in notices] == [1] * len(notices)
    epochs = [event for event in events if isinstance(event, EpochEnd)]
    results = list(csv.DictReader((outcome.folder / "results.csv").read_text("utf-8").splitlines()))
    assert [float(row["val_accuracy"]) for row in results] == pytest.approx(
        [epoch.val_accuracy for epoch in epochs], abs=1e-5
    )
    for line in (outcome.folder / "events.jsonl").read_text().splitlines():
        assert json.loads(line)["event"]
    kept = [path.name for path in (outcome.folder / "kept").iterdir()]
    assert len(kept) == sum(epoch.improved for epoch in epochs)
    saved = shortcut.load(outcome.folder / "best.safetensors")
    assert saved.recipe == recipe
    assert saved.metrics["val_accuracy"] == outcome.val.accuracy


def test_a_sheet_that_cannot_be_drawn_ends_no_training_and_is_drawn_later(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run = read_recipe(write_tiny_recipe(tmp_path)), tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(course, "draw_views", lambda _: 1 / 0)
        drain(training(tiny_photos, recipe, output=run))
    assert {path.name for path in run.iterdir()} == FILES - {"views.jpg"}
    events, _ = drain(resuming(run))
    assert (run / "views.jpg").is_file()
    saved = [event.what for event in events if isinstance(event, Saved)]
    assert "training views" in saved


def test_test_pictures_are_looked_at_once_and_do_not_choose(
    tiny_photos: Path, tmp_path: Path
) -> None:
    data = _with_test_part(tiny_photos, tmp_path)
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    events, outcome = drain(training(data, recipe, output=tmp_path / "run"))
    parts = [event.part for event in events if isinstance(event, Measured)]
    assert parts == ["val", "test"]
    assert outcome.test is not None and outcome.test.images == 6
    assert "test_accuracy" in shortcut.load(tmp_path / "run" / "best.safetensors").metrics
    assert "av_val_acc" in (tmp_path / "run" / "log.txt").read_text()


def test_a_tutorial_recipe_may_measure_on_the_test_part_and_says_so(
    tiny_photos: Path, tmp_path: Path
) -> None:
    data = _with_test_part(tiny_photos, tmp_path)
    recipe = read_recipe(
        write_tiny_recipe(tmp_path), {"data.validation": "test", "data.val_fraction": None}
    )
    _, outcome = drain(training(data, recipe, output=tmp_path / "run"))
    log = (tmp_path / "run" / "log.txt").read_text()
    assert outcome.test is None and outcome.val.images == 6
    assert "chooses the best epoch" in log and "av_test_acc" in log


def test_where_decoded_pictures_stay_changes_no_bit(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTCUT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "WORTH_STORING", 1)
    written = {}
    # The second runs of `disk` and `auto` find what the first of them stored.
    for run, mode in enumerate(("off", "ram", "disk", "disk", "auto")):
        recipe = read_recipe(write_tiny_recipe(tmp_path), {"data.cache": mode})
        _, outcome = drain(training(tiny_photos, recipe, output=tmp_path / f"{run}"))
        tensors, _ = read_tensors(outcome.folder / "last.safetensors")
        written[run] = tensors, outcome.val
    first, scores = written[0]
    for tensors, others in written.values():
        assert all(torch.equal(first[name], tensors[name]) for name in first)
        assert (others.confusion == scores.confusion).all() and others.loss == scores.loss
    assert len(list((tmp_path / "cache" / "decoded").iterdir())) == 2  # train and val


def test_a_budget_plans_the_epochs_and_the_run_folder_tells_of_them(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(step=0.25)  # a clock that goes on whenever somebody looks
    monkeypatch.setattr(Budget, "spent", lambda _: next(ticks))
    monkeypatch.setattr(pace, "measure_costs", lambda *_: Costs(0.01, 1e-5, 0.01, 0.01))
    opened: list[tuple[int, int, Keeping]] = []
    monkeypatch.setattr(
        foresight,
        "seconds_to_read",
        lambda samples, side, *, keeping, **_: opened.append((len(samples), side, keeping)) or 0.0,
    )
    recipe = read_recipe(write_tiny_recipe(tmp_path), {"augment.start_scale": 0.5})
    kept = Budget(14.0, 0.0, free=False)
    events, outcome = drain(training(tiny_photos, recipe, budget=kept, output=tmp_path / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    ends = [event for event in events if isinstance(event, EpochEnd)]
    assert any(line.startswith("plan: resnet20, ") for line in told)
    assert opened == [
        (count, 18, Keeping("auto", default_cache() / "decoded")) for count in (18, 6)
    ]
    found = re.fullmatch(r"ended after 0:(\d\d) of 0:14; the first forecast .*", told[-1])
    # Of this clock the closing takes no time, and what is left may be less than another epoch.
    assert found and 14 - CLOSING - 1 <= int(found[1]) <= 14
    assert len(ends) > 2 and ends[-1].epochs == len(ends)
    assert read_recipe(outcome.folder / "recipe.yaml").train.epochs == len(ends)
    assert "the first forecast was off by" in (outcome.folder / "log.txt").read_text("utf-8")


def test_a_plan_knows_how_long_test_pictures_take_to_open(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        shutil.copytree(tiny_photos, tmp_path / "parts" / part)
    monkeypatch.setattr(foresight, "seconds_to_read", lambda samples, *_, **__: 0.01 * len(samples))
    planned: list[Work] = []

    def plan(_: Job, __: Budget, work: Work) -> None:
        planned.append(work)
        raise RecipeError("enough.")

    monkeypatch.setattr(course, "Pace", plan)
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    kept = Budget(600.0, time.monotonic(), free=False)
    with pytest.raises(RecipeError, match="enough"):
        drain(training(tmp_path / "parts", recipe, budget=kept, output=tmp_path / "run"))
    assert planned[0].test == 24 and planned[0].opening == pytest.approx(0.24)


@pytest.mark.parametrize(("recipe", "free"), [(None, True), ("digits", False)])
def test_a_budget_leaves_the_network_of_a_named_recipe(
    recipe: str | None, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_of(*_: object, budget: Budget, **__: object) -> Generator[Event, None, Budget]:
        yield Notice("begun")
        return budget

    monkeypatch.setattr(runs, "training", training_of)
    assert vars(shortcut.train("photos", recipe, budget=60.0))["free"] is free


def test_trained_weights_get_a_fitted_head(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrained(*_: object) -> Generator[Event, None, None]:
        yield Notice("weights: as they were drawn")

    monkeypatch.setattr(preparation, "load_imagenet", untrained)
    changes = {"model.name": "resnet18", "model.weights": "imagenet", "train.epochs": 1}
    recipe = read_recipe(write_tiny_recipe(tmp_path), changes)
    events, _ = drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any("last layer fitted to the features of 18 pictures" in line for line in told)


def test_nothing_is_left_behind_when_preparation_fails(tiny_photos: Path, tmp_path: Path) -> None:
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    for file in (tiny_photos / "red").iterdir():
        file.write_bytes(b"")
    with pytest.raises(shortcut.ShortcutError):
        drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_early_stopped_run_is_not_trained_on(tiny_photos: Path, tmp_path: Path) -> None:
    changes = {"train.epochs": 40, "train.patience": 2, "optim.lr": 1e-9}
    recipe = read_recipe(write_tiny_recipe(tmp_path), changes)
    drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    before = (tmp_path / "run" / "results.csv").read_text()
    events, _ = drain(resuming(tmp_path / "run"))
    assert not [event for event in events if isinstance(event, EpochEnd)]
    assert (tmp_path / "run" / "results.csv").read_text() == before


def test_a_run_folder_inside_the_data_is_refused(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    monkeypatch.chdir(tiny_photos)
    with pytest.raises(shortcut.ShortcutError, match="would lie in the data folder"):
        drain(training(".", recipe))
    with pytest.raises(shortcut.ShortcutError, match="would lie in the data folder"):
        drain(training(tiny_photos, recipe, output=tiny_photos / "red" / "run"))
    assert {path.name for path in tiny_photos.iterdir()} == {"blue", "red"}


def test_unreadable_test_pictures_do_not_cost_the_training(
    tiny_photos: Path, tmp_path: Path
) -> None:
    data = _with_test_part(tiny_photos, tmp_path)
    for file in (data / "test" / "red").iterdir():
        file.write_bytes(b"")
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    _, outcome = drain(training(data, recipe, output=tmp_path / "run"))
    assert outcome.test is None
    assert "test was not measured" in (tmp_path / "run" / "log.txt").read_text()
    assert (tmp_path / "run" / "record.md").exists()


def test_a_setting_that_the_data_make_idle_is_refused(tiny_photos: Path, tmp_path: Path) -> None:
    data = _with_test_part(tiny_photos, tmp_path)
    recipe = read_recipe(write_tiny_recipe(tmp_path), {"data.validation": "test"})
    with pytest.raises(shortcut.ShortcutError, match="val_fraction` has no effect"):
        drain(training(data, recipe, output=tmp_path / "run"))


def test_train_and_resume_from_python(tiny_photos: Path, tmp_path: Path) -> None:
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    outcome = shortcut.train(tiny_photos, recipe, output=tmp_path / "run")
    assert outcome is not None
    assert outcome.classifier.predict(tiny_photos / "red" / "photo-00.png").label in ("blue", "red")
    again = shortcut.resume(tmp_path / "run")
    assert again is not None
    assert again.val.accuracy == outcome.val.accuracy


def test_a_process_that_only_takes_part_comes_back_with_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And goes on: what its caller does after the training is the caller's."""

    def taking_part(*_: object, **__: object) -> Generator[Event, None, None]:
        yield Notice("begun")

    monkeypatch.setattr(runs, "training", taking_part)
    monkeypatch.setattr(runs, "resuming", taking_part)
    assert shortcut.train("photos") is None
    assert shortcut.resume("run") is None


@pytest.mark.parametrize("gone", [True, False])
def test_an_archive_is_unpacked_once_more_where_the_cache_is_another(
    gone: bool, tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORTCUT_CACHE", str(tmp_path / "one"))
    archive = Path(shutil.make_archive("given", "zip", tiny_photos))
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    _, before = drain(training("given.zip", recipe, output="run"))
    monkeypatch.setenv("SHORTCUT_CACHE", str(tmp_path / "other"))
    shutil.rmtree(tmp_path / "one")
    monkeypatch.chdir(tiny_photos)
    if gone:
        archive.unlink()
        with pytest.raises(shortcut.ShortcutError, match=r"given\.zip: no such"):
            drain(resuming(tmp_path / "run"))
        return
    _, after = drain(resuming(tmp_path / "run"))
    assert after.val.images == before.val.images == 6
    assert after.val.loss == before.val.loss


def test_a_run_of_an_older_version_knows_only_where_its_pictures_lie(
    tiny_photos: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    place = tmp_path / "run" / "environment.json"
    facts = json.loads(place.read_text("utf-8"))
    for name in ("location", "download", "asked"):
        del facts[name]
    place.write_text(json.dumps(facts), "utf-8")
    _, outcome = drain(resuming(tmp_path / "run"))
    assert outcome.val.images == 6


def test_one_process_that_torchrun_starts_anew_goes_on(
    tiny_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("TORCHELASTIC_RUN_ID", "none")):
        monkeypatch.setenv(name, value)
    recipe = read_recipe(write_tiny_recipe(tmp_path))
    stop_at(
        training(tiny_photos, recipe, output=tmp_path / "run"), lambda e: isinstance(e, EpochEnd)
    )
    events, _ = drain(training(tiny_photos, recipe, output=tmp_path / "run"))
    assert [event.epoch for event in events if isinstance(event, EpochEnd)] == [2, 3]
    other = read_recipe(write_tiny_recipe(tmp_path), {"seed": 1})
    with pytest.raises(shortcut.ShortcutError, match="never overwritten"):
        drain(training(tiny_photos, other, output=tmp_path / "run"))


def _with_test_part(photos: Path, tmp_path: Path) -> Path:
    data = tmp_path / "parts"
    for label in ("blue", "red"):
        for number, file in enumerate(sorted((photos / label).iterdir())):
            part = data / ("test" if number < 3 else "train") / label
            part.mkdir(parents=True, exist_ok=True)
            (part / file.name).write_bytes(file.read_bytes())
    return data


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()
