"""A rolling deployment as Amazon ECS records it: its service deployment, and what that means for the pipeline.

Sources: ECS API reference, ServiceDeployment and UpdateService; ECS developer guide, "View service history using Amazon
ECS service deployments" (states) and "How the Amazon ECS deployment circuit breaker detects failures". A rollback, by
the circuit breaker, an alarm or a person, is a state of the deployment that failed, not a deployment of its own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from functions.deploy.revisions import short
from functions.shared.codepipeline_job import Answer, Failure, Success, Wait
from functions.shared.errors import CONFIGURATION, HANDOFF, Refusal, cut
from functions.shared.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_ecs import ECSClient

#: Seconds in which ECS may not show yet what UpdateService began.
SETTLING: Final = 60.0
#: Seconds by which our clock and Amazon ECS's may differ.
CLOCKS: Final = 5.0
#: Characters of one text of AWS's (a reason, an event) inside a sentence.
QUOTE_CAP: Final = 500
#: The most service revisions that one call describes (ECS API reference, DescribeServiceRevisions).
_REVISIONS: Final = 20
_ROLLING_BACK: Final = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
_GAVE_UP: Final = "FAILED"
#: What the failure's sentence says of each state in which a deployment ends; the last one is no state of ECS's.
_ENDED: Final = {
    "ROLLBACK_SUCCESSFUL": "rolled back",
    "ROLLBACK_FAILED": "could not roll back",
    "STOPPED": "stopped",
    _GAVE_UP: "gave up, and did not roll back,",
}
_REVISION = re.compile(r"arn:aws:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]+:[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Token:
    """What one job tells the next.

    Args:
        task_definition: ARN of the revision that is rolled out.
        since: when at the earliest its deployment began, in epoch seconds.
        deadline: when it must be done, in epoch seconds.
        deployment: ARN of its service deployment, once that is known.
    """

    task_definition: str
    since: float
    deadline: float
    deployment: str | None = None

    def dump(self) -> dict[str, Any]:
        """The token as a document."""
        return {
            "taskDefinition": self.task_definition,
            "since": self.since,
            "deadline": self.deadline,
            "deployment": self.deployment,
        }

    @classmethod
    def parse(cls, read: Mapping[str, Any]) -> Self:
        """Read what an earlier job wrote.

        Raises:
            Refusal: of kind ConfigurationError when no job of this function wrote it.
        """
        match [read.get(key) for key in ("taskDefinition", "since", "deadline", "deployment")]:
            case [str() as arn, int() | float() as since, int() | float() as end, (str() | None) as deployment] if (
                _REVISION.fullmatch(arn)
            ):
                return cls(task_definition=arn, since=float(since), deadline=float(end), deployment=deployment)
        raise Refusal(
            f"The job's continuation token is {shown(read)}, which this function did not write; retry the stage.",
            CONFIGURATION,
        )


def update(service: Mapping[str, Any], task_definition: str) -> dict[str, Any] | None:
    """UpdateService's parameters; None when this revision is already deploying or deployed.

    A deployment that failed is begun again only by force, since the task definition does not change then.

    Args:
        service: one of DescribeServices' services.
        task_definition: the revision's ARN.
    """
    primary = _primary(service)
    if primary.get("taskDefinition") != task_definition:
        return {"taskDefinition": task_definition}
    if primary.get("rolloutState") == "FAILED":
        return {"taskDefinition": task_definition, "forceNewDeployment": True}
    return None


def began(service: Mapping[str, Any], now: float) -> float:
    """When, at the earliest, the deployment began that is already going on or done, in epoch seconds."""
    return min(now, _created(_primary(service))) - SETTLING


def record(ecs: ECSClient, cluster: str, service: str, token: Token) -> Mapping[str, Any] | None:
    """The newest service deployment of the token's revision; None while ECS lists none."""
    arn = token.deployment or _listed(ecs, cluster, service, token)
    if arn is None:
        return None
    found = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    return found[0] if found else None


def _listed(ecs: ECSClient, cluster: str, service: str, token: Token) -> str | None:
    since = datetime.fromtimestamp(token.since, tz=UTC)
    said = ecs.list_service_deployments(cluster=cluster, service=service, createdAt={"after": since})
    newest = sorted(said["serviceDeployments"], key=_created, reverse=True)[:_REVISIONS]
    if not newest:
        return None
    targets = [str(one["targetServiceRevisionArn"]) for one in newest]
    described = ecs.describe_service_revisions(serviceRevisionArns=targets)["serviceRevisions"]
    ours = {one["serviceRevisionArn"] for one in described if one.get("taskDefinition") == token.task_definition}
    return next((str(one["serviceDeploymentArn"]) for one in newest if one["targetServiceRevisionArn"] in ours), None)


