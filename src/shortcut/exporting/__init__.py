"""A model is written for other programs, and held against itself on the user's own pictures before
anybody relies on it."""

from shortcut.exporting.page import render_parity as render_parity
from shortcut.exporting.parity import Parity as Parity
from shortcut.exporting.story import Export as Export
from shortcut.exporting.story import exporting as exporting

__all__ = ["Export", "Parity", "exporting", "render_parity"]
