"""Amazon ECS of the rehearsal: what starting a task asks of its roles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .service_deployments import ServiceDeployments

if TYPE_CHECKING:
    from .account import Account
    from .declared import Service
    from .timeline import Timeline

_IMAGE: Final = re.compile(r"(?P<host>[^/]+)/(?P<repository>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})")
#: Seconds between two looks of CodePipeline at a job that goes on (its default).
POLL_SECONDS: Final = 30


def short(task_definition: str) -> str:
    """Family and revision."""
    return task_definition.rpartition("/")[2]


def asked_to_start(definition: Mapping[str, Any], arn: Callable[[str, str], str]) -> Iterator[tuple[str, str]]:
    """(action, resource) of everything that ECS asks AWS for under a task's execution role.

    Source: Amazon ECS developer guide, "Amazon ECS task execution IAM role".
    """
    yield "ecr:GetAuthorizationToken", "*"
    for container in definition["containerDefinitions"]:
        image = _IMAGE.fullmatch(container["image"])
        if image is not None:
            repository = arn("ecr", f"repository/{image['repository']}")
            yield "ecr:BatchGetImage", repository
            yield "ecr:GetDownloadUrlForLayer", repository
        for secret in container.get("secrets", []):
            parts = str(secret["valueFrom"]).split(":")
            if parts[2] == "ssm":
                yield "ssm:GetParameters", secret["valueFrom"]
            else:
                # Without the six characters at its end ECS takes the ARN, and IAM sees it so (aws/aws-cdk issue 18555).
                yield "secretsmanager:GetSecretValue", ":".join(parts[:7])
        options = container.get("logConfiguration", {}).get("options", {})
        if group := options.get("awslogs-group"):
            stream = f"{options.get('awslogs-stream-prefix', 'task')}/{container['name']}/0123456789abcdef"
            stream = arn("logs", f"log-group:{group}:log-stream:{stream}")
            yield "logs:CreateLogStream", stream
            yield "logs:PutLogEvents", stream


class Ecs:
    """Starts tasks, and keeps the records of deployments."""

    def __init__(self, account: Account, timeline: Timeline) -> None:
        self._account, self._timeline = account, timeline
        self.deployments = ServiceDeployments(account)

    def start_tasks(self, service: Service, task_definition: str) -> None:
        """Have ECS assume the revision's roles and ask for what it needs before the application runs."""
        account, found = self._account, self._account.task_definition(task_definition)
        execution, task = found["executionRoleArn"], account.arn("ecs", f"task/{service.cluster}/0123456789abcdef")
        for role in (execution, found.get("taskRoleArn")):
            if role is not None:
                account.assume_role(role, "ecs-tasks.amazonaws.com", task)
        for action, resource in asked_to_start(found, account.arn):
            account.record_call(execution, action, resource)
        count = service.ecs["desiredCount"]
        self._timeline.note("ECS", f"starts {count} tasks of {short(task_definition)}", execution)
