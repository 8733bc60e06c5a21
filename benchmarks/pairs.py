"""What the benchmarks share: sides run in turn (A B A B ...), each in its own
process; medians; the machine in words; a table and a JSON file.

A side is a command that prints one JSON object of figures as its last line. Each runs in a process
of its own, so that no side inherits another's threads, caches or allocator.
"""

import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
Figures = dict[str, float]


def run_side(command: Sequence[str], *, threads: int | None = None) -> Figures:
    """The figures that `command` prints as its last line, and `wall` seconds of its process."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads or os.cpu_count() or 1)}
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    wall = time.perf_counter() - started
    figures: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return figures | {"wall": wall}


def run_in_turn(
    sides: Mapping[str, Sequence[str]], rounds: int, *, threads: int | None = None
) -> dict[str, list[Figures]]:
    """Every side once a round, `rounds` times; each round's figures by side."""
    found: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, command in sides.items():
            found[name].append(run_side(command, threads=threads))
            shown = {key: round(value, 3) for key, value in found[name][-1].items()}
            print(f"round {number + 1}  {name:<12} {shown}", file=sys.stderr, flush=True)
    return found


def make_environment(folder: str, requirements: str) -> Path:
    """The interpreter of an environment for peers beside this project, made by uv first if it is
    not there; of the same Python as this one."""
    python = HERE.parent / folder / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        make = ["venv", "--quiet", "--python", sys.executable, HERE.parent / folder]
        subprocess.run([uv, *make], check=True)
        wanted = ["--python", python, "-r", HERE / "peers" / requirements]
        subprocess.run([uv, "pip", "install", "--quiet", *wanted], check=True)
    return python


def start_group(
    command: Sequence[object],
    *,
    log: Path | None = None,
    folder: Path | None = None,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """A process that leads a group, with this project's source on its path.

    Args:
        log: what it prints goes here.
        folder: where it runs, and lays its temporary files.
        more: of its environment.
    """
    paths = [str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | (more or {})
    if folder:
        environment["TMPDIR"] = str(folder)
    with (log or Path(os.devnull)).open("wb") as file:
        return subprocess.Popen(
            [str(word) for word in command],
            stdout=file,
            stderr=file,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def peer_server(side: str, *words: object) -> list[object]:
    """The command of `peers/serve_SIDE.py`. It is to lead a group: not every server takes along at
    its end what it has started."""
    python = make_environment(".venv-serving", "requirements-serving.txt")
    return [python, HERE / "peers" / f"serve_{side}.py", *words]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """It, and whatever is left of what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def median(rounds: Sequence[Figures], key: str) -> float:
    """Of one figure over the rounds."""
    return statistics.median(figures[key] for figures in rounds)


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], key: str) -> float:
    """The median of the rounds' own ratios: it holds where the machine's speed drifts."""
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def compare(
    found: Mapping[str, Sequence[Figures]], key: str, against: Mapping[str, str]
) -> list[list[str]]:
    """A row for each side: its name, its median of `key`, and the ratio to the side named in
    `against`."""
    return [
        [side, f"{median(rounds, key):,.1f}", f"{ratio(rounds, found[against[side]], key):.2f}"]
        for side, rounds in found.items()
    ]


def make_parser(
    text: str | None, sides: Sequence[str], rounds: int, pictures: int
) -> ArgumentParser:
    """Of what benchmarks on photos take: DATA, --rounds, --pictures, and --side for a child."""
    parser = ArgumentParser(description=text)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--pictures", type=int, default=pictures)
    parser.add_argument("--side", choices=sides)
    return parser


def link_some(data: Path, counts: Mapping[str, int], folder: Path) -> Path:
    """Links in `folder` to the first so many pictures of each part, the same number of each
    class."""
    for part, count in counts.items():
        classes = sorted(path for path in (data / part).iterdir() if path.is_dir())
        for source in classes:
            target = folder / part / source.name
            target.mkdir(parents=True)
            for file in sorted(source.iterdir())[: count // len(classes)]:
                (target / file.name).symlink_to(file.resolve())
    return folder


def describe_machine() -> dict[str, str | int]:
    """Processor, cores, what it can do, memory, system, versions and date."""
    model, flags = platform.processor(), set()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
        flags = set(next((x for x in lines if x.startswith("flags")), "").split())
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    versions = {}
    for package in ("torch", "torchvision", "timm", "Pillow", "shortcut"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": model,
        "cores": os.cpu_count() or 1,
        "features": " ".join(name for name in wanted if name in flags),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        **versions,
    }


def earlier(name: str) -> dict[str, list[Figures]]:
    """Figures that this machine gave in an earlier call, where `report` left some."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    whole = json.loads(path.read_text("utf-8"))
    here = describe_machine()
    same = all(whole["machine"].get(what) == here[what] for what in here if what != "date")
    return whole["figures"] if same else {}


def report(name: str, header: Sequence[str], rows: Sequence[Sequence[str]], data: object) -> None:
    """Print a Markdown table, and write it with all figures to `results/NAME.json`."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("| " + " | ".join(cells) + " |")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    whole = {"machine": describe_machine(), "header": header, "rows": rows, "figures": data}
    path.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    print(f"\n{path}")
