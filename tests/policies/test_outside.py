"""A program outside this project, held by both packs with nothing but their configuration."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from pulumi_rehearsal import Rehearsal, rehearse

from tests.policies.judges import PACKS

OUTSIDE = Path(__file__).parent / "outside"
POLICIES = Path(__file__).parents[2] / "policies"
FAULTS = {
    "builder deploys": "ci-can-only-hand-over",
    "any project": "ci-is-trusted-exactly",
    "open pass": "roles-are-passed-exactly",
    "open bucket": "handoff-is-private-and-versioned",
    "polled": "sources-are-never-polled",
    "no approval": "production-releases-are-approved",
    "privileged": "containers-are-unprivileged",
}


def held(fault: str = "none", *, pinned: bool = False, packs=None, **more) -> Rehearsal:
    return rehearse(
        OUTSIDE, "main", config_overrides={"fault": fault, "pinned": pinned}, on_disk=False, packs=packs or list(PACKS.values()),
        policy_configs=[OUTSIDE / f"{name}.json" for name in PACKS], **more,
    )  # fmt: skip


@pytest.mark.parametrize(("mode", "pinned"), [("preview", False), ("preview", True), ("up", True)])
def test_a_program_of_somebody_else_is_allowed(mode, pinned):
    run = held(mode=mode, pinned=pinned)

    assert run.errors == ()
    assert run.violations == ()


@pytest.mark.parametrize(("fault", "policy"), FAULTS.items(), ids=str)
def test_its_mistakes_are_refused_at_preview(fault, policy):
    run = held(fault)

    assert policy in {v.policy for v in run.mandatory}


def test_a_pack_elsewhere_needs_its_folder_and_what_is_installed(tmp_path):
    copies = [Path(shutil.copytree(path, tmp_path / name)) for name, path in PACKS.items()]
    for copy in copies:  # the toolchain's environment is found beside a lock file, which the copy has not
        (copy / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.0.0\n")

    allowed, refused = held(packs=copies, real_analyzers=True), held("no approval", packs=copies, real_analyzers=True)

    assert allowed.violations == ()
    assert {v.policy for v in refused.mandatory} == {"production-releases-are-approved"}


@pytest.mark.parametrize("folder", ["kit", *PACKS])
def test_a_pack_declares_all_that_it_imports(folder):
    """Pulumi installs a pack by `uv sync` in its folder, so what its pyproject.toml leaves out is missing elsewhere."""
    project = tomllib.loads((POLICIES / folder / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}

    assert imported(POLICIES / folder) - {project["name"]} == declared


def imported(folder: Path) -> set[str]:
    """Names of the distributions whose packages the folder's modules import."""
    nodes = [node for file in folder.rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    roots = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    distributions = importlib.metadata.packages_distributions()
    return {
        distributions.get(root, [root])[0].lower().replace("_", "-") for root in roots
    }  # an editable one has no list
