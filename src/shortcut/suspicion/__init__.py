"""Labels that may be wrong: ranked by what classifiers say that have not seen them, and shown."""

from shortcut.suspicion.page import render_gallery as render_gallery
from shortcut.suspicion.ranking import Suspect as Suspect
from shortcut.suspicion.ranking import rank_labels as rank_labels
from shortcut.suspicion.ranking import suspect_table as suspect_table

__all__ = ["Suspect", "rank_labels", "render_gallery", "suspect_table"]
