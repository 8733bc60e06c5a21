"""What becomes of bad requests, of too many, and of a server whose parts die?

Every case that can be put to a server from outside, by HTTP, signals and killed workers, is put to
`shortcut serve` and to the same exported model behind LitServe, each on a server of its own on this
machine. Both read pictures by the same code: the servers are compared, not the decoders. LitServe
has on what it has for a case (`peers/serve_litserve.py`), and what it has by another name is asked
by that name (`/health`, `X-API-Key`). `has none` counts neither way.

    python benchmarks/serving_faults.py MODEL [--sides shortcut litserve] [--only G3 G14]

MODEL is what `shortcut export` wrote. LitServe lives in an environment of its own
(`.venv-serving`, made by uv when it is missing). Linux: processes are seen in /proc. What this
machine gave in an earlier call stays in the table.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from faults import bad_requests, crowds, doors, lives
from faults.asking import Seen
from faults.sides import LITSERVE, SHORTCUT, Ground
from pairs import earlier, make_environment, report

SIDES = (SHORTCUT, LITSERVE)
CASES = sorted(
    (*crowds.CASES, *bad_requests.CASES, *lives.CASES, *doors.CASES),
    key=lambda case: int(case[0][1:]),
)
Case = tuple[str, str, str, Callable[[Ground], Seen]]
Figures = dict[str, dict[str, dict[str, Any]]]
WORDS = {True: "yes", False: "no", None: "-"}


def tried(ground: Ground, case: Case) -> Seen:
    """What a side does; where the case itself breaks off, that."""
    try:
        return case[3](ground)
    except (OSError, RuntimeError, ValueError) as error:
        return Seen(False, f"broke off: {error}")


def total(found: list[Seen]) -> str:
    """How many are as expected, of those that could be asked."""
    asked = [one.fine for one in found if one.fine is not None]
    return f"{sum(asked)} of {len(asked)} as expected"


def main() -> None:
    """Try all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--only", nargs="+", metavar="CASE", help="their numbers")
    options = parser.parse_args()
    figures = earlier("serving_faults")
    # So that servers end with it, and what is known is shown.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory() as folder:
            for case in CASES:
                if options.only and case[0] not in options.only:
                    continue
                for side in options.sides:
                    seen = tried(Ground(side, options.model.resolve(), Path(folder)), case)
                    figures.setdefault(side, {})[key(case)] = vars(seen)
                    said = f"{case[0]:<4} {side:<9} {WORDS[seen.fine]:<4} {seen.did}"
                    print(said, file=sys.stderr, flush=True)
    finally:
        show(figures)


def key(case: Case) -> str:
    """Its number and name: some share a number."""
    return f"{case[0]} {case[1]}"


def show(figures: Figures) -> None:
    """All that is known of this machine, in a table."""
    sides = [side for side in SIDES if side in figures]
    found = {side: {name: Seen(**one) for name, one in figures[side].items()} for side in sides}
    header = ["case", "what is done", "expected"]
    header += [word for side in sides for word in (titled(side), "fine")]
    rows = [
        [*case[:3], *(cell for side in sides for cell in cells(found[side].get(key(case))))]
        for case in CASES
    ]
    totals = [word for side in sides for word in (total(list(found[side].values())), "")]
    report("serving_faults", header, [*rows, ["", "", "", *totals]], figures)


def titled(side: str) -> str:
    """A side with its version."""
    if side == SHORTCUT:
        return f"{side} {metadata.version(side)}"
    python = make_environment(".venv-serving", "requirements-serving.txt")
    code = f"from importlib import metadata; print(metadata.version({side!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return f"{side} {done.stdout.strip()}"


def cells(seen: Seen | None) -> list[str]:
    """What it did, and whether that was expected."""
    return [seen.did.replace("|", "/"), WORDS[seen.fine]] if seen else ["not tried", ""]


if __name__ == "__main__":
    main()
