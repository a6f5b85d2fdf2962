"""A deployment strategy more is three files: what it is, how a release meets it, and its rule in the pack."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.rehearsed import ROOT, STACK_FILES

COPIED = ("components", "rehearsal/emulator", "policies/release-safety")
SHARED = (
    "authorization",
    "ci",
    "contract",
    "functions",
    "policies/least-privilege",
    "rehearsal/__init__.py",
    "tools",
)

STRATEGY = '''"""Recreate: an action, service options, a resource and a rule of its settings of its own."""

import pulumi_aws as aws

from components.strategies.rolling import RollingUpdate
from components.strategy import ServiceOptions


class Recreate(RollingUpdate):
    """The strategy `recreate`."""

    name = "recreate"
    summary = "Amazon ECS replaces all tasks together"
    service_options = ServiceOptions(
        controller="ECS", ignore_changes=("taskDefinition", "desiredCount", "propagateTags"), rolls_back=True
    )

    def service_errors(self, service):
        """At most four tasks."""
        yield from super().service_errors(service)
        if service.max > 4:
            yield "max", service.max, "4 at the most beside recreate"

    def deploy_action(self, names):
        """Its own name in the pipeline."""
        return {**super().deploy_action(names), "name": "Recreate"}

    def declare(self, name, parts, opts):
        """A log group beside the function."""
        logs = aws.cloudwatch.LogGroup(f"{name}-recreate", retention_in_days=30, opts=opts)
        return [logs, *super().declare(name, parts, opts)]


STRATEGY = Recreate()
'''

EMULATED = '''"""Recreate, as a release meets it."""

from rehearsal.emulator.strategies.rolling import Rolling


class Recreate(Rolling):
    """As rolling."""

    name = "recreate"


STRATEGY = Recreate()
'''

RULE = '''

def _recreate(releases):
    """Production has no moment without tasks."""
    for pipeline in releases.release_pipelines:
        if releases.settings.production(pipeline.resource) and any(a.name == "Recreate" for a in pipeline.deployments):
            yield Finding(resource=pipeline.resource, found="it recreates", why="Nobody answers.", remedy="Roll.")


STACK_RULES = (*STACK_RULES, StackRule(name="production-is-not-recreated", description="Production rolls.",
                                       judge=_recreate, remedy="Use another strategy in production."))
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """This project with the strategy `recreate`, which its worker has."""
    root = tmp_path_factory.mktemp("project")
    for file in (ROOT / "__main__.py", ROOT / "Pulumi.yaml", ROOT / "pyproject.toml"):
        shutil.copy(file, root / file.name)
    for path in COPIED:
        shutil.copytree(ROOT / path, root / path, ignore=shutil.ignore_patterns("__pycache__"))
    for path in SHARED:
        (root / path).symlink_to(ROOT / path)
    for file in STACK_FILES.iterdir():
        document = yaml.safe_load(file.read_text())
        for service in document["config"]["ecs-release:services"]:
            if service["name"] == "worker":
                service["strategy"] = "recreate"
        (root / file.name).write_text(yaml.safe_dump(document))
    (root / "components/strategies/recreate.py").write_text(STRATEGY)
    (root / "rehearsal/emulator/strategies/recreate.py").write_text(EMULATED)
    rules = root / "policies/release-safety/release_safety/policies.py"
    before, found, after = rules.read_text().partition("\nPACK: Final")
    assert found
    rules.write_text(
        f"{before.replace('from .releases', 'from policy_kit.findings import Finding' + chr(10) + 'from .releases', 1)}{RULE}{found}{after}"
    )
    return root


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=project, capture_output=True, text=True, check=False, timeout=240
    )


def test_it_is_three_files(project):
    changed = {
        str(path.relative_to(project))
        for copied in COPIED
        for path in (project / copied).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if not (kept := ROOT / path.relative_to(project)).exists() or kept.read_bytes() != path.read_bytes()
    }

    assert changed == {
        "components/strategies/recreate.py",
        "rehearsal/emulator/strategies/recreate.py",
        "policies/release-safety/release_safety/policies.py",
    }


def test_a_stack_may_use_it_and_the_packs_judge_it(project):
    dev, prod = (run(project, "pulumi_rehearsal", "preview", "--stack", stack) for stack in ("dev", "prod"))

    assert (dev.returncode, dev.stderr) == (0, "")
    assert "worker-recreate" in dev.stdout
    assert prod.returncode == 1
    assert "production-is-not-recreated" in prod.stdout


def test_a_release_goes_through_it(project):
    ran = run(project, "tools", "release", "--stack", "dev", "--service", "worker", "--yes", "--json")

    said = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert said["ok"] is True


def test_a_stack_that_names_no_strategy_there_is_is_told_which_there_are(project):
    file = project / "Pulumi.dev.yaml"
    text = file.read_text()
    file.write_text(text.replace("strategy: recreate", "strategy: canary"))
    try:
        ran = run(project, "pulumi_rehearsal", "preview", "--stack", "dev")
    finally:
        file.write_text(text)

    assert (
        'services[worker].strategy: found "canary"; allowed: one of blue-green, recreate, rolling.'
        in ran.stdout + ran.stderr
    )
