"""Pages that open from the disk: one HTML file each, without a script and without the network."""

from shortcut.pages.rendering import check_ending as check_ending
from shortcut.pages.rendering import picture_address as picture_address
from shortcut.pages.rendering import render as render
from shortcut.pages.table import Table as Table

__all__ = ["Table", "check_ending", "picture_address", "render"]
