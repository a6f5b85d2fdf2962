"""Auto scaling while traffic shifts: suspended from a deployment's start, restored to what stood before at its end.

Scaling during a CodeDeploy blue/green deployment can make the deployment fail (ECS developer guide, "Service auto
scaling and blue/green deployments"), so the three flags of the service's scalable target are suspended meanwhile.

An event is only the reason to look. What is done follows from three things that are read each time: the target's
flags, the record of what stood before, and what CodeDeploy says is running. So an event that comes twice, late,
out of order or never changes nothing in the outcome; the scheduled sweep looks without an event.

The record lies in an SSM parameter per service. Its name, and so the permission, is exact and known at preview, which
a tag on the target is not (AWS makes up the target's ARN, and Pulumi manages its tags); it is written only if absent,
so the first of two invocations wins; and it outlives every invocation. No record means: nothing is suspended by us.

AWS calls, and on what:

| call | resource |
| --- | --- |
| application-autoscaling:DescribeScalableTargets | `*`: it takes no resource (Service Authorization Reference, Application Auto Scaling) |
| application-autoscaling:RegisterScalableTarget | `arn:aws:application-autoscaling:REGION:ACCOUNT:scalable-target/*` (AWS makes up the id), with the conditions `application-autoscaling:service-namespace` = ecs and `application-autoscaling:scalable-dimension` = ecs:service:DesiredCount |
| codedeploy:ListDeployments, GetDeployment | `arn:aws:codedeploy:REGION:ACCOUNT:deploymentgroup:APPLICATION/GROUP` of each service |
| ssm:GetParameter, PutParameter, DeleteParameter | `arn:aws:ssm:REGION:ACCOUNT:parameter` + the parameter's name, of each service |

RegisterScalableTarget without capacities changes the flags alone (API reference); it is never sent for a target that
does not exist.

Environment variable `GUARDED_SERVICES`, JSON; `{service}` stands for each service in turn, which keeps a hundred
services under Lambda's 4 KB:

    {"services": ["api"], "application": "prod-{service}", "group": "prod-{service}",
     "resourceId": "service/prod/prod-{service}", "parameter": "/ecs-release/prod/{service}/scaling-guard"}

Events: EventBridge's "CodeDeploy Deployment State-change Notification" (any state) and "Scheduled Event" (the sweep).
Give the function a reserved concurrency of one where the account's quota allows it: invocations then never meet. Where
they do, each finishes what it began (see `Guard.settle`).

A fault of AWS is raised, so that Lambda tries the event again and the function's error alarm sees it.
"""  # noqa: E501

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from functions import aws, errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws import Client
    from functions.deadline import Context

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

DEPLOYMENT_EVENT: Final = "CodeDeploy Deployment State-change Notification"
SWEEP_EVENT: Final = "Scheduled Event"
#: CodeDeploy API reference, DeploymentInfo.status: everything that is not an end.
RUNNING: Final = ("Created", "Queued", "InProgress", "Baking", "Ready")
#: States of the event that are ends; a deployment never leaves them.
ENDED: Final = frozenset({"SUCCESS", "FAILURE", "STOP"})
#: Services that a sweep looks after side by side: a hundred take seconds, within CodeDeploy's request rate.
AT_ONCE: Final = 8
_DIMENSION: Final = "ecs:service:DesiredCount"
#: More steps than the longest way from any state to rest (remember, suspend, confirm, restore, suspend, confirm).
_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The target's SuspendedState."""

    scale_in: bool
    scale_out: bool
    scheduled: bool

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Flags:
        """Read the API's SuspendedState; a flag that is not given is not suspended."""
        return cls(
            scale_in=bool(state.get("DynamicScalingInSuspended")),
            scale_out=bool(state.get("DynamicScalingOutSuspended")),
            scheduled=bool(state.get("ScheduledScalingSuspended")),
        )

    def state(self) -> dict[str, bool]:
        """Write the API's SuspendedState."""
        return {
            "DynamicScalingInSuspended": self.scale_in,
            "DynamicScalingOutSuspended": self.scale_out,
            "ScheduledScalingSuspended": self.scheduled,
        }


ALL_SUSPENDED: Final = Flags(scale_in=True, scale_out=True, scheduled=True)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What stood before, and whether the suspension has been seen in place since."""

    before: Flags
    applied: bool


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """One service's names."""

    service: str
    application: str
    group: str
    resource_id: str
    parameter: str


