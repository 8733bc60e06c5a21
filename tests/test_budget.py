"""Durations as people write them, and what is left of a budget."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut.budget import MARGIN, Budget, clock, parse_duration
from shortcut.cli.training import read_settings
from shortcut.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1H 30M".replace(" ", ""), 5400),
        (" 2m30s ", 150),
        ("2m30", 150),
        ("0.5m", 30),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "ten", "-5m", "0", "0m", "10x", "1.2.3", "5m2h", ".", "1d"]
)
def test_what_is_no_duration_is_refused_by_its_text(text):
    with pytest.raises(RecipeError, match="is no time: write 90s, 10m"):
        parse_duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_hours_minutes_and_seconds_add_up(hours, minutes, seconds):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


def test_spent_and_left_add_up_to_the_budget_less_the_margin(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 130.0)
    budget = Budget(100.0, started=100.0)
    assert budget.spent() == 30.0
    assert budget.left() == pytest.approx(70.0 - 100 * MARGIN)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (598, "9:58"), (3661, "1:01:01")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ("model.stem=small", False),
        ("augment.start_scale=0.6", False),
        ("augment.final_scale=0.9", False),
        ("data.resize=150", False),
        ("augment.mixup=0.2", True),
    ],
)
def test_what_a_person_has_named_is_not_planned(change: str, free: bool) -> None:
    assert read_settings(None, {}, [change])[1] is free
