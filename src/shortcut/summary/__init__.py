"""A network as tables: every layer, the tree of modules, or the paper's stages."""

from shortcut.summary.layers import layer_records as layer_records
from shortcut.summary.layers import layer_table as layer_table
from shortcut.summary.layers import render_layers as render_layers
from shortcut.summary.rows import Row as Row
from shortcut.summary.rows import Summary as Summary
from shortcut.summary.rows import summarize as summarize
from shortcut.summary.stages import Column as Column
from shortcut.summary.stages import stage_column as stage_column
from shortcut.summary.stages import stage_table as stage_table
from shortcut.summary.table import Table as Table
from shortcut.summary.tree import tree_table as tree_table

__all__ = [
    "Column",
    "Row",
    "Summary",
    "Table",
    "layer_records",
    "layer_table",
    "render_layers",
    "stage_column",
    "stage_table",
    "summarize",
    "tree_table",
]
