"""Run the blocks of one page in their order, as a reader would: one Python, one shell, one folder.

    python runner.py BLOCKS.json

The file holds [{"where", "line", "language", "text", "commands"}, ...]. After each block its place
is printed on a line of its own behind `RAN `. Python blocks share one namespace; each command is a
process of the shell. The first failure ends it.
"""

import json
import linecache
import subprocess
import sys
import time
from pathlib import Path


def main(file: Path) -> None:
    """Run every block of `file`."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in json.loads(file.read_text("utf-8")):
        started = time.perf_counter()
        if block["language"] == "python":
            run_python(block, names)
        else:
            for command in block["commands"]:
                run_command(command, block["where"])
        print(f"RAN {block['where']} in {time.perf_counter() - started:.1f} s", flush=True)


def run_python(block: dict, names: dict[str, object]) -> None:
    """Run one block; its lines in a traceback are those of the page."""
    code = "\n" * (block["line"] - 1) + block["text"]
    name = f"<{block['where']}>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    exec(compile(code, name, "exec"), names)


def run_command(command: str, where: str) -> None:
    """Run one command of the shell; what it printed is shown if it failed."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{where}: `{command}` ended with {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
