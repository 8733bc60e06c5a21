"""The shape of the house, read from source: floors, doors, limits. Nothing here imports shortcut.

Every check takes parsed modules and returns the violations as lines, so that a test on the real
tree says `== []` and a test on a planted tree shows that the check can fail.
"""

import ast
import graphlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "shortcut"

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "events", "language", "budget", "disk", "settings", "recipe"}),
    frozenset(
        {"models", "data", "optim", "muon", "uncompiled", "schedule", "ema", "metrics"}
        | {
            "world",
            "norms",
            "products",
            "allocator",
            "sealed",
            "checkpoint",
            "lock",
            "signals",
            "runlog",
            "runfolder",
            "improvements",
            "precision",
            "markdown",
            "fonts",
            "heat",
            "pages",
        }
    ),
    frozenset(
        {
            "predictor",
            "runtime",
            "card",
            "familiarity",
            "classifier",
            "answers",
            "evaluation",
            "job",
            "step",
            "networks",
            "parts",
        }
        | {"tta", "outlook", "costs"}
    ),
    frozenset(
        {
            "preparation",
            "head",
            "planning",
            "training",
            "prediction",
            "record",
            "report",
            "heatmaps",
        }
        | {"summary", "diagram", "calibration", "formats", "speed", "checks", "division", "labels"}
        | {"heldback", "opening"}
    ),
    frozenset(
        {"runs", "course", "guarding", "foresight", "pace", "conclusion", "keeping"}
        | {"remarks", "proof"}
        | {"description", "reporting", "explanation"}
        | {"comparison", "crossvalidation", "suspects", "exporting"}
    ),  # stories: they call the verbs in their order
    frozenset({"console", "server", "tracking"}),
    frozenset({"cli", "__init__", "__main__"}),
)

# On one floor nobody knows a neighbour, but for these: who -> whom.
ALLOWED_SIBLINGS: dict[str, frozenset[str]] = {
    "budget": frozenset({"errors"}),
    "disk": frozenset({"errors"}),
    "recipe": frozenset({"errors", "settings"}),
    "checkpoint": frozenset({"models", "sealed", "world"}),  # of models its tensor files
    "classifier": frozenset({"card", "familiarity", "predictor"}),
    "runtime": frozenset({"card", "predictor"}),
    "evaluation": frozenset({"answers", "classifier", "predictor"}),
    "job": frozenset({"classifier"}),
    "tta": frozenset({"classifier"}),
    "step": frozenset({"job"}),
    "outlook": frozenset({"job"}),
    "costs": frozenset({"evaluation", "familiarity", "job", "step"}),
    "precision": frozenset({"products"}),
    "parts": frozenset({"card"}),
    "world": frozenset({"norms"}),
    "optim": frozenset({"muon", "uncompiled"}),
    "muon": frozenset({"uncompiled"}),
    "networks": frozenset({"classifier"}),
    "guarding": frozenset({"keeping", "pace"}),
    "course": frozenset(
        {"guarding", "foresight", "pace", "conclusion", "keeping", "description", "reporting"}
    ),
    "description": frozenset({"reporting"}),
    "crossvalidation": frozenset({"runs"}),
    "suspects": frozenset({"crossvalidation"}),
    "runs": frozenset({"course", "foresight", "conclusion", "remarks"}),
    "cli": frozenset({"__init__"}),
    "__main__": frozenset({"cli"}),
}

# Third-party package (as imported) -> the parts of the house that may import it.
ANYWHERE = ("",)
DOORS: dict[str, tuple[str, ...]] = {
    "PIL": ("data",),
    "filelock": ("lock",),
    "h11": ("server.connection",),
    "jinja2": ("pages.rendering",),
    "matplotlib": ("report", "diagram.paint", "fonts"),
    "mlflow": ("tracking.mlflow",),
    "nncf": ("formats.eightbit",),
    "numpy": ANYWHERE,
    "onnx": ("formats.onnx",),
    "onnxruntime": ("runtime.onnx",),
    "openvino": ("formats.openvino", "runtime.openvino"),
    "prometheus_client": ("server.meters",),
    "pydantic": ANYWHERE,
    "python_multipart": ("server.bodies",),
    "rich": ("console",),
    "safetensors": ANYWHERE,
    "sklearn": ("data", "head"),
    "starlette": ("server",),
    "tensorboard": ("tracking.tensorboard",),
    "torch": ANYWHERE,
    "torchvision": ANYWHERE,
    "typer": ("cli",),
    "uvicorn": ("server.connection", "server.running"),
    "yaml": ("recipe",),
}


