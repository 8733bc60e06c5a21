"""Calls that run what they read, or hand it to a shell: none is in the source, but for one file
that opens pickles with torch's restrictions, in a process of its own.

As in house.py, every check returns its violations as lines.
"""

import ast
import builtins
from collections.abc import Iterator

from house.house import Module

MODULES = frozenset(
    {"pickle", "_pickle", "cPickle", "pickletools", "dill", "cloudpickle", "joblib", "jsonpickle"}
    | {"marshal", "shelve", "runpy", "code", "codeop", "pty"}
)
"""Never imported: what they are for is what must not be done."""
NAMES = frozenset(
    {"builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__"}
    | {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    | {"yaml.load", "yaml.load_all", "yaml.full_load", "yaml.full_load_all"}
    | {"yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.Loader", "yaml.CLoader"}
    | {"yaml.FullLoader", "yaml.UnsafeLoader", "shutil.unpack_archive", "tempfile.mktemp"}
    | {"torch.hub.load", "torch.jit.load", "torch.package.PackageImporter"}
    | {"torch.serialization.add_safe_globals"}
)
"""Never named, under whatever name they were imported."""
ATTRIBUTES = frozenset({"extractall", "load_module", "exec_module"})
"""Methods of archives, which write where the archive says, and of loaders of code."""
KEYWORDS: dict[str, bool] = {"shell": False, "allow_pickle": False, "weights_only": True}
"""Arguments that may only have this value, written out."""
UNPICKLERS: dict[str, str] = {"models.unpickle": "torch.load"}
"""File to the one function that it may call; elsewhere it is forbidden, and here `weights_only`
must be said."""


def unsafe_calls(modules: list[Module]) -> list[str]:
    """Everything of the above in these files."""
    return [f"{module.name}:{line} {fault}" for module in modules for line, fault in _in(module)]


def _in(module: Module) -> Iterator[tuple[int, str]]:
    known = _imported(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _targets(node):
                if name.split(".")[0] in MODULES or _fault(module, name):
                    yield node.lineno, f"imports {name}"
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            name = _full_name(node, known)
            if name and _fault(module, name):
                yield node.lineno, f"uses {name}"
            elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
                yield node.lineno, f"uses .{node.attr}"
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, fault) for fault in _arguments(node, known))


def _fault(module: Module, name: str) -> bool:
    return name in NAMES or (name in UNPICKLERS.values() and UNPICKLERS.get(module.name) != name)


def _arguments(call: ast.Call, known: dict[str, str]) -> Iterator[str]:
    given = {word.arg: word.value for word in call.keywords}
    for name, allowed in KEYWORDS.items():
        value = given.get(name)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is allowed):
            yield f"passes {name}={ast.unparse(value)}"
    if _full_name(call.func, known) in UNPICKLERS.values() and "weights_only" not in given:
        yield f"calls {ast.unparse(call.func)} without weights_only=True"


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names] if not node.level else []


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `np` for `numpy`, `load` for `torch.load`."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias, target in zip(node.names, _targets(node), strict=False):
                plain = isinstance(node, ast.Import) and not alias.asname
                name = alias.name.split(".")[0] if plain else alias.asname or alias.name
                known[name] = name if plain else target
    return known


def _full_name(node: ast.expr, known: dict[str, str]) -> str:
    """`torch.load` for whatever means it; nothing where it is an attribute of a value."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    if node.id in known:
        first = known[node.id]
    elif hasattr(builtins, node.id):
        first = f"builtins.{node.id}"
    else:
        return ""
    return ".".join([first, *reversed(steps)])
