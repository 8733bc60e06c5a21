"""How long, and with how much memory, does one prediction take from nothing?

Whole processes that read a model and a photo, answer and end: `shortcut predict` of each export and
of the model file; torchvision's and timm's network as tutorials ask it, with the same weights;
ultralytics' smallest classifier. In turn, medians of rounds on a warm disk: each is run once before
the first. Memory is the largest that a process held.

    python benchmarks/cold.py DATA MODEL [--rounds 5] [--sides ...]

MODEL is a run folder, or one of its model files, of a network that torchvision has. ultralytics
lives in the peers' environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from latency import facts_of, prepare
from loading import find_files
from pairs import HERE, Figures, make_environment, median, report

PEERS = HERE / "peers"
SHORTCUT = ("-m", "shortcut", "predict")
# By a small process: a child's memory counts from the fork on, when it is still its parent's.
LAUNCH = """
import json, os, sys, time
nowhere = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_WRONLY, 0) for place in (1, 2)]
started = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, used = os.wait4(process, 0)
seconds = time.perf_counter() - started
if status:
    sys.exit(f"ended with {status}")
print(json.dumps({"seconds": seconds, "MB": used.ru_maxrss / 1024}))
"""
EXPORTS = {
    "openvino": ("fp32", "openvino"),
    "openvino bf16": ("bf16", "openvino"),
    "openvino int8": ("int8", "openvino"),
    "onnx": ("onnx", "onnx"),
}
"""Folder and format of each; a folder's name is its number format, or else it is float32."""
SIDES = (*EXPORTS, "torch", "torchvision", "timm", "ultralytics")


def command(side: str, place: Path, model: Path, photo: Path) -> list[str]:
    """What answers about the photo."""
    facts = facts_of(place)
    if side == "ultralytics":
        python = make_environment(".venv-peers", "requirements.txt")
        words = [python, PEERS / "predict_ultralytics.py", facts["size"], 0, photo]
    elif side in ("torchvision", "timm"):
        weights = place / "weights.safetensors"
        view = (facts["size"], facts["resize"])
        script = PEERS / "predict_network.py"
        words = [sys.executable, script, side, facts["network"], weights, *view, photo]
    else:
        file = place / EXPORTS[side][0] if side in EXPORTS else model
        words = [sys.executable, *SHORTCUT, file, photo]
    return [str(word) for word in words]


def run_whole(words: Sequence[str]) -> Figures:
    """Seconds from start to exit, and megabytes."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCH, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Run all sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    options = parser.parse_args()
    (photo,) = find_files(options.data, 1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["SHORTCUT_CACHE"] = str(place / "cache")
        wanted = dict(EXPORTS[side] for side in options.sides if side in EXPORTS)
        model = prepare(options.model, place, wanted)
        commands = {side: command(side, place, model, photo) for side in options.sides}
        found: dict[str, list[Figures]] = {side: [] for side in commands}
        for number in range(options.rounds + 1):
            for side, words in commands.items():
                figures = run_whole(words)
                print(f"round {number}  {side:<13} {figures}", file=sys.stderr, flush=True)
                if number:
                    found[side].append(figures)
    rows = [
        [side, f"{median(rounds, 'seconds'):.2f}", f"{median(rounds, 'MB'):.0f}"]
        for side, rounds in found.items()
    ]
    report("cold", ["side", "seconds", "MB"], rows, found)


if __name__ == "__main__":
    main()
