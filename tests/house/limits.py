"""The size and manners of each file: limits, names, docstrings. The numbers are the house's own.

As in house.py, every check returns its violations as lines.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from house.house import Module

FILE_LINES = 300
FUNCTION_LINES = 45
LONGER_FUNCTIONS = {("training", "fit"): 70, ("models.resnet", "ResNet.__init__"): 70}
POSITIONAL = 6
NAMELESS = frozenset({"utils", "util", "common", "misc", "helpers", "base", "core", "manager"})

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function or method with its name from the module down: `ResNet.__init__`."""

    module: Module
    name: str
    node: AnyFunction
    is_method: bool
    is_nested: bool

    @property
    def where(self) -> str:
        """What a violation begins with."""
        return f"{self.module.name}:{self.node.lineno} {self.name}"


def functions(module: Module) -> Iterator[Function]:
    """Every function of a file, methods and nested ones too."""

    def walk(node: ast.AST, names: tuple[str, ...], inside: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, AnyFunction):
                name = ".".join([*names, child.name])
                yield Function(module, name, child, inside == "class", inside == "function")
                yield from walk(child, (*names, child.name), "function")
            elif isinstance(child, ast.ClassDef):
                nested = "function" if inside == "function" else "class"
                yield from walk(child, (*names, child.name), nested)
            else:
                yield from walk(child, names, inside)

    yield from walk(module.tree, (), "module")


def is_public(name: str) -> bool:
    """No step of the dotted name begins with an underscore, dunders apart."""
    return all(not s.startswith("_") or s.endswith("__") for s in name.split("."))


def code_lines(node: AnyFunction) -> int:
    """Lines from `def` to the end, without the docstring and without decorators."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        first = node.body[0]
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def long_files(modules: list[Module]) -> list[str]:
    """Files of more than FILE_LINES lines, docstrings and blank lines counted."""
    counts = [(module.name, len(module.text.splitlines())) for module in modules]
    return [f"{name} has {lines} lines" for name, lines in counts if lines > FILE_LINES]


def long_functions(modules: list[Module]) -> list[str]:
    """Functions of more lines than theirs to have; see `code_lines` for what counts."""
    found = []
    for function in (f for module in modules for f in functions(module)):
        limit = LONGER_FUNCTIONS.get((function.module.name, function.name), FUNCTION_LINES)
        if (lines := code_lines(function.node)) > limit:
            found.append(f"{function.where} has {lines} lines, limit {limit}")
    return found


def crowded_functions(modules: list[Module]) -> list[str]:
    """More than POSITIONAL positional arguments; self, cls and keyword-only ones are free."""
    found = []
    for function in (f for module in modules for f in functions(module)):
        arguments = function.node.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        count = len(names) - (function.is_method and names[:1] in (["self"], ["cls"]))
        if count > POSITIONAL:
            found.append(f"{function.where} takes {count} positional arguments")
    return found


def open_functions(modules: list[Module]) -> list[str]:
    """Public functions and methods that take `**kwargs`: there a typo is an argument."""
    return [
        f"{f.where} takes **{f.node.args.kwarg.arg}"
        for module in modules
        for f in functions(module)
        if f.node.args.kwarg and is_public(f.name) and not f.is_nested
    ]


def bad_names(modules: list[Module]) -> list[str]:
    """Files and folders with a name that names nothing, or that of a public function inside."""
    found = []
    for module in modules:
        found += [f"{module.name}: {s}" for s in module.name.split(".") if s in NAMELESS]
        own = module.name.split(".")[-1]
        for node in module.tree.body:
            if isinstance(node, AnyFunction) and node.name == own:
                found.append(f"{module.name}:{node.lineno} defines a function of its own name")
    return found


def _is_overload(node: AnyFunction | ast.ClassDef) -> bool:
    return any(getattr(d, "attr", getattr(d, "id", "")) == "overload" for d in node.decorator_list)


def undocumented(modules: list[Module]) -> list[str]:
    """Modules, and public functions and classes at their top, without a docstring."""
    found = []
    for module in modules:
        if not ast.get_docstring(module.tree):
            found.append(f"{module.name} has no docstring")
        for node in module.tree.body:
            if not isinstance(node, AnyFunction | ast.ClassDef) or not is_public(node.name):
                continue
            if not ast.get_docstring(node) and not _is_overload(node):
                found.append(f"{module.name}:{node.lineno} {node.name} has no docstring")
    return found


def work_at_import(modules: list[Module]) -> list[str]:
    """Calls and loops at the top of a file; free are cli/, which registers, and __main__."""
    found = []
    for module in modules:
        if module.part in {"cli", "__main__"}:
            continue
        for node in module.tree.body:
            called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if called or isinstance(node, ast.For | ast.While | ast.With):
                found.append(f"{module.name}:{node.lineno} works at import")
    return found
