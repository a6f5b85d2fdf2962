"""The tests' stacks, whole: what tells dev, stg and prod apart, a fifth environment by copying a file, and what is refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pulumi_rehearsal import cli as command_line
from pulumi_rehearsal import rehearse

from tests.rehearsed import ROOT, STACK_FILES, STACKS, named, physical_name, rehearse_stack, rehearsed, template

PIPELINE, SERVICE = "aws:codepipeline/pipeline:Pipeline", "aws:ecs/service:Service"
PACKS = [ROOT / "policies" / "least-privilege", ROOT / "policies" / "release-safety"]


# ---------------------------------------------------------------- dev, stg, prod


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_stack_is_allowed(stack, mode):
    run = rehearse_stack(stack, mode, packs=PACKS)

    assert run.errors == ()
    assert run.violations == (), "an advisory is no less a finding: at preview it is how an unknown value looks"
    assert len(run.packs) == 2


def test_a_person_approves_in_production_and_nowhere_else():
    approvals = {
        stack: {
            pipeline.name
            for pipeline in rehearsed(stack).all(PIPELINE)
            for stage in pipeline.inputs["stages"]
            for action in stage["actions"]
            if action["category"] == "Approval"
        }
        for stack in STACKS
    }

    assert approvals == {"dev": set(), "stg": set(), "prod": {"api", "worker"}}


@pytest.mark.parametrize("service", ["api", "worker"])
def test_dev_runs_on_spot_alone_and_prod_keeps_a_base_on_demand(service):
    dev, prod = (
        {
            c["capacityProvider"]: c
            for c in named(rehearsed(s), SERVICE, f"{s}-{service}").inputs["capacityProviderStrategies"]
        }
        for s in ("dev", "prod")
    )

    assert set(dev) == {"FARGATE_SPOT"}
    assert prod["FARGATE"]["base"] >= 1
    assert prod["FARGATE_SPOT"]["weight"] > 0


@pytest.mark.parametrize("stack", STACKS)
def test_a_blue_green_release_keeps_the_service_on_its_capacity(stack):
    run = rehearsed(stack)
    deployed = yaml.safe_load(template(run, "api")["appspec.yaml"])["Resources"][0]["TargetService"]["Properties"]
    strategy = named(run, SERVICE, f"{stack}-api").inputs["capacityProviderStrategies"]

    assert [(c["CapacityProvider"], c["Base"], c["Weight"]) for c in deployed["CapacityProviderStrategy"]] == [
        (c["capacityProvider"], c["base"], c["weight"]) for c in strategy
    ]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("service", ["api", "worker"])
def test_a_release_keeps_the_architecture(stack, service):
    task = json.loads(template(rehearsed(stack), service)["taskdef.json"])

    assert task["runtimePlatform"]["cpuArchitecture"] == "ARM64"


@pytest.mark.parametrize("stack", STACKS)
def test_a_person_finds_what_they_need_next(stack):
    run = rehearsed(stack, "up")

    for service in ("api", "worker"):
        exported = run.exports[service]
        assert exported["handoff"].startswith(f"s3://{stack}-ecsdef-")
        assert all(f"/{stack}/{service}/" in uri for uri in exported["repositories"].values())
        assert exported["ciRoleArns"]["github"].endswith(f":role/{stack}-{service}-ci-github")
        assert f"/pipelines/{stack}-{service}/" in exported["pipeline"]
        assert f"/services/{stack}-{service}?" in exported["service"]
    assert run.exports["api"]["url"].startswith("http")
    assert run.exports["api"]["loadBalancer"].endswith(".elb.amazonaws.com")
    assert run.exports["worker"]["loadBalancer"] is None


# ---------------------------------------------------------------- a copy of the project, to break or to add to


@pytest.fixture
def project(tmp_path):
    """This project with the tests' stacks, of which the test may change the stack files and the components."""
    for file in (ROOT / "__main__.py", ROOT / "Pulumi.yaml", *STACK_FILES.iterdir()):
        shutil.copy(file, tmp_path / file.name)
    shutil.copytree(ROOT / "components", tmp_path / "components", ignore=shutil.ignore_patterns("__pycache__"))
    for shared in ("contract", "functions", "policies", "pyproject.toml", "uv.lock", ".venv"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    return tmp_path


def replace(file: Path, old: str, new: str):
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new))


