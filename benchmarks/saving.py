"""What does it cost to lose nothing? Seconds to save and to read back a training's exact state.

States as `shortcut train` makes them (AdamW and averaged weights: four times the network's bytes),
on the disk that holds the current folder. The interval is what `keeping.py` makes of the price: at
least so much time lies between two states.

    python benchmarks/saving.py [--rounds 5] [--networks resnet18 resnet50]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from pairs import Figures, median, report

from shortcut.checkpoint import State, load_state, optimizer_tensors, save_state
from shortcut.ema import make_average
from shortcut.keeping import PAUSE, PRICE
from shortcut.models import create_model
from shortcut.optim import make_optimizer
from shortcut.settings import AdamSettings


def make_state(name: str) -> State:
    """After one step, so that the optimizer has its averages."""
    model = create_model(name, num_classes=2)
    optimizer = make_optimizer(model, AdamSettings(name="adamw"))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return State(
        model=model.state_dict(),
        optimizer=optimizer_tensors(optimizer),
        averaged=make_average(model, 0.99).state_dict(),
        step=1,
        history=(),
        sizes=(128,),
        precision={},
    )


def time_once(state: State) -> Figures:
    """Seconds of a save and of a verified load, and the state's bytes."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        folder = Path(place)
        started = time.perf_counter()
        written = save_state(folder, state)
        saved = time.perf_counter()
        load_state(folder)
        size = sum(file.stat().st_size for file in written.iterdir())
        return {
            "save": saved - started,
            "load": time.perf_counter() - saved,
            "megabytes": size / 1e6,
        }


def main() -> None:
    """Run all in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", help="not used")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=["resnet18", "resnet50"])
    options = parser.parse_args()
    states = {name: make_state(name) for name in options.networks}
    figures: dict[str, list[Figures]] = {name: [] for name in states}
    for turn in range(options.rounds):
        for name, state in states.items():
            figures[name].append(time_once(state))
            print(f"round {turn}  {name}  {figures[name][-1]}", file=sys.stderr, flush=True)
    rows = []
    for name, found in figures.items():
        save, load = median(found, "save"), median(found, "load")
        interval = max(PAUSE, save / PRICE)
        size = f"{median(found, 'megabytes'):.0f}"
        rows.append(
            [name, size, f"{save:.2f}", f"{load:.2f}", f"{interval:.0f}", f"{save / interval:.2%}"]
        )
    header = ["network", "MB", "save, s", "load, s", "at least every, s", "share of the time"]
    report("saving", header, rows, figures)


if __name__ == "__main__":
    main()
