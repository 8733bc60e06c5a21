"""Safetensors files whose headers are lies, or only large: refused for little memory (F5, F6)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.hostile_models.apart import Apart, Cost
from tests.hostile_models.making import entry, safetensors, write_hollow
from tests.models.files import message

from shortcut.card import HEADER
from shortcut.errors import ModelError
from shortcut.models.foreign import read_foreign
from shortcut.models.tensorfiles import LARGEST_HEADER, MOST_QUOTES, read_tensors, write_tensors

SECONDS = 10.0
"""For one file; one takes a tenth of it, but for machines that do other things too."""
MEGABYTES = 150.0
NO_NUMBERS = b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
ONE_NUMBER = b'{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
HEADERS: dict[str, Callable[[], bytes]] = {
    "no bytes": lambda: b"",
    "a length and no header": lambda: (2).to_bytes(8, "little"),
    "a length of nought": lambda: bytes(8) + b"{}",
    "a length of 2^63": lambda: (2**63).to_bytes(8, "little") + b"{}",
    "a length of 2^64 - 1": lambda: b"\xff" * 8 + b"{}",
    "a length beyond the end": lambda: (1000).to_bytes(8, "little") + b'{"a":1}',
    "a name twice": lambda: safetensors(b'{"a":%s,"a":%s}' % (ONE_NUMBER, ONE_NUMBER), 1),
    "a name twice, spelt otherwise": lambda: safetensors(
        b'{"a":%s,"\\u0061":%s}' % (ONE_NUMBER, ONE_NUMBER), 1
    ),
    "two descriptions": lambda: safetensors(b'{"__metadata__":{"shortcut":"1","shortcut":"2"}}'),
    "a field twice": lambda: safetensors(
        b'{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}', 1
    ),
    "a hole": lambda: safetensors({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, 3),
    "a hole at the beginning": lambda: safetensors({"a": entry("U8", [1], 1, 2)}, 2),
    "a hole at the end": lambda: safetensors({"a": entry("U8", [1], 0, 1)}, 2),
    "an overlap": lambda: safetensors(
        {"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, 3
    ),
    "one in another": lambda: safetensors(
        {"a": entry("U8", [4], 0, 4), "b": entry("U8", [1], 1, 2)}, 4
    ),
    "backwards": lambda: safetensors({"a": entry("U8", [1], 1, 0)}, 1),
    "beyond the end": lambda: safetensors({"a": entry("U8", [2**40], 0, 2**40)}, 1),
    "less than nought": lambda: safetensors({"a": entry("U8", [1], -1, 0)}, 1),
    "more than the offsets say": lambda: safetensors({"a": entry("F32", [10**9], 0, 4)}, 4),
    "more than can be counted": lambda: safetensors({"a": entry("F32", [2**63, 2**63], 0, 0)}),
    "too many for torch": lambda: safetensors({"a": entry("F32", [2**63, 0], 0, 0)}),
    "a shape below nought": lambda: safetensors({"a": entry("U8", [-1], 0, 1)}, 1),
    "half a number": lambda: safetensors({"a": entry("U8", [0.5], 0, 1)}, 1),
    "a shape that is a text": lambda: safetensors({"a": entry("U8", "os.system", 0, 1)}, 1),
    "many dimensions": lambda: safetensors({"a": entry("U8", [1] * 500_000, 0, 1)}, 1),
    "an unknown kind": lambda: safetensors({"a": entry("F128", [1], 0, 16)}, 16),
    "a kind that is a class": lambda: safetensors({"a": entry("os.system", [1], 0, 1)}, 1),
    "a kind that torch lacks": lambda: safetensors({"a": entry("F6_E2M3", [4], 0, 3)}, 3),
    "a field too few": lambda: safetensors({"a": {"dtype": "U8", "shape": [1]}}, 1),
    "a list": lambda: safetensors(b"[]"),
    "numbers in the metadata": lambda: safetensors(b'{"__metadata__":{"a":1}}'),
    "no JSON": lambda: safetensors(b'{"a":'),
    "JSON that Python alone reads": lambda: safetensors(b'{"a":NaN}'),
    "another encoding": lambda: safetensors('{"é":1}'.encode("latin-1")),
    "a mark of order": lambda: safetensors(b"\xef\xbb\xbf{}"),
    "16 bits a letter": lambda: safetensors('{"a":1}'.encode("utf-16-le")),
    "deep lists": lambda: safetensors(b'{"a":' + b"[" * (LARGEST_HEADER - 5)),
    "deep objects": lambda: safetensors(b'{"a":' * 150_000),
    "deep metadata": lambda: safetensors(b'{"__metadata__":{"a":' + b"[" * 1_000_000),
    "many empty lists": lambda: safetensors(b'{"a":[' + b"[]," * 1_398_000 + b"[]]}"),
    "many empty objects": lambda: safetensors(_many(b"{}", 190_000)),
    "a number of a million digits": lambda: safetensors(b'{"a":' + b"9" * 1_000_000 + b"}"),
    "a name of a million letters": lambda: safetensors(
        {"a" * 1_000_000: entry("U8", [1], 0, 1)}, 1
    ),
    "a name that moves the cursor": lambda: safetensors({"a\x1b[2J\n": entry("U8", [1], 0, 1)}, 1),
    "15,000 tensors": lambda: safetensors(_many(NO_NUMBERS, 15_000)),
    "39,000 tensors": lambda: safetensors(_many(NO_NUMBERS, 39_000)),
    "1,000,000 tensors": lambda: safetensors(_many(NO_NUMBERS, 1_000_000)),
    "99,000 lines of metadata": lambda: safetensors(
        b'{"__metadata__":' + _many(b'""', 99_000) + b"}"
    ),
    "400,000 lines of metadata": lambda: safetensors(
        b'{"__metadata__":' + _many(b'""', 400_000) + b"}"
    ),
}


def _many(value: bytes, count: int) -> bytes:
    return b"{" + b",".join(b'"%x":%s' % (number, value) for number in range(count)) + b"}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


def check(cost: Cost) -> None:
    """It was refused, in one line, for little."""
    assert cost.error == "ModelError"
    assert cost.said.isprintable() and len(cost.said) < 1000
    assert cost.seconds < SECONDS
    assert cost.megabytes < MEGABYTES


@pytest.mark.parametrize("kind", HEADERS)
def test_a_false_header_is_refused_for_little(apart: Apart, path: Path, kind: str) -> None:
    path.write_bytes(HEADERS[kind]())
    check(apart.open("load", path))
    check(apart.open("import", path))


def test_a_header_of_101_megabytes_is_refused_for_little(apart: Apart, path: Path) -> None:
    with path.open("wb") as file:
        file.write((101 << 20).to_bytes(8, "little") + b'{"a":')
        file.truncate(102 << 20)
    for door in ("load", "import"):
        check(cost := apart.open(door, path))
        assert "header too large" in cost.said and cost.megabytes < 10


def test_reasons_are_said(path: Path) -> None:
    for kind, reason in [
        ("a length of 2^63", "header too large"),
        ("1,000,000 tensors", "header too large"),
        ("a name twice", "invalid JSON in header: a name stands twice"),
        ("two descriptions", "invalid JSON in header: a name stands twice"),
        ("a hole", "invalid offset for tensor `b`"),
        ("a hole at the end", "not fully covered"),
        ("a kind that is a class", "unknown variant `os.system`"),
    ]:
        path.write_bytes(HEADERS[kind]())
        said = message(ModelError, lambda: read_tensors(path))
        assert said.startswith(f"`{path}` is not a whole safetensors file: ")
        assert reason in said
    for kind, reason in [
        ("15,000 tensors", f"`{path}` has 15,000 tensors, more than any network here."),
        ("many dimensions", f"`{path}` is refused: `a` has 500,000 dimensions. Name another file."),
        ("a name that moves the cursor", f"`{path}` is refused: `a\\x1b[2J\\n` is no name of a"),
    ]:
        path.write_bytes(HEADERS[kind]())
        assert message(ModelError, lambda: read_foreign(path)).startswith(reason)


def test_what_could_not_be_read_back_is_not_written(path: Path) -> None:
    for much in ("a" * (LARGEST_HEADER + 1), '"' * (MOST_QUOTES + 1)):
        said = message(ModelError, lambda much=much: write_tensors(path, {}, {"a": much}))
        assert said == (
            f"`{path}` is not written, since it could not be read back: header too large. "
            "Shorten the names of the classes."
        )
    assert not path.exists()


# Right names, and shapes that no memory holds -----------------------------------------------


HOLLOW: dict[str, dict[str, tuple[int, ...]]] = {
    "a first layer": {"conv1.weight": (10**9,)},
    "one in the middle": {"layer2.1.conv2.weight": (10**9 // 288, 32, 3, 3)},
    "a last layer": {"fc.weight": (10**9 // 64, 64), "fc.bias": (10**9 // 64,)},
    "none of the network": {"extra": (10**9,)},
    "nought of it": {"conv1.weight": (10**9, 0)},
}
"""What is otherwise in a file that is all hole: 4 GB, but for the last."""


@pytest.fixture(scope="module")
def good(saved: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, object]]:
    """Shapes by name and the card of a file that is as it should be."""
    tensors, metadata = read_tensors(saved)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    weights = {name: shape for name, shape in shapes.items() if "num_batches" not in name}
    return weights, json.loads(metadata[HEADER])


@pytest.mark.parametrize("kind", HOLLOW)
def test_shapes_beyond_memory_are_refused_before_it_is_taken(
    apart: Apart,
    path: Path,
    good: tuple[dict[str, tuple[int, ...]], dict[str, object]],
    kind: str,
) -> None:
    shapes, card = good
    for door, metadata in (("load", {HEADER: json.dumps(card)}), ("import", {})):
        assert apart.open(door, write_hollow(path, shapes, metadata)).error == ""
        write_hollow(path, {**shapes, **HOLLOW[kind]}, metadata)
        check(cost := apart.open(door, path))
        assert cost.said.startswith(f"{path}: the "), cost
        assert cost.megabytes < 20, cost


def test_many_classes_are_refused_before_they_get_a_layer(
    apart: Apart, path: Path, good: tuple[dict[str, tuple[int, ...]], dict[str, object]]
) -> None:
    shapes, card = good
    many = card | {"classes": [f"c{number}" for number in range(90_000)]}
    write_hollow(path, shapes, {HEADER: json.dumps(many)})
    check(cost := apart.open("load", path))
    assert "`fc.weight` is (4, 64) in the weights and (90000, 64) in the network" in cost.said
    assert cost.megabytes < 40  # the names take some
