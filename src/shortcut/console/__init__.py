"""What people see: a training as it runs, tables of results, errors. The only door to rich."""

from shortcut.console.screen import Screen as Screen
from shortcut.console.tables import print_accuracy as print_accuracy
from shortcut.console.tables import print_scores as print_scores
from shortcut.console.tables import print_table as print_table
from shortcut.console.terminal import error_line as error_line
from shortcut.console.terminal import print_line as print_line

__all__ = ["Screen", "error_line", "print_accuracy", "print_line", "print_scores", "print_table"]
