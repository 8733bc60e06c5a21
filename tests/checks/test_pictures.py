"""Findings about single files."""

from pathlib import Path

import numpy as np

from shortcut.checks.findings import Finding
from shortcut.checks.pictures import check_pictures
from shortcut.data.looks import Look
from shortcut.data.samples import Sample

GOOD = {"width": 200, "height": 160, "brightness": 120.0, "contrast": 50.0}
GOOD |= {"sharpness": 0.4, "colours": 6.0}


def look(name: str, **other: object) -> Look:
    thumb = np.zeros((64, 64), np.uint8)
    return Look(Sample(Path(name), "a"), **(GOOD | {"thumb": thumb} | other))


def found(*looks: Look) -> dict[str, list[str]]:
    findings = check_pictures([look("good-1"), look("good-2"), look("good-3"), *looks])
    return {f.kind.name: [e.files[0].name for e in f.examples] for f in findings}


def test_good_pictures_have_no_findings() -> None:
    assert found() == {}
    assert check_pictures([]) == []


def test_each_oddity_is_a_finding_of_its_own() -> None:
    assert found(look("x", contrast=3.0)) == {"blank": ["x"]}
    assert found(look("x", brightness=29.0, colours=2.0)) == {"dark": ["x"]}
    assert found(look("x", colours=2.0)) == {"plain": ["x"]}
    assert found(look("x", sharpness=0.1)) == {"blurred": ["x"]}
    assert found(look("x", width=60, height=50)) == {"small": ["x"]}
    assert found(look("x", width=900, height=200)) == {"narrow": ["x"]}
    assert found(look("x", contrast=0.0, sharpness=0.0, colours=0.0, brightness=0.0)) == {
        "blank": ["x"]
    }


def test_the_most_extreme_come_first() -> None:
    several = [look(f"{colours}", colours=colours) for colours in (2.5, 1.0, 2.0)]
    assert found(*several) == {"plain": ["1.0", "2.0", "2.5"]}


def test_traits_are_notes_and_grey_is_one_where_most_are_coloured() -> None:
    traits = ("renamed", "turned", "deep", "cmyk", "transparent", "animated")
    assert found(*(look(t, traits=frozenset({t})) for t in traits)) == {t: [t] for t in traits}
    assert found(look("x", traits=frozenset({"lab"}))) == {"cmyk": ["x"]}
    grey = [look(f"{n}", traits=frozenset({"grey"})) for n in range(4)]
    assert found(grey[0]) == {"grey": ["0"]}
    assert found(*grey) == {}  # a grey set, with some colour in it


def test_only_what_nobody_can_learn_from_is_left_out() -> None:
    broken = look("broken", problem="broken: is a text file")
    findings: list[Finding] = check_pictures([broken, look("blank", contrast=0.0), look("good")])
    assert {path.name for f in findings for path in f.exclude} == {"broken", "blank"}
    assert findings[0].kind.name == "unreadable"
    assert findings[0].examples[0].words[0] == "broken: is a text file"
    assert check_pictures([broken])[0].count == 1
