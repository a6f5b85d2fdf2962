"""The engine knows nothing of this project, and this project uses of it what its README names."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.rehearsed import ROOT, STACKS

ENGINE = ROOT / "rehearsal" / "engine"
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
PACKS = [file.parent.name for file in (ROOT / "policies").glob("*/PulumiPolicy.yaml")]
USERS = (
    "components",
    "contract",
    "functions",
    "policies",
    "rehearsal/emulator",
    "tools",
    "tests",
)


def words():
    """Names that only this project has."""
    for name in (PROJECT, *PACKS):
        yield re.escape(name)
        yield re.escape(name.replace("-", "_"))
    yield from (re.escape(word) for word in ("hand-off", "handoff", "imagedefinitions", "release.json", "conftest"))
    yield from (f"[\"']{stack}[\"']" for stack in STACKS)
    yield r"\bpolicies/"


@pytest.mark.parametrize("file", sorted((ENGINE / "pulumi_rehearsal").rglob("*.py")), ids=lambda file: file.stem)
def test_the_engine_has_no_word_of_this_project(file):
    assert [m[0] for word in words() for m in re.finditer(word, file.read_text(), re.IGNORECASE)] == []


def test_neither_have_its_readme_and_tests():
    for file in (ENGINE / "README.md", ENGINE / "pyproject.toml", *(ENGINE / "tests").glob("*.py")):
        found = re.search(
            "|".join(re.escape(w) for w in (PROJECT, PROJECT.replace("-", "_"), *PACKS)), file.read_text()
        )
        assert found is None, (file.name, found)


def imported(tree):
    """The engine's modules, and names of its package, that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pulumi_rehearsal":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pulumi_rehearsal."):
            yield node.module.split(".")[1]


def test_this_project_uses_what_the_readme_names():
    readme = (ENGINE / "README.md").read_text()
    (names,) = re.findall(r"__all__ = \[(.*?)\]", (ENGINE / "pulumi_rehearsal" / "__init__.py").read_text(), re.DOTALL)
    public = {*re.findall(r'"(\w+)"', names), *re.findall(r"`(\w+)`", readme)}

    unknown = {
        (str(file.relative_to(ROOT)), name)
        for folder in USERS
        for file in sorted(Path(ROOT / folder).rglob("*.py"))
        for name in imported(ast.parse(file.read_bytes()))
        if name not in public
    }

    assert unknown == set()
