"""Going on: from which state, with which recipe and pictures, and who may."""

import copy
import itertools
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.recipes import write_tiny_recipe
from tests.stories import drain, save_always, stop_at

import shortcut
from shortcut import keeping
from shortcut.budget import Budget
from shortcut.checkpoint import State, load_state
from shortcut.errors import DataError, ModelError, RecipeError, ResourceError
from shortcut.events import EpochEnd, Event, Finished, Notice, Step
from shortcut.proof import differences
from shortcut.recipe import read_recipe
from shortcut.runs import resuming, training
from shortcut.settings import Recipe


@pytest.fixture
def photos(tiny_photos: Path) -> Path:
    return tiny_photos


def recipe_of(tmp_path: Path) -> Recipe:
    return read_recipe(write_tiny_recipe(tmp_path))


@pytest.fixture
def finished(photos: Path, tmp_path: Path) -> Path:
    drain(training(photos, recipe_of(tmp_path), output=tmp_path / "run"))
    return tmp_path / "run"


CHANGES = {
    "seed: 0": ("seed: 1", "seed was 0 and is 1"),
    "lr: 0.01": ("lr: 0.02", "optim.lr was 0.01 and is 0.02"),
    "batch_size: 6": ("batch_size: 3", "train.batch_size was 6 and is 3"),
    "image_size: 16": ("image_size: 8", "data.image_size was 16 and is 8"),
    "name: resnet20": ("name: resnet32", "model.name was resnet20 and is resnet32"),
    "flip: true": ("flip: false", "augment.flip was True and is False"),
    "name: onecycle": ("name: constant", "schedule.name was onecycle and is constant"),
    "ema_decay: 0.0": ("ema_decay: 0.5", "train.ema_decay was 0.0 and is 0.5"),
}


@pytest.mark.parametrize("before", CHANGES)
def test_a_recipe_changed_meanwhile_is_refused_by_name(before: str, finished: Path) -> None:
    after, expected = CHANGES[before]
    file = finished / "recipe.yaml"
    text = file.read_text("utf-8")
    assert before in text
    lines = text.replace(before, after).splitlines()
    if "constant" in after:  # what only the old schedule has
        lines = [
            line for line in lines if line.split(":")[0].strip() not in ("peak", "start", "final")
        ]
    file.write_text("\n".join(lines), "utf-8")
    with pytest.raises(ModelError, match="was changed since the state was saved") as refusal:
        drain(resuming(finished))
    assert expected in str(refusal.value)


