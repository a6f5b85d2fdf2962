"""Imports go one way, and no back door leads round the linter: each is planted in a copy of the tree and has to be caught.

What is run there is what `make lint` runs.
"""

import os
import re
import shutil
import subprocess

import pytest

from tests.rehearsed import ROOT

SOURCES = ("authorization", "components", "contract", "functions", "policies", "rehearsal", "tools")
PACKAGES = ("policies/kit", "policies/least-privilege", "policies/release-safety", "rehearsal/engine")

DOORS = {
    "sys.path": ("components/release", 'import sys\n\nsys.path.append("functions/gate")\n', "TID251"),
    "path of sys": ("components/release", 'from sys import path\n\npath.append("functions/gate")\n', "TID251"),
    "sys under another name": ("components/release", 'import sys\n\nme = sys\nme.path.append("functions")\n', "sys under"),
    "the dictionary of sys": ("components/release", 'import sys\n\nvars(sys)["path"].append("functions")\n', "sys under"),
    "sys imported under another name": (
        "components/release", 'import sys as s\n\nme = s\nme.path.append("functions")\n', "sys under",
    ),
    "sys of another module": ("components/release", 'import inspect\n\ninspect.sys.path.append("functions")\n', "sys under"),
    "pydoc": ("functions/gate", 'import pydoc\n\npydoc.locate("components.iam")\n', "TID251"),
    "mock": ("functions/gate", 'from unittest import mock\n\nmock.patch("components.iam")\n', "TID251"),
    "the builtins of globals": ("contract", 'globals()["__builtins__"]["__import__"]("components")\n', "sys under"),
    "sys.modules": ("components/release", 'import sys\n\ngate = sys.modules["functions.gate"]\n', "TID251"),
    "importlib": ("components/release", 'import importlib\n\nimportlib.import_module("functions.gate")\n', "TID251"),
    "importlib under another name": ("functions/gate", 'import importlib as x\n\nx.import_module("components")\n', "TID251"),
    "a spec from a file": (
        "policies/kit/policy_kit",
        'from importlib.util import spec_from_file_location\n\nspec_from_file_location("a", "components/iam.py")\n',
        "TID251",
    ),
    "runpy": ("rehearsal/emulator", 'import runpy\n\nrunpy.run_path("components/iam.py")\n', "TID251"),
    "pkgutil": ("tools", 'import pkgutil\n\npkgutil.resolve_name("tests.rehearsed")\n', "TID251"),
    "__import__": ("components/release", 'gate = __import__("functions.gate")\n', "__import__ hides an import"),
    "__import__ of builtins": ("contract", 'import builtins\n\nbuiltins.__import__("components")\n', "TID251"),
    "exec": ("functions/gate", 'exec("import components")\n', "S102"),
    "eval": ("functions/gate", "eval(\"__import__('components')\")\n", "S307"),
    "a function-level import": (
        "components/release",
        "def late():\n    from functions.gate import handoff\n\n    return handoff\n",
        "imports functions.gate.handoff",
    ),
    "a relative import upwards": (
        "components/foundation", "from ..release import pipeline\n", "components.foundation.{door} -> components.release.pipeline",
    ),
    "an import for types alone": (
        "components/release",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from rehearsal.emulator.account import Account\n",
        "imports rehearsal.emulator.account",
    ),
    "a function of the emulator's own": ("rehearsal/emulator", "import functions.gate.release_gate\n", "imports functions.gate"),
    "a third party in the contract": ("contract", "import yaml\n", "imports yaml"),
    "a component in a pack": ("policies/least-privilege/least_privilege", "import components.iam\n", "imports components.iam"),
    "this project in the engine": ("rehearsal/engine/pulumi_rehearsal", "from contract import loading\n", "imports contract.loading"),
    "the loader in a function": ("functions/gate", "from contract import loading\n", "functions.gate.{door} -> contract.loading"),
    "the engine's loader in a tool": (
        "tools", "from pulumi_rehearsal.loading import run_main\n", "tools.{door} -> pulumi_rehearsal.loading",
    ),
    "the tests in the product": ("authorization", "from tests import rehearsed\n", "imports tests"),
}  # fmt: skip
"""What is planted, to (folder, source, what the linter says of it)."""


