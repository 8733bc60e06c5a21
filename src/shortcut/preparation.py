"""From settings and labelled files to a job that can be trained: `prepare` is a straight line, top
to bottom."""

import json
import math
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch

from shortcut.allocator import keep_freed_memory
from shortcut.card import CONTROL, LONGEST_CLASS
from shortcut.classifier import Classifier
from shortcut.data.augment import growing_sizes
from shortcut.data.cache import Keeping, Read, check_broken, read_pictures
from shortcut.data.loaders import EvaluationLoader, TrainingLoader
from shortcut.data.preprocess import Preprocess
from shortcut.data.resident import reside
from shortcut.data.samples import Sample, Source
from shortcut.data.splits import carve_validation, digest_of
from shortcut.ema import make_average
from shortcut.errors import DataError, RecipeError
from shortcut.evaluation import label_positions
from shortcut.events import Event, Notice, Progress
from shortcut.job import Job
from shortcut.models import ResNet, choose_stem, create_model, find_variant
from shortcut.models.published import load_imagenet
from shortcut.models.resnet import StemName
from shortcut.optim import make_optimizer
from shortcut.precision import Choice, Precision, choose_precision, computes_bf16
from shortcut.settings import Recipe
from shortcut.world import World

Parts = dict[str, Sequence[Sample]]
VAL_FRACTION = 0.1
"""Carved off the training pictures where the data has no val part and the recipe says nothing."""
VAL_BESIDE_TEST = 0.05
"""The same where a test part measures in the end: then val has only the epoch to choose, and
pictures are worth more in training. But never fewer than `ENOUGH_VAL` for it."""
ENOUGH_VAL = 200


def prepare(
    recipe: Recipe,
    parts: Mapping[str, Sequence[Sample]],
    world: World,
    *,
    cache: Path,
    choice: Choice | None = None,
) -> Generator[Event, None, Job]:
    """Read the pictures, build the network, choose number formats; yields progress, returns the
    job.

    Args:
        parts: `train` and `val`: labelled files.
        cache: folder for decoded pictures and downloaded weights.
        choice: of the number format, where it was made already; None chooses by measurement.

    Raises:
        DataError: fewer than two classes, classes that do not match, too many unreadable files.
        ModelError: the network does not exist or does not take pictures of this size.
    """
    keep_freed_memory()
    _check_batch(recipe, world)
    classes = match_classes(parts)
    stem = yield from _choose_stem(recipe)
    preprocess = Preprocess(recipe.data.image_size, recipe.data.short_side)

    keeping = Keeping(recipe.data.cache, cache / "decoded")
    with world.in_turn():  # what the first of a machine stores, its others find
        train = yield from _read("train", parts, preprocess.resize, recipe, keeping)
        val = yield from _read("val", parts, preprocess.resize, recipe, keeping)
    match_classes({"train": train.samples, "val": val.samples})
    pictures = digest_of(*train.samples, *val.samples)
    world.agree("readable pictures", pictures.encode())

    model = yield from _make_network(recipe, len(classes), stem, world, cache)
    choice = yield from _choose_precision(model, recipe, world, choice)
    choice.precision.prepare(model)
    facts = recipe.model.name, stem, classes, preprocess, recipe
    classifier = Classifier(model, *facts, recipe.data.mirror_below, recipe.data.max_pixels)
    decay = recipe.train.ema_decay
    return Job(
        recipe=recipe,
        classifier=classifier,
        train=_training_loader(recipe, train, classifier, world),
        val=_validation_loader(recipe, val, classifier),
        optimizer=make_optimizer(model, recipe.optim),
        averaged=make_average(model, decay) if decay else None,
        precision=choice.precision,
        world=world,
        pictures=pictures,
        shared=world.together(model, synced=recipe.train.sync_batch_norm),
        tested={recipe.data.image_size: choice.fastest * world.size} if choice.fastest else {},
    )


