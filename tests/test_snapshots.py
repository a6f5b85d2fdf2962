"""The tests' stacks are what was committed: a change of a resource or a document is seen by whoever reviews it."""

import difflib
from dataclasses import replace

import pytest

from tests.rehearsed import STACKS, rehearsed
from tests.snapshots import COMMAND, FOLDER, LIKE, PACKAGE, inventory, kept, taken


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_what_its_snapshot_says(stack):
    before, now = kept(stack), taken(stack)

    changes = [
        line
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
        for line in difflib.unified_diff(
            before.get(name, "").splitlines(),
            now.get(name, "").splitlines(),
            f"{stack}/{name} as committed",
            f"{stack}/{name} now",
            lineterm="",
            n=1,
        )
    ]

    if changes:
        shown = "\n".join(changes[:80])
        pytest.fail(f"{stack} is not what its snapshot says. If it is meant, run: {COMMAND}\n{shown}", pytrace=False)


def test_only_stacks_have_snapshots():
    assert {f.name for f in FOLDER.iterdir()} == {*STACKS, PACKAGE.name}


@pytest.mark.parametrize("stack", [s for s in STACKS if s not in LIKE])
def test_a_snapshot_names_every_part_of_the_stack(stack):
    files = kept(stack)

    assert {"inventory.txt", "documents.json", "event-patterns.json"} < files.keys()
    for service in ("api", "worker"):
        assert {f"{service}/taskdef.json", f"{service}/release.json"} < files.keys()
    assert "api/appspec.yaml" in files
    assert f"arn:aws:iam::{'222222222222' if stack == 'prod' else '111111111111'}:role/" in files["documents.json"]


def test_stg_differs_from_dev_in_its_settings_alone():
    assert kept("stg").keys() == {"dev.diff"}
    assert "stg" not in kept("stg")["dev.diff"]


@pytest.mark.parametrize(
    ("type_", "name", "changed"),
    [
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "api-errors", {"threshold": 99}),
        (
            "aws:codedeploy/deploymentGroup:DeploymentGroup",
            "api",
            {"blueGreenDeploymentConfig": {"waitTimeInMinutes": 1}},
        ),
        ("aws:lb/listener:Listener", "api-http", {"defaultActions": [{"type": "redirect"}]}),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", None, {"cidrIpv4": "0.0.0.0/0"}),
    ],
)
def test_a_changed_input_is_seen(type_, name, changed):
    run = rehearsed("dev")
    resource = next(r for r in run.all(type_) if name in (r.name, None))

    edited = replaced(run, resource, inputs={**resource.inputs, **changed})

    assert inventory(edited) != inventory(run)


@pytest.mark.parametrize("option", [{"ignore_changes": ("name",)}, {"protect": True}, {"retain_on_delete": True}])
def test_a_changed_option_is_seen(option):
    run = rehearsed("dev")
    resource = run.all("aws:ecs/service:Service")[0]

    edited = replaced(run, resource, options=replace(resource.options, **option))

    assert inventory(edited) != inventory(run)


def replaced(run, resource, **changes):
    edited = replace(resource, **changes)
    return replace(run, resources=tuple(edited if r is resource else r for r in run.resources))
