"""The checker of policy documents: twenty mistakes that it finds, and what it lets pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authorization.check import fits, mistakes, unknown

ECS = "arn:aws:ecs:eu-central-1:111111111111"
GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"


def statement(action: Any, resource: Any = None, **more: Any) -> dict[str, Any]:
    named = {} if resource is None else {"Resource": resource}
    return {"Sid": "Seeded", "Effect": "Allow", "Action": action, **named, **more}


def under(key: str, operator: str = "StringEquals") -> dict[str, Any]:
    return {"Condition": {operator: {key: "x"}}}


SEEDED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an action that never was": (
        "identity", statement("dynamodb:TransactGetItems", "arn:aws:dynamodb:eu-central-1:111111111111:table/orders"),
        "dynamodb:TransactGetItems is no action; there is",
    ),
    "a misspelt action": (
        "identity", statement("ecs:UpdateServise", f"{ECS}:service/a/b"), "there is ecs:UpdateService",
    ),
    "an API's name in place of the action's": (
        "identity", statement("s3:HeadObject", "arn:aws:s3:::bucket/key"), "s3:HeadObject is no action",
    ),
    "a service that AWS does not have": (
        "identity", statement("alb:ModifyListener", "*"), "alb:ModifyListener is of no service that AWS has",
    ),
    "a service by another of its names": (
        "identity", statement("elbv2:DescribeRules", "*"), "is of no service that AWS has",
    ),
    "a pattern that matches nothing": (
        "identity", statement("ecs:Frobnicate*", "*"), "ecs:Frobnicate* is no action",
    ),
    "a denial of nothing": (
        "identity", statement("s3:DeleteObjects", "arn:aws:s3:::bucket/*", Effect="Deny"), "is no action; there is s3:DeleteObject",
    ),
    "everything, where a bucket would do": (
        "identity", statement("s3:GetBucketLocation", "*"), "s3:GetBucketLocation on * although it knows",
    ),
    "everything, where a service would do": (
        "identity", statement("ecs:DescribeServices", "*"), "ecs:DescribeServices on * although it knows service",
    ),
    "a resource, where only everything is understood": (
        "identity", statement("ecr:GetAuthorizationToken", "arn:aws:ecr:eu-central-1:111111111111:repository/a"),
        "although it knows no resource, so that only * allows it",
    ),
    "a bucket in place of its objects": (
        "identity", statement("s3:GetObject", "arn:aws:s3:::bucket"), "s3:GetObject on arn:aws:s3:::bucket means nothing",
    ),
    "objects in place of their bucket": (
        "identity", statement("s3:ListBucket", "arn:aws:s3:::bucket/*"), "s3:ListBucket on arn:aws:s3:::bucket/* means nothing",
    ),
    "task sets and services in one statement": (
        "identity", statement("ecs:DeleteTaskSet", [f"{ECS}:task-set/a/b/*", f"{ECS}:service/a/b"]),
        f"ecs:DeleteTaskSet on {ECS}:service/a/b means nothing: it works on task-set",
    ),
    "listeners and their rules in one statement": (
        "identity",
        statement(
            ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"],
            "arn:aws:elasticloadbalancing:eu-central-1:111111111111:listener-rule/app/web/*",
        ),
        "elasticloadbalancing:ModifyListener on",
    ),
    "a queue's action on a topic": (
        "resource", statement("sqs:SendMessage", "arn:aws:sns:eu-central-1:111111111111:t", Principal="*"), "means nothing",
    ),
    "a log group in another service's name": (
        "identity", statement("logs:PutLogEvents", "arn:aws:cloudwatch:eu-central-1:111111111111:log-group:a:*"), "means nothing",
    ),
    "a condition key of another service": (
        "identity", statement("ecs:UpdateService", f"{ECS}:service/a/b", **under("iam:PassedToService")),
        "ecs:UpdateService has no condition key iam:PassedToService",
    ),
    "a misspelt condition key": (
        "identity",
        statement("iam:PassRole", "arn:aws:iam::111111111111:role/r", **under("iam:PassToService")),
        "there is iam:PassedToService",
    ),
    "a global key that AWS does not have": (
        "identity", statement("sns:Publish", "arn:aws:sns:eu-central-1:111111111111:t", **under("aws:SourceAccountId")),
        "sns:Publish has no condition key aws:SourceAccountId",
    ),
    "a tag of the request, where the request has none": (
        "identity", statement("ecs:DeleteTaskSet", f"{ECS}:task-set/a/b/*", **under("aws:RequestTag/team")),
        "has no condition key aws:RequestTag/team",
    ),
    "a claim that IAM does not have": (
        "trust",
        statement("sts:AssumeRoleWithWebIdentity", Principal={"Federated": GITHUB}, **under("token.actions.githubusercontent.com:repository_owner")),
        "has no condition key token.actions.githubusercontent.com:repository_owner",
    ),
    "another provider's claim": (
        "trust",
        statement("sts:AssumeRoleWithWebIdentity", Principal={"Federated": GITHUB}, **under("gitlab.com:sub")),
        "has no condition key gitlab.com:sub",
    ),
    "an action without what it needs besides": (
        "identity", statement("ecs:RunTask", f"{ECS}:task-definition/a:*"), "ecs:RunTask needs iam:PassRole besides",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", SEEDED)
def test_a_seeded_mistake_is_found(words):
    of, seeded, said = SEEDED[words]

    found = [str(m) for m in mistakes({"Statement": [seeded]}, of)]

    assert any(said in mistake for mistake in found), found
    assert all(mistake.startswith("statement Seeded: ") for mistake in found)


def test_there_are_twenty_of_them():
    assert len(SEEDED) >= 20


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::bucket/*"),
        ("s3:GetObject", "arn:aws:s3:::bucket*"),
        ("S3:getobject", "arn:aws-cn:s3:::bucket/a/b.zip"),
        ("s3:*", "arn:aws:s3:::bucket"),
        ("logs:PutLogEvents", "arn:aws:logs:eu-central-1:111111111111:log-group:/ecs/a:*"),
        ("logs:DescribeLogStreams", "arn:aws:logs:eu-central-1:111111111111:log-group:/ecs/a:*"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111111111111:secret:a/b-??????"),
        ("ssm:GetParameters", "arn:aws:ssm:eu-central-1:111111111111:parameter/live/shop/flags"),
        ("dynamodb:Query", "arn:aws:dynamodb:eu-central-1:111111111111:table/orders/index/*"),
        ("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/shop:*"),
        ("iam:PassRole", "arn:aws:iam::111111111111:role/some/path/r"),
        ("ecr:PutImage", "arn:aws:ecr:eu-central-1:111111111111:repository/live/shop/web"),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-central-1:111111111111:function:gate"),
        (
            "codedeploy:PutLifecycleEventHookExecutionStatus",
            "arn:aws:codedeploy:eu-central-1:111111111111:deploymentgroup:a/b",
        ),
        ("ecr:GetAuthorizationToken", "*"),
        ("ec2:Describe*", "*"),
        ("*", "*"),
    ],
)
def test_what_means_something_passes(action, resource):
    assert unknown(action) == ""
    assert fits(action, resource) == ""


@pytest.mark.parametrize(
    ("of", "given"),
    [
        ("identity", statement("ecs:TagResource", f"{ECS}:task-definition/a:*", **under("ecs:CreateAction"))),
        ("identity", statement("ecs:UpdateService", f"{ECS}:service/a/b", **under("aws:ResourceTag/team"))),
        ("identity", statement("sns:Publish", "arn:aws:sns:eu-central-1:111111111111:t", **under("AWS:sourcearn"))),
        ("trust", statement("sts:AssumeRole", Principal={"Service": "x.amazonaws.com"}, **under("aws:SourceAccount"))),
        ("trust", statement("sts:AssumeRoleWithWebIdentity", Principal={"Federated": GITHUB}, **under("token.actions.githubusercontent.com:job_workflow_ref"))),
        ("resource", statement("kms:Decrypt", "*", Principal={"AWS": "111111111111"})),
    ],
)  # fmt: skip
def test_a_statement_that_aws_understands_has_no_mistake(of, given):
    assert mistakes(json.dumps({"Statement": given}), of) == []
