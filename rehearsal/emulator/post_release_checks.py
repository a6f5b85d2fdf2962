"""How a service stands before a release and after it, and whether that is what must be."""

from __future__ import annotations

import http.client
import io
import json
import ssl
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from contract import files

from .ecs import short
from .steps import ALARM, BAD_IMAGE, FAILED_SMOKE_TEST, LATE_JOB, LOST_EVENT, REJECTED_APPROVAL, STOP

if TYPE_CHECKING:
    from .codepipeline import Execution
    from .declared import Service
    from .release import Stage

_ENDED: Final = frozenset({"Succeeded", "Failed", "Stopped"})
_OK: Final = 200


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that must be so at the end, whether it is, and what was found."""

    service: str
    what: str
    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """How a service stands before its release."""

    live: str
    """The revision that serves."""
    suspended: dict[str, bool]
    revisions: int
    parameters: frozenset[str]
    posted: int
    """Messages that were posted so far."""
    faults: int
    """Functions that failed by themselves so far."""


def service_state(stage: Stage, service: Service) -> ServiceState:
    """How the service stands now."""
    return ServiceState(
        live=live(stage, service),
        suspended=stage.account.suspended(service),
        revisions=_revisions(stage, service),
        parameters=_parameters(stage),
        posted=len(stage.network.posted),
        faults=len(stage.lambdas.faults),
    )


def live(stage: Stage, service: Service) -> str:
    """The revision that serves: what the production listener answers, or what ECS runs."""
    if service.group is None:
        deployments = stage.account.emulated_service(service).deployments
        (primary,) = [d for d in deployments if d["status"] == "PRIMARY"]
        return short(str(primary["taskDefinition"]))
    pair = service.group["loadBalancerInfo"]["targetGroupPairInfo"]
    arn = pair["prodTrafficRoute"]["listenerArns"][0]
    return ", ".join(sorted({_get(stage, arn) for _ in range(3)}))


def _get(stage: Stage, arn: str) -> str:
    """Ask a listener by its declared address."""
    host, port, name = stage.addresses[arn]
    if name is None:
        connection = http.client.HTTPConnection(host, port, timeout=5)
    else:
        context = ssl.create_default_context(cafile=str(stage.lambdas.trusted))
        context.check_hostname = False  # the load balancer's own name is never the certificate's
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read().decode().strip()
        return body if response.status == _OK else f"{response.status} of {body}"
    finally:
        connection.close()


def flags(suspended: Mapping[str, bool]) -> str:
    """A scalable target's suspended state in words."""
    held = [name for name, value in suspended.items() if value]
    return f"suspended: {', '.join(held)}" if held else "nothing is suspended"


def checks(stage: Stage, service: Service, before: ServiceState) -> Iterator[Check]:
    """Everything that must be so once the release of the service is over."""

    def check(what: str, ok: bool, found: str) -> Check:
        return Check(service=service.name, what=what, ok=ok, found=found)

    execution = next((e for e in reversed(stage.codepipeline.executions) if e.service is service), None)
    if execution is None:
        yield check("the hand-off starts the pipeline", ok=False, found="nothing started")
        return
    step = REJECTED_APPROVAL if service.name in stage.rejected else stage.step
    back = step not in {None, LOST_EVENT, LATE_JOB}
    state = "Failed" if back else "Succeeded"
    said = f"{execution.state}{f' at {execution.failed_at}' if execution.failed_at else ''}"
    yield check(f"the pipeline has {state.lower()}", execution.state == state, said)
    now = live(stage, service)
    if back:
        yield check("the version before is live", now == before.live, now)
    else:
        yield check("the new version is live, by digest", *_released(stage, execution, now))
    suspended = stage.account.suspended(service)
    yield check("auto scaling is as it was before", suspended == before.suspended, flags(suspended))
    if service.name in stage.held:
        held = stage.held[service.name]
        yield check("auto scaling was suspended while traffic shifted", held, "suspended" if held else "it was not")
    left = list(_left(stage, service, execution, before))
    yield check("nothing is left half done", not left, "; ".join(left) or "nothing")
    yield check("people are told", *_told(stage, service, step, before))
    faults = stage.lambdas.faults[before.faults :]
    yield check("no function failed by itself", not faults, "; ".join(faults) or "none did")
    if step == LOST_EVENT:
        entries = [e for e in stage.timeline.entries if e.service == service.name and e.stage == "Scaling guard"]
        restored = stage.forgotten[service.name] and "restore" in entries[-1].text
        yield check("the sweep restored what the lost event left suspended", restored, entries[-1].text)


