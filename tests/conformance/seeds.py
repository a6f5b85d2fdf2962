"""Differences planted into what the rehearsal says, to show that the comparison finds their like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal.model import UNKNOWN, Secret

from .compare import compared
from .observed import Planned, Seen, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulumi_rehearsal.model import Resource

    from .cases import Pair


@dataclass(frozen=True)
class Seed:
    """One kind of difference."""

    name: str
    step: str
    """The step in whose rehearsal it is planted."""
    plant: Callable[[Seen], Seen]
    what: str
    """The beginning of what must be reported of it."""


def unfound(pairs: Sequence[Pair]) -> list[str]:
    """The names of the seeds that the comparison does not find, or finds only beside something else."""
    missed = []
    for seed in SEEDS:
        pair = next(p for p in pairs if p.step == seed.step)
        before = _reported(pair, pair.rehearsal)
        after = _reported(pair, seed.plant(pair.rehearsal))
        new = after - before
        if len(new) != 1 or not next(iter(new))[1].startswith(seed.what):
            missed.append(seed.name)
    return missed


def _reported(pair: Pair, rehearsal: Seen) -> set[tuple[str, str, str]]:
    found = compared(pair.engine, rehearsal, stack="", step=pair.step, mode=pair.mode)
    return {(d.urn, d.what, d.rehearsal) for d in found}


def _with(seen: Seen, old: Resource, new: Resource) -> Seen:
    return replace(seen, resources=tuple(new if r is old else r for r in seen.resources))


def _leaf(seen: Seen) -> Resource:
    """Something that a provider makes, with tags: the last one, on which nothing depends."""
    return next(r for r in reversed(seen.resources) if r.custom and isinstance(r.inputs.get("tags"), dict))


def _missing(seen: Seen) -> Seen:
    gone = _leaf(seen)
    return replace(seen, resources=tuple(r for r in seen.resources if r is not gone))


def _extra(seen: Seen) -> Seen:
    leaf = _leaf(seen)
    return replace(seen, resources=(*seen.resources, replace(leaf, urn=f"{leaf.urn}-more", name=f"{leaf.name}-more")))


def _inputs(**new: Any) -> Callable[[Seen], Seen]:
    def plant(seen: Seen) -> Seen:
        leaf = _leaf(seen)
        return _with(seen, leaf, replace(leaf, inputs={**leaf.inputs, **new}))

    return plant


def _known_made_unknown(seen: Seen) -> Seen:
    leaf = _leaf(seen)
    key = next(iter(leaf.inputs["tags"]))
    return _with(seen, leaf, replace(leaf, inputs={**leaf.inputs, "tags": {**leaf.inputs["tags"], key: UNKNOWN}}))


def _unknown_made_known(seen: Seen) -> Seen:
    for resource in seen.resources:
        for key, value in resource.inputs.items():
            if value is UNKNOWN:
                return _with(seen, resource, replace(resource, inputs={**resource.inputs, key: "known"}))
    return seen


def _made_secret(seen: Seen) -> Seen:
    leaf = _leaf(seen)
    return _with(seen, leaf, replace(leaf, inputs={**leaf.inputs, "tags": Secret(leaf.inputs["tags"])}))


def _options(**new: Any) -> Callable[[Seen], Seen]:
    def plant(seen: Seen) -> Seen:
        leaf = _leaf(seen)
        return _with(seen, leaf, replace(leaf, options=replace(leaf.options, **new)))

    return plant


def _protect_turned(seen: Seen) -> Seen:
    leaf = _leaf(seen)
    return _with(seen, leaf, replace(leaf, options=replace(leaf.options, protect=not leaf.options.protect)))


def _ignored_lost(seen: Seen) -> Seen:
    ignoring = next(r for r in seen.resources if r.options.ignore_changes)
    return _with(seen, ignoring, replace(ignoring, options=replace(ignoring.options, ignore_changes=())))


def _output_changed(seen: Seen) -> Seen:
    leaf = next(r for r in reversed(seen.resources) if r.custom and "arn" in r.outputs)
    return _with(seen, leaf, replace(leaf, outputs={**leaf.outputs, "arn": "arn:aws:other"}))


def _parent_changed(seen: Seen) -> Seen:
    leaf = _leaf(seen)
    return _with(seen, leaf, replace(leaf, parent=seen.resources[0].urn + "-other"))


def _dependency_lost(seen: Seen) -> Seen:
    leaf = next(r for r in seen.resources if len(r.dependencies) == 1 and r.custom)
    return _with(seen, leaf, replace(leaf, dependencies=()))


def _planned(seen: Seen) -> Seen:
    return replace(seen, planned={**(seen.planned or {}), _leaf(seen).urn: Planned(op="replace", changed=("name!",))})


def _verdict_made(seen: Seen) -> Seen:
    made = Verdict(
        pack="pack", version="1", policy="made-up", level="mandatory", severity="high",
        urn=_leaf(seen).urn, message="nobody said this",
    )  # fmt: skip
    return replace(seen, verdicts=(*seen.verdicts, made))


def _message_changed(seen: Seen) -> Seen:
    first, *rest = seen.verdicts
    return replace(seen, verdicts=(replace(first, message=f"{first.message}!"), *rest))


def _level_changed(seen: Seen) -> Seen:
    *rest, last = seen.verdicts
    return replace(seen, verdicts=(*rest, replace(last, level="other")))


def _error_changed(seen: Seen) -> Seen:
    return replace(seen, errors=tuple(f"{error}!" for error in seen.errors))


SEEDS = (
    Seed("a resource is missing", "preview", _missing, "resource"),
    Seed("there is a resource too many", "preview", _extra, "resource"),
    Seed("one input more", "preview", _inputs(planted="other"), "inputs.planted"),
    Seed("a known value is unknown", "preview", _known_made_unknown, "inputs.tags"),
    Seed("an unknown value is known", "preview", _unknown_made_known, "inputs."),
    Seed("a value is secret for one of the two", "preview", _made_secret, "inputs.tags"),
    Seed("protection is turned", "preview", _protect_turned, "options.protect"),
    Seed("retain_on_delete appears", "up", _options(retain_on_delete=True), "options.retain_on_delete"),
    Seed("ignore_changes is lost", "up", _ignored_lost, "options.ignore_changes"),
    Seed("an output has another value", "up", _output_changed, "outputs.arn"),
    Seed("another parent", "up", _parent_changed, "parent"),
    Seed("a dependency is lost", "up", _dependency_lost, "dependencies"),
    Seed("something is replaced", "again", _planned, "plan"),
    Seed("a verdict too many", "preview", _verdict_made, "verdict"),
    Seed("another message", "trespass", _message_changed, "verdict"),
    Seed("another level", "trespass", _level_changed, "verdict"),
    Seed("another sentence for a mistake", "mistake 1", _error_changed, "error"),
)
"""A seed is found where the comparison tells exactly one thing more, and the right one."""
