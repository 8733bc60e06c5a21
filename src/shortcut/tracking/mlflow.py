"""A run in MLflow's store: a server's, a database, or MLflow's own default."""

import json
import logging
import os
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from shortcut.disk import write_whole
from shortcut.errors import ResourceError
from shortcut.recipe import flatten
from shortcut.tracking.items import Begin, End, Figures, Item, Picture, Told, Tracked

NAME = "mlflow.json"
"""In the run folder: which run of the store this is."""
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
PICTURES = ("curves.png", "confusion_matrix.png")
ARTIFACTS = ("recipe.yaml", "log.txt", "results.csv", "record.md", *PICTURES)
"""What is copied there. The model is not: it is large, the server may be far, and the tag
`shortcut.model` says where it lies."""
LONGEST = 5000
"""Letters that every store takes in a tag."""


def load_package() -> None:
    """Load what `log_run` needs.

    Raises:
        ResourceError: it is not installed, or does not work here.
    """
    # It tells its makers what is used, unless told not to; nobody asked for that here.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import_module("mlflow")
    except ImportError as error:
        raise ResourceError(
            f"`--track mlflow` needs a package more ({error}): pip install 'shortcut[mlflow]'"
        ) from error
    for name in ("mlflow", "alembic"):  # which tell of each table they make
        logging.getLogger(name).setLevel(logging.WARNING)


def log_run(run: Tracked, items: Iterable[Item]) -> None:
    """Log items as they come, to the run that `mlflow.json` names, else to a new one.

    What a store has it keeps: of steps that come again the first figures stay. They are the same
    ones, unless a training went back because its numbers had gone wrong.

    Raises:
        Exception: whatever MLflow raises.
    """
    logged = LoggedRun(run)
    for item in items:
        match item:
            case Figures():
                logged.log(item)
            case Told():
                logged.upload("log.txt")
            case End():
                logged.end(item)
            case Begin() | Picture():
                pass  # pictures go with the other files, at the end


class LoggedRun:
    """A run as MLflow has it."""

    def __init__(self, run: Tracked) -> None:
        mlflow: Any = import_module("mlflow")
        self.entities: Any = import_module("mlflow.entities")
        self.folder = run.folder
        known = _read(run.folder / NAME)
        chosen = mlflow.is_tracking_uri_set()
        self.client: Any = mlflow.MlflowClient(None if chosen else known.get("uri"))
        self.id, self.goes_on = known.get("run_id", ""), True
        if not self.id or not self._go_on():
            self._begin(run)
            # An address that a person gave may hold a password.
            place = {"run_id": self.id} | ({} if chosen else {"uri": self.client.tracking_uri})
            write_whole(run.folder / NAME, json.dumps(place))
        self.last: dict[str, int] = {}
        """The step at which each figure was logged last."""

    def log(self, figures: Figures) -> None:
        """Log those that the store does not have yet."""
        now = int(time.time() * 1000)
        new = [
            self.entities.Metric(name, value, now, figures.step)
            for name, value in figures.values.items()
            if figures.step > self._last(name)
        ]
        self.last |= {metric.key: metric.step for metric in new}
        self.client.log_batch(self.id, metrics=new)

    def upload(self, *names: str) -> None:
        """Copy files of the run folder, if they are there."""
        for path in (self.folder / name for name in names):
            if path.exists():
                self.client.log_artifact(self.id, str(path))

    def end(self, end: End) -> None:
        """Say how it ended, then copy its files."""
        self.client.set_tag(self.id, "shortcut.end", end.text[:LONGEST])
        self.client.set_terminated(self.id, STATUS[end.status])
        self.upload(*ARTIFACTS)

    def _go_on(self) -> bool:
        """Open the run again; False where this store does not know it."""
        exceptions: Any = import_module("mlflow.exceptions")
        try:
            self.client.update_run(self.id, "RUNNING")
        except exceptions.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def _begin(self, run: Tracked) -> None:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.facts.data_name
        found = self.client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self.client.create_experiment(name)
        tags = {
            "mlflow.source.name": "shortcut",
            "shortcut.version": run.facts.versions["shortcut"],
            "shortcut.data": run.facts.data_name,
            "shortcut.model": str(run.folder.absolute() / "best.safetensors"),
        }
        made = self.client.create_run(experiment, tags=tags, run_name=run.folder.absolute().name)
        self.id, self.goes_on = made.info.run_id, False
        settings = flatten(run.recipe.model_dump(mode="json"))
        params = [self.entities.Param(key, str(value)) for key, value in settings.items()]
        self.client.log_batch(self.id, params=params)

    def _last(self, name: str) -> int:
        if name not in self.last:
            history = self.client.get_metric_history(self.id, name) if self.goes_on else ()
            self.last[name] = max((metric.step for metric in history), default=-1)
        return self.last[name]


def _read(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
