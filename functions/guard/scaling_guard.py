"""Suspends auto scaling from a deployment's start, and restores its earlier state at the end.

Scaling during a CodeDeploy blue/green deployment can make the deployment fail (ECS developer guide, "Service auto
scaling and blue/green deployments"), so the three flags of the service's scalable target are suspended meanwhile.

An event is only the reason to look. What is done follows from what is read each time: the target's flags, the record
of what is to stand afterwards, and what CodeDeploy says is running. So an event that comes twice, late, out of order
or never changes nothing in the outcome; the scheduled sweep looks without an event.

While a deployment shifts, suspended is the safe state, and the guard restores it at every look, whoever changed it:
RegisterScalableTarget does not say who called it, and an update of the stack that changes a capacity sends the flags
too (hashicorp/terraform-provider-aws, `aws_appautoscaling_target`). What somebody resumed meanwhile stays resumed
afterwards. Who wants a service to scale in the middle of a deployment says so by that deployment's id in the parameter
`letItScale`; it holds for no other deployment, so nobody has to take it back.

The record lies in an SSM parameter per service. Its name, and so the permission, is exact and known at preview, which
a tag on the target is not (AWS makes up the target's ARN, and Pulumi manages its tags); it is written only if absent,
so the first of two invocations wins; and it outlives every invocation. No record means: nothing is suspended by us.
A target that is fully suspended with neither record nor deployment scales no more, and nothing here may decide that it
should: every sweep counts these in the metric `ecs-release` / `SuspendedWithoutDeployment`, by `Environment`, which
CloudWatch reads from the log (CloudWatch user guide, "Embedded metric format"), and logs their names.

AWS calls, and on what:

| call | resource |
| --- | --- |
| application-autoscaling:DescribeScalableTargets | `*`: it takes no resource (Service Authorization Reference, Application Auto Scaling) |
| application-autoscaling:RegisterScalableTarget | `arn:aws:application-autoscaling:REGION:ACCOUNT:scalable-target/*` (AWS makes up the id), with the conditions `application-autoscaling:service-namespace` = ecs and `application-autoscaling:scalable-dimension` = ecs:service:DesiredCount |
| ecs:DescribeServices, UpdateService | `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE` of each service: Application Auto Scaling tries both with the caller's rights before it registers a target (its user guide, "Permissions validation for API calls on target resources"); the guard calls neither |
| codedeploy:ListDeployments, GetDeployment | `arn:aws:codedeploy:REGION:ACCOUNT:deploymentgroup:APPLICATION/GROUP` of each service |
| ssm:GetParameter, PutParameter, DeleteParameter | `arn:aws:ssm:REGION:ACCOUNT:parameter` + the parameter's name, of each service |
| ssm:GetParameter | the same with the name of `letItScale`, which people write and the guard only reads |

RegisterScalableTarget without capacities changes the flags alone (API reference); it is never sent for a target that
does not exist.

Environment variable `GUARDED_SERVICES`, JSON; `{service}` stands for each service in turn, which keeps a hundred
services under Lambda's 4 KB:

    {"services": ["api"], "application": "prod-{service}", "group": "prod-{service}",
     "resourceId": "service/prod/prod-{service}", "parameter": "/ecs-release/prod/{service}/scaling-guard",
     "letItScale": "/ecs-release/prod/{service}/let-it-scale"}

`ENVIRONMENT` is the metric's dimension.

Events: EventBridge's "CodeDeploy Deployment State-change Notification" (any state) and "Scheduled Event" (the sweep).
Give the function a reserved concurrency of one where the account's quota allows it: invocations then never meet. Where
they do, each finishes what it began (see `Guard.settle`).

A fault of AWS is raised, so that Lambda tries the event again and the function's error alarm sees it.
"""  # noqa: E501

from __future__ import annotations

import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from contract import variables
from functions.shared import aws, errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_application_autoscaling.type_defs import SuspendedStateTypeDef

    from functions.shared.deadline import Context

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
#: The metric of services that stay fully suspended though nothing is deployed.
NAMESPACE: Final = "ecs-release"
METRIC: Final = "SuspendedWithoutDeployment"
_TEMPLATES: Final = ("application", "group", "resourceId", "parameter", "letItScale")
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

    def state(self) -> SuspendedStateTypeDef:
        """Write the API's SuspendedState."""
        return {
            "DynamicScalingInSuspended": self.scale_in,
            "DynamicScalingOutSuspended": self.scale_out,
            "ScheduledScalingSuspended": self.scheduled,
        }


