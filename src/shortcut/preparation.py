"""From settings and labelled files to a job that can be trained: `prepare` is a straight line, top
to bottom."""

import json
import math
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from shortcut.allocator import keep_freed_memory
from shortcut.classifier import Classifier
from shortcut.data.augment import growing_sizes
from shortcut.data.cache import Keeping, Pictures, Read, check_broken, read_pictures
from shortcut.data.loaders import EvaluationLoader, TrainingLoader
from shortcut.data.patches import principal_filters
from shortcut.data.preprocess import Preprocess
from shortcut.data.resident import reside
from shortcut.data.samples import Sample
from shortcut.data.splits import digest_of
from shortcut.ema import make_average
from shortcut.errors import RecipeError
from shortcut.evaluation import label_positions
from shortcut.events import Event, Notice, Progress
from shortcut.job import Job
from shortcut.models import ResNet, choose_stem, create_model, find_variant
from shortcut.models.published import load_imagenet
from shortcut.models.resnet import StemName
from shortcut.optim import make_optimizer
from shortcut.parts import match_classes
from shortcut.precision import Choice, Precision, choose_precision, computes_bf16
from shortcut.settings import Recipe
from shortcut.world import World

ENOUGH_PICTURES = 500
"""Of whose patches first filters are made, at most: 40,000 patches of 64 px, in a second."""


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
    if recipe.model.first_filters == "patches" and recipe.model.weights == "none":
        yield Progress("finding first filters", 0, 0)
        _start_from_patches(model.conv1, train.pictures, recipe, preprocess.std)
        yield Progress("finding first filters", 1, 1)
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


@torch.no_grad()
def _start_from_patches(
    first: nn.Conv2d, pictures: Pictures, recipe: Recipe, std: tuple[float, float, float]
) -> None:
    """Filters of the first layer from some pictures, in the size of the first epoch; as long as
    those that were there, which stay where a 3x3 stem has more channels than there are."""
    side = round(recipe.data.image_size * recipe.augment.start_scale)
    view = Preprocess(side, side)
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), ENOUGH_PICTURES), dtype=int)
    squares = (view.middle(view.fitted(pictures[index])) for index in chosen.tolist())
    filters = principal_filters(squares, first.out_channels, first.kernel_size[0], std)
    length = first.weight.flatten(1).norm(dim=1).mean()
    first.weight[: len(filters)] = length * torch.from_numpy(filters).to(first.weight.device)


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
