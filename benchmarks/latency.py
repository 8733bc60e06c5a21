"""How long until the answer about one picture, and about 32, with the network alone and from the
file on?

Sides: `torch`, torchvision's network as tutorials ask it (eager, float32, their transforms);
`timm`, the same by timm; `onnxruntime` and `openvino` by hand, with the same weights, preprocessed
by the tutorials' transforms (OpenVINO in float32, bfloat16 and, by NNCF, eight bits);
`ultralytics`, its smallest classifier, which is another network; `shortcut`, what `shortcut export`
wrote. In turn, processes of their own, as many threads as there are cores;
milliseconds of the median, once warm.

    python benchmarks/latency.py DATA MODEL [--rounds 5] [--times 15] [--sides ...]

MODEL is a run folder, or one of its model files, of a network that torchvision has.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from loading import find_files
from pairs import HERE, Figures, make_environment, median, ratio, report, run_in_turn

BATCHES = (1, 32)
OURS = {f"shortcut {kind}": kind for kind in ("fp32", "bf16", "int8")}
BY_HAND = {f"openvino {kind}": kind for kind in ("fp32", "bf16", "int8")}
SIDES = ("torch", "timm", "ultralytics", "onnxruntime", *BY_HAND, *OURS)
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}

Ask = Callable[[list[Path]], object]
Sides = tuple[Ask, Callable[[int], object]]
"""From files to answers, and the network alone on so many pictures."""


def by_tensors(network: Callable[[object], object], size: int, resize: int) -> Sides:
    """For all who are given float32 tensors."""
    import torch
    from peers.predict_network import transforms

    load = transforms(size, resize)
    made = {batch: torch.randn(batch, 3, size, size) for batch in BATCHES}

    def ask(files: list[Path]) -> object:
        return network(torch.stack([load(path) for path in files]))

    return ask, lambda batch: network(made[batch])


def eager(network: object) -> Callable[[object], object]:
    import torch

    def ask(images: object) -> object:
        with torch.inference_mode():
            return network(images)  # type: ignore[operator]

    return ask


def onnx_by_hand(network: object, size: int, folder: Path) -> Callable[[object], object]:
    import onnxruntime
    import torch

    path = folder / "by_hand.onnx"
    images = torch.randn(2, 3, size, size)
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    torch.onnx.export(network, (images,), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda given: session.run(None, {name: given.numpy()})  # type: ignore[attr-defined]


def openvino_by_hand(
    network: object, size: int, kind: str, files: Sequence[Path], resize: int
) -> Callable[[object], object]:
    import openvino
    import torch

    model = openvino.convert_model(network, example_input=torch.randn(2, 3, size, size))
    if kind == "int8":
        import nncf
        from peers.predict_network import transforms

        load = transforms(size, resize)
        model = nncf.quantize(model, nncf.Dataset([load(file)[None] for file in files[:300]]))  # type: ignore[index]
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": HINTS[kind]}
    compiled = {}
    for batch in BATCHES:  # by hand one would fix the size for each
        fixed = model.clone()
        fixed.reshape([batch, 3, size, size])
        compiled[batch] = openvino.Core().compile_model(fixed, "CPU", hints)
    return lambda given: compiled[len(given)](given.numpy())[0]  # type: ignore[arg-type, attr-defined]


def ours(folder: Path) -> Sides:
    import numpy as np

    import shortcut

    exported = shortcut.load_exported(folder)
    # Of unsure pictures it asks the mirror image too, which no other side does.
    exported.card = exported.card.model_copy(update={"mirror_below": 0.0})
    size = exported.preprocess.image_size
    noise = np.random.default_rng(0).integers(0, 256, (32, size, size, 3), np.uint8)
    return exported.predict_many, lambda batch: exported.engine(noise[:batch])


def make_side(side: str, place: Path, files: list[Path]) -> Sides:
    facts = facts_of(place)
    size, resize, name = facts["size"], facts["resize"], facts["network"]
    if side in OURS:
        return ours(place / OURS[side])
    from peers.predict_network import load_network

    network = load_network(side, name, place / "weights.safetensors")
    if side in ("torch", "timm"):
        return by_tensors(eager(network), size, resize)
    if side == "onnxruntime":
        return by_tensors(onnx_by_hand(network, size, place), size, resize)
    asked = openvino_by_hand(network, size, BY_HAND[side], files, resize)
    return by_tensors(asked, size, resize)


def milliseconds(work: Callable[[], object], times: int) -> float:
    """The median, without the first time."""
    seconds: list[float] = []
    for _ in range(times + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds[1:])


def time_side(side: str, place: Path, files: list[Path], times: int) -> Figures:
    """Milliseconds of each question, medians."""
    ask, alone = make_side(side, place, files)
    found: Figures = {}
    for batch in BATCHES:
        often = times if batch == 1 else max(3, times // 4)
        found[f"file {batch}"] = milliseconds(partial(ask, files[:batch]), often)
        found[f"{batch}"] = milliseconds(partial(alone, batch), often)
    return found


def prepare(model: Path, place: Path, exports: Mapping[str, str]) -> Path:
    """Everything that is not timed: exports into folders of these names, and for others the weights
    and what goes with them; the model file."""
    from shortcut import export_torchvision, load
    from shortcut.events import run_silently
    from shortcut.exporting import exporting
    from shortcut.runfolder import find_model

    file = find_model(model)
    classifier = load(file)
    export_torchvision(classifier, place / "weights.safetensors")
    view = classifier.preprocess
    facts = {"network": classifier.network, "size": view.image_size, "resize": view.resize}
    (place / "facts.json").write_text(json.dumps(facts))
    for name, to in exports.items():
        kind = name if name in OURS.values() else "fp32"
        story = exporting(model, to, precision=kind, output=place / name, min_agreement=0.5)
        run_silently(story)
    return file


def facts_of(place: Path) -> dict[str, Any]:
    """What `prepare` wrote of the network."""
    return json.loads((place / "facts.json").read_text())


def by_ultralytics(place: Path, times: int, files: list[Path]) -> list[str]:
    """The command; another network, smaller than all others here."""
    python = make_environment(".venv-peers", "requirements.txt")
    script, size = HERE / "peers" / "predict_ultralytics.py", facts_of(place)["size"]
    return [str(word) for word in (python, script, size, times, *files[: max(BATCHES)])]


def cells(found: Mapping[str, list[Figures]], side: str, keys: Sequence[str]) -> list[str]:
    """Milliseconds, then so many times as fast as torch; empty where a side was not asked."""
    known = found[side][0]
    times = [f"{median(found[side], key):.1f}" if key in known else "" for key in keys]
    faster = [
        f"{ratio(found['torch'], found[side], key):.2f}" if key in known else "" for key in keys
    ]
    return [*times, *faster]


def main() -> None:
    """Parse; be a side, or run all sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    files = find_files(options.data, 512)
    if options.side:
        print(json.dumps(time_side(options.side, options.model, files, options.times)))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(options.model, place, dict.fromkeys(OURS.values(), "openvino"))
        base = [sys.executable, __file__, str(options.data), folder]
        base += ["--times", str(options.times), "--side"]
        commands = {side: [*base, side] for side in options.sides}
        if "ultralytics" in commands:
            commands["ultralytics"] = by_ultralytics(place, options.times, files)
        found = run_in_turn(commands, options.rounds)
    keys = [f"{what}{batch}" for batch in BATCHES for what in ("", "file ")]
    rows = [[side, *cells(found, side, keys)] for side in found]
    header = ["side", *(f"ms, {key}" for key in keys), *(f"to torch, {key}" for key in keys)]
    report("latency", header, rows, found)


if __name__ == "__main__":
    main()
