"""What a run of the real engine showed, as the plain data that a rehearsal gives: `pulumi_rehearsal.model`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal import wire
from pulumi_rehearsal.model import CustomTimeouts, Options, Rehearsal, Resource, Secret
from pulumi_rehearsal.registration import STACK_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .workspace import EngineRun

_DECRYPTED = "1b47061264138c4ac30d75fd1eb44270"
"""The signature of a secret in a state (`sdk/go/common/resource/sig/sig.go`)."""
_SHOWN_FOR_A_SECRET = "[secret]"  # noqa: S105  no secret
HIDDEN = object()
"""The value of a secret of which an event shows nothing but that it is one."""
ELIDED = "<contents elided>"
"""The text of a file in an event."""
_PROVIDERS_OWN = "__internal"
"""A key that the SDK puts into a provider's inputs; no provider sees it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a policy said, as far as engine and rehearsal both tell it."""

    pack: str
    version: str
    policy: str
    level: str
    severity: str
    urn: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What happens to one resource of a state."""

    op: str
    delete_first: bool = False
    changed: tuple[str, ...] = ()
    """Property paths; those that replace end with an exclamation mark."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One run, of the engine or of the rehearsal."""

    resources: tuple[Resource, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    planned: Mapping[str, Planned] | None = None
    """By URN, without what stays as it is; None where the run began from nothing."""
    errors: tuple[str, ...] = ()
    passed: bool = True


# -- the rehearsal --------------------------------------------------------------------------------------------


def of_rehearsal(run: Rehearsal) -> Seen:
    """What a rehearsal showed."""
    verdicts = [
        Verdict(
            pack=v.pack,
            version=v.pack_version,
            policy=v.policy,
            level=v.level,
            severity=v.severity,
            urn=v.urn,
            message=v.message.strip(),
        )
        for v in run.violations
    ]
    planned = {
        step.urn: Planned(
            op=step.op,
            delete_first=step.delete_first and step.op == "replace",
            # Of a component the engine says that it changes, not what of it: no provider is asked.
            changed=tuple(sorted(c.path + "!" * c.replaces for c in step.changes if step.new and step.new.custom)),
        )
        for step in run.steps
        if step.op not in ("same", "read")
    }
    return Seen(
        resources=run.resources,
        verdicts=tuple(verdicts),
        planned=planned if run.steps else None,
        errors=tuple(d.message.strip() for d in run.errors),
        passed=run.ok,
    )


# -- the engine -----------------------------------------------------------------------------------------------


def of_preview(run: EngineRun, *, began_from_nothing: bool) -> Seen:
    """What a preview showed: a provider's inputs as it was asked to create them, the rest from the events."""
    asked = {call.urn: call.inputs for call in run.calls if call.preview}
    news: dict[str, Mapping[str, Any]] = {}
    for kind in ("resourcePreEvent", "resOutputsEvent"):
        for event in run.of(kind):
            if (new := event["metadata"]["new"]) is not None:
                news[event["metadata"]["urn"]] = new
    resources = [
        Resource(
            urn=urn,
            type=new["type"],
            name=_name(urn),
            parent=new["parent"],
            custom=new.get("custom", False),
            read=new.get("external", False),
            inputs=asked[urn] if urn in asked else _of_event(new["inputs"]),
            outputs=_of_event(new["outputs"]),
            options=Options(protect=new.get("protect", False), retain_on_delete=new.get("retainOnDelete", False)),
            provider=_provider(new["provider"]),
        )
        for urn, new in news.items()
    ]
    return Seen(
        resources=tuple(resources),
        verdicts=_verdicts(run),
        planned=None if began_from_nothing else _planned(run),
        errors=_errors(run),
        passed=run.code == 0,
    )


def of_up(run: EngineRun, state: Iterable[Mapping[str, Any]], *, began_from_nothing: bool) -> Seen:
    """What an `up` left."""
    return Seen(
        resources=tuple(_of_state(resource) for resource in state),
        verdicts=_verdicts(run),
        planned=None if began_from_nothing else _planned(run),
        errors=_errors(run),
        passed=run.code == 0,
    )


def as_rehearsal(stack: str, seen: Seen) -> Rehearsal:
    """What an `up` of the engine left, in the form of a rehearsal's."""
    root = next((r for r in seen.resources if r.type == STACK_TYPE), None)
    return Rehearsal(
        project="",
        stack=stack,
        mode="up",
        resources=seen.resources,
        exports=root.outputs if root is not None else {},
    )


def _snake(kind: str) -> str:
    """`before_update`, as the SDK writes what the state calls `BeforeUpdate`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _of_state(given: Mapping[str, Any]) -> Resource:
    timeouts = given.get("customTimeouts") or {}
    hooks = given.get("resourceHooks") or {}
    return Resource(
        urn=given["urn"],
        type=given["type"],
        name=_name(given["urn"]),
        parent=given.get("parent", ""),
        custom=given["custom"],
        read=given.get("external", False),
        id=given.get("id") or None,
        inputs=_plain(given.get("inputs", {})),
        outputs=_plain(given.get("outputs", {})),
        options=Options(
            protect=given.get("protect", False),
            ignore_changes=tuple(given.get("ignoreChanges", ())),
            additional_secret_outputs=tuple(given.get("additionalSecretOutputs", ())),
            aliases=tuple(given.get("aliases", ())),
            custom_timeouts=CustomTimeouts(**timeouts),
            replace_on_changes=tuple(given.get("replaceOnChanges", ())),
            retain_on_delete=given.get("retainOnDelete", False),
            deleted_with=given.get("deletedWith", ""),
            import_id=given.get("importID", ""),
            hooks=tuple(f"{_snake(kind)}: {name}" for kind, names in sorted(hooks.items()) for name in names),
        ),
        dependencies=tuple(sorted(given.get("dependencies", ()))),
        property_dependencies={k: tuple(sorted(v or ())) for k, v in given.get("propertyDependencies", {}).items()},
        provider=_provider(given.get("provider", "")),
    )


def _plain(value: Any) -> Any:
    """A property of the state: as over the wire, but for secrets, which stand there as JSON."""
    return wire.plain_of(_wire(value))


def _wire(value: Any) -> Any:
    if isinstance(value, list):
        return [_wire(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(wire.SIGNATURE) == _DECRYPTED:
        return {wire.SIGNATURE: wire.SECRET, "value": _wire(json.loads(value["plaintext"]))}
    return {key: _wire(item) for key, item in value.items() if key != _PROVIDERS_OWN}


def _of_event(value: Any) -> Any:
    if isinstance(value, dict) and wire.SIGNATURE not in value:
        return {key: _of_event(item) for key, item in value.items() if key != _PROVIDERS_OWN}
    if isinstance(value, list):
        return [_of_event(item) for item in value]
    return Secret(HIDDEN) if value == _SHOWN_FOR_A_SECRET else wire.plain_of(value)


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def _provider(reference: str) -> str:
    return reference.rsplit("::", 1)[0] if reference else ""


def _verdicts(run: EngineRun) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(
            pack=event["policyPackName"],
            version=event["policyPackVersion"],
            policy=event["policyName"],
            level=event["enforcementLevel"],
            severity=event.get("severity", ""),
            urn=event.get("resourceUrn", ""),
            message=event["message"].strip(),
        )
        for event in run.of("policyEvent")
    )


_CLOSING = ("preview failed", "update failed")
"""What the engine says last of a run that failed: that it failed."""


def _errors(run: EngineRun) -> tuple[str, ...]:
    said = [e["message"].strip() for e in run.of("diagnosticEvent") if e["severity"] == "error"]
    said += [e["error"].strip() for e in run.of("errorEvent")]
    told = [message for message in said if message not in _CLOSING]
    return tuple([message for message in told if not message.startswith(_EXITED)] or told)


_EXITED = "an unhandled error occurred: Program exited with non-zero exit code"
"""What the engine adds where a program failed, which has said why."""

_REPLACING = {"create-replacement", "delete-replaced", "replace"}


def _planned(run: EngineRun) -> dict[str, Planned]:
    by_urn: dict[str, list[Mapping[str, Any]]] = {}
    for event in run.of("resourcePreEvent"):
        by_urn.setdefault(event["metadata"]["urn"], []).append(event["metadata"])
    planned = {urn: _one_planned(steps) for urn, steps in by_urn.items()}
    return {urn: plan for urn, plan in planned.items() if plan.op not in ("same", "read", "refresh")}


def _one_planned(steps: Sequence[Mapping[str, Any]]) -> Planned:
    ops = [step["op"] for step in steps]
    details = {path: diff for step in steps for path, diff in (step["detailedDiff"] or {}).items()}
    changed = tuple(sorted(path + "!" * diff["diffKind"].endswith("replace") for path, diff in details.items()))
    if not _REPLACING.intersection(ops):
        return Planned(op=ops[-1], changed=changed)
    made = next((index for index, op in enumerate(ops) if op == "create-replacement"), len(ops))
    return Planned(op="replace", delete_first="delete-replaced" in ops[:made], changed=changed)