def preview(project: Path, stack: str) -> subprocess.CompletedProcess[str]:
    """`python -m tools preview`, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "tools", "preview", "--stack", stack, "--project", project],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# ---------------------------------------------------------------- another environment


def add_dev1(project):
    """As the README says it: copy the file, change the environment."""
    text = (project / "Pulumi.dev.yaml").read_text()
    line = "  ecs-release:environment: dev\n"
    assert text.count(line) == 1
    (project / "Pulumi.dev1.yaml").write_text(text.replace(line, "  ecs-release:environment: dev1\n"))


def test_a_copied_stack_file_with_another_environment_is_a_whole_environment_that_is_allowed(project):
    add_dev1(project)

    ran = preview(project, "dev1")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "dev1  allowed" in ran.stdout
    assert "0 mandatory and 0 advisory" in ran.stdout


def test_dev_dev1_and_stg_share_an_account_and_collide_in_no_name(project):
    add_dev1(project)
    dev1 = rehearse(project, "dev1", "up", packs=[])
    runs = {"dev": rehearsed("dev", "up"), "dev1": dev1, "stg": rehearsed("stg", "up")}

    names = {
        stack: {physical_name(r): r for r in run.resources if r.type.startswith("aws:")} for stack, run in runs.items()
    }

    assert len(names["dev1"]) == len(names["dev"]) > 100
    for one, other in (("dev", "dev1"), ("dev", "stg"), ("dev1", "stg")):
        assert names[one].keys() & names[other].keys() == set(), f"{one} and {other}"


def test_dev1_is_dev_under_another_name(project):
    add_dev1(project)

    dev1 = rehearse(project, "dev1", "up", packs=[])

    dev = rehearsed("dev", "up")
    assert sorted((r.type, r.name) for r in dev1.resources[1:]) == sorted((r.type, r.name) for r in dev.resources[1:])
    left_over = [
        (r.type, r.name, key)
        for r in dev1.resources
        for key, value in r.inputs.items()
        if any(f"{before}dev{after}" in str(value).replace("/dev/null", "") for before in "/:'" for after in "-/'")
    ]
    assert left_over == []


# ---------------------------------------------------------------- settings that cannot be


BROKEN = {
    "an environment with a hyphen": (
        "  ecs-release:environment: prod\n",
        "  ecs-release:environment: prod-1\n",
        'ecs-release:environment: found "prod-1"; allowed: lower-case letters and digits',
    ),
    "an account that is not twelve digits": (
        '"222222222222"',
        '"2222"',
        'ecs-release:account: found "2222"; allowed: twelve digits',
    ),
    "production on Spot alone": (
        "    - {provider: FARGATE, base: 2, weight: 1}\n",
        "",
        "capacity: found FARGATE_SPOT only; allowed: a FARGATE item with a base of 1 or more",
    ),
    "a key that does not exist": (
        "  ecs-release:scanThreshold: HIGH\n",
        "  ecs-release:scanTreshold: HIGH\n",
        "ecs-release:scanTreshold: no such key; did you mean scanThreshold?",
    ),
    "a port that no container has": (
        "        port: 8080\n",
        "        port: 80\n",
        "ecs-release:services[api].loadBalancer.port: found 80; allowed: one of the ports of nginx: 8080",
    ),
    "more tasks at the least than at the most": (
        "      min: 4\n",
        "      min: 40\n",
        "ecs-release:services[api].min: found 40; allowed: at most max (20)",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_setting_gives_its_message_and_nothing_is_registered(project, capsys, old, new, message):
    replace(project / "Pulumi.prod.yaml", old, new)

    code = command_line.main(["preview", "--stack", "prod", "--project", str(project)])

    said = capsys.readouterr()
    assert code == 1
    assert message in said.out
    assert "nothing was changed" in said.out
    assert "Traceback" not in said.out + said.err
    assert "1  pulumi:pulumi:Stack" in said.out
    assert "prod  not allowed  1 resource," in said.out


def test_several_broken_settings_are_all_listed_by_the_command(project):
    replace(project / "Pulumi.prod.yaml", '"222222222222"', '"2222"')
    replace(project / "Pulumi.prod.yaml", "      min: 4\n", "      min: 40\n")

    ran = preview(project, "prod")

    assert ran.returncode == 1
    assert "2 invalid settings; nothing was changed" in ran.stdout
    assert "ecs-release:account: found" in ran.stdout
    assert "ecs-release:services[api].min: found 40" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_copied_file_that_bears_the_other_stacks_environment_is_refused(project):
    shutil.copy(project / "Pulumi.dev.yaml", project / "Pulumi.dev1.yaml")

    [error] = rehearse(project, "dev1", packs=[]).errors

    assert error.message.startswith(
        'ecs-release:environment: found "dev" in stack dev1; allowed: dev1',
        len("1 invalid setting; nothing was changed: "),
    )


def test_a_stack_may_be_called_otherwise_on_purpose_but_not_by_copying(project):
    replace(
        project / "Pulumi.dev.yaml",
        "  ecs-release:environment: dev\n",
        "  ecs-release:environment: dev\n  ecs-release:stackName: acme-dev\n",
    )
    for stack in ("acme-dev", "acme-dev2"):
        shutil.copy(project / "Pulumi.dev.yaml", project / f"Pulumi.{stack}.yaml")

    assert rehearse(project, "acme-dev", packs=[]).ok
    [error] = rehearse(project, "acme-dev2", packs=[]).errors
    assert 'ecs-release:stackName: found "acme-dev"; allowed: acme-dev2' in error.message


def test_an_encrypted_setting_is_refused_with_the_way_to_keep_it(project):
    replace(project / "Pulumi.prod.yaml", "{LOG_LEVEL: warning, ", "{LOG_LEVEL: warning, TOKEN: {secure: v1:abc}, ")

    run = rehearse(project, "prod", packs=[], secrets={"services[0].containers[1].environment.TOKEN": "sup3r-value-91"})

    [error] = run.errors
    assert "ecs-release:services: found an encrypted value; allowed: plain text" in error.message
    assert "name it under secrets: of its container" in error.message
    assert "sup3r" not in repr(run)
    assert len(run.resources) == 1


def test_a_stack_without_a_file_is_a_mistake_of_usage(project):
    ran = preview(project, "qa")

    assert ran.returncode == 2
    assert "Pulumi.qa.yaml" in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


# ---------------------------------------------------------------- what no preview lets through


def refused(project: Path, policy: str) -> str:
    """The preview of prod is refused by this policy as MANDATORY; what it said."""
    ran = preview(project, "prod")

    assert ran.returncode == 1, ran.stdout[-2000:]
    assert "Traceback" not in ran.stdout + ran.stderr
    assert f"[mandatory] {policy}" in ran.stdout
    assert "prod  not allowed" in ran.stdout
    _, *said = ran.stdout.split(f"[mandatory] {policy}")
    return "\n".join(part.split("[mandatory]")[0] for part in said)


def test_production_without_its_approval_is_refused(project):
    replace(project / "Pulumi.prod.yaml", "  ecs-release:approval: required\n", "")

    said = refused(project, "production-releases-are-approved")

    for service in ("api", "worker"):
        assert f"{PIPELINE}::{service}\n" in said
        assert f"prod-{service}" in said
    assert "Remedy: Set approval: required" in said


@pytest.mark.parametrize("action", ["ecs:UpdateService", "s3:GetObject"])
def test_one_further_action_for_ci_is_refused(project, action):
    replace(
        project / "components" / "handoff" / "ci_identity.py",
        '    "ecr:PutImage",\n',
        f'    "ecr:PutImage",\n    "{action}",\n',
    )

    said = refused(project, "ci-can-only-hand-over")

    assert "aws:iam/rolePolicy:RolePolicy::api-ci-github\n" in said
    assert "aws:iam/rolePolicy:RolePolicy::api-ci-circleci\n" in said
    assert "aws:iam/rolePolicy:RolePolicy::worker-ci-github\n" in said
    assert action.lower() in said.lower()
    assert re.search("Remedy: Keep .* to the push actions", said)


OPENED = {
    "every role": ("        resources=roles,\n", '        resources=(AllResources(reason="every role"),),\n'),
    "every service": ('        conditions={"StringEquals": {"iam:PassedToService": service}},\n', ""),
}


@pytest.mark.parametrize(("old", "new"), OPENED.values(), ids=OPENED)
def test_passing_roles_at_large_is_refused(project, old, new):
    replace(project / "components" / "iam.py", old, new)

    said = refused(project, "roles-are-passed-exactly")

    assert "aws:iam/rolePolicy:RolePolicy::api-codedeploy\n" in said
    assert "aws:iam/rolePolicy:RolePolicy::api-deploy-action\n" in said
    assert "Remedy: Allow iam:PassRole on the ARNs of the task roles" in said


def test_what_is_refused_at_preview_is_refused_at_up_as_well(project):
    replace(project / "Pulumi.prod.yaml", "  ecs-release:approval: required\n", "")

    up = rehearse(project, "prod", "up", packs=PACKS)

    assert {v.policy for v in up.mandatory} == {"production-releases-are-approved"}
