"""What a run keeps of each epoch, and getting it back."""

from dataclasses import asdict, replace
from pathlib import Path

from shortcut.checkpoint import State, optimizer_tensors, restore_optimizer, save_state
from shortcut.errors import ModelError
from shortcut.events import EpochEnd
from shortcut.job import Job
from shortcut.runfolder import Facts, keep_improvement


def keep_epoch(job: Job, folder: Path, facts: Facts, epoch: EpochEnd) -> None:
    """Save what `epoch` gave: last, best and kept classifiers, and the state to go on from.

    Raises:
        ResourceError: if it cannot be written; older files are whole.
    """
    metrics = {"epoch": epoch.epoch, "val_accuracy": epoch.val_accuracy}
    measured = replace(
        job.measured, metrics=metrics, created=facts.started, version=facts.versions["shortcut"]
    )
    measured.save(folder / "last.safetensors")
    if epoch.improved:
        measured.save(folder / "best.safetensors")
        keep_improvement(folder, folder / "best.safetensors", epoch, job.recipe.train.keep)
    averaged = {} if job.averaged is None else job.averaged.state_dict()
    state = State(
        model=job.classifier.model.state_dict(),
        optimizer=optimizer_tensors(job.optimizer),
        averaged=averaged,
        step=job.step,
        history=tuple(job.history),
        sizes=tuple(job.train.sizes),
        precision=asdict(job.precision),
    )
    save_state(folder / "resume", state)


def keep_interrupted(job: Job, folder: Path, facts: Facts) -> None:
    """Save what was learnt since the last epoch, and draw the curves so far.

    Raises:
        ResourceError: if it cannot be written.
    """
    job.measured.save(folder / "last.safetensors")
    if not job.history:
        return
    from shortcut.report.charts import draw_curves  # matplotlib takes a second

    part = facts.measured_on
    draw_curves(job.history, folder / "curves.png", title=folder.name, part=part)


def restore(job: Job, state: State) -> None:
    """Bring a fresh job to where `state` was saved.

    Raises:
        ModelError: if the state is of another network or optimizer than the job's.
    """
    try:
        job.classifier.model.load_state_dict(state.model)
        restore_optimizer(job.optimizer, state.optimizer)
        if job.averaged is not None:
            job.averaged.load_state_dict(state.averaged)
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise ModelError(
            "recipe.yaml no longer fits the saved state: the network, the optimizer and "
            "averaging must stay as they were."
        ) from error
    job.step = state.step
    job.history = list(state.history)
    # A budget may have planned other sizes than the recipe tells; a recipe that has been given more
    # epochs since has the last word.
    if len(state.sizes) == job.epochs:
        job.plan(state.sizes)
