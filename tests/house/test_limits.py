"""Sizes, names and docstrings of files and functions."""

import pytest

from house import limits


def test_files_are_short(modules):
    assert limits.long_files(modules) == []


def test_functions_are_short(modules):
    assert limits.long_functions(modules) == []


def test_functions_take_few_positional_arguments(modules):
    assert limits.crowded_functions(modules) == []


def test_no_keyword_bags_in_public_functions(modules):
    assert limits.open_functions(modules) == []


def test_names_say_something(modules):
    assert limits.bad_names(modules) == []


def test_modules_and_public_names_have_docstrings(modules):
    assert limits.undocumented(modules) == []


def test_no_work_at_import(modules):
    assert limits.work_at_import(modules) == []


# Planted violations: each check can fail --------------------------------------------------


def body(lines: int) -> str:
    return "    pass\n" * lines


def test_file_limit(plant):
    assert limits.long_files(plant({"full.py": "x = 1\n" * 300})) == []
    assert limits.long_files(plant({"over.py": "x = 1\n" * 301})) == ["over has 301 lines"]


def test_function_limit_counts_neither_docstring_nor_decorators(plant):
    free = '    """One.\n\n    Two.\n    """\n'
    found = plant(
        {
            "a.py": "@first\n@second\ndef full():\n" + free + body(44),
            "b.py": "def over():\n" + free + body(45),
            "c.py": "class C:\n    async def m(self):\n" + "        pass\n" * 45,
        }
    )
    assert limits.long_functions(found) == [
        "b:1 over has 46 lines, limit 45",
        "c:2 C.m has 46 lines, limit 45",
    ]


def test_two_functions_may_be_longer_where_they_belong(plant):
    init = "class ResNet:\n    def __init__(self):\n" + "        pass\n"
    found = plant(
        {
            "training.py": "def fit():\n" + body(69),
            "models/resnet.py": init + "        pass\n" * 69,
            "prediction.py": "def fit():\n" + body(69),
        }
    )
    assert limits.long_functions(found) == [
        "models.resnet:2 ResNet.__init__ has 71 lines, limit 70",
        "prediction:1 fit has 70 lines, limit 45",
    ]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f(a, b, c, d, e, f): ...", 0),
        ("def f(a, b, c, d, e, f, *, g, h): ...", 0),
        ("class C:\n    def f(self, a, b, c, d, e, f): ...", 0),
        ("class C:\n    @classmethod\n    def f(cls, a, b, c, d, e, f): ...", 0),
        ("def f(a, b, c, d, e, f, g): ...", 7),
        ("def f(a, b, /, c, d, e, f, g=1): ...", 7),
        ("def f(self, b, c, d, e, f, g): ...", 7),  # no method: self is an argument
        ("class C:\n    @staticmethod\n    def f(a, b, c, d, e, f, g): ...", 7),
        ("class C:\n    def __init__(self, a, b, c, d, e, f, g): ...", 7),
        ("def f():\n    def g(a, b, c, d, e, f, g): ...", 7),
    ],
)
def test_positional_limit(plant, source, count):
    found = limits.crowded_functions(plant({"a.py": source}))
    assert [line.split(" takes ")[1] for line in found] == (
        [f"{count} positional arguments"] if count else []
    )


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("def f(**options): ...", True),
        ("class C:\n    def f(self, **options): ...", True),
        ("class C:\n    def __init__(self, **options): ...", True),
        ("def _f(**options): ...", False),
        ("class _C:\n    def f(self, **options): ...", False),
        ("def f():\n    def g(**options): ...", False),
    ],
)
def test_keyword_bags(plant, source, caught):
    assert bool(limits.open_functions(plant({"a.py": source}))) is caught


@pytest.mark.parametrize("name", sorted(limits.NAMELESS))
def test_nameless_names_are_caught(plant, name):
    assert limits.bad_names(plant({f"{name}.py": ""})) == [f"{name}: {name}"]
    assert f"data.{name}.x: {name}" in limits.bad_names(plant({f"data/{name}/x.py": ""}))


def test_a_file_named_after_its_function_is_caught(plant):
    found = plant(
        {
            "summary.py": "def summary(): ...",
            "report/__init__.py": "def report(): ...",
            "diagram.py": "def draw():\n    def diagram(): ...",
        }
    )
    assert limits.bad_names(found) == [
        "report:1 defines a function of its own name",
        "summary:1 defines a function of its own name",
    ]


def test_missing_docstrings_are_caught(plant):
    found = plant(
        {
            "a.py": 'X = 1\ndef f(): ...\nclass C: ...\ndef _g(): ...\ndef h():\n    """H."""',
            "b.py": '"""B."""\n@overload\ndef f(): ...\n@typing.overload\ndef f(): ...\n',
        }
    )
    assert limits.undocumented(found) == [
        "a has no docstring",
        "a:2 f has no docstring",
        "a:3 C has no docstring",
    ]


def test_work_at_import_is_caught(plant):
    found = plant(
        {
            "a.py": "torch.manual_seed(0)\nfor x in y:\n    pass\nz = f()\n",
            "cli/train.py": "app.command()(f)\n",
            "__main__.py": "main()\n",
        }
    )
    assert limits.work_at_import(found) == ["a:1 works at import", "a:2 works at import"]
