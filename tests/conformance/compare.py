"""Where the engine's run and the rehearsal's are not the same, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal.model import Archive, Asset, Options, Secret
from pulumi_rehearsal.registration import STACK_TYPE

from .observed import ELIDED, HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi_rehearsal.model import Mode, Resource

    from .observed import Planned, Seen, Verdict

NOTHING = "(nothing)"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that the two say differently."""

    stack: str
    step: str
    urn: str
    """Empty where it is no resource's."""
    what: str
    """`inputs.tags.team`, `options.protect`, `plan`, `verdict least-privilege/roles-are-passed-exactly`."""
    engine: str
    rehearsal: str

    @property
    def type(self) -> str:
        """The resource's type token."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1] if self.urn else ""


def compared(engine: Seen, rehearsal: Seen, *, stack: str, step: str, mode: Mode) -> list[Difference]:
    """Everything that differs between two runs of one stack.

    Args:
        engine: what the engine showed.
        rehearsal: what the rehearsal showed.
        stack: the stack's name, for the report.
        step: what was run, for the report.
        mode: `preview`, where the engine tells nothing of ids and few options; `up`, where the state tells all.
    """
    return [
        Difference(stack=stack, step=step, urn=urn, what=what, engine=one, rehearsal=other)
        for urn, what, one, other in (
            *_resources(engine, rehearsal, mode),
            *_plans(engine.planned, rehearsal.planned),
            *_verdicts(engine.verdicts, rehearsal.verdicts),
            *_errors(engine.errors, rehearsal.errors),
            *_outcomes(engine.passed, rehearsal.passed),
        )
    ]


_Found = tuple[str, str, str, str]


def _resources(engine: Seen, rehearsal: Seen, mode: Mode) -> Iterator[_Found]:
    mine = {r.urn: r for r in engine.resources}
    theirs = {r.urn: r for r in rehearsal.resources}
    for urn in dict.fromkeys((*mine, *theirs)):
        one, other = mine.get(urn), theirs.get(urn)
        if one is None or other is None:
            yield urn, "resource", _there(one), _there(other)
            continue
        facts, others = _facts(one, mode), _facts(other, mode)
        if not (engine.passed and rehearsal.passed) and one.type == STACK_TYPE:
            facts.pop("outputs", None)  # a run that ended early leaves the exports of the one before
        for key in facts:
            for path, a, b in _unlike(facts[key], others[key], key):
                yield urn, path, a, b


def _there(resource: Resource | None) -> str:
    return "is there" if resource is not None else "is not there"


def _facts(resource: Resource, mode: Mode) -> dict[str, Any]:
    """What is compared of a resource in a run."""
    provider = resource.type.startswith("pulumi:providers:")
    facts: dict[str, Any] = {
        "type": resource.type,
        "parent": resource.parent,
        "custom": resource.custom,
        "read": resource.read,
        "provider": resource.provider,
        "inputs": resource.inputs,
        "options": _options(resource.options, mode),
    }
    if not resource.custom:
        facts["outputs"] = resource.outputs
    if mode == "up":
        facts["dependencies"] = resource.dependencies
        facts["property_dependencies"] = {k: v for k, v in resource.property_dependencies.items() if v}
        if resource.custom and not provider:
            facts["id"] = resource.id
            facts["outputs"] = resource.outputs
    return facts


_IN_STATE = (
    "ignore_changes",
    "additional_secret_outputs",
    "custom_timeouts",
    "replace_on_changes",
    "deleted_with",
    "import_id",
    "hooks",
)
"""The options that a state holds; aliases and `delete_before_replace` show nowhere but in what a plan comes to."""


def _options(options: Options, mode: Mode) -> dict[str, Any]:
    names = ("protect", "retain_on_delete", *(_IN_STATE if mode == "up" else ()))
    return {name: getattr(options, name) for name in names}


def _unlike(one: Any, other: Any, path: str) -> Iterator[tuple[str, str, str]]:  # noqa: C901  one for each kind
    """Where two plain values differ: (path, the engine's, the rehearsal's)."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            at = f"{path}.{key}"
            if key not in one or key not in other:
                yield at, _shown(one.get(key, NOTHING)), _shown(other.get(key, NOTHING))
            else:
                yield from _unlike(one[key], other[key], at)
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _unlike(a, b, f"{path}[{index}]")
    elif isinstance(one, Archive) and isinstance(other, Archive) and one.assets and other.assets:
        yield from _unlike(dict(one.assets), dict(other.assets), path)
    elif isinstance(one, Asset) and one.text == ELIDED and isinstance(other, Asset) and other.text is not None:
        return
    elif isinstance(one, Secret) and isinstance(other, Secret):
        if one.value is HIDDEN:
            return
        yield from _unlike(one.value, other.value, path)
    elif type(one) is not type(other) or one != other:
        yield path, _shown(one), _shown(other)


def _shown(value: Any) -> str:
    if value is NOTHING:
        return str(value)
    return f"a secret: {value.value!r}" if isinstance(value, Secret) else repr(value)


def _plans(mine: Mapping[str, Planned] | None, theirs: Mapping[str, Planned] | None) -> Iterator[_Found]:
    if mine is None and theirs is None:
        return
    mine, theirs = mine or {}, theirs or {}
    for urn in dict.fromkeys((*mine, *theirs)):
        one, other = mine.get(urn), theirs.get(urn)
        if one is None or other is None or one != other:
            yield urn, "plan", _planned(one), _planned(other)


def _planned(plan: Planned | None) -> str:
    if plan is None:
        return "same"
    return f"{plan.op}{' (deleted first)' if plan.delete_first else ''} {', '.join(plan.changed)}".strip()


def _verdicts(mine: tuple[Verdict, ...], theirs: tuple[Verdict, ...]) -> Iterator[_Found]:
    one, other = Counter(mine), Counter(theirs)
    only, also = list((one - other).elements()), list((other - one).elements())
    for verdict in only:
        # What differs in its text alone is one difference, not two.
        near = next((v for v in also if (v.policy, v.pack, v.urn) == (verdict.policy, verdict.pack, verdict.urn)), None)
        if near is not None:
            also.remove(near)
        yield verdict.urn, f"verdict {verdict.pack}/{verdict.policy}", _said(verdict, near), _said(near, verdict)
    for verdict in also:
        yield verdict.urn, f"verdict {verdict.pack}/{verdict.policy}", _said(None, None), _said(verdict, None)


def _said(verdict: Verdict | None, other: Verdict | None) -> str:
    if verdict is None:
        return NOTHING
    text = f"{verdict.level} {verdict.severity}: {verdict.message}"
    if other is None:
        return text
    theirs = f"{other.level} {other.severity}: {other.message}"
    start = next((i for i, (a, b) in enumerate(zip(text, theirs, strict=False)) if a != b), min(len(text), len(theirs)))
    start = max(0, start - 30)
    return f"…{text[start:]}" if start else text


def _errors(mine: tuple[str, ...], theirs: tuple[str, ...]) -> Iterator[_Found]:
    one, other = Counter(mine), Counter(theirs)
    only, also = list((one - other).elements()), list((other - one).elements())
    for index in range(max(len(only), len(also))):
        said = only[index] if index < len(only) else NOTHING
        heard = also[index] if index < len(also) else NOTHING
        yield "", "error", said, heard


def _outcomes(mine: bool, theirs: bool) -> Iterator[_Found]:
    if mine != theirs:
        yield "", "outcome", "passes" if mine else "fails", "passes" if theirs else "fails"
