"""The experiment record against its expected texts in `tests/golden/record/`."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from shortcut.data.preprocess import Preprocess
from shortcut.events import EpochEnd
from shortcut.metrics import Scores
from shortcut.record import PredictedFile, Record, render_record
from shortcut.settings import (
    AdamSettings,
    AugmentSettings,
    CosineSchedule,
    DataSettings,
    ModelSettings,
    MuonSettings,
    NoCrop,
    OneCycleSchedule,
    PlateauSchedule,
    Recipe,
    SgdSettings,
    ShiftCrop,
    StepSchedule,
    TrainSettings,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "record"


def history(accuracy: list[float]) -> list[EpochEnd]:
    return [
        EpochEnd(
            epoch=n,
            epochs=len(accuracy),
            train_loss=1 - value,
            train_accuracy=value,
            val_loss=1 - value,
            val_accuracy=value,
            lr=0.001,
            seconds=24.0,
            images_per_second=333.0,
            waiting=0.01,
            image_size=224,
            improved=True,
        )
        for n, value in enumerate(accuracy, 1)
    ]


def tutorial_recipe() -> Recipe:
    return Recipe(
        name="tutorial-cats-dogs",
        model=ModelSettings(name="resnet34"),
        data=DataSettings(image_size=224, resize=256, validation="test"),
        augment=AugmentSettings(crop=ShiftCrop(name="shift", pad=0.1)),
        optim=AdamSettings(name="adam"),
        schedule=PlateauSchedule(name="plateau"),
        train=TrainSettings(epochs=200, batch_size=16),
    )


def full_record(validated_on: Literal["val", "test"] = "val") -> Record:
    return Record(
        run="resnet34-cats-dogs",
        started=datetime(2025, 3, 1, 14, 5),
        seconds=1445.2,
        data_name="cats-dogs",
        data_kind="flat names",
        classes=("cat", "dog"),
        counts={"train": 1800, "val": 200} | ({"test": 1998} if validated_on == "val" else {}),
        validated_on=validated_on,
        recipe=tutorial_recipe(),
        preprocess=Preprocess(224, 256),
        network="resnet34",
        stem="standard",
        parameters=21_285_698,
        machine="2 CPU threads, bf16, channels last",
        history=history([0.601, 0.66, 0.65, 0.7, 0.73, 0.76, 0.79, 0.82]),
        val=Scores(("cat", "dog"), np.array([[90, 10], [26, 74]]), loss=0.41),
        test=(
            Scores(("cat", "dog"), np.array([[700, 299], [301, 698]]), loss=0.62, left_out=("x",))
            if validated_on == "val"
            else None
        ),
        files={
            "best.safetensors": "the best classifier",
            "curves.png": "loss and accuracy",
            "other.txt": "a file this test made up",
        },
        predictions=[
            PredictedFile("cat.4001.jpg", "cat", "dog", 0.51),
            PredictedFile("dog.4001.jpg", "dog", "dog", 0.97),
        ],
        notices=[
            "left out of test: x",
            "no val part: 200 of 2,000 training pictures were set aside",
        ],
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("validated_on", ["val", "test"])
def test_the_record_is_as_expected(validated_on: Literal["val", "test"], lang: Literal["en", "zh"]):
    expected = (GOLDEN / f"{validated_on}.{lang}.md").read_text("utf-8")
    assert render_record(full_record(validated_on), lang) == expected


def test_names_end_no_cell_and_become_no_tag():
    record = replace(
        full_record(),
        classes=("a|b", "<i>"),
        val=Scores(("a|b", "<i>"), np.array([[90, 10], [26, 74]]), loss=0.41),
        test=None,
        predictions=[PredictedFile("x\ny.jpg", "a|b", "<i>", 1.0)],
    )
    text = render_record(record)
    assert "| a\\|b | " in text
    assert "<i>" not in text.replace("\\<i>", "")
    assert "| x y.jpg | this picture might be: \\<i> , score: 1.00 | a\\|b | wrong |" in text


def test_a_record_without_predictions_mistakes_and_notices():
    perfect = Scores(("cat", "dog"), np.array([[5, 0], [0, 5]]), loss=0.01)
    record = replace(full_record(), val=perfect, test=None, predictions=[], notices=[])
    assert render_record(record).endswith(
        "## Predictions\n\nNone were made.\n\n## Remarks\n\nNone.\n"
    )
    assert render_record(record, "zh").endswith("## 预测示例\n\n无。\n\n## 备注\n\n无。\n")


def test_evaluation_is_told_as_the_classifier_does_it():
    """A budget may have made it another size than the recipe says."""
    text = render_record(replace(full_record(), preprocess=Preprocess(96, 110)))
    rows = [line for line in text.splitlines() if "middle square of 96 px" in line]
    assert len(rows) == 1 and "short side to 110 px" in rows[0]
    assert "random square of 224 px" in text


SGD = SgdSettings(name="sgd", momentum=0.8)
OPTIONS = TrainSettings(
    epochs=1, accumulate=4, label_smoothing=0.1, clip_norm=1.0, ema_decay=0.99, patience=1
)
MIXED = AugmentSettings(
    crop=NoCrop(),
    flip=False,
    trivial_augment=0.5,
    random_erasing=0.1,
    mixup=0.2,
    cutmix=1.0,
    start_scale=0.5,
)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(), ["AdamW, learning rate 0.001", "constant rate", "short side to 146 px"]),
        (Recipe(optim=SGD), ["SGD (Nesterov), learning rate 0.05, momentum 0.8"]),
        (
            Recipe(optim=MuonSettings(name="muon")),
            ["Muon, learning rate 0.02 for filters, AdamW 0.002 for the rest, weight decay 0.05"],
        ),
        (Recipe(schedule=CosineSchedule(name="cosine")), ["cosine schedule to 0 of the rate"]),
        (Recipe(schedule=OneCycleSchedule(name="onecycle")), ["at its peak after 30 % of"]),
        (Recipe(schedule=StepSchedule(name="step", every=1)), ["times 0.1 every 1 epoch;"]),
        (
            Recipe(train=OPTIONS),
            [
                *("1 epoch; ", "4 batches a step", "label smoothing 0.1", "clipped at 1.0"),
                *("averaged weights, decay 0.99", "stops after 1 epoch without progress"),
            ],
        ),
        (
            Recipe(augment=MIXED),
            [
                "middle square of 128 px, growing from 64 to 128 px over the epochs, "
                "TrivialAugment of 50% of the views, random erasing of 10% of the views, "
                "mixup 0.2, cutmix 1"
            ],
        ),
        (Recipe(model=ModelSettings(weights="imagenet")), ["starting from ImageNet weights"]),
        (
            Recipe(model=ModelSettings(first_filters="patches")),
            ["from random weights, in the first layer from principal components of patches |"],
        ),
        (
            Recipe(model=ModelSettings(weights="imagenet", first_filters="patches")),
            ["starting from ImageNet weights |"],
        ),
    ],
)
def test_every_setting_has_its_words(recipe: Recipe, words: list[str]):
    asked = Preprocess(recipe.data.image_size, recipe.data.short_side)
    record = replace(full_record(), recipe=recipe, preprocess=asked)
    text = render_record(record)
    assert [word for word in words if word not in text] == []
    chinese = render_record(record, "zh")
    row = next(line for line in chinese.splitlines() if line.startswith("| 超参数"))
    assert "rate" not in row
    assert "epoch" not in row
