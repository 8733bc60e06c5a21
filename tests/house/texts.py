"""What stands in the files themselves: words that must not, sizes, pins, captions."""

import re
import subprocess
from pathlib import Path

MEGABYTE = 1_000_000

# Spelt in halves, so that this file does not contain them.
_REGISTRIES = (
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "download.pytorch" + r"\.org/whl",
    "anaconda" + r"\.(?:org|com)",
    "registry.npmjs" + r"\.org",
)
_FOLDERS = ("wo" + "rk", "fa" + "rm", "ho" + "me", "Us" + "ers", "ro" + "ot")
FORBIDDEN = re.compile(
    "|".join(_REGISTRIES) + r"|(?<![\w.~}*-])/(?:" + "|".join(_FOLDERS) + r")/",
    re.IGNORECASE,
)


def tracked_files(root: Path) -> list[Path]:
    """Files git knows, and new ones it does not ignore."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z"]
    command = [*git, "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    files = [root / name for name in sorted(set(names.split("\0"))) if name]
    return [file for file in files if file.is_file()]


def forbidden_words(files: list[Path]) -> list[str]:
    """Hosts of package registries and paths of one person's machine, with file and line."""
    found = []
    for file in files:
        text = file.read_bytes().decode("utf-8", errors="ignore")
        for number, line in enumerate(text.splitlines(), start=1):
            found += [f"{file}:{number}: {hit.group()}" for hit in FORBIDDEN.finditer(line)]
    return found


def heavy_files(files: list[Path]) -> list[str]:
    """Files of more than a megabyte."""
    sizes = [(file, file.stat().st_size) for file in files]
    return [f"{file} has {size:,} bytes" for file, size in sizes if size > MEGABYTE]


def recipe_faults(recipe: Path) -> list[str]:
    """The first line of a recipe is a comment that says what it reaches or what to expect."""
    first = (recipe.read_text("utf-8").splitlines() or [""])[0]
    if first.startswith("# ") and re.search(r"\b(Expect|Reaches)\b", first):
        return []
    return [f"{recipe.name}: line 1 must be a comment with `Expect` or `Reaches`"]


def pins(constraints: str) -> dict[str, str]:
    """Name -> exact version. A line that is not `name==version` or a comment is a ValueError."""
    found = {}
    for line in constraints.splitlines():
        if line and not line.startswith("#"):
            if not (pin := re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line)):
                raise ValueError(f"not an exact pin: {line}")
            found[pin[1]] = pin[2]
    return found
