"""torch, without a line of ours: the program that `torch.export` wrote."""

import io
import zipfile
from pathlib import Path

import numpy as np

from shortcut.data.preprocess import Pixels
from shortcut.errors import ModelError
from shortcut.predictor import Answers
from shortcut.runtime.engine import METADATA, EngineName

FILE = f"{METADATA}.json"
LARGEST_CARD = 4 << 20
"""Bytes; names of 22,000 classes take 0.7 MB."""


class ProgramEngine:
    """A torch program."""

    name: EngineName = "torch"

    def __init__(self, path: Path) -> None:
        import torch

        try:
            self._network = torch.export.load(io.BytesIO(path.read_bytes())).module()
        except Exception as error:
            raise ModelError(f"{path}: torch cannot read it ({error}).") from error

    def __call__(self, images: Pixels) -> tuple[Answers, Answers | None]:
        answers, *others = self._outputs(images)
        return answers, next((one for one in others if one.ndim == 1), None)

    def evidence(self, images: Pixels) -> Answers:
        """See `Engine`."""
        return self._outputs(images)[-1]

    def _outputs(self, images: Pixels) -> list[Answers]:
        """All of them: evidence, where there is any, comes last."""
        import torch

        with torch.inference_mode():
            found = self._network(torch.from_numpy(np.require(images, requirements="W")))
        return [one.numpy() for one in found]


def read_metadata(path: Path) -> str | None:
    """The JSON of the `ExportCard` in a file; None where it holds none."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next((n for n in archive.namelist() if n.endswith(f"extra/{FILE}")), None)
            if inside is None or archive.getinfo(inside).file_size > LARGEST_CARD:
                return None
            return archive.read(inside).decode("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: is no torch program ({error}).") from error
