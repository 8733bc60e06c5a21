"""Nothing in the source runs what it reads."""

import pytest

from house import forbidden


def test_nothing_runs_what_it_reads(modules):
    assert forbidden.unsafe_calls(modules) == []


def test_pickles_are_opened_in_one_file(modules):
    """The exception is needed, and by no more files than are named."""
    users = {module.name for module in modules if "torch.load(" in module.text}
    assert users == set(forbidden.UNPICKLERS)


# Planted violations: each check can fail --------------------------------------------------


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import pickle", "imports pickle"),
        ("from pickle import loads as read", "imports pickle.loads"),
        ("import joblib.externals", "imports joblib.externals"),
        ("def f():\n    import marshal", "imports marshal"),
        ("x = eval('1')", "uses builtins.eval"),
        ("exec('1')", "uses builtins.exec"),
        ("run = exec", "uses builtins.exec"),
        ("x = [compile(a, b, c) for a in d]", "uses builtins.compile"),
        ("x = __import__(name)", "uses builtins.__import__"),
        ("import builtins\nbuiltins.eval('1')", "uses builtins.eval"),
        ("import os\nos.system('ls')", "uses os.system"),
        ("import os as o\no.popen('ls')", "uses os.popen"),
        ("import os.path\nos.system('ls')", "uses os.system"),
        ("from os import system", "imports os.system"),
        ("from subprocess import getoutput as f", "imports subprocess.getoutput"),
        ("import subprocess\nsubprocess.run(a, shell=True)", "passes shell=True"),
        ("subprocess.run(a, shell=wanted)", "passes shell=wanted"),
        ("import yaml\nyaml.load(a, Loader=b)", "uses yaml.load"),
        ("import yaml\nyaml.safe_load(a); yaml.unsafe_load(a)", "uses yaml.unsafe_load"),
        ("from yaml import FullLoader", "imports yaml.FullLoader"),
        ("import numpy as np\nnp.load(a, allow_pickle=True)", "passes allow_pickle=True"),
        ("archive.extractall(path)", "uses .extractall"),
        ("tarfile.open(a).extractall(b, filter='data')", "uses .extractall"),
        ("import torch\ntorch.load(a, weights_only=True)", "uses torch.load"),
        ("import torch as t\nt.load(a)", "uses torch.load"),
        ("from torch import load", "imports torch.load"),
        ("import torch\ntorch.jit.load(a)", "uses torch.jit.load"),
        ("from torch.hub import load", "imports torch.hub.load"),
    ],
)
def test_forbidden_calls_are_caught(plant, source, fault):
    found = forbidden.unsafe_calls(plant({"a.py": source}))
    assert f"{fault}" in [line.split(" ", 1)[1] for line in found], found


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "self.exec(x)",
        "re.compile('a')",
        "import re\nre.compile('a')",
        "import yaml\nyaml.safe_load(a)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import numpy as np\nnp.load(a, allow_pickle=False)",
        "from shortcut.classifier import load\nload(a)",
        "from .pickles import open_pickle",
        "import torch\nmodel = torch.compile(model)",
        "import os\nos.path.join('system')",
        "def load(a): ...\nload(1)",
        "archive.extract",
        "text = 'eval(1)'  # exec",
    ],
)
def test_what_only_looks_like_it_is_free(plant, source):
    assert forbidden.unsafe_calls(plant({"a.py": source})) == []


def test_one_file_may_open_pickles_and_only_so(plant):
    found = plant(
        {
            "models/unpickle.py": "import torch\ntorch.load(a, weights_only=True)\n",
            "models/other.py": "import torch\ntorch.load(a, weights_only=True)\n",
        }
    )
    assert forbidden.unsafe_calls(found) == ["models.other:2 uses torch.load"]
    for call in ("torch.load(a)", "torch.load(a, weights_only=False)"):
        found = plant({"models/unpickle.py": f"import torch\n{call}\n", "models/other.py": ""})
        assert len(forbidden.unsafe_calls(found)) == 1
