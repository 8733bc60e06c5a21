"""What numbers tell."""

from pathlib import Path

from shortcut.checks.counts import check_counts
from shortcut.data.samples import Sample, Source


def told(**parts: dict[str, int]) -> dict[str, list[str]]:
    made = {
        part: tuple(
            Sample(Path(f"{part}/{c}/{n}"), c) for c, many in counts.items() for n in range(many)
        )
        for part, counts in parts.items()
    }
    classes = sorted({sample.label for samples in made.values() for sample in samples})
    findings = check_counts(Source("x", Path(), "folders", tuple(classes), made))
    return {f.kind.name: [example.words[0] for example in f.examples] for f in findings}


def test_enough_of_each_is_no_finding() -> None:
    assert told(train={"a": 500, "b": 400}, test={"a": 200, "b": 200}) == {}
    assert told(all={"a": 50, "b": 60}) == {}


def test_a_class_that_a_part_lacks_is_missing_there() -> None:
    found = told(train={"a": 500, "b": 400}, test={"a": 400, "c": 5})
    assert found == {"missing": ["`b` is not in test", "`c` is not in train"]}


def test_tiny_classes_and_uneven_ones() -> None:
    found = told(all={"a": 245, "b": 49})
    assert found == {"tiny": ["`b` has 49"], "uneven": ["`a` has 245, `b` 49"]}
    assert "uneven" not in told(all={"a": 244, "b": 49})


def test_few_to_measure_on_come_with_what_can_be_known() -> None:
    found = told(train={"a": 500, "b": 500}, val={"a": 20, "b": 20}, test={"a": 400, "b": 1})
    assert found == {"few": ["val has 40: 90 % right would mean 77% to 96%"]}