def judge(
    service: Mapping[str, Any], deployment: Mapping[str, Any] | None, token: Token, now: float, minutes: float
) -> Answer:
    """The answer to CodePipeline for the deployment's present state.

    A rollback is waited for, so that the next release does not meet it.

    Args:
        service: one of DescribeServices' services.
        deployment: ECS's record of the deployment, if it has one.
        token: what is rolled out.
        now: epoch seconds.
        minutes: how long the deployment may take.
    """
    if deployment is None:
        return _unrecorded(service, token, now)
    token = replace(token, deployment=str(deployment["serviceDeploymentArn"]))
    name, revision, status = service.get("serviceName"), short(token.task_definition), deployment.get("status")
    if status == "SUCCESSFUL":
        return _success(token, str(token.deployment).rpartition("/")[2])
    tasks, what = _tasks(deployment), f"the deployment of {revision} to service {name}"
    event = _latest_event(service, token.since)
    if status not in _ROLLING_BACK and _gave_up(service, token):
        status = _GAVE_UP
    if status in _ENDED:
        return _failed(
            f"ECS {_ENDED[str(status)]} {what}{_reasons(deployment)}{event}; the service runs {_running(service)}: "
            "look at the stopped tasks, correct the release and release again."
        )
    if now >= token.deadline:
        return _failed(
            f"ECS is not done with {what} after {minutes:g} minutes ({tasks}){event}; it goes on: look at it there, "
            "then retry the stage or release again."
        )
    doing = "Rolling back" if status in _ROLLING_BACK else "Deploying"
    return Wait(token=token.dump(), summary=f"{doing} {revision} to service {name}: {tasks}.")


def _unrecorded(service: Mapping[str, Any], token: Token, now: float) -> Answer:
    """ECS keeps its records for 90 days, and may not list one yet right after UpdateService."""
    primary, revision = _primary(service), short(token.task_definition)
    ours = primary.get("taskDefinition") == token.task_definition
    if ours and primary.get("rolloutState") == "COMPLETED":
        return _success(token, str(primary.get("id")))
    if now < token.deadline and (ours or now < token.since + SETTLING) and primary.get("rolloutState") != "FAILED":
        return Wait(token=token.dump(), summary=f"Deploying {revision} to service {service.get('serviceName')}.")
    return _failed(
        f"ECS has no record of a deployment of {revision} to service {service.get('serviceName')}, which runs "
        f"{_running(service)}{_latest_event(service, token.since)}; retry the stage."
    )


def _success(token: Token, deployment: str) -> Success:
    return Success(
        summary=f"{short(token.task_definition)} is deployed.",
        variables={"taskDefinition": token.task_definition, "deploymentId": deployment},
        execution_id=deployment,
    )


def _failed(sentence: str) -> Failure:
    return Failure(sentence=sentence, kind=HANDOFF)


def _primary(service: Mapping[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in service.get("deployments") or [] if one.get("status") == "PRIMARY"]
    return found[0] if found else {}


def _running(service: Mapping[str, Any]) -> str:
    return short(str(_primary(service).get("taskDefinition") or "nothing"))


def _gave_up(service: Mapping[str, Any], token: Token) -> bool:
    """Whether the circuit breaker, set not to roll back, ended the deployment."""
    primary = _primary(service)
    ours = primary.get("taskDefinition") == token.task_definition and _created(primary) >= token.since
    return ours and primary.get("rolloutState") == "FAILED"


def _tasks(deployment: Mapping[str, Any]) -> str:
    target = deployment.get("targetServiceRevision") or {}
    text = f"{target.get('runningTaskCount', 0)} of {target.get('requestedTaskCount', 0)} tasks running"
    failed = (deployment.get("deploymentCircuitBreaker") or {}).get("failureCount")
    return f"{text}, {failed} failed" if failed else text


def _reasons(deployment: Mapping[str, Any]) -> str:
    """Why it ended, in brackets: ECS's own words, the tasks that failed, the alarms that were raised."""

    def each() -> Iterator[str]:
        yield _quoted((deployment.get("rollback") or {}).get("reason")) or _quoted(deployment.get("statusReason"))
        if failed := (deployment.get("deploymentCircuitBreaker") or {}).get("failureCount"):
            yield f"failed tasks: {failed}"
        if alarms := (deployment.get("alarms") or {}).get("triggeredAlarmNames"):
            yield f"alarms: {', '.join(map(str, alarms))}"

    reasons = "; ".join(filter(None, each()))
    return f" ({reasons})" if reasons else ""


def _latest_event(service: Mapping[str, Any], since: float) -> str:
    """The newest service event since the deployment began, as part of a sentence; a steady state is no news.

    DescribeServices gives the newest first.
    """
    for event in service.get("events") or []:
        if _created(event) < since:
            break
        text = _quoted(event.get("message"))
        if text and "has reached a steady state" not in text:
            return f", latest event: {text}"
    return ""


def _created(thing: Mapping[str, Any]) -> float:
    """When AWS made `thing`, in epoch seconds; infinity when it does not say."""
    created = thing.get("createdAt")
    return created.timestamp() if isinstance(created, datetime) else math.inf


def _quoted(text: Any) -> str:
    return cut(" ".join(str(text or "").split()).rstrip("."), QUOTE_CAP)
