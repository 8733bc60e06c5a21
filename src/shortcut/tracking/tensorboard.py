"""Event files for TensorBoard, in `tensorboard/` of the run folder: `tensorboard --logdir runs`."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from shortcut.data.decode import decode_picture
from shortcut.errors import ResourceError
from shortcut.recipe import flatten, to_yaml
from shortcut.tracking.items import Begin, End, Figures, Item, Picture, Told, Tracked

RESULTS = ("result/val_accuracy", "result/test_accuracy")
"""What the table of hyper-parameters shows beside them."""


def load_package() -> None:
    """Load what `write_events` needs.

    Raises:
        ResourceError: it is not installed, or does not work here.
    """
    try:
        import_module("tensorboard")
        import_module("torch.utils.tensorboard.summary")
    except ImportError as error:
        raise ResourceError(
            f"`--track tensorboard` needs a package more ({error}): "
            "pip install 'shortcut[tensorboard]'"
        ) from error


def write_events(run: Tracked, items: Iterable[Item]) -> None:
    """Write items as they come. Where steps come again, TensorBoard is told to forget what an
    earlier file has of them.

    Raises:
        OSError: the disk does not take it.
    """
    folder = run.folder / "tensorboard"
    fresh = not folder.exists()
    with contextlib.ExitStack() as stack:
        file: EventFile | None = None
        for item in items:
            if isinstance(item, Begin):
                stack.close()
                file = EventFile(folder, item.step)
                stack.callback(file.close)
                if fresh:
                    _write_recipe(file, run)
                    fresh = False
            elif file:
                _write(file, item)


def _write(file: "EventFile", item: Figures | Told | Picture | End) -> None:
    summary = import_module("torch.utils.tensorboard.summary")
    match item:
        case Figures():
            for name, value in item.values.items():
                file.write(item.step, summary.scalar(name, value))
        case Told():
            file.write(item.step, summary.text("notices", "\n\n".join(item.lines)))
        case Picture():
            pixels = np.array(decode_picture(item.path))
            file.write(item.step, summary.image(item.path.stem, pixels, dataformats="HWC"))
        case End():
            file.write(item.step, summary.text("end", item.text))


def _write_recipe(file: "EventFile", run: Tracked) -> None:
    summary = import_module("torch.utils.tensorboard.summary")
    settings = {
        name: value if isinstance(value, str | bool | int | float) else json.dumps(value)
        for name, value in flatten(run.recipe.model_dump(mode="json")).items()
    }
    for part in summary.hparams(settings, dict.fromkeys(RESULTS, 0.0))[:2]:
        file.write(0, part)
    file.write(0, summary.text("recipe", f"```\n{to_yaml(run.recipe)}```"))


class EventFile:
    """One event file.

    Not torch's `SummaryWriter`: that writes in a thread which ends with a traceback on the screen
    where the disk is full, and goes on taking what it cannot write.

    Args:
        first: TensorBoard forgets what earlier files have of this step and later ones.
    """

    def __init__(self, folder: Path, first: int) -> None:
        tensorboard: Any = import_module("torch.utils.tensorboard")
        self.protocol: Any = import_module("tensorboard.compat.proto.event_pb2")
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names.
        second, rest = divmod(time.time_ns(), 10**9)
        name = f"events.out.tfevents.{second:010}.{rest:09}.{socket.gethostname()}.{os.getpid()}"
        self.file = (folder / name).open("xb")
        self.records = tensorboard.RecordWriter(self.file)
        self._add(file_version="brain.Event:2")
        start = self.protocol.SessionLog(status=self.protocol.SessionLog.START)
        self._add(step=first, session_log=start)

    def write(self, step: int, summary: Any) -> None:
        """Append a summary.

        Raises:
            OSError: the disk does not take it.
        """
        self._add(step=step, summary=summary)

    def close(self) -> None:
        """What the disk does not take now is lost."""
        with contextlib.suppress(OSError):  # what it did not take has been reported
            self.file.close()

    def _add(self, **fields: Any) -> None:
        event = self.protocol.Event(wall_time=time.time(), **fields)
        self.records.write(event.SerializeToString())
        self.records.flush()
