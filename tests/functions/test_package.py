"""What is put into Lambda: nothing but the standard library and boto3, complete, small to start, the same each time."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract import variables

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for room in ("contract", "functions") for path in (ROOT / room).rglob("*.py"))
HANDLERS = [path for path in MODULES if "\ndef handler(" in path.read_text(encoding="utf-8")]
PROVIDED = {*sys.stdlib_module_names, "boto3", "botocore", "contract", "functions"}


def name_of(path):
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


def run(code, *arguments, cwd):
    """Run `code` in a fresh interpreter that sees nothing of this project; returns what it prints."""
    command = [sys.executable, "-I", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_handlers_are_found():
    assert {path.stem for path in HANDLERS} >= {"release_gate", "smoke_test", "scaling_guard", "notify"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_the_standard_library_and_boto3_and_nothing_else(path):
    imported = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            # Stubs of boto3 are there for the type checker alone.
            block.body = [n for n in block.body if not getattr(n, "module", "").startswith("types_boto3_")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative"
            imported.add(node.module.partition(".")[0])

    assert imported <= PROVIDED


@pytest.mark.parametrize("path", HANDLERS, ids=name_of)
def test_a_handler_says_what_it_calls_and_what_it_reads_from_its_environment(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = ast.get_docstring(tree)
    read = {
        getattr(variables, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "variables"
    }

    assert "AWS call" in words
    assert "nvironment variable" in words
    for name in read:
        assert f"`{name}`" in words


def test_the_environment_is_read_by_the_names_that_components_set_and_no_other():
    """Each use of os.environ has a name of contract.variables in it, or a parameter of the function that it is in."""
    literal = [
        f"{name_of(path)}: {ast.unparse(node)}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Subscript)
        and ast.unparse(node).startswith(("os.environ", "os.getenv"))
        and isinstance(node.args[0] if isinstance(node, ast.Call) else node.slice, ast.Constant)
    ]

    assert literal == []


def test_the_gate_and_the_deployer_share_no_copied_line():
    """What both need of CodePipeline's protocol is in functions.shared; a call of what is shared is no copy."""
    said = {
        room: {
            ast.unparse(node)
            for path in (ROOT / "functions" / room).glob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Assign | ast.Return | ast.Raise | ast.If | ast.With | ast.Try)
        }
        for room in ("gate", "deploy")
    }

    assert {text for text in said["gate"] & said["deploy"] if len(text) > 60} == set()


def copy(path, folder):
    target = folder / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    return target


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The modules alone, as in the archive."""
    folder = tmp_path_factory.mktemp("lambda")
    for path in MODULES:
        copy(path, folder)
    return folder


def test_all_handlers_together_start_within_the_limit_of_one_and_without_boto3(unpacked):
    """Processor time, since other work on the machine must not decide; boto3's own import is not counted."""
    code = """
import sys, time, importlib
sys.path.insert(0, sys.argv[1])
begun = time.process_time()
for name in sys.argv[2:]:
    importlib.import_module(name).handler
print(time.process_time() - begun, "boto3" in sys.modules)
"""

    seconds, boto3_too = run(code, unpacked, *[name_of(path) for path in HANDLERS], cwd=unpacked).split()

    assert float(seconds) < 0.3
    assert boto3_too == "False"


def test_the_declared_archive_is_the_same_whenever_and_wherever_it_is_made(unpacked, tmp_path):
    """Made from two copies, of which one was worked in: other times, compiled files, an editor's leavings."""
    for path in MODULES:
        os.utime(copy(path, tmp_path), (1, 1))
    worked_in = tmp_path / "functions" / "notices"
    (worked_in / "__pycache__").mkdir()
    for litter in ("__pycache__/notify.cpython-313.pyc", "notify.py~", ".notify.py.swp", "notes.txt"):
        (worked_in / litter).write_bytes(b"litter")
    code = """
import hashlib, importlib, os, sys
sys.path.insert(0, sys.argv[1])
import components.foundation.function
for folder in sys.argv[2:]:
    os.chdir(folder)
    members = importlib.reload(components.foundation.function).code().assets
    files = [(name, open(asset.path, "rb").read()) for name, asset in sorted(members.items())]
    print(len(files), hashlib.sha256(repr(files).encode()).hexdigest())
"""

    first, second = run(code, ROOT, unpacked, tmp_path, cwd=tmp_path).splitlines()

    assert first == second
    assert first.startswith(f"{len(MODULES)} ")