ALL_SUSPENDED: Final = Flags(scale_in=True, scale_out=True, scheduled=True)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is to stand after the deployment, and whether the suspension has been seen in place since."""

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
    let_it_scale: str


class Step(Enum):
    """The next thing to do for a service; after it, everything is read again."""

    NOTHING = "nothing"
    REMEMBER = "remember"
    ADOPT = "adopt"
    SUSPEND = "suspend"
    CONFIRM = "confirm"
    RESTORE = "restore"
    FORGET = "forget"


def decide(flags: Flags, record: Record | None, *, deploying: bool) -> Step:
    """Choose the next step.

    Once the suspension was seen in place (`applied`), a target that is no longer suspended was resumed by somebody
    else: that is adopted as what is to stand afterwards, and suspended again until then.
    """
    if record is None:
        return Step.REMEMBER if deploying else Step.NOTHING
    if not deploying:
        return Step.FORGET if flags == restored(flags, record.before) else Step.RESTORE
    if flags == ALL_SUSPENDED:
        return Step.NOTHING if record.applied else Step.CONFIRM
    if record.applied and restored(flags, record.before) != record.before:
        return Step.ADOPT
    return Step.SUSPEND


def restored(flags: Flags, before: Flags) -> Flags:
    """What the flags are to be at the end: suspended only what is suspended now and was before.

    Suspended by a person before: stays. Resumed by a person during the deployment: stays resumed.
    """
    return Flags(
        scale_in=flags.scale_in and before.scale_in,
        scale_out=flags.scale_out and before.scale_out,
        scheduled=flags.scheduled and before.scheduled,
    )


def _lost(flags: Flags, record: Record | None, known: Record) -> bool:
    """Whether what is to stand afterwards is recorded no more, or as the suspension itself."""
    if record is None:
        return flags == ALL_SUSPENDED != known.before
    return restored(record.before, known.before) != record.before


def configured(text: str) -> list[Guarded]:
    """Read `GUARDED_SERVICES`.

    Raises:
        ValueError: naming the key that is missing or wrong.
    """
    try:
        document = json.loads(text)
        services = [str(service) for service in document["services"]]
        templates = {key: str(document[key]) for key in _TEMPLATES}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        sentence = f"GUARDED_SERVICES must be JSON with services, {', '.join(_TEMPLATES)} ({error!r})."
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
            let_it_scale=templates["letItScale"].replace("{service}", service),
        )
        for service in services
    ]


def handler(event: Mapping[str, Any], _context: Context) -> dict[str, list[str]]:
    """Look after the service of a deployment event, or after all of them; returns the steps taken by service.

    Raises:
        ValueError: an event of another kind, or a wrong `GUARDED_SERVICES`.
        RuntimeError: one sentence per service that AWS would not let look after; the others are done.
    """
    guarded = configured(os.environ.get(variables.GUARDED_SERVICES, ""))
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
    if kind == SWEEP_EVENT:
        tell_of(sorted(guard.left_suspended))
    if faults:
        raise RuntimeError(" ".join(faults))
    return taken


def tell_of(services: list[str]) -> None:
    """Count the services that stay suspended for no known reason; zero is reported too.

    A line of standard output is an event of the log as it stands, which is what CloudWatch reads metrics from.
    """
    metric = {"Name": METRIC, "Unit": "Count"}
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Environment"]], "Metrics": [metric]}
    record = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "Environment": os.environ.get(variables.ENVIRONMENT, ""),
        METRIC: len(services),
        "services": services,
    }
    print(json.dumps(record), flush=True)  # noqa: T201


class Guard:
    """The half that asks and tells AWS."""

    def __init__(self) -> None:
        self._scaling = aws.client("application-autoscaling")
        self._deploy = aws.client("codedeploy")
        self._store = aws.client("ssm")
        self.left_suspended: set[str] = set()

    def settle(self, one: Guarded, *, started: str = "", ended: str = "") -> list[str]:
        """Take steps until there is nothing to do, reading everything anew each time; returns the steps.

        The order of reading matters where two invocations meet: the flags that are remembered are read before and
        after the record is found missing, and the deployment is asked for last, so that another invocation's
        suspension is not taken for what stood before. A record that this invocation deleted it still knows: when the
        next deployment was suspended in between, what that was to restore is put back.
        """
        taken: list[str] = []
        known: Record | None = None
        for _ in range(_ROUNDS):
            flags = self._flags(one)
            if flags is None:
                return taken
            record = self._record(one)
            deploying = self._deploying(one, started=started, ended=ended)
            if known and _lost(flags, record, known):
                self._write(one, known, overwrite=record is not None)
                continue
            step = decide(flags, record, deploying=deploying)
            if step is Step.NOTHING:
                if record is None and flags == ALL_SUSPENDED:
                    self.left_suspended.add(one.service)
                return taken
            if self._take(step, one, flags, record):
                taken.append(step.value)
            if record is not None:
                known = Record(before=record.before, applied=False)
        return taken

    def _take(self, step: Step, one: Guarded, flags: Flags, record: Record | None) -> bool:
        before = record.before if record else flags
        if step is Step.REMEMBER:
            if self._flags(one) != flags:
                return False
            self._write(one, Record(before=flags, applied=False), overwrite=False)
        elif step is Step.ADOPT:
            self._write(one, Record(before=restored(flags, before), applied=False), overwrite=True)
        elif step is Step.CONFIRM:
            self._write(one, Record(before=before, applied=True), overwrite=True)
        elif step is Step.SUSPEND:
            self._set(one, ALL_SUSPENDED)
        elif step is Step.RESTORE:
            self._set(one, restored(flags, before))
        elif step is Step.FORGET:
            self._forget(one)
        return True

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
        """Whether a deployment runs that nobody lets scale; the event's end is believed, all else is asked by its id.

        A list may lag behind an event, in both directions, and a START may come after its own end.
        """
        pages = self._deploy.get_paginator("list_deployments").paginate(
            applicationName=one.application,
            deploymentGroupName=one.group,
            includeOnlyStatuses=list(RUNNING),
        )
        listed = {str(found) for page in pages for found in page.get("deployments", [])}
        running = {name for name in (listed | {started}) - {"", ended} if self._status(name) in RUNNING}
        return bool(running) and not running <= {self._let_it_scale(one)}

    def _status(self, deployment: str) -> str:
        said = self._deploy.get_deployment(deploymentId=deployment)
        return str(said.get("deploymentInfo", {}).get("status"))

    def _let_it_scale(self, one: Guarded) -> str:
        """The deployment that a person lets the service scale in; empty for none."""
        try:
            return str(self._store.get_parameter(Name=one.let_it_scale)["Parameter"]["Value"]).strip()
        except self._store.exceptions.ParameterNotFound:
            return ""

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
                Description=f"Scaling state of {one.resource_id} before a deployment; the scaling guard deletes it",
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
