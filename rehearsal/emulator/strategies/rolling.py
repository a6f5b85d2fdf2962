"""Rolling deployments: a function of the pipeline updates the ECS service, and ECS exchanges the tasks.

Source: Amazon ECS developer guide, "Deploy Amazon ECS services by replacing tasks" and "How the Amazon ECS deployment
circuit breaker detects failures"; ECS API reference, Deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rehearsal.emulator.ecs import POLL_SECONDS, short
from rehearsal.emulator.steps import FAILED_SMOKE_TEST, Step

if TYPE_CHECKING:
    from rehearsal.emulator.declared import Service
    from rehearsal.emulator.deployer import ActionHandler, Finding
    from rehearsal.emulator.executions import Execution
    from rehearsal.emulator.stage import Stage

LATE_JOB: Final = Step(
    name="late-job", text="the jobs of one rolling release come once more after the next release", released=True
)


class Rolling:
    """ECS's own rolling update."""

    name = "rolling"
    steps = (FAILED_SMOKE_TEST, LATE_JOB)

    def impossible(self, service: Service, step: Step) -> str | None:
        """Every step can happen to every service."""

    def port(self, service: Service, files: Mapping[str, bytes]) -> int | None:
        """The ECS service says it."""
        balancers = service.ecs.get("loadBalancers") or ()
        return next((int(b["containerPort"]) for b in balancers), None)

    def hooks(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """None: ECS calls no function while it exchanges tasks."""
        return ()

    def hook_role(self, service: Service) -> str | None:
        """None either."""

    def set_up(self, stage: Stage) -> RollingDeployer:
        """Have the stage's ECS exchange tasks."""
        return RollingDeployer(stage, self.name)


class RollingDeployer:
    """Exchanges the tasks of the services of one strategy, in moto's own records of them."""

    actions: Mapping[tuple[str, str], ActionHandler] = {}

    def __init__(self, stage: Stage, strategy: str) -> None:
        self._stage, self._account, self._timeline = stage, stage.account, stage.timeline
        self._services = {
            f"{s.cluster}:{s.base}": s for s in stage.declared.services.values() if s.strategy == strategy
        }
        self._records: dict[str, dict[str, Any]] = {}
        """ECS's record of the service's newest deployment."""
        self._earlier: list[Execution] = []
        stage.account.after["ecs:UpdateService"].append(self._begin)

    def _begin(self, params: Mapping[str, Any]) -> None:
        service = self._services.get(f"{params['cluster']}:{params['service']}")
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
        self._records[service.base] = self._stage.ecs.deployments.begin(service, revision, desired)
        self._timeline.note("ECS", f"begins a rolling deployment of {short(revision)}")
        self._stage.ecs.start_tasks(service, revision)

    def prepare(self, service: Service) -> None:
        """For a late job there is an earlier release, whose jobs can come again."""
        if self._stage.step == LATE_JOB:
            self._stage.release(service, of="an earlier release")
            self._earlier = [e for e in self._stage.codepipeline.executions if e.service is service]

    def advance(self, service: Service) -> None:
        """Let the deployment of a service go one step further."""
        record = self._account.emulated_service(service)
        primary = record.deployments[0]
        if primary["rolloutState"] != "IN_PROGRESS":
            return
        desired = service.ecs["desiredCount"]
        unhealthy = self._stage.step == FAILED_SMOKE_TEST
        if unhealthy and len(record.deployments) > 1 and primary["id"].endswith("2"):
            self._break(service, record, desired)
        elif primary["runningCount"] < desired:
            primary |= {"runningCount": desired, "pendingCount": 0}
            self._records[service.base]["targetServiceRevision"]["runningTaskCount"] = desired
            self._timeline.note("ECS", f"{desired} of {desired} new tasks run")
        else:
            primary |= {"rolloutState": "COMPLETED", "rolloutStateReason": f"ECS deployment {primary['id']} completed."}
            record.deployments[:] = [primary]
            rolled_back = self._records[service.base]["status"] == "ROLLBACK_IN_PROGRESS"
            self._records[service.base]["status"] = "ROLLBACK_SUCCESSFUL" if rolled_back else "SUCCESSFUL"
            self._timeline.note("ECS", f"stops the tasks before; {short(primary['taskDefinition'])} runs alone")

    def _break(self, service: Service, record: Any, desired: int) -> None:
        """The circuit breaker."""
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
        seen = self._records[service.base]
        seen |= {
            "status": "ROLLBACK_IN_PROGRESS" if breaker.get("rollback") else "STOPPED",
            "statusReason": "Service deployment circuit breaker: tasks failed to start.",
            "deploymentCircuitBreaker": {"status": "TRIGGERED", "failureCount": 3, "threshold": 3},
        }
        if not breaker.get("rollback"):
            return
        old = before["taskDefinition"]
        record.task_definition = old
        record.deployments[:] = [_deployment(3, old, desired, running=desired), {**failed, "status": "ACTIVE"}]
        self._timeline.note("ECS", f"circuit breaker: rolls back to {short(old)}", trouble=True)

    def settle(self, service: Service) -> None:
        """Let the deployment of the service come to its end, or to where nothing moves any more."""
        record = self._account.emulated_service(service)
        while record.deployments and record.deployments[0]["rolloutState"] == "IN_PROGRESS":
            self._timeline.wait(POLL_SECONDS)
            before = dict(record.deployments[0])
            self.advance(service)
            if record.deployments[0] == before:
                return

    def finish(self, service: Service) -> None:
        """The late job comes."""
        if self._stage.step == LATE_JOB:
            for execution in self._earlier:
                self._stage.codepipeline.repeat_first_jobs(execution)
            self.settle(service)

    def live(self, service: Service) -> str:
        """What ECS's primary deployment runs."""
        return short(str(self._primary(service)["taskDefinition"]))

    def _primary(self, service: Service) -> Mapping[str, Any]:
        (primary,) = [d for d in self._account.emulated_service(service).deployments if d["status"] == "PRIMARY"]
        return dict(primary)

    def unfinished(self, service: Service) -> Iterator[str]:
        """A deployment that has not ended."""
        state = self._primary(service)["rolloutState"]
        if state != "COMPLETED":
            yield f"a rollout that is {state}"

    def notices(self, service: Service) -> list[str]:
        """Only the pipeline notifies people of a rolling deployment."""
        return ["release failed at Deploy/Deploy" if self._stage.step == FAILED_SMOKE_TEST else "deployed"]

    def findings(self, service: Service) -> Iterator[Finding]:
        """None of its own."""
        yield from ()


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


STRATEGY: Final = Rolling()