class Step(Enum):
    """The next thing to do for a service; after it, everything is read again."""

    NOTHING = "nothing"
    REMEMBER = "remember"
    SUSPEND = "suspend"
    CONFIRM = "confirm"
    RESTORE = "restore"
    FORGET = "forget"


def decide(flags: Flags, record: Record | None, *, deploying: bool) -> Step:
    """Choose the next step.

    Once the suspension was seen in place (`applied`), a target that is no longer suspended was resumed by a
    person, and is left alone until the deployment ends.
    """
    if record is None:
        return Step.REMEMBER if deploying else Step.NOTHING
    if not deploying:
        return Step.FORGET if flags == restored(flags, record.before) else Step.RESTORE
    if record.applied:
        return Step.NOTHING
    return Step.CONFIRM if flags == ALL_SUSPENDED else Step.SUSPEND


def restored(flags: Flags, before: Flags) -> Flags:
    """What the flags are to be at the end: suspended only what is suspended now and was before.

    Suspended by a person before: stays. Resumed by a person during the deployment: stays resumed.
    """
    return Flags(
        scale_in=flags.scale_in and before.scale_in,
        scale_out=flags.scale_out and before.scale_out,
        scheduled=flags.scheduled and before.scheduled,
    )


def configured(text: str) -> list[Guarded]:
    """Read `GUARDED_SERVICES`.

    Raises:
        ValueError: naming the key that is missing or wrong.
    """
    try:
        document = json.loads(text)
        services = [str(service) for service in document["services"]]
        templates = {key: str(document[key]) for key in ("application", "group", "resourceId", "parameter")}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        sentence = (
            f"GUARDED_SERVICES must be JSON with services, application, group, resourceId and parameter ({error!r})."
        )
        raise ValueError(sentence) from None
    for key, template in templates.items():
        if len(services) > 1 and "{service}" not in template:
            sentence = f"GUARDED_SERVICES has {template!r} as {key} of {len(services)} services; put {{service}} in it."
            raise ValueError(sentence)
    return [
        Guarded(
            service=service,
            application=templates["application"].replace("{service}", service),
            group=templates["group"].replace("{service}", service),
            resource_id=templates["resourceId"].replace("{service}", service),
            parameter=templates["parameter"].replace("{service}", service),
        )
        for service in services
    ]


def handler(event: Mapping[str, Any], _context: Context) -> dict[str, list[str]]:
    """Look after the service of a deployment event, or after all of them; returns the steps taken by service.

    Raises:
        ValueError: an event of another kind, or a wrong `GUARDED_SERVICES`.
        RuntimeError: one sentence per service that AWS would not let look after; the others are done.
    """
    guarded = configured(os.environ.get("GUARDED_SERVICES", ""))
    kind = event.get("detail-type")
    started, ended = "", ""
    if kind == DEPLOYMENT_EVENT:
        detail = event.get("detail", {})
        names = (detail.get("application"), detail.get("deploymentGroup"))
        guarded = [one for one in guarded if (one.application, one.group) == names]
        if detail.get("state") in ENDED:
            ended = str(detail.get("deploymentId"))
        elif detail.get("state") == "START":
            started = str(detail.get("deploymentId"))
    elif kind != SWEEP_EVENT:
        sentence = (
            f"The scaling guard got an event of the kind {kind!r}; it knows {DEPLOYMENT_EVENT!r} and {SWEEP_EVENT!r}."
        )
        raise ValueError(sentence)
    guard = Guard()

    def settle(one: Guarded) -> list[str] | str:
        try:
            return guard.settle(one, started=started, ended=ended)
        except Exception as error:
            # One service's fault must not leave the others suspended.
            fault = errors.of_aws(error)
            if fault is None and not isinstance(error, RuntimeError):
                raise
            return f"{one.service}: {fault or error}"

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        outcomes = dict(zip([one.service for one in guarded], pool.map(settle, guarded), strict=True))
    taken = {service: steps for service, steps in outcomes.items() if isinstance(steps, list)}
    faults = [fault for fault in outcomes.values() if isinstance(fault, str)]
    log.info("%s", json.dumps({"event": kind, "taken": taken, "faults": faults}))
    if faults:
        raise RuntimeError(" ".join(faults))
    return taken