def test_a_state_from_before_a_setting_there_is_now_is_gone_on_with(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was trained as by the default; anything else would be another training."""
    recipe, write = recipe_of(tmp_path), keeping.save_state

    def older(folder: Path, state: State) -> None:
        settings = copy.deepcopy(dict(state.settings))
        for section, name in (("model", "first_filters"), ("augment", "random_erasing")):
            del settings[section][name]
        write(folder, replace(state, settings=settings))

    drain(training(photos, recipe, output=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "save_state", older)
        story = training(photos, recipe, output=tmp_path / "cut")
        stop_at(story, lambda event: isinstance(event, EpochEnd))
    drain(resuming(tmp_path / "cut"))
    assert list(differences(tmp_path / "whole", tmp_path / "cut")) == []
    file = tmp_path / "cut" / "recipe.yaml"
    file.write_text(file.read_text("utf-8").replace("random_erasing: 0.0", "random_erasing: 0.5"))
    with pytest.raises(ModelError, match=r"augment\.random_erasing was 0\.0 and is 0\.5"):
        drain(resuming(tmp_path / "cut"))


def test_more_epochs_may_be_asked_for(finished: Path) -> None:
    file = finished / "recipe.yaml"
    file.write_text(file.read_text("utf-8").replace("epochs: 3", "epochs: 4"), "utf-8")
    events, _ = drain(resuming(finished))
    assert [event.epoch for event in events if isinstance(event, EpochEnd)] == [4]


def test_a_run_trains_on_for_more_epochs_whatever_comes_between(finished: Path) -> None:
    stop_at(resuming(finished, epochs=6), lambda event: isinstance(event, EpochEnd))
    events, _ = drain(resuming(finished))
    (closing,) = (event for event in events if isinstance(event, Finished))
    assert closing.epochs == 6 and "epochs: 6" in (finished / "recipe.yaml").read_text("utf-8")
    found = load_state(finished / "resume")
    assert found
    history = found[0].history
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5, 6]
    assert closing.seconds == sum(epoch.seconds for epoch in history)


def test_fewer_epochs_than_there_are_is_an_error(finished: Path) -> None:
    before = (finished / "recipe.yaml").read_bytes()
    with pytest.raises(RecipeError, match="has trained 3 epochs"):
        drain(resuming(finished, epochs=2))
    assert (finished / "recipe.yaml").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1])
def test_a_run_of_which_no_step_was_saved_begins_anew_and_says_so(
    kept: int, photos: Path, tmp_path: Path
) -> None:
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run")
    stop_at(story, lambda event: isinstance(event, Step))
    states = sorted((tmp_path / "run" / "resume").glob("*-step-*"))
    assert [state.name for state in states] == ["0001-step-000000", "0002-step-000001"]
    for state in states[kept:]:
        shutil.rmtree(state)
    events, _ = drain(resuming(tmp_path / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert "no step of it was saved: the training begins anew" in told
    assert len([event for event in events if isinstance(event, EpochEnd)]) == 3


def test_a_finished_run_is_only_measured_again(finished: Path) -> None:
    events, outcome = drain(resuming(finished))
    assert not [event for event in events if isinstance(event, Step | EpochEnd)]
    assert outcome.val.images == 6


def test_pictures_changed_meanwhile_are_refused_unless_accepted(
    photos: Path, finished: Path
) -> None:
    (photos / "red" / "photo-03.png").unlink()
    with pytest.raises(DataError, match=r"red/photo-03.png \(is missing\)"):
        drain(resuming(finished))
    _, outcome = drain(resuming(finished, accept_data_change=True))
    assert outcome.val.images in (5, 6)


def test_two_processes_do_not_train_in_one_folder(photos: Path, tmp_path: Path) -> None:
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run")
    assert any(isinstance(event, Step) for event in story)
    with pytest.raises(ResourceError, match="in use by process"):
        next(resuming(tmp_path / "run"))
    with pytest.raises(ResourceError, match="never overwritten"):
        next(training(photos, recipe_of(tmp_path), output=tmp_path / "run"))
    story.close()


def test_a_damaged_state_is_named_and_the_one_before_it_used(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_always(monkeypatch)
    recipe = recipe_of(tmp_path)
    drain(training(photos, recipe, output=tmp_path / "whole"))
    count = itertools.count(1)
    story = training(photos, recipe, output=tmp_path / "cut")
    stop_at(story, lambda event: isinstance(event, Step) and next(count) == 5)
    *_, newest = sorted((tmp_path / "cut" / "resume").glob("*-step-*"))
    (newest / "optimizer.safetensors").write_bytes(b"")
    events, _ = drain(resuming(tmp_path / "cut"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any(f"{newest.name} is damaged (optimizer.safetensors has 0 of" in text for text in told)
    assert list(differences(tmp_path / "whole", tmp_path / "cut")) == []


def test_a_plan_of_a_budget_holds_from_the_first_step_on(photos: Path, tmp_path: Path) -> None:
    """`recipe.yaml` asks for 3 epochs still; it tells of those that were trained at the end."""
    budget = Budget(6.0, time.monotonic(), free=False)
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run", budget=budget)
    stop_at(story, lambda event: isinstance(event, Step))
    found = load_state(tmp_path / "run" / "resume")
    assert found is not None
    planned = len(found[0].sizes)
    assert planned > 3
    assert "epochs: 3\n" in (tmp_path / "run" / "recipe.yaml").read_text("utf-8")
    story = resuming(tmp_path / "run")
    stop_at(story, lambda event: isinstance(event, Step) and event.epochs == planned)
    file = tmp_path / "run" / "recipe.yaml"  # a person who changes it has the last word
    file.write_text(file.read_text("utf-8").replace("epochs: 3\n", "epochs: 2\n"), "utf-8")
    events, _ = drain(resuming(tmp_path / "run"))
    assert [event.epoch for event in events if isinstance(event, EpochEnd)] == [1, 2]


def test_the_best_model_is_that_of_the_state(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever better one came after it belongs to a training that did not happen."""
    save_always(monkeypatch)
    slow = read_recipe(write_tiny_recipe(tmp_path), {"optim.lr": 0.001})
    story = training(photos, slow, output=tmp_path / "run")
    best: list[bytes] = []
    for event in story:
        if isinstance(event, EpochEnd):
            best.append((tmp_path / "run" / "best.safetensors").read_bytes())
            if len(best) == 2:
                (states,) = [sorted((tmp_path / "run" / "resume").glob("*-step-*"))]
                break
    improved = best[0] != best[1]
    assert improved
    story.close()
    for state in states[1:]:
        shutil.rmtree(state)
    shutil.rmtree(tmp_path / "run" / "kept")
    story = resuming(tmp_path / "run")
    stop_at(story, lambda event: isinstance(event, Notice) and "resumed in epoch 2" in event.text)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == best[0]


def test_pictures_that_can_be_read_again_are_told(photos: Path, tmp_path: Path) -> None:
    """A file that could not be read when the training began has another place in no order."""
    recipe = read_recipe(write_tiny_recipe(tmp_path), {"data.max_broken": 0.5})
    victim = photos / "red" / "photo-03.png"
    content = victim.read_bytes()
    victim.write_bytes(bytes(len(content)))
    story = training(photos, recipe, output=tmp_path / "run")
    stop_at(story, lambda event: isinstance(event, Step))
    victim.write_bytes(content)
    with pytest.raises(DataError, match="other pictures can be read"):
        drain(resuming(tmp_path / "run"))
    _, outcome = drain(resuming(tmp_path / "run", accept_data_change=True))
    assert outcome.val.images > 0


def test_another_torch_than_before_is_told(photos: Path, tmp_path: Path) -> None:
    stop_at(training(photos, recipe_of(tmp_path), output=tmp_path / "run"), is_step)
    file = tmp_path / "run" / "environment.json"
    text = re.sub(r'"torch": "[^"]+"', '"torch": "1.0.0"', file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    events, _ = drain(resuming(tmp_path / "run"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sum(text.startswith("torch was 1.0.0 and is ") for text in told) == 1


def is_step(event: Event) -> bool:
    return isinstance(event, Step)


def test_resume_from_python(photos: Path, tmp_path: Path) -> None:
    story = training(photos, recipe_of(tmp_path), output=tmp_path / "run")
    stop_at(story, lambda event: isinstance(event, EpochEnd))
    assert shortcut.resume(tmp_path / "run").classifier.classes == ("blue", "red")


def test_a_run_that_saved_no_state_begins_again(photos: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    drain(training(photos, recipe, output=tmp_path / "whole"))
    stop_at(training(photos, recipe, output=tmp_path / "cut"), lambda e: isinstance(e, Step))
    for state in (tmp_path / "cut" / "resume").glob("*-step-*"):
        shutil.rmtree(state)
    drain(resuming(tmp_path / "cut"))
    assert list(differences(tmp_path / "whole", tmp_path / "cut")) == []


def test_a_longer_training_that_is_interrupted_is_not_described_by_older_answers(
    finished: Path,
) -> None:
    assert (finished / "answers.csv").exists()
    story = resuming(finished, epochs=6)
    stop_at(story, lambda event: isinstance(event, EpochEnd))
    assert not (finished / "answers.csv").exists()
    drain(resuming(finished))
    assert (finished / "answers.csv").exists()
