"""A small whole release of one service, whose documents the corpus breaks one at a time.

It is written out here, apart from the components, so that a mistake there and one here cannot hide each other.
"""

from __future__ import annotations

import json
from typing import Any

from tests.policies.judges import Thing

REGION = "eu-central-1"
ACCOUNT = "333333333333"
OTHER = "444444444444"
GITHUB = "token.actions.githubusercontent.com"
ORGANIZATION = "7a3c1f52-0b1e-4c55-9a36-0d6f1c2e7b90"
CIRCLECI = f"oidc.circleci.com/org/{ORGANIZATION}"

HANDOFF, TEMPLATES, ARTIFACTS = "live-handoff-333", "live-templates-333", "live-artifacts-333"
KEY = "shop/imagedefinitions.json.zip"


def arn(service: str, resource: str, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def role_arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Any, resources: Any, **condition: Any) -> dict[str, Any]:
    out = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return out | ({"Condition": condition} if condition else {})


GUARD: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def trusting(*services: str) -> dict[str, Any]:
    """A statement that lets services in; Lambda does not say on whose behalf it assumes a role."""
    held = {} if services == ("lambda.amazonaws.com",) else {"Condition": GUARD}
    principal = {"Service": list(services) if len(services) > 1 else services[0]}
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **held}


def service_trust(service: str) -> str:
    return document(trusting(service))


def provider(environment: str = "live", production: str = "true") -> Thing:
    """The stack's provider; `live` is one of the names of production."""
    return Thing(
        type="pulumi:providers:aws",
        name="aws",
        inputs={
            "region": REGION,
            "allowedAccountIds": json.dumps([ACCOUNT]),
            "defaultTags": json.dumps(
                {"tags": {"ecs-release:environment": environment, "ecs-release:production": production}},
            ),
        },
    )


def role(name: str, purpose: str, trust: str, **more: Any) -> Thing:
    tags = {"ecs-release:purpose": purpose, "ecs-release:service": "shop"}
    return Thing(
        type="aws:iam/role:Role",
        name=name,
        inputs={"name": name, "assumeRolePolicy": trust, "tags": tags, **more},
    )


def policy(name: str, role_name: str, text: Any) -> Thing:
    return Thing(
        type="aws:iam/rolePolicy:RolePolicy",
        name=name,
        inputs={"name": name, "role": role_name, "policy": text},
        refers={"role": []},
    )


REPOSITORIES = [arn("ecr", "repository/live/shop/web"), arn("ecr", "repository/live/shop/cache")]
PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]
CI_STATEMENTS = [
    allow("ecr:GetAuthorizationToken", "*"),
    allow(PUSH, REPOSITORIES),
    allow("s3:PutObject", f"arn:aws:s3:::{HANDOFF}/{KEY}"),
]
GITHUB_TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{GITHUB}:sub": "repo:acme/shop:ref:refs/tags/v*.*.*"},
    },
}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def tls_only(bucket: str) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {**TLS_ONLY, "Resource": resources}


