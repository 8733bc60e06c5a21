"""Weight files that nobody sends in good faith: pickles that run code, written by instruction, and
safetensors files from their parts."""

import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from tests.models.files import pickled, small_state

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
EXTENSION = 0xF0
"""Code under which `copyreg` may know a function."""
PROTOCOL = b"\x80\x04"
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2)
"""What torch's files begin with that are no zip archive: a number, the version."""


def text(words: str) -> bytes:
    """The instruction that puts a text on the stack."""
    said = words.encode()
    return b"X" + struct.pack("<I", len(said)) + said


def named(path: str) -> bytes:
    """The instruction that puts `module.name` on the stack."""
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def called(function: bytes, *arguments: bytes) -> bytes:
    """The instructions that call a function on the stack."""
    return function + b"(" + b"".join(arguments) + b"tR"


def payloads(canary: Path) -> dict[str, bytes]:
    """Instructions that make a file when they are run, each by another way; they leave one object.

    The ways have the names of what in them is unusual.
    """
    command, system = text(f"touch '{canary}'"), named("os.system")
    run = called(system, command)
    lazy = named("builtins.map") + system + b"]" + command + b"a\x86"
    inside = called(named("importlib.import_module"), text("os"))
    reached = called(named("builtins.getattr"), inside, text("system"))
    partial = called(named("functools.partial"), named("builtins.print"))
    state = b"(" + system + command + b"\x85}}t"
    return {
        "GLOBAL": run,
        "STACK_GLOBAL": called(b"\x8c\x02os\x8c\x06system\x93", command),
        "INST": b"(" + command + b"ios\nsystem\n",
        "OBJ": b"(" + system + command + b"o",
        "NEWOBJ": named("builtins.tuple") + lazy + b"\x81" + b"\x85\x81",
        "NEWOBJ_EX": named("builtins.tuple") + lazy + b"}\x92" + b"\x85}\x92",
        "REDUCE of REDUCE": called(reached, command),
        "BUILD": called(partial + state + b"b"),
        "EXT": called(b"\x82" + bytes([EXTENSION]), command),
        "open": called(named("io.open"), text(str(canary)), text("w")),
        "in a dict": b"}" + text("fc.weight") + run + b"s",
        "in a list": b"]" + run + b"a",
        "in an OrderedDict": b"ccollections\nOrderedDict\n)R" + text("fc.weight") + run + b"s",
        "in a tuple": run + b"\x85",
        "as a key": b"}" + run + text("a") + b"s",
        "persistent": run + b"Q",
        "before nonsense": run + b"\xff\xff",
        "by a file of Python": called(named("runpy._run_code"), _code(canary), b"}"),
    }


def _code(canary: Path) -> bytes:
    source = text(f"open({str(canary)!r}, 'w')")
    return called(named("builtins.compile"), source, text("a"), text("exec"))


def bare(instructions: bytes) -> bytes:
    """A pickle and nothing else."""
    return PROTOCOL + instructions + b"."


def headless(instructions: bytes) -> bytes:
    """A pickle as the first protocols had it: it begins with its first instruction."""
    return instructions + b"."


def legacy(instructions: bytes) -> bytes:
    """As torch wrote until 1.6: pickles one after the other."""
    return LEGACY + pickle.dumps({"little_endian": True}, protocol=2) + bare(instructions)


def zipped(instructions: bytes) -> bytes:
    """As torch writes today."""
    return rezipped(
        pickled(small_state()), lambda name, data: bare(instructions) if _is_pickle(name) else data
    )


def tarred(instructions: bytes, first: str = "pickle") -> bytes:
    """As torch wrote until 0.1.10; `first` is the name that stands at the beginning."""
    members = {first: b""} if first != "pickle" else {}
    members |= {"pickle": bare(instructions)}
    nothing, none = (pickle.dumps(what, protocol=2) for what in (0, []))
    members |= {"storages": nothing + none, "tensors": nothing}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "bare": bare,
    "headless": headless,
    "legacy": legacy,
    "zip": zipped,
    "tar": tarred,
}


def rezipped(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Torch's archive, each member as `change(name, data)` gives it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def _is_pickle(name: str) -> bool:
    return name.endswith("data.pkl")


class Calls:
    """A pickle of this calls a function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.function, self.arguments


def view(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Calls:
    """What is pickled as a view of four numbers, of whatever size."""
    numbers = torch.arange(1.0, 5.0).untyped_storage()
    storage = torch.storage.TypedStorage(wrap_storage=numbers, dtype=torch.float32, _internal=True)
    return Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})


# Safetensors.


def entry(dtype: str, shape: object, *offsets: int) -> dict[str, object]:
    """What a header says of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


def safetensors(header: bytes | Mapping[str, object], size: int = 0) -> bytes:
    """A file of this header, and so many noughts."""
    said = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(said)) + said + bytes(size)


def write_hollow(
    path: Path, shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]
) -> Path:
    """A file of float32 tensors that is one large hole: it takes no room on the disk."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * torch.Size(shape).numel()
        header[name] = entry("F32", shape, begin, end)
    start = safetensors(header)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + end)
    return path