def _released(stage: Stage, execution: Execution, now: str) -> tuple[bool, str]:
    """Whether what runs is what the gate pinned."""
    if "Release" not in execution.artifacts or not _stored(stage, execution):
        return False, f"{now}: the gate released nothing"
    bucket, key = execution.artifacts["Release"]
    data = stage.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pinned = {entry["name"]: entry["imageUri"] for entry in json.loads(archive.read(files.IMAGE_DEFINITIONS))}
    running = stage.account.task_definition(now)["containerDefinitions"]
    runs = {container["name"]: container["image"] for container in running}
    words = ", ".join(f"{name}@{image.partition('@')[2][:14]}…" for name, image in runs.items())
    return pinned.items() <= runs.items(), f"{now}: {words}"


def _stored(stage: Stage, execution: Execution) -> bool:
    bucket, key = execution.artifacts["Release"]
    return "Contents" in stage.account.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)


def _revisions(stage: Stage, service: Service) -> int:
    found = stage.account.client("ecs").list_task_definitions(familyPrefix=service.base)
    return len(found["taskDefinitionArns"])


def _parameters(stage: Stage) -> frozenset[str]:
    found: list[dict[str, Any]] = stage.account.client("ssm").describe_parameters()["Parameters"]
    return frozenset(parameter["Name"] for parameter in found)


def _left(stage: Stage, service: Service, execution: Execution, before: ServiceState) -> Iterator[str]:
    """What the release left behind and should not have."""
    record = stage.account.emulated_service(service)
    if service.blue_green:
        sets = [short(t.task_definition) for t in record.task_sets]
        if len(sets) != 1:
            yield f"task sets of {', '.join(sets)}"
        yield from (f"deployment {d.id}" for d in stage.codedeploy.deployments.values() if d.status not in _ENDED)
    else:
        states = [d["rolloutState"] for d in record.deployments if d["status"] == "PRIMARY"]
        if states != ["COMPLETED"]:
            yield f"a rollout that is {', '.join(states)}"
    yield from (f"the parameter {name}" for name in sorted(_parameters(stage) - before.parameters))
    if execution.failed_at.startswith("Verify") and _stored(stage, execution):
        yield "a Release artifact of a refused release"
    if not execution.failed_at.startswith("Deploy") and execution.failed_at:
        more = _revisions(stage, service) - before.revisions
        if more:
            yield f"{more} revisions of a release that never got to its deployment"


def _told(stage: Stage, service: Service, step: str | None, before: ServiceState) -> tuple[bool, str]:
    """Whether every declared channel got every message that this release owes, with the channel's own token."""
    if not stage.channels:
        return True, "the stack names no channel"
    posted = stage.network.posted[before.posted :]
    missing = []
    for kind, room, token in stage.channels:
        own = [p.text for p in posted if (p.kind, p.room, p.token) == (kind, room, token)]
        missing += [f"{kind} {room}: {t}" for t in _owed(service, step) if not any(t in text for text in own)]
    count = f"{len(posted)} messages to {len(stage.channels)} channels"
    return not missing, count if not missing else f"{count}; missing are {', '.join(missing)}"


def _owed(service: Service, step: str | None) -> list[str]:
    """Parts of the titles of the messages that people must get."""
    approval = ["waiting for approval"] if service.pipeline.approves() else []
    rollback = ["rolling back", "rolled back"] if service.blue_green else []
    failed = "release failed at Deploy/Deploy"
    owed = {
        None: [*approval, "deployed"],
        LOST_EVENT: [*approval, "deployed"],
        LATE_JOB: [*approval, "deployed"],
        BAD_IMAGE: ["release failed at Verify/Gate"],
        REJECTED_APPROVAL: [*approval, "approval rejected"],
        FAILED_SMOKE_TEST: [*approval, *(["deployment failed"] if rollback else []), *rollback, failed],
        ALARM: [*approval, "deployment stopped", *rollback, failed],
        STOP: [*approval, "deployment stopped", *rollback, failed],
    }
    return ["release started", *owed[step]]
