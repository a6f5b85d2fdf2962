"""What a call asks of its caller besides: asked of the same role in every rehearsed release, and refused as AWS does."""

from __future__ import annotations

import pytest

from authorization.callers import CALLERS
from rehearsal.emulator import requests
from rehearsal.emulator.release import rehearse_release
from tests.emulator.changed import changed, not_allowing
from tests.emulator.test_releases import of_worker, texts, wrong
from tests.rehearsed import named, rehearsed

KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/0f1e2d3c-0000-1111-2222-333344445555"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"


@pytest.mark.parametrize(
    ("role", "action", "call", "refused"),
    [
        ("dev-worker-source-action", "s3:PutObjectTagging", "codepipeline:Source/S3", "Source/"),
        ("dev-worker-source-action", "s3:GetObjectTagging", "codepipeline:Source/S3", "Source/"),
        ("dev-worker-source-action", "s3:GetObjectVersionTagging", "codepipeline:Source/S3", "Source/"),
        ("dev-worker-gate", "inspector2:ListFindings", "ecr:DescribeImageScanFindings", "Verify/"),
        ("dev-worker-deploy", "iam:PassRole", "ecs:RegisterTaskDefinition", "Deploy/"),
    ],
)
def test_a_release_fails_where_a_caller_lacks_what_a_call_asks_besides(role, action, call, refused):
    run = not_allowing(rehearsed("dev", "up"), role, action)

    outcome = rehearse_release(run, services=["worker"], handoff=of_worker())

    assert not outcome.ok
    assert outcome.problems
    assert all(f"The role {role} may not call {action} on " in p for p in outcome.problems)
    assert all(f"and {call} asks it of its caller" in p for p in outcome.problems)
    assert any(refused in text and "fails" in text for text in texts(outcome, "CodePipeline"))


class Look:
    """What the stack knows and a request does not say."""

    def arn(self, service, resource):
        return f"arn:aws:{service}:ap-northeast-1:111111111111:{resource}"

    def roles_of(self, task_definition):
        return (f"{task_definition}-task", f"{task_definition}-execution")

    def key_of(self, _service, _params):
        return KEY


TARGET = {"ServiceNamespace": "ecs", "ResourceId": "service/dev/dev-api"}
SCALED = "arn:aws:ecs:ap-northeast-1:111111111111:service/dev/dev-api"
ALARM = "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:TargetTracking-service/dev/dev-api-AlarmHigh"
REQUESTS = {
    "application-autoscaling:RegisterScalableTarget": (TARGET, {SCALED}),
    "application-autoscaling:PutScalingPolicy": (TARGET, {SCALED, ALARM}),
    "ecr:DescribeImageScanFindings": ({}, {"*"}),
    "codepipeline:Source/S3": ({"source object": "from", "artifact": "to"}, {"from", "to"}),
    "ecs:RegisterTaskDefinition": ({"taskRoleArn": "r", "executionRoleArn": "e"}, {"r", "e"}),
    "ecs:UpdateService": ({"taskDefinition": "t"}, {"t-task", "t-execution"}),
    "ecs:CreateTaskSet": ({"taskDefinition": "t"}, {"t-task", "t-execution"}),
    "ecs:RunTask": ({"taskDefinition": "t"}, {"t-task", "t-execution"}),
    "ecs:CreateService": (
        {
            "loadBalancers": [{"advancedConfiguration": {"roleArn": "b"}}, {}],
            "volumeConfigurations": [{"managedEBSVolume": {"roleArn": "v"}}],
        },
        {"b", "v"},
    ),
    "codedeploy:CreateDeploymentGroup": ({"serviceRoleArn": "r"}, {"r"}),
    "codepipeline:CreatePipeline": ({"pipeline": {"roleArn": "r"}}, {"r"}),
    "events:PutTargets": ({"Targets": [{"RoleArn": "r"}, {}]}, {"r"}),
    "scheduler:CreateSchedule": ({"Target": {"RoleArn": "r"}}, {"r"}),
    "lambda:CreateFunction": ({"Role": "r"}, {"r"}),
    "lambda:UpdateFunctionConfiguration": ({}, {"*"}),
}
"""Requests of every row that asks on something of its own, and what is asked on."""


@pytest.mark.parametrize("row", CALLERS, ids=lambda row: row.call)
def test_what_a_row_asks_on_is_found_in_the_request(row):
    params, expected = REQUESTS.get(row.call, ({}, {KEY}))

    found = list(requests.also_required(row.call, params, Look()))

    assert {action for _, (action, _, _) in found} == {need.action for need in row.needs}
    assert {resource for _, (_, resources, _) in found for resource in resources} == expected


def test_nothing_is_asked_where_a_request_names_nothing_to_ask_on():
    assert list(requests.also_required("ecs:UpdateService", {"desiredCount": 1}, Look())) == []
    assert list(requests.also_required("events:PutTargets", {"Targets": [{"Arn": "a"}]}, Look())) == []
    of_a_table = {"ServiceNamespace": "dynamodb", "ResourceId": "table/t"}
    assert list(requests.also_required("application-autoscaling:RegisterScalableTarget", of_a_table, Look())) == []


@pytest.mark.parametrize("action", ["ecs:DescribeServices", "ecs:UpdateService"])
def test_scaling_is_not_suspended_where_the_guard_lacks_what_auto_scaling_asks(action):
    run = not_allowing(rehearsed("dev", "up"), "dev-scaling-guard", action)

    outcome = rehearse_release(run, services=["api"])

    (problem,) = outcome.problems
    assert problem.startswith(f"The role dev-scaling-guard may not call {action} on arn:aws:ecs:")
    assert (
        "application-autoscaling:RegisterScalableTarget asks it of its caller where the target is a service" in problem
    )
    assert any("auto scaling was suspended while traffic shifted: it was not" in line for line in wrong(outcome))
    assert any("dev-scaling-guard failed" in line and "ValidationException" in line for line in wrong(outcome))


def test_a_deployment_fails_where_codedeploy_may_not_pass_the_tasks_roles():
    run = not_allowing(rehearsed("dev", "up"), "dev-api-codedeploy", "iam:PassRole")

    outcome = rehearse_release(run, services=["api"])

    assert outcome.problems
    assert all("The role dev-api-codedeploy may not call iam:PassRole on " in p for p in outcome.problems)
    assert all("and ecs:CreateTaskSet asks it of its caller" in p for p in outcome.problems)
    assert any("Deploy/" in text and "CreateTaskSet" in text for text in texts(outcome, "CodePipeline"))


def test_a_bucket_with_a_key_of_ones_own_asks_the_key_of_whoever_writes():
    run = rehearsed("dev", "up")
    encryption = named(run, ENCRYPTION, "dev-ecsartifacts-111111111111", key="bucket")

    def own_key(inputs):
        inputs["rules"][0]["applyServerSideEncryptionByDefault"] = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}

    outcome = rehearse_release(changed(run, encryption, own_key), services=["worker"], handoff=of_worker())

    assert any("Source/Handoff fails" in text and "AccessDenied" in text for text in texts(outcome, "CodePipeline"))
    assert {
        (
            f"The role dev-worker-source-action may not call kms:GenerateDataKey on {KEY}, "
            "kms:viaservice = s3.ap-northeast-1.amazonaws.com: none of its statements allows it, and s3:PutObject asks it of "
            "its caller where it is encrypted with a customer managed key."
        )
    } == set(outcome.problems)