def choose_parts(source: Source, recipe: Recipe) -> tuple[Parts, Literal["val", "test"]]:
    """Which samples train, which are measured each epoch (`val`), which wait for the end (`test`).

    Returns:
        The parts, and where `val` comes from: `test` if the recipe measures on the test part.

    Raises:
        DataError: there are no training pictures.
        RecipeError: `data.val_fraction` is set, but nothing is to be carved off.
    """
    given, fraction = source.parts, recipe.data.val_fraction
    train = given.get("train", given.get("all", ()))
    if not train:
        raise DataError(f"{source.root}: no train part; found {', '.join(given)}.")
    on_test = recipe.data.validation == "test" and "test" in given
    if fraction is not None and (on_test or "val" in given):
        part = "test" if on_test else "val"
        raise RecipeError(f"`data.val_fraction` has no effect: there is a {part} part to measure.")
    if on_test:
        return {"train": train, "val": given["test"]}, "test"
    parts: Parts = {"train": train, "val": given.get("val", ())}
    if "val" not in given:
        spare = "test" in given and len(train) * VAL_BESIDE_TEST >= ENOUGH_VAL
        usual = VAL_BESIDE_TEST if spare else VAL_FRACTION
        share = usual if fraction is None else fraction
        parts["train"], parts["val"] = carve_validation(train, fraction=share, seed=recipe.seed)
    if "test" in given:
        parts["test"] = given["test"]
    return parts, "val"


def match_classes(parts: Mapping[str, Sequence[Sample]]) -> tuple[str, ...]:
    """The class names of `train`, sorted; `val` must have the same.

    Raises:
        DataError: fewer than two classes, a class that stands in one part only, or a name that
        would move a terminal; the classes are named.
    """
    train = {sample.label for sample in parts["train"]}
    val = {sample.label for sample in parts["val"]}
    for name in train:  # a model file would refuse it, after an epoch
        if len(name) > LONGEST_CLASS or CONTROL.search(name):
            raise DataError(f"{name[:40]!a} cannot be the name of a class: rename its folder.")
    if len(train) < 2:
        found = f"only `{next(iter(train))}`" if train else "none"
        raise DataError(f"training needs pictures of at least two classes; found {found}.")
    for missing, where, other in ((train - val, "val", "train"), (val - train, "train", "val")):
        if missing:
            names = ", ".join(sorted(missing)[:5])
            raise DataError(f"class missing in {where}: {names} (in {other} it is there).")
    return tuple(sorted(train))


def _read(
    part: str,
    parts: Mapping[str, Sequence[Sample]],
    short_side: int,
    recipe: Recipe,
    keeping: Keeping,
) -> Generator[Event, None, Read]:
    samples, threads, limit = parts[part], os.cpu_count() or 1, recipe.data.max_pixels
    read = yield from read_pictures(
        samples, short_side, threads=threads, keeping=keeping, max_pixels=limit
    )
    check_broken(read, recipe.data.max_broken)
    for line in read.broken:
        yield Notice(f"left out: {line}")
    if read.broken:
        yield Notice(f"{part}: {len(read.samples):,} of {len(samples):,} pictures can be read")
    return read


def _choose_stem(recipe: Recipe) -> Generator[Event, None, StemName]:
    name, size = recipe.model.name, recipe.data.image_size
    fixed = find_variant(name).stem is not None
    # Published weights are for the standard stem, whatever the size.
    pretrained = recipe.model.weights == "imagenet" and not fixed
    wanted = "standard" if pretrained else recipe.model.stem
    stem = choose_stem(name, size, wanted)
    for scale in (recipe.augment.start_scale, recipe.augment.final_scale):
        choose_stem(name, round(size * scale), wanted)  # these sizes go through the network as well
    if wanted == "auto" and stem == "small" and not fixed:
        yield Notice(
            f"small stem for pictures of {size} px; `--set model.stem=standard` keeps the paper's"
        )
    return stem


def _make_network(
    recipe: Recipe, classes: int, stem: StemName, world: World, cache: Path
) -> Generator[Event, None, ResNet]:
    torch.manual_seed(recipe.seed)
    model = create_model(recipe.model.name, num_classes=classes, stem=stem)
    if model.ends_in_softmax:
        yield _softmax_warning(recipe.model.name, classes)
    if recipe.model.weights == "imagenet":
        with world.in_turn():
            yield from load_imagenet(model, recipe.model.name, cache)
    return model.to(world.device)


