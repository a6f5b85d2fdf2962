"""A rolling release updates this one service with infrastructure's task definition, and passes its two roles only."""

import pytest

from tests.rehearsed import ACCOUNTS, REGION, STACKS, granted, named, rehearsed

FUNCTION = "aws:lambda/function:Function"


@pytest.mark.parametrize("stack", STACKS)
def test_it_updates_this_service_and_no_other(stack):
    allowed = granted(rehearsed(stack), f"{stack}-worker-deploy")
    resources = {a: s["Resource"] for s in allowed.values() for a in s["Action"]}

    service = f"arn:aws:ecs:{REGION}:{ACCOUNTS[stack]}:service/{stack}/{stack}-worker"
    assert resources["ecs:UpdateService"] == [service]
    assert resources["ecs:DescribeServices"] == [service]


@pytest.mark.parametrize("stack", STACKS)
def test_it_registers_revisions_in_this_service_s_family_only(stack):
    allowed = granted(rehearsed(stack), f"{stack}-worker-deploy")
    resources = {a: s["Resource"] for s in allowed.values() for a in s["Action"]}

    family = f"arn:aws:ecs:{REGION}:{ACCOUNTS[stack]}:task-definition/{stack}-worker:*"
    assert resources["ecs:RegisterTaskDefinition"] == [family]
    assert resources["ecs:TagResource"] == [family]
    [tagging] = [s for s in allowed.values() if "ecs:TagResource" in s["Action"]]
    assert tagging["Condition"] == {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}


@pytest.mark.parametrize("stack", STACKS)
def test_it_passes_the_two_roles_of_its_tasks_to_ecs(stack):
    passing = granted(rehearsed(stack), f"{stack}-worker-deploy")["GiveTasksTheirRoles"]

    roles = f"arn:aws:iam::{ACCOUNTS[stack]}:role/{stack}-worker"
    assert passing["Resource"] == [f"{roles}-task", f"{roles}-execution"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


@pytest.mark.parametrize("stack", STACKS)
def test_it_may_see_the_state_of_its_own_pipeline(stack):
    run = rehearsed(stack)
    allowed = granted(run, f"{stack}-worker-deploy")
    resources = {a: s["Resource"] for s in allowed.values() for a in s["Action"]}

    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNTS[stack]}:{stack}-worker"
    assert resources["codepipeline:GetPipelineState"] == [arn]


def test_it_writes_no_artifact():
    allowed = granted(rehearsed("prod"), "prod-worker-deploy-action")

    assert {a for s in allowed.values() for a in s["Action"] if a.startswith("s3:")} == {
        "s3:GetObject",
        "s3:GetObjectVersion",
    }


def test_a_blue_green_service_has_no_such_function():
    assert "prod-api-deploy" not in {f.inputs["name"] for f in rehearsed("prod").all(FUNCTION)}
    assert (
        named(rehearsed("prod"), FUNCTION, "prod-worker-deploy").inputs["handler"]
        == "functions.deploy.ecs_deploy.handler"
    )