def bucket(name: str) -> list[Thing]:
    made = Thing(type="aws:s3/bucket:Bucket", name=name, inputs={"bucket": name})
    refers = {"bucket": [name]}
    return [
        made,
        Thing(
            type="aws:s3/bucketVersioning:BucketVersioning",
            name=f"{name}-versions",
            inputs={"bucket": name, "versioningConfiguration": {"status": "Enabled"}},
            refers=refers,
        ),
        Thing(
            type="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            name=f"{name}-block",
            inputs={
                "bucket": name,
                "blockPublicAcls": True,
                "blockPublicPolicy": True,
                "ignorePublicAcls": True,
                "restrictPublicBuckets": True,
            },
            refers=refers,
        ),
        Thing(
            type="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            name=f"{name}-encryption",
            inputs={"bucket": name, "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
            refers=refers,
        ),
        Thing(
            type="aws:s3/bucketPolicy:BucketPolicy",
            name=f"{name}-policy",
            inputs={"bucket": name, "policy": document(tls_only(name))},
            refers=refers,
        ),
    ]


def repository(name: str, mutability: str = "IMMUTABLE") -> Thing:
    return Thing(
        type="aws:ecr/repository:Repository",
        name=name,
        inputs={
            "name": name,
            "imageTagMutability": mutability,
            "imageScanningConfiguration": {"scanOnPush": True},
        },
    )


def action(
    name: str, category: str, service: str, role_name: str | None, configuration: dict[str, str], **more: Any
) -> dict[str, Any]:
    out = {"name": name, "category": category, "owner": "AWS", "provider": service, "version": "1"}
    own = {"roleArn": role_arn(role_name)} if role_name else {}
    return {**out, **own, "configuration": configuration, **more}


STAGES: list[dict[str, Any]] = [
    {
        "name": "Source",
        "actions": [
            action(
                "Handoff",
                "Source",
                "S3",
                "shop-source",
                {"S3Bucket": HANDOFF, "S3ObjectKey": KEY, "PollForSourceChanges": "false"},
                outputArtifacts=["Handoff"],
            ),
            action(
                "Template",
                "Source",
                "S3",
                "shop-source",
                {"S3Bucket": TEMPLATES, "S3ObjectKey": "shop/template.zip", "PollForSourceChanges": "false"},
                outputArtifacts=["Template"],
            ),
        ],
    },
    {
        "name": "Verify",
        "actions": [
            action(
                "Gate",
                "Invoke",
                "Lambda",
                "shop-verify",
                {"FunctionName": "shop-gate"},
                inputArtifacts=["Handoff", "Template"],
                outputArtifacts=["Release"],
            ),
        ],
    },
    {"name": "Approve", "actions": [action("Approve", "Approval", "Manual", None, {})]},
    {
        "name": "Deploy",
        "actions": [
            action(
                "Deploy",
                "Deploy",
                "CodeDeployToECS",
                "shop-deploy",
                {
                    "ApplicationName": "shop",
                    "DeploymentGroupName": "shop",
                    "TaskDefinitionTemplateArtifact": "Release",
                    "AppSpecTemplateArtifact": "Release",
                },
                inputArtifacts=["Release"],
            ),
        ],
    },
]
PATTERN: dict[str, Any] = {
    "source": ["aws.s3"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["s3.amazonaws.com"],
        "eventName": ["PutObject", "CompleteMultipartUpload", "CopyObject"],
        "errorCode": [{"exists": False}],
        "requestParameters": {"bucketName": [HANDOFF], "key": [KEY]},
    },
}
PASS = allow(
    "iam:PassRole",
    [role_arn("shop-task"), role_arn("shop-execution")],
    StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"},
)
DEPLOY_STATEMENTS = [
    allow(["codedeploy:CreateDeployment", "codedeploy:GetDeployment"], arn("codedeploy", "deploymentgroup:shop/shop")),
    allow("ecs:RegisterTaskDefinition", arn("ecs", "task-definition/shop:*")),
    PASS,
]
CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/live/shop/web:live-0123abc",
    "readonlyRootFilesystem": True,
    "environment": [{"name": "LOG_LEVEL", "value": "info"}],
    "secrets": [{"name": "DATABASE_URL", "valueFrom": arn("ssm", "parameter/live/shop/database")}],
    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/live/shop"}},
}
APPSPEC = """version: 0.0
Resources:
- TargetService:
    Type: AWS::ECS::Service
    Properties:
      TaskDefinition: <TASK_DEFINITION>
      CapacityProviderStrategy:
      - {Base: 1, CapacityProvider: FARGATE, Weight: 1}
"""


