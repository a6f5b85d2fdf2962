"""Post-release checks: compare a service's state before and after a release."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract import files
from contract.files import RELEASE_ARTIFACT

from .steps import BAD_IMAGE, REJECTED_APPROVAL, Step

if TYPE_CHECKING:
    from .declared import Service
    from .executions import Execution
    from .stage import Stage


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that must hold after a release, whether it does, and what was found."""

    service: str
    what: str
    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """A service before its release."""

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
    """The service's state now."""
    return ServiceState(
        live=stage.deployer_of(service).live(service),
        suspended=stage.account.suspended(service),
        revisions=_revisions(stage, service),
        parameters=_parameters(stage),
        posted=len(stage.network.posted),
        faults=len(stage.lambdas.faults),
    )


def flags(suspended: Mapping[str, bool]) -> str:
    """A scalable target's suspended state in words."""
    held = [name for name, value in suspended.items() if value]
    return f"suspended: {', '.join(held)}" if held else "nothing is suspended"


def checks(stage: Stage, service: Service, before: ServiceState) -> Iterator[Check]:
    """Everything that must hold once the release of the service is over."""

    def check(what: str, ok: bool, found: str) -> Check:
        return Check(service=service.name, what=what, ok=ok, found=found)

    execution = next((e for e in reversed(stage.codepipeline.executions) if e.service is service), None)
    if execution is None:
        yield check("the hand-off starts the pipeline", ok=False, found="nothing started")
        return
    step = REJECTED_APPROVAL if service.name in stage.rejected else stage.step
    fails = step is not None and not step.released
    state = "Failed" if fails else "Succeeded"
    said = f"{execution.state}{f' at {execution.failed_at}' if execution.failed_at else ''}"
    yield check(f"the pipeline has {state.lower()}", execution.state == state, said)
    deployer = stage.deployer_of(service)
    now = deployer.live(service)
    if fails:
        yield check("the previous version is live", now == before.live, now)
    else:
        yield check("the new version is live, by digest", *_released(stage, execution, now))
    suspended = stage.account.suspended(service)
    yield check("auto scaling is as it was before", suspended == before.suspended, flags(suspended))
    for what, ok, found in deployer.findings(service):
        yield check(what, ok, found)
    left = list(_left(stage, service, execution, before))
    yield check("nothing is left over", not left, "; ".join(left) or "nothing")
    yield check("people are notified", *_notified(stage, service, step, before))
    faults = stage.lambdas.faults[before.faults :]
    yield check("no function failed by itself", not faults, "; ".join(faults) or "none did")


def _released(stage: Stage, execution: Execution, now: str) -> tuple[bool, str]:
    """Whether what runs is what the gate pinned."""
    if RELEASE_ARTIFACT not in execution.artifacts or not _stored(stage, execution):
        return False, f"{now}: the gate released nothing"
    bucket, key = execution.artifacts[RELEASE_ARTIFACT]
    data = stage.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pinned = {entry["name"]: entry["imageUri"] for entry in json.loads(archive.read(files.IMAGE_DEFINITIONS))}
    running = stage.account.task_definition(now)["containerDefinitions"]
    runs = {container["name"]: container["image"] for container in running}
    words = ", ".join(f"{name}@{image.partition('@')[2][:14]}…" for name, image in runs.items())
    return pinned.items() <= runs.items(), f"{now}: {words}"


def _stored(stage: Stage, execution: Execution) -> bool:
    bucket, key = execution.artifacts[RELEASE_ARTIFACT]
    return "Contents" in stage.account.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)


def _revisions(stage: Stage, service: Service) -> int:
    found = stage.account.client("ecs").list_task_definitions(familyPrefix=service.base)
    return len(found["taskDefinitionArns"])


def _parameters(stage: Stage) -> frozenset[str]:
    found: list[dict[str, Any]] = stage.account.client("ssm").describe_parameters()["Parameters"]
    return frozenset(parameter["Name"] for parameter in found)


def _left(stage: Stage, service: Service, execution: Execution, before: ServiceState) -> Iterator[str]:
    """What the release left behind and should not have."""
    yield from stage.deployer_of(service).unfinished(service)
    yield from (f"the parameter {name}" for name in sorted(_parameters(stage) - before.parameters))
    if execution.failed_at.startswith("Verify") and _stored(stage, execution):
        yield "a Release artifact of a refused release"
    if not execution.failed_at.startswith("Deploy") and execution.failed_at:
        more = _revisions(stage, service) - before.revisions
        if more:
            yield f"{more} revisions of a release that never got to its deployment"


def _notified(stage: Stage, service: Service, step: Step | None, before: ServiceState) -> tuple[bool, str]:
    """Whether every declared channel got every message of this release, with the channel's own token."""
    if not stage.channels:
        return True, "the stack names no channel"
    posted = stage.network.posted[before.posted :]
    missing = []
    for kind, room, token in stage.channels:
        own = [p.text for p in posted if (p.kind, p.room, p.token) == (kind, room, token)]
        missing += [f"{kind} {room}: {t}" for t in _owed(stage, service, step) if not any(t in text for text in own)]
    count = f"{len(posted)} messages to {len(stage.channels)} channels"
    return not missing, count if not missing else f"{count}; missing are {', '.join(missing)}"


def _owed(stage: Stage, service: Service, step: Step | None) -> list[str]:
    """Parts of the titles of the messages that people must get."""
    approval = ["waiting for approval"] if service.pipeline.approves() else []
    if step == BAD_IMAGE:
        return ["release started", "release failed at Verify/Gate"]
    if step == REJECTED_APPROVAL:
        return ["release started", *approval, "approval rejected"]
    return ["release started", *approval, *stage.deployer_of(service).notices(service)]
