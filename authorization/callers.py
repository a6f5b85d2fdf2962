"""What AWS asks of a caller besides the action it calls: permissions on other services, by call and circumstance.

The reference does not have them: they stand in the guides of the services, or are met in an account. A rehearsed
release asks each row of the role that makes the call, and refuses the call as AWS does where something is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from .corrections import READ

On = Literal["*", "service", "alarms", "roles", "role", "service role", "source object", "artifact", "key"]
"""What the permission is asked on: `*` where no resource is known, else a part of the request or what it names."""

TASKS: Final = "ecs-tasks.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission, on what, and to which service a role is passed."""

    action: str
    on: On
    passed_to: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A call and what its caller needs besides.

    Attributes:
        call: `service:Operation`, or `codepipeline:Category/Provider` for an action of a pipeline.
        needs: the permissions, all of them.
        when: the circumstance; empty for always.
        refusal: the error that AWS answers with.
        source: where AWS, or somebody who met it, says so.
        read: day on which the source was read.
    """

    call: str
    needs: tuple[Need, ...]
    when: str = ""
    refusal: str = "AccessDeniedException"
    source: str
    read: str = field(default=READ)

    def __str__(self) -> str:
        return f"{self.call} asks it of its caller{f' where {self.when}' if self.when else ''}"


_DOCS: Final = "https://docs.aws.amazon.com"
_SERVICE_AUTHORIZATION: Final = f"{_DOCS}/service-authorization/latest/reference"
_SCALED: Final = (Need(action="ecs:DescribeServices", on="service"), Need(action="ecs:UpdateService", on="service"))
_ALARMS: Final = (
    Need(action="cloudwatch:DescribeAlarms", on="alarms"),
    Need(action="cloudwatch:PutMetricAlarm", on="alarms"),
    Need(action="cloudwatch:DeleteAlarms", on="alarms"),
)
_TASK_ROLES: Final = (Need(action="iam:PassRole", on="roles", passed_to=TASKS),)
_OWN_KEY: Final = "it is encrypted with a customer managed key"
_OF_A_KEY: Final = {
    "reads": (Need(action="kms:Decrypt", on="key"),),
    "writes": (Need(action="kms:GenerateDataKey", on="key"),),
    "sends": (Need(action="kms:GenerateDataKey", on="key"), Need(action="kms:Decrypt", on="key")),
}


def _key(call: str, does: str, source: str, refusal: str = "AccessDenied") -> Row:
    return Row(call=call, needs=_OF_A_KEY[does], when=_OWN_KEY, refusal=refusal, source=f"{_DOCS}/{source}")


CALLERS: Final = (
    # Application Auto Scaling calls the service itself with the caller's rights before it does anything.
    Row(
        call="application-autoscaling:RegisterScalableTarget",
        needs=_SCALED,
        when="the target is a service of ECS",
        refusal="ValidationException",
        source=f"{_DOCS}/autoscaling/application/userguide/security_iam_permission_validation.html",
    ),
    Row(
        call="application-autoscaling:PutScalingPolicy",
        needs=(*_SCALED, *_ALARMS),
        when="the target is a service of ECS",
        refusal="ValidationException",
        source=f"{_DOCS}/AmazonECS/latest/developerguide/auto-scaling-IAM.html",
    ),
    # Who asks for findings is asked by Amazon Inspector, which has them.
    Row(
        call="ecr:DescribeImageScanFindings",
        needs=(Need(action="inspector2:ListFindings", on="*"),),
        when="the registry's scanning is enhanced, which is a setting of the account",
        source=f"{_DOCS}/AmazonECR/latest/userguide/image-scanning-enhanced-iam.html",
    ),
    # CodePipeline carries the tags of a source object over to the artifact.
    Row(
        call="codepipeline:Source/S3",
        needs=(
            Need(action="s3:GetObjectTagging", on="source object"),
            Need(action="s3:GetObjectVersionTagging", on="source object"),
            Need(action="s3:PutObjectTagging", on="artifact"),
        ),
        when="the source object has tags",
        refusal="AccessDenied",
        source=f"{_DOCS}/codepipeline/latest/userguide/how-to-custom-role.html",
    ),
    # Who says with which roles something runs has to be allowed to pass them.
    Row(
        call="ecs:RegisterTaskDefinition",
        needs=_TASK_ROLES,
        when="the task definition names roles",
        refusal="ClientException",
        source=f"{_DOCS}/codepipeline/latest/userguide/action-reference-ECSbluegreen.html",
    ),
    Row(
        call="ecs:UpdateService",
        needs=_TASK_ROLES,
        when="the request names a task definition that has roles",
        source=f"{_DOCS}/codepipeline/latest/userguide/action-reference-ECS.html",
    ),
    Row(
        call="ecs:CreateTaskSet",
        needs=_TASK_ROLES,
        when="the task definition has roles",
        source=f"{_DOCS}/aws-managed-policy/latest/reference/AWSCodeDeployRoleForECS.html",
    ),
    Row(
        call="ecs:RunTask",
        needs=_TASK_ROLES,
        when="the task definition has roles",
        source=f"{_SERVICE_AUTHORIZATION}/list_amazonelasticcontainerservice.html",
    ),
    Row(
        call="ecs:CreateService",
        needs=(Need(action="iam:PassRole", on="service role", passed_to="ecs.amazonaws.com"),),
        when="its load balancers or volumes are managed through a role that the request names",
        source=f"{_DOCS}/AmazonECS/latest/developerguide/AmazonECSInfrastructureRolePolicyForLoadBalancers.html",
    ),
    Row(
        call="codedeploy:CreateDeploymentGroup",
        needs=(Need(action="iam:PassRole", on="role", passed_to="codedeploy.amazonaws.com"),),
        refusal="InvalidRoleException",
        source=f"{_DOCS}/codedeploy/latest/userguide/auth-and-access-control-permissions-reference.html",
    ),
    Row(
        call="codepipeline:CreatePipeline",
        needs=(Need(action="iam:PassRole", on="role", passed_to="codepipeline.amazonaws.com"),),
        source=f"{_DOCS}/codepipeline/latest/userguide/permissions-reference.html",
    ),
    Row(
        call="events:PutTargets",
        needs=(Need(action="iam:PassRole", on="roles", passed_to="events.amazonaws.com"),),
        when="a target has a role",
        source=f"{_DOCS}/eventbridge/latest/userguide/eb-events-iam-roles.html",
    ),
    Row(
        call="scheduler:CreateSchedule",
        needs=(Need(action="iam:PassRole", on="role", passed_to="scheduler.amazonaws.com"),),
        source=f"{_SERVICE_AUTHORIZATION}/list_amazoneventbridgescheduler.html",
    ),
    Row(
        call="lambda:CreateFunction",
        needs=(Need(action="iam:PassRole", on="role", passed_to="lambda.amazonaws.com"),),
        source=f"{_SERVICE_AUTHORIZATION}/list_awslambda.html",
    ),
    Row(
        call="lambda:UpdateFunctionConfiguration",
        needs=tuple(Need(action=f"ec2:Describe{what}", on="*") for what in ("SecurityGroups", "Subnets", "Vpcs")),
        when="the function is in a VPC",
        source=f"{_DOCS}/lambda/latest/dg/configuration-vpc.html",
    ),
    # A service that encrypts with a key of one's own uses it with the caller's rights.
    _key("s3:GetObject", "reads", "AmazonS3/latest/userguide/UsingKMSEncryption.html"),
    _key("s3:PutObject", "writes", "AmazonS3/latest/userguide/UsingKMSEncryption.html"),
    _key("secretsmanager:GetSecretValue", "reads", "secretsmanager/latest/userguide/security-encryption.html"),
    _key("ssm:GetParameter", "reads", "systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html"),
    _key("ssm:GetParameters", "reads", "systems-manager/latest/userguide/secure-string-parameter-kms-encryption.html"),
    _key("sns:Publish", "sends", "sns/latest/dg/sns-key-management.html", "KMSAccessDeniedException"),
    _key("sqs:SendMessage", "sends", "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"),
)
"""One row a call; two calls that ask the same are two rows."""


def of(call: str) -> Iterator[Row]:
    """The rows of a call."""
    return (row for row in CALLERS if row.call == call)
