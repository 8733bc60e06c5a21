"""To a torch program: what `torch.export.load` reads, without a line of ours."""

import io
from pathlib import Path

import torch
from torch.export import ExportedProgram

from shortcut.card import ExportCard
from shortcut.disk import write_whole
from shortcut.runtime.program import FILE


def write_program(program: ExportedProgram, card: ExportCard, path: Path) -> None:
    """Write it, weights included."""
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={FILE: card.model_dump_json()})
    write_whole(path, content.getvalue())