def file_of(door: str) -> str:
    return "door_" + re.sub(r"\W+", "_", door)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What `make lint` runs on imports, in a copy with every door planted: command to the lines it printed."""
    tree = tmp_path_factory.mktemp("doors") / "tree"
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "*.tsv", "*.yaml"))
    for file in ("Makefile", "Pulumi.yaml", "pyproject.toml", "uv.lock"):
        shutil.copy2(ROOT / file, tree / file)
    for door, (folder, source, _) in DOORS.items():
        (tree / folder / f"{file_of(door)}.py").write_text(source)
    program = (ROOT / "__main__.py").read_text()
    (tree / "__main__.py").write_text(f"{program}\n\nimport tests\nfrom functions.gate import handoff\n")
    (tree / ".venv").symlink_to(ROOT / ".venv")

    printed = {}
    commands = subprocess.run(
        ["make", "--dry-run", "lint"], cwd=tree, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    own = [str(tree / folder) for folder in ("", *PACKAGES)]
    for name in ("ruff check", "lint-imports"):
        [command] = [c for c in commands if name in c]
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": ":".join(own), "RUFF_OUTPUT_FORMAT": "concise", "COLUMNS": "500"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1, ran.stdout + ran.stderr
        printed[name] = ran.stdout.splitlines()
    return printed


@pytest.mark.parametrize("door", DOORS)
def test_a_back_door_is_caught_by_the_linter(said, door):
    finding = DOORS[door][-1]

    lines = [line for printed in said.values() for line in printed if re.search(rf"\b{file_of(door)}\b", line)]

    assert [line for line in lines if finding.format(door=file_of(door)) in line], lines


@pytest.mark.parametrize("package", ["tests", "functions"])
def test_the_program_imports_neither_tests_nor_functions(said, package):
    assert [line for line in said["ruff check"] if line.startswith("__main__.py") and f"TID253 `{package}` is" in line]


def test_only_the_doors_are_caught(said):
    """The tree itself keeps to its directions."""
    ruff = [line for line in said["ruff check"] if re.search(r": (TID25\d|S102|S307) ", line)]
    assert [line for line in ruff if "door_" not in line and not line.startswith("__main__.py")] == []
    contracts = [line for line in said["lint-imports"] if re.search(r" imports \S+ \(line|\w -> \w|\.py:\d+: ", line)]
    assert [line for line in contracts if "door_" not in line] == []


LOADERS = {
    "contract/loading.py",
    "rehearsal/engine/pulumi_rehearsal/{bytecode,leaf_imports,loading}.py",
    "{tests,rehearsal/engine/tests}/**",
}


def test_what_may_import_by_name_is_named():
    """An exception by a comment in the file, or by another pattern, would be a door of its own."""
    text = (ROOT / "pyproject.toml").read_text()
    excepted = {m.group(1) for m in re.finditer(r'^"([^"]+)" = \[.*"TID251"', text, re.MULTILINE)}
    comments = {
        str(file.relative_to(ROOT))
        for folder in SOURCES
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"noqa: [A-Z0-9, ]*(TID25|S102|S307)|ruff: *noqa", file.read_text())
    }

    assert excepted == LOADERS
    assert comments == {"authorization/refresh.py", "components/__main__.py"}


def test_every_package_of_the_tree_has_a_row():
    text = (ROOT / "pyproject.toml").read_text()
    packages = {
        init.parent.name
        for folder in SOURCES
        for init in (ROOT / folder).rglob("__init__.py")
        if not (init.parent.parent / "__init__.py").exists()
    }

    roots = re.search(r"root_packages = \[(.*?)\]", text, re.DOTALL).group(1)
    assert packages == set(re.findall(r'"(\w+)"', roots))