@dataclass(frozen=True)
class Module:
    """One file, named `data.decode`, `data` for data/__init__.py, `__init__` for the root's."""

    name: str
    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def part(self) -> str:
        """The file or folder directly under the package: what stands on a floor."""
        return self.name.split(".")[0]


def read_house(package: Path = PACKAGE) -> list[Module]:
    """Parse every file, sorted by path. An empty house is an error: it would prove nothing."""
    modules = []
    for path in sorted(package.rglob("*.py")):
        steps = list(path.relative_to(package).with_suffix("").parts)
        if steps[-1] == "__init__" and len(steps) > 1:
            steps.pop()
        text = path.read_text(encoding="utf-8")
        modules.append(Module(".".join(steps), path, text, ast.parse(text, str(path))))
    if not modules:
        raise FileNotFoundError(f"no Python files under {package}")
    return modules


def _is_type_checking(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    name = getattr(node.test, "attr", getattr(node.test, "id", ""))
    return name == "TYPE_CHECKING"


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under this one, functions included, without the bodies of `if TYPE_CHECKING`."""
    inner = node.orelse if _is_type_checking(node) else ast.iter_child_nodes(node)
    for child in inner:
        yield child
        yield from _at_run_time(child)


def imported_names(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of all that is imported, `from X import n` as `X.n`."""
    is_folder = module.path.name == "__init__.py"
    here = ["shortcut", *(module.name.split(".") if module.name != "__init__" else [])]
    folder = here if is_folder else here[:-1]
    for node in _at_run_time(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = folder[: len(folder) - node.level + 1] if node.level else []
            stem = ".".join([*up, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if called in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def edges(modules: list[Module]) -> Iterator[tuple[Module, int, str]]:
    """Importer, line, name of the imported module, for imports inside the house."""
    names = {module.name for module in modules}
    for module in modules:
        for line, target in imported_names(module):
            if target.split(".")[0] != "shortcut":
                continue
            steps = target.split(".")[1:]
            while steps and ".".join(steps) not in names:
                steps.pop()  # the last step was a name inside a module
            yield module, line, ".".join(steps) or "__init__"


def homeless(modules: list[Module]) -> list[str]:
    """Files and folders that stand on no floor."""
    housed = frozenset().union(*FLOORS)
    parts = sorted({module.part for module in modules} - housed)
    return [f"{part} stands on no floor" for part in parts]


def climbs(modules: list[Module]) -> list[str]:
    """Imports that go up, or sideways to a sibling that is not allowed."""
    level = {part: number for number, floor in enumerate(FLOORS) for part in floor}
    found = []
    for module, line, target in edges(modules):
        mine, theirs = module.part, target.split(".")[0]
        if mine == theirs or not {mine, theirs} <= level.keys():
            continue
        if level[theirs] > level[mine]:
            fault = f"floor {level[mine]} imports floor {level[theirs]}"
        elif level[theirs] == level[mine] and theirs not in ALLOWED_SIBLINGS.get(mine, ()):
            fault = f"siblings on floor {level[mine]}"
        else:
            continue
        found.append(f"{module.name}:{line} imports {target}: {fault}")
    return found


def cycle(modules: list[Module]) -> list[str]:
    """One cycle of imports between files, as the names along it; empty when there is none."""
    graph: dict[str, set[str]] = {module.name: set() for module in modules}
    for module, _, target in edges(modules):
        graph[module.name].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def heavy_words(modules: list[Module]) -> list[str]:
    """Imports of torch on floor 0: `--help` must not wait for it."""
    return [
        f"{module.name}:{line} imports {target}"
        for module in modules
        if module.part in FLOORS[0]
        for line, target in imported_names(module)
        if target.split(".")[0] in {"torch", "torchvision"}
    ]


def _is_under(door: str, name: str) -> bool:
    return not door or f"{name}.".startswith(f"{door}.")


def back_doors(modules: list[Module]) -> list[str]:
    """Third-party packages imported elsewhere than at their door, or without having one."""
    found = []
    for module in modules:
        for line, target in imported_names(module):
            package = target.split(".")[0]
            if package == "shortcut" or package in sys.stdlib_module_names:
                continue
            where = f"{module.name}:{line} imports {package}"
            if package not in DOORS:
                found.append(f"{where}: it has no door; add one to DOORS and pyproject.toml")
            elif not any(_is_under(door, module.name) for door in DOORS[package]):
                found.append(f"{where}: its door is {' or '.join(DOORS[package])}")
    return found