class Guard:
    """The half that asks and tells AWS."""

    def __init__(self) -> None:
        self._scaling: Client = aws.client("application-autoscaling")
        self._deploy: Client = aws.client("codedeploy")
        self._store: Client = aws.client("ssm")

    def settle(self, one: Guarded, *, started: str = "", ended: str = "") -> list[str]:
        """Take steps until there is nothing to do, reading everything anew each time; returns the steps.

        The order of reading matters where two invocations meet: flags read before a record is found missing, and
        the deployment asked for last, cannot be another invocation's suspension taken for what stood before. What
        this invocation did itself it remembers: it must not take its own restoring for a person's, and when another
        one forgot the record while this one suspended, it puts the record back.
        """
        taken: list[str] = []
        suspended_under: Record | None = None
        for _ in range(_ROUNDS):
            flags = self._flags(one)
            if flags is None:
                return taken
            record = self._record(one)
            deploying = self._deploying(one, started=started, ended=ended)
            if record is None and suspended_under is not None:
                self._write(one, suspended_under, overwrite=False)
                suspended_under = None
                continue
            if record is not None and Step.RESTORE.value in taken:
                record = replace(record, applied=False)
            step = decide(flags, record, deploying=deploying)
            if step is Step.NOTHING:
                return taken
            self._take(step, one, flags, record)
            taken.append(step.value)
            if step is Step.SUSPEND:
                suspended_under = record
            elif step in (Step.RESTORE, Step.FORGET):
                suspended_under = None
        return taken

    def _take(self, step: Step, one: Guarded, flags: Flags, record: Record | None) -> None:
        before = record.before if record else flags
        if step is Step.REMEMBER:
            self._write(one, Record(before=flags, applied=False), overwrite=False)
        elif step is Step.CONFIRM:
            self._write(one, Record(before=before, applied=True), overwrite=True)
        elif step is Step.SUSPEND:
            self._set(one, ALL_SUSPENDED)
        elif step is Step.RESTORE:
            self._set(one, restored(flags, before))
        elif step is Step.FORGET:
            self._forget(one)

    def _flags(self, one: Guarded) -> Flags | None:
        said = self._scaling.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[one.resource_id], ScalableDimension=_DIMENSION
        )
        targets = said.get("ScalableTargets", [])
        return Flags.of(targets[0].get("SuspendedState", {})) if targets else None

    def _set(self, one: Guarded, flags: Flags) -> None:
        self._scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=one.resource_id,
            ScalableDimension=_DIMENSION,
            SuspendedState=flags.state(),
        )

    def _deploying(self, one: Guarded, *, started: str, ended: str) -> bool:
        """Whether a deployment runs; the event's end is believed, its start is looked at by its id.

        A list may lag behind an event, and a START may come after its own end.
        """
        pages = self._deploy.get_paginator("list_deployments").paginate(
            applicationName=one.application,
            deploymentGroupName=one.group,
            includeOnlyStatuses=list(RUNNING),
        )
        running = {str(found) for page in pages for found in page.get("deployments", [])}
        if started and started not in running:
            said = self._deploy.get_deployment(deploymentId=started)
            if said.get("deploymentInfo", {}).get("status") in RUNNING:
                running.add(started)
        return bool(running - {ended})

    def _record(self, one: Guarded) -> Record | None:
        try:
            text = self._store.get_parameter(Name=one.parameter)["Parameter"]["Value"]
        except self._store.exceptions.ParameterNotFound:
            return None
        try:
            document = json.loads(text)
            return Record(before=Flags(**document["before"]), applied=document["applied"] is True)
        except (json.JSONDecodeError, KeyError, TypeError):
            sentence = (
                f"The parameter {one.parameter} holds {text[:80]!r}, which the guard did not write; set the suspended "
                f"state of {one.resource_id} as it should be and delete the parameter."
            )
            raise RuntimeError(sentence) from None

    def _write(self, one: Guarded, record: Record, *, overwrite: bool) -> None:
        value = json.dumps(asdict(record))
        try:
            self._store.put_parameter(
                Name=one.parameter,
                Description=f"What stood before a deployment suspended {one.resource_id}; the scaling guard deletes it",
                Value=value,
                Type="String",
                Overwrite=overwrite,
            )
        except self._store.exceptions.ParameterAlreadyExists:
            log.info("%s", json.dumps({"service": one.service, "record": "another invocation was first"}))

    def _forget(self, one: Guarded) -> None:
        try:
            self._store.delete_parameter(Name=one.parameter)
        except self._store.exceptions.ParameterNotFound:
            log.info("%s", json.dumps({"service": one.service, "record": "another invocation was first"}))
