"""Pages that open from the disk: one HTML file each, without a script and without the network."""

from shortcut.pages.rendering import picture_address as picture_address
from shortcut.pages.rendering import render as render

__all__ = ["picture_address", "render"]