def _softmax_warning(name: str, classes: int) -> Notice:
    """The best answer, 1 for the right class and 0 for the others, is no certainty to a second
    softmax."""
    lowest = math.log(1 + (classes - 1) / math.e)
    return Notice(
        f"`{name}` ends in a softmax, and cross entropy applies another: the loss cannot fall "
        f"below {lowest:.4f}, and the scores will be too sure (docs/learn/softmax-loss.md)"
    )


def _training_loader(
    recipe: Recipe, read: Read, classifier: Classifier, world: World
) -> TrainingLoader:
    return TrainingLoader(
        pictures=reside(read.pictures, recipe.augment, classifier.device),
        files=[sample.path for sample in read.samples],
        rank=world.rank,
        size=world.size,
        labels=label_positions(read.samples, classifier.classes),
        augment=recipe.augment,
        preprocess=classifier.preprocess,
        batch_size=recipe.train.batch_size,
        sizes=epoch_sizes(recipe),
        seed=recipe.seed,
        threads=_loader_threads(recipe.data.workers),
    )


def epoch_sizes(recipe: Recipe) -> list[int]:
    """Image size in pixels of each epoch of `recipe`."""
    side, augment = recipe.data.image_size, recipe.augment
    start, final = round(side * augment.start_scale), round(side * augment.final_scale)
    return growing_sizes(recipe.train.epochs, start, final)


def _validation_loader(recipe: Recipe, read: Read, classifier: Classifier) -> EvaluationLoader:
    return EvaluationLoader(
        pictures=read.pictures,
        labels=label_positions(read.samples, classifier.classes),
        preprocess=classifier.preprocess,
        batch_size=max(recipe.train.batch_size, 32),
        threads=_loader_threads(recipe.data.workers),
        samples=read.samples,
    )


def _loader_threads(wanted: int | None) -> int:
    """One beside the training step on small machines: more would take its cores."""
    return wanted if wanted is not None else min(8, max(1, (os.cpu_count() or 1) // 4))


def _choose_precision(
    model: ResNet, recipe: Recipe, world: World, choice: Choice | None
) -> Generator[Event, None, Choice]:
    """By the first process; the others do nothing meanwhile, or they would disturb it."""
    resumed = choice is not None and not choice.images_per_second
    if choice is None and world.first:
        yield Progress("timing number formats", 0, 0)
        choice = choose_precision(
            model,
            recipe.train.precision,
            image_size=recipe.data.image_size,
            batch_size=recipe.train.batch_size // world.size,
            device=world.device,
            compiled=recipe.train.compile,
        )
        yield Progress("timing number formats", 1, 1)
    if choice and world.first and not resumed:
        yield Notice(_chosen(choice))
        if recipe.train.precision == "bf16" and not computes_bf16(world.device):
            yield Notice("this processor computes in bf16 many times as slowly as in fp32")
    return _as_first(world, choice)


def _chosen(choice: Choice) -> str:
    what, speeds = choice.precision.describe(), choice.images_per_second
    if not speeds:
        return f"number format: {what}, as the recipe asks"
    told = " · ".join(f"{name} {speed:.{int(speed < 10)}f}" for name, speed in speeds.items())
    return f"number format: {what} (pictures/s by self-test: {told})"


def _as_first(world: World, choice: Choice | None) -> Choice:
    fields = asdict(choice.precision) if choice else {}
    shared = Precision(**json.loads(world.share(json.dumps(fields).encode())))
    return choice or Choice(shared, {})


def _check_batch(recipe: Recipe, world: World) -> None:
    if recipe.train.batch_size < 2 * world.size:
        raise RecipeError(
            f"batches of {recipe.train.batch_size} pictures are too small for {world.size} "
            f"processes: give `--batch-size {2 * world.size}` or more."
        )
