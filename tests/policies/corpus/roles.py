"""Roles that are not CI: what they pass, what they may do beyond their purpose, wildcards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import DATA, instead, on_role
from tests.policies.world import PASS, allow, arn, document, role_arn

PASSED = "roles-are-passed-exactly"
NEEDED = "roles-do-only-what-their-purpose-needs"
NAMED = "actions-are-listed-by-name"
TASKS = "ecs-tasks.amazonaws.com"
TO = "iam:PassedToService"
OWN = [role_arn("shop-task"), role_arn("shop-execution")]


def passing(resources: Any, **condition: Any) -> dict[str, Any]:
    return allow("iam:PassRole", resources, **(condition or {"StringEquals": {TO: TASKS}}))


PASSES: dict[str, Any] = {
    "on everything": passing("*"),
    "on every role": passing(f"arn:aws:iam::{world.ACCOUNT}:role/*"),
    "on roles that begin alike": passing(role_arn("shop-*")),
    "on a role of one more letter": passing(role_arn("shop-tas?")),
    "on roles of any account": passing("arn:aws:iam::*:role/shop-task"),
    "on another account's role": passing(role_arn("shop-task", world.OTHER)),
    "on a role by a variable": passing(role_arn("${aws:PrincipalTag/role}")),
    "on ci": passing(role_arn("shop-ci")),
    "on the pipeline": passing(role_arn("shop-pipeline")),
    "on the deployment role": passing(role_arn("shop-codedeploy")),
    "on a role that the stack does not hold": passing(role_arn("administrator")),
    "on one role too many": passing([*OWN, role_arn("administrator")]),
    "without a service": allow("iam:PassRole", OWN),
    "to any service": passing(OWN, StringLike={TO: "*"}),
    "to any service of aws": passing(OWN, StringLike={TO: "*.amazonaws.com"}),
    "to ec2": passing(OWN, StringEquals={TO: "ec2.amazonaws.com"}),
    "to ec2 besides": passing(OWN, StringEquals={TO: [TASKS, "ec2.amazonaws.com"]}),
    "to a service that may be absent": passing(OWN, StringEqualsIfExists={TO: TASKS}),
    "to all values of an absent service": passing(OWN, **{"ForAllValues:StringEquals": {TO: TASKS}}),
    "to anything but ec2": passing(OWN, StringNotEquals={TO: "ec2.amazonaws.com"}),
    "with another condition": passing(OWN, StringEquals={"aws:RequestedRegion": world.REGION}),
    "by a pattern": {**passing(OWN), "Action": "iam:Pass*"},
    "by a question mark": {**passing(OWN), "Action": "iam:PassRol?"},
    "with all of iam": {**passing(OWN), "Action": "iam:*"},
    "by leaving others out": {
        "Effect": "Allow",
        "NotAction": "s3:*",
        "Resource": OWN,
        "Condition": {"StringEquals": {TO: TASKS}},
    },
    "everywhere but somewhere": {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "NotResource": role_arn("x"),
        "Condition": {"StringEquals": {TO: TASKS}},
    },
}
PASS_CLEAN: list[Any] = [
    PASS,
    {**PASS, "Action": "IAM:passrole"},
    {**PASS, "Action": ["iam:PassRole"], "Resource": OWN[0]},
    passing(OWN, StringLike={TO: TASKS}),
    passing(OWN, StringEquals={TO.lower(): [TASKS]}),
    passing(OWN, StringEquals={TO: TASKS, "aws:RequestedRegion": world.REGION}),
    passing(OWN, **{"ForAnyValue:StringEquals": {TO: TASKS}}),
]
TASK: dict[str, Any] = {
    "reads everything": allow("s3:GetObject", "*"),
    "reads every table": allow("dynamodb:GetItem", "*"),
    "reads tables by a pattern": allow("dynamodb:GetItem", arn("dynamodb", "table/*")),
    "reads tables that begin alike": allow("dynamodb:GetItem", arn("dynamodb", "table/ord*")),
    "reads another account's table": allow("dynamodb:GetItem", arn("dynamodb", "table/orders", account=world.OTHER)),
    "does everything to its table": allow("dynamodb:*", arn("dynamodb", "table/orders")),
    "makes tables": allow("dynamodb:CreateTable", arn("dynamodb", "table/orders")),
    "drops its table": allow("dynamodb:DeleteTable", arn("dynamodb", "table/orders")),
    "opens its table": allow("dynamodb:PutResourcePolicy", arn("dynamodb", "table/orders")),
    "reads the hand-off": allow("s3:GetObject", f"arn:aws:s3:::{world.HANDOFF}/*"),
    "writes the hand-off": allow("s3:PutObject", f"arn:aws:s3:::{world.HANDOFF}/{world.KEY}"),
    "writes the template": allow("s3:PutObject", f"arn:aws:s3:::{world.TEMPLATES}/shop/template.zip"),
    "writes artifacts": allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/*"),
    "writes any bucket's objects": allow("s3:PutObject", "arn:aws:s3:::*/*"),
    "calls the gate": allow("lambda:InvokeFunction", arn("lambda", "function:shop-gate")),
    "calls any function": allow("lambda:InvokeFunction", arn("lambda", "function:*")),
    "reads every secret": allow("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:*")),
    "reads every parameter": allow("ssm:GetParameter", arn("ssm", "parameter/*")),
    "pushes images": allow("ecr:PutImage", world.REPOSITORIES),
    "deploys": allow("codedeploy:CreateDeployment", arn("codedeploy", "deploymentgroup:shop/shop")),
    "starts the pipeline": allow("codepipeline:StartPipelineExecution", arn("codepipeline", "shop")),
    "becomes another role": allow("sts:AssumeRole", role_arn("shop-deploy")),
    "decrypts with every key": allow("kms:Decrypt", "*"),
    "sees instances": allow("ec2:DescribeInstances", "*"),
    "lists roles": allow("iam:ListRoles", "*"),
    "an action that nobody knows": allow("dynamodb:GetItm", arn("dynamodb", "table/orders")),
    "a table by a variable": allow("dynamodb:GetItem", arn("dynamodb", "table/${aws:userid}")),
}
TASK_CLEAN: list[Any] = [
    DATA,
    allow("sqs:ReceiveMessage", arn("sqs", "orders")),
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::acme-uploads/*"),
    allow("s3:ListBucket", "arn:aws:s3:::acme-uploads"),
    allow("dynamodb:Query", [arn("dynamodb", "table/orders"), arn("dynamodb", "table/orders/index/*")]),
    allow("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:live/shop/key-??????")),
    allow("ssm:GetParameters", arn("ssm", "parameter/live/shop/flags")),
    allow(["xray:PutTraceSegments", "cloudwatch:PutMetricData"], "*"),
    allow("KMS:DECRYPT", arn("kms", "key/0f1e2d3c-0000-1111-2222-333344445555")),
    allow("events:PutEvents", arn("events", "event-bus/shop")),
    [
        {"Sid": "One", **allow("sns:Publish", arn("sns", "orders"))},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ],
]
WIDE: dict[str, Any] = {
    "everything": allow("*", "*"),
    "a service": allow("sqs:*", arn("sqs", "orders")),
    "a service in capitals": allow("SQS:*", arn("sqs", "orders")),
    "services that begin alike": allow("s*:GetObject", "arn:aws:s3:::acme-uploads/*"),
    "services of one more letter": allow("sq?:SendMessage", arn("sqs", "orders")),
    "a service twice starred": allow("sqs:**", arn("sqs", "orders")),
    "everything but iam": {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"},
    "everything but a bucket": {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::private/*"},
    "everything with a condition": allow("*", "*", Bool={"aws:MultiFactorAuthPresent": "true"}),
    "everything beside a denial": [allow("*", "*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}],
}


def cases() -> Iterator[Case]:
    for number, (words, statement) in enumerate(PASSES.items()):
        yield _replaced("deploy", f"passes roles {words}", PASSED, [statement], [PASS_CLEAN[number % len(PASS_CLEAN)]])
    for number, (words, statement) in enumerate(TASK.items()):
        yield on_role(f"a task {words}", NEEDED, "task", [DATA, statement], TASK_CLEAN[number % len(TASK_CLEAN)])
    for number, (words, statement) in enumerate(WIDE.items()):
        refused = statement if isinstance(statement, list) else [statement]
        yield on_role(f"a document grants {words}", NAMED, "task", refused, TASK_CLEAN[number % len(TASK_CLEAN)])
    yield from _others()


def _replaced(name: str, words: str, policy: str, refused: list[Any], clean: list[Any]) -> Case:
    owner = {"deploy": "shop-deploy", "verify": "shop-verify", "source": "shop-source", "pipeline": "shop-pipeline"}.get(
        name, f"shop-{name}",
    )  # fmt: skip
    return instead(
        f"{name} {words}", policy, [world.policy(name, owner, document(*refused))], [world.policy(name, owner, document(*clean))],
    )  # fmt: skip


def _others() -> Iterator[Case]:
    invoke = allow("lambda:InvokeFunction", arn("lambda", "function:shop-gate"))
    assume = allow("sts:AssumeRole", role_arn("shop-source"))
    start = allow("codepipeline:StartPipelineExecution", arn("codepipeline", "shop"))
    leaves = allow("sqs:SendMessage", arn("sqs", "live-dead-letters"))
    answer = allow("codepipeline:PutJobSuccessResult", "*")
    log = allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", "log-group:/ecs/live/shop:*"))
    sets = allow("ecs:CreateTaskSet", arn("ecs", "task-set/live/shop/*"))
    cases_of: dict[str, list[tuple[str, Any, Any]]] = {
        "verify": [
            ("calls every function", allow("lambda:InvokeFunction", "*"), invoke),
            ("calls another function", allow("lambda:InvokeFunction", arn("lambda", "function:other")), invoke),
            ("deploys", allow("codedeploy:CreateDeployment", arn("codedeploy", "deploymentgroup:shop/shop")), invoke),
            ("changes the function", allow("lambda:UpdateFunctionCode", arn("lambda", "function:shop-gate")), invoke),
        ],
        "pipeline": [
            ("becomes any role", allow("sts:AssumeRole", "*"), assume),
            ("becomes ci", allow("sts:AssumeRole", role_arn("shop-ci")), assume),
            ("becomes roles that begin alike", allow("sts:AssumeRole", role_arn("shop-*")), assume),
            ("deploys by itself", allow("codedeploy:CreateDeployment", "*"), assume),
        ],
        "trigger": [
            ("starts every pipeline", allow("codepipeline:StartPipelineExecution", "*"), start),
            ("starts another pipeline", allow("codepipeline:StartPipelineExecution", arn("codepipeline", "other")), start),
            ("approves", allow("codepipeline:PutApprovalResult", arn("codepipeline", "shop/Approve/Approve")), start),
        ],
        "gate": [
            ("deploys", allow("ecs:UpdateService", arn("ecs", "service/live/shop")), answer),
            ("deletes images", allow("ecr:BatchDeleteImage", world.REPOSITORIES), answer),
            ("reads another service's images", allow("ecr:BatchGetImage", arn("ecr", "repository/live/other/web")), answer),
            ("approves", allow("codepipeline:PutApprovalResult", "*"), answer),
            ("sends to another queue", allow("sqs:SendMessage", arn("sqs", "live-orders")), leaves),
            ("sends to every queue", allow("sqs:SendMessage", arn("sqs", "*")), leaves),
            ("reads what it left", allow("sqs:ReceiveMessage", arn("sqs", "live-dead-letters")), leaves),
        ],
        "execution": [
            ("reads another parameter", allow("ssm:GetParameters", arn("ssm", "parameter/live/other/database")), log),
            ("reads parameters that begin alike", allow("ssm:GetParameters", arn("ssm", "parameter/live/shop/*")), log),
            ("writes another log", allow("logs:PutLogEvents", arn("logs", "log-group:/ecs/live/other:*")), log),
            ("makes log groups", allow("logs:CreateLogGroup", "*"), log),
            ("pulls every image", allow("ecr:BatchGetImage", "*"), log),
            ("pushes images", allow("ecr:PutImage", world.REPOSITORIES), log),
        ],
        "codedeploy": [
            ("updates services", allow("ecs:UpdateService", arn("ecs", "service/live/shop")), sets),
            ("replaces another service's tasks", allow("ecs:CreateTaskSet", arn("ecs", "task-set/live/other/*")), sets),
            ("shifts every listener", allow("elasticloadbalancing:ModifyListener", "*"), sets),
            ("calls the gate", allow("lambda:InvokeFunction", arn("lambda", "function:shop-gate")), sets),
        ],
        "source": [
            ("reads every hand-off", allow("s3:GetObject", f"arn:aws:s3:::{world.HANDOFF}/*"), allow("s3:GetObject", f"arn:aws:s3:::{world.HANDOFF}/{world.KEY}")),
            ("writes the hand-off", allow("s3:PutObject", f"arn:aws:s3:::{world.HANDOFF}/{world.KEY}"), allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/shop/*")),
            ("writes every service's artifacts", allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/*"), allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/shop/*")),
            ("writes another service's artifacts", allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/other/*"), allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/shop/*")),
            ("tags the hand-off", allow("s3:PutObjectTagging", f"arn:aws:s3:::{world.HANDOFF}/{world.KEY}"), allow("s3:PutObjectTagging", f"arn:aws:s3:::{world.ARTIFACTS}/shop/*")),
        ],
        "deploy": [
            ("deploys another group", allow("codedeploy:CreateDeployment", arn("codedeploy", "deploymentgroup:other/other")), world.DEPLOY_STATEMENTS[0]),
            ("deploys every group", allow("codedeploy:CreateDeployment", "*"), world.DEPLOY_STATEMENTS[0]),
            ("registers any task definition", allow("ecs:RegisterTaskDefinition", "*"), allow("ecs:RegisterTaskDefinition", arn("ecs", "task-definition/shop:*"))),
            ("tags any task definition", allow("ecs:TagResource", "*"), allow("ecs:TagResource", arn("ecs", "task-definition/shop:*"), StringEquals={"ecs:CreateAction": "RegisterTaskDefinition"})),
            ("changes the group", allow("codedeploy:UpdateDeploymentGroup", arn("codedeploy", "deploymentgroup:shop/shop")), world.DEPLOY_STATEMENTS[0]),
        ],
    }  # fmt: skip
    for name, rows in cases_of.items():
        for words, refused, clean in rows:
            yield _replaced(name, words, NEEDED, [clean, refused], [clean])