def things() -> dict[str, Thing]:
    """The whole stack, by logical name; every rule of both packs holds on it."""
    task_trust = service_trust("ecs-tasks.amazonaws.com")
    action_trust = document(
        {"Effect": "Allow", "Principal": {"AWS": role_arn("shop-pipeline")}, "Action": "sts:AssumeRole"},
    )
    made: list[Thing] = [
        *bucket(HANDOFF),
        *bucket(TEMPLATES),
        *bucket(ARTIFACTS),
        repository("live/shop/web"),
        repository("live/shop/cache", "MUTABLE"),
        Thing(
            type="aws:s3/bucketObjectv2:BucketObjectv2",
            name="template",
            inputs={"bucket": TEMPLATES, "key": "shop/template.zip", "content": APPSPEC},
            refers={"bucket": [TEMPLATES]},
        ),
        Thing(
            type="aws:iam/policy:Policy",
            name="ci-boundary",
            inputs={"name": "shop-ci-boundary", "policy": document(*CI_STATEMENTS)},
        ),
        role(
            "shop-ci",
            "ci",
            document(GITHUB_TRUST),
            permissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/shop-ci-boundary",
        ),
        policy("ci", "shop-ci", document(*CI_STATEMENTS)),
        role("shop-pipeline", "pipeline", service_trust("codepipeline.amazonaws.com")),
        policy(
            "pipeline",
            "shop-pipeline",
            document(allow("sts:AssumeRole", [role_arn(f"shop-{a}") for a in ("source", "verify", "deploy")])),
        ),
        role("shop-source", "pipeline-action", action_trust),
        policy(
            "source",
            "shop-source",
            document(
                allow(["s3:GetObject", "s3:GetObjectVersion"], f"arn:aws:s3:::{HANDOFF}/{KEY}"),
                allow("s3:GetBucketVersioning", f"arn:aws:s3:::{HANDOFF}"),
                allow("s3:PutObject", f"arn:aws:s3:::{ARTIFACTS}/shop/*"),
            ),
        ),
        role("shop-verify", "pipeline-action", action_trust),
        policy("verify", "shop-verify", document(allow("lambda:InvokeFunction", arn("lambda", "function:shop-gate")))),
        role("shop-deploy", "pipeline-action", action_trust),
        policy("deploy", "shop-deploy", document(*DEPLOY_STATEMENTS)),
        role("shop-codedeploy", "deployment", service_trust("codedeploy.amazonaws.com")),
        policy(
            "codedeploy",
            "shop-codedeploy",
            document(
                allow("ecs:DescribeServices", arn("ecs", "service/live/shop")),
                allow("ecs:CreateTaskSet", arn("ecs", "task-set/live/shop/*")),
                allow("elasticloadbalancing:ModifyListener", arn("elasticloadbalancing", "listener/app/shop/*")),
                PASS,
            ),
        ),
        role("shop-task", "task", task_trust),
        policy("task", "shop-task", document(allow("dynamodb:GetItem", arn("dynamodb", "table/orders")))),
        role("shop-execution", "task-execution", task_trust),
        policy(
            "execution",
            "shop-execution",
            document(
                allow("ecr:GetAuthorizationToken", "*"),
                allow(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], REPOSITORIES[0]),
                allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", "log-group:/ecs/live/shop:*")),
                allow("ssm:GetParameters", arn("ssm", "parameter/live/shop/database")),
            ),
        ),
        role("shop-gate", "function", service_trust("lambda.amazonaws.com")),
        policy(
            "gate",
            "shop-gate",
            document(
                allow(["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"], "*"),
                allow("ecr:BatchGetImage", REPOSITORIES[0]),
            ),
        ),
        Thing(
            type="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
            name="gate-given-up",
            inputs={
                "functionName": "shop-gate",
                "destinationConfig": {"onFailure": {"destination": arn("sqs", "live-dead-letters")}},
            },
        ),
        Thing(
            type="aws:lambda/function:Function",
            name="gate-function",
            inputs={"name": "shop-gate", "role": role_arn("shop-gate")},
        ),
        role("shop-trigger", "event-rule", service_trust("events.amazonaws.com")),
        policy(
            "trigger",
            "shop-trigger",
            document(allow("codepipeline:StartPipelineExecution", arn("codepipeline", "shop"))),
        ),
        Thing(
            type="aws:codepipeline/pipeline:Pipeline",
            name="release",
            inputs={
                "name": "shop",
                "roleArn": role_arn("shop-pipeline"),
                "artifactStores": [{"location": ARTIFACTS, "type": "S3"}],
                "stages": STAGES,
                "tags": {"ecs-release:service": "shop"},
            },
        ),
        Thing(
            type="aws:cloudwatch/eventRule:EventRule",
            name="handed-over",
            inputs={"name": "shop-handoff", "eventPattern": json.dumps(PATTERN)},
        ),
        Thing(
            type="aws:cloudwatch/eventTarget:EventTarget",
            name="start",
            inputs={"rule": "shop-handoff", "arn": arn("codepipeline", "shop"), "roleArn": role_arn("shop-trigger")},
        ),
        Thing(
            type="aws:ecs/taskDefinition:TaskDefinition",
            name="first",
            inputs={
                "family": "shop",
                "networkMode": "awsvpc",
                "taskRoleArn": role_arn("shop-task"),
                "executionRoleArn": role_arn("shop-execution"),
                "containerDefinitions": json.dumps([CONTAINER]),
            },
        ),
        Thing(
            type="aws:ecs/service:Service",
            name="service",
            inputs={
                "name": "shop",
                "cluster": "live",
                "taskDefinition": arn("ecs", "task-definition/shop:1"),
                "desiredCount": 2,
                "deploymentController": {"type": "CODE_DEPLOY"},
                "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}],
            },
            refers={"taskDefinition": ["first"]},
            ignore=("taskDefinition", "desiredCount", "capacityProviderStrategies"),
        ),
        Thing(type="aws:lb/loadBalancer:LoadBalancer", name="balancer", inputs={"name": "shop"}),
        *(
            Thing(
                type="aws:lb/listener:Listener",
                name=f"listener-{port}",
                inputs={
                    "port": port,
                    "protocol": "HTTPS",
                    "certificateArn": arn("acm", "certificate/1"),
                    "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
                    "defaultActions": [{"type": "forward", "targetGroupArn": "blue"}],
                },
                refers={"loadBalancerArn": ["balancer"]},
                ignore=("defaultActions",),
            )
            for port in (443, 8443)
        ),
        Thing(
            type="aws:codedeploy/deploymentGroup:DeploymentGroup",
            name="group",
            inputs={
                "appName": "shop",
                "deploymentGroupName": "shop",
                "serviceRoleArn": role_arn("shop-codedeploy"),
                "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
                "ecsService": {"clusterName": "live", "serviceName": "shop"},
                "loadBalancerInfo": {
                    "targetGroupPairInfo": {
                        "prodTrafficRoute": {"listenerArns": ["443"]},
                        "testTrafficRoute": {"listenerArns": ["8443"]},
                        "targetGroups": [{"name": "blue"}, {"name": "green"}],
                    },
                },
                "alarmConfiguration": {"enabled": True, "alarms": ["shop-errors"]},
                "autoRollbackConfiguration": {
                    "enabled": True,
                    "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
                },
                "blueGreenDeploymentConfig": {
                    "terminateBlueInstancesOnDeploymentSuccess": {
                        "action": "TERMINATE",
                        "terminationWaitTimeInMinutes": 30,
                    },
                },
            },
            refers={"loadBalancerInfo": ["listener-443", "listener-8443"]},
        ),
        Thing(
            type="aws:cloudwatch/logGroup:LogGroup",
            name="logs",
            inputs={"name": "/ecs/live/shop", "retentionInDays": 365},
        ),
        Thing(
            type="aws:cloudtrail/trail:Trail",
            name="trail",
            inputs={"name": "live", "s3BucketName": "logs-of-another-stack", "enableLogFileValidation": True},
        ),
    ]
    return {thing.name: thing for thing in made}
