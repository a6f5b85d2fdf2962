"""Amazon ECS of the rehearsal: what starting a task asks of its roles, and how a rolling deployment goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

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
    """Starts tasks and rolls rolling services out.

    With `unhealthy`, new tasks of a rolling service never become healthy.
    """

    def __init__(self, account: Account, timeline: Timeline) -> None:
        self._account, self._timeline = account, timeline
        self.unhealthy = False
        self._rolling: dict[str, Service] = {
            f"{s.cluster}:{s.base}": s for s in account.declared.services.values() if not s.blue_green
        }
        account.after["ecs:UpdateService"] = self._begin

    def start_tasks(self, service: Service, task_definition: str) -> None:
        """Have ECS take on the revision's roles and ask for what it needs before the application runs."""
        account, found = self._account, self._account.task_definition(task_definition)
        execution, task = found["executionRoleArn"], account.arn("ecs", f"task/{service.cluster}/0123456789abcdef")
        for role in (execution, found.get("taskRoleArn")):
            if role is not None:
                account.assume_role(role, "ecs-tasks.amazonaws.com", task)
        for action, resource in asked_to_start(found, account.arn):
            account.record_call(execution, action, resource)
        count = service.ecs["desiredCount"]
        self._timeline.note("ECS", f"starts {count} tasks of {short(task_definition)}", execution)

    # ------------------------------------------------------------ rolling deployments

    def _begin(self, params: Mapping[str, Any]) -> None:
        service = self._rolling.get(f"{params['cluster']}:{params['service']}")
        if service is None or "taskDefinition" not in params:
            return
        record = self._account.emulated_service(service)
        (before,) = record.deployments
        desired = service.ecs["desiredCount"]
        revision = self._account.task_definition(params["taskDefinition"])["taskDefinitionArn"]
        record.deployments[:] = [
            _deployment(2, revision, desired, running=0),
            {**before, "status": "ACTIVE"},
        ]
        record.events = []
        self._timeline.note("ECS", f"begins a rolling deployment of {short(revision)}")
        self.start_tasks(service, revision)

    def go_on(self, service: Service) -> None:
        """Let the rolling deployment of a service go one step further."""
        record = self._account.emulated_service(service)
        primary = record.deployments[0]
        if primary["rolloutState"] != "IN_PROGRESS":
            return
        desired = service.ecs["desiredCount"]
        if self.unhealthy and len(record.deployments) > 1 and primary["id"].endswith("2"):
            self._break(service, record, desired)
        elif primary["runningCount"] < desired:
            primary |= {"runningCount": desired, "pendingCount": 0}
            self._timeline.note("ECS", f"{desired} of {desired} new tasks run")
        else:
            primary |= {"rolloutState": "COMPLETED", "rolloutStateReason": f"ECS deployment {primary['id']} completed."}
            record.deployments[:] = [primary]
            self._timeline.note("ECS", f"stops the tasks before; {short(primary['taskDefinition'])} runs alone")

    def _break(self, service: Service, record: Any, desired: int) -> None:
        """The circuit breaker (Amazon ECS developer guide, "How the Amazon ECS deployment circuit breaker works")."""
        failed, before = record.deployments[0], record.deployments[1]
        breaker = service.ecs.get("deploymentCircuitBreaker") or {}
        self._timeline.note("ECS", f"tasks of {short(failed['taskDefinition'])} fail their health check", trouble=True)
        failed |= {"failedTasks": 3, "runningCount": 0, "pendingCount": desired}
        if not breaker.get("enable"):
            return
        failed |= {
            "rolloutState": "FAILED",
            "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
        }
        if not breaker.get("rollback"):
            return
        old = before["taskDefinition"]
        record.task_definition = old
        record.deployments[:] = [_deployment(3, old, desired, running=desired), {**failed, "status": "ACTIVE"}]
        self._timeline.note("ECS", f"circuit breaker: rolls back to {short(old)}", trouble=True)

    def settle(self, service: Service) -> None:
        """Let whatever a rolling deployment of the service still does come to its end."""
        record = self._account.emulated_service(service)
        while record.deployments and record.deployments[0]["rolloutState"] == "IN_PROGRESS":
            self._timeline.wait(POLL_SECONDS)
            before = dict(record.deployments[0])
            self.go_on(service)
            if record.deployments[0] == before:
                return


def _deployment(number: int, task_definition: str, desired: int, running: int) -> dict[str, Any]:
    identifier = f"ecs-svc/{number:019}"
    now = datetime.now(tz=UTC)
    return {
        "id": identifier,
        "status": "PRIMARY",
        "taskDefinition": task_definition,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment {identifier} in progress.",
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": desired - running,
        "failedTasks": 0,
        "launchType": "FARGATE",
        "createdAt": now,
        "updatedAt": now,
    }
