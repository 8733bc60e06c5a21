"""The public names, read from the source of `__init__.py`: lazy table and re-exports for types."""

import ast


def lazy_table(source: str) -> dict[str, str]:
    """Public name -> module below the package, from the one table of strings in the file.

    `{"fit": "training"}`, `{"fit": ".training"}`, `{"fit": "shortcut.training"}` mean the same.
    """
    tables = [
        dict(
            zip(map(ast.literal_eval, value.keys), map(ast.literal_eval, value.values), strict=True)
        )
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(value := node.value, ast.Dict)
        if all(isinstance(leaf, ast.Constant) for leaf in (*value.keys, *value.values))
    ]
    if len(tables) != 1:
        raise ValueError(f"__init__.py has {len(tables)} tables of strings; one is expected")
    return {name: module.removeprefix("shortcut").lstrip(".") for name, module in tables[0].items()}


def typed_table(source: str) -> dict[str, str]:
    """The same from `if TYPE_CHECKING: from shortcut.training import fit as fit`."""
    table = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for line in node.body:
                if not isinstance(line, ast.ImportFrom):
                    raise ValueError(f"line {line.lineno}: only `from ... import` is expected here")
                module = (line.module or "").removeprefix("shortcut").lstrip(".")
                table |= {alias.asname or alias.name: module for alias in line.names}
    return table


def disagreements(lazy: dict[str, str], typed: dict[str, str]) -> list[str]:
    """Names that are in one table only, or that come from different modules."""
    return [
        f"{name}: lazy table {lazy.get(name)}, TYPE_CHECKING {typed.get(name)}"
        for name in sorted(lazy.keys() | typed.keys())
        if lazy.get(name) != typed.get(name)
    ]
