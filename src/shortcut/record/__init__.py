"""The experiment record of a run: what was done, what came of it, what its curves say."""

from shortcut.record.curve import CurveReading as CurveReading
from shortcut.record.curve import read_curve as read_curve
from shortcut.record.experiment import PredictedFile as PredictedFile
from shortcut.record.experiment import Record as Record
from shortcut.record.experiment import fact_rows as fact_rows
from shortcut.record.experiment import render_record as render_record
from shortcut.record.figures import honesty as honesty

__all__ = [
    "CurveReading",
    "PredictedFile",
    "Record",
    "fact_rows",
    "honesty",
    "read_curve",
    "render_record",
]
