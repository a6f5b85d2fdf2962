"""Between two runs: what the engine would do to get from one state of a stack to the next, as plain data.

The rules are the engine's (`pkg/resource/deploy/step_generator.go`): a resource is found again by its URN or an
alias; ignored properties keep their old value; a provider says which changes replace, `replace_on_changes` adds to
them; a fixed name is freed before it is taken again; what is protected is neither replaced nor deleted. What
replaces stands in `replacements.json`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import paths
from .model import UNKNOWN, unknown_paths, unwrapped
from .registration import PROVIDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from .model import Rehearsal, Resource

Op = Literal["same", "create", "import", "update", "replace", "delete", "read"]

_FACTS = Path(__file__).with_name("replacements.json")
_EVERYTHING = "*"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One property that is not as it was; None stands for a value that is not given."""

    path: str
    """As the engine writes it: `tags.team`, `ingress[0].fromPort`."""
    old: Any
    new: Any
    replaces: bool = False
    """Whether the provider has to make the resource anew for it."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a provider's Diff says of one resource."""

    changes: tuple[Change, ...] = ()
    delete_first: bool = False
    """Whether the old one goes before the new one is made: their fixed name allows only one."""
    assumed: bool = False
    """Whether it was guessed that nothing replaces this type: `replacements.json` does not know it."""
    refused: str = ""
    """Why the provider refuses the change; empty where it does not."""

    @property
    def replaces(self) -> tuple[str, ...]:
        """The paths whose change replaces the resource."""
        return tuple(change.path for change in self.changes if change.replaces)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one resource."""

    op: Op
    urn: str
    type: str
    name: str
    old: Resource | None = None
    new: Resource | None = None
    changes: tuple[Change, ...] = ()
    delete_first: bool = False
    retained: bool = False
    """The old one stays where it is; only the state forgets it."""
    refused: str = ""
    """Why the engine refuses this step, and with it the whole update; empty where it does not."""
    because_of: str = ""
    """URN of the resource whose deletion takes this one along."""
    assumed: bool = False
    """Whether it was guessed that no change replaces this type."""

    def __repr__(self) -> str:
        keys = ", ".join(change.path for change in self.changes)
        return f"<{self.op} {self.type} {self.name}{f': {keys}' if keys else ''}{' REFUSED' if self.refused else ''}>"


def changing(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps that change anything."""
    return tuple(step for step in steps if step.op not in ("same", "read"))


# -- one resource ---------------------------------------------------------------------------------------------


def difference(
    token: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    ignore: Sequence[str] = (),
    replace_on: Sequence[str] = (),
) -> Difference:
    """What a provider's Diff says of a resource's old and new inputs, both plain.

    Args:
        token: the type token, `aws:ecs/service:Service`.
        old: the inputs in the state.
        new: the inputs after Check.
        ignore: `ignore_changes`; these paths count as unchanged.
        replace_on: `replace_on_changes`.
    """
    before, after = _comparable(old), paths.reset(_comparable(old), _comparable(new), ignore)
    forced = replacing(token)
    more = [paths.parsed(path) for path in replace_on]
    changes = []
    for where, one, other in paths.changed(before, after):
        keys = tuple(str(part) for part in where if isinstance(part, str))
        replaces = _replaces(forced or (), keys) or any(paths.contains(path, where) for path in more)
        changes.append(Change(path=paths.written(where), old=one, new=other, replaces=replaces))
    return Difference(
        changes=tuple(changes),
        delete_first=any(c.replaces for c in changes) and _name_is_taken(token, before, after),
        assumed=forced is None,
        refused=_wrong(token, changes, after),
    )


_SERVICE = "aws:ecs/service:Service"


def _wrong(token: str, changes: Iterable[Change], new: Mapping[str, Any]) -> str:
    """Why the provider's Diff fails, if it does.

    `capacityProviderStrategyCustomizeDiff`, terraform-provider-aws `internal/service/ecs/service.go` since 6.33.
    """
    moved = any(change.path.startswith("capacityProviderStrategies") for change in changes)
    if token == _SERVICE and moved and not new.get("forceNewDeployment"):
        return "force_new_deployment should be true when capacity_provider_strategy is being updated"
    return ""


def replacing(token: str) -> tuple[str, ...] | None:
    """The property paths of a type whose change replaces, dotted and without indices; None where nobody knows.

    `*` stands for every property but those that follow as `!name`.
    """
    if token.startswith(PROVIDER_PREFIX):
        return ()
    found = _facts()["types"].get(token)
    if found is None:
        return None
    return (*found, *_facts()["everywhere"])


@functools.cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_FACTS.read_text(encoding="utf-8"))
    return facts


def _replaces(forced: Iterable[str], keys: tuple[str, ...]) -> bool:
    if _EVERYTHING in forced:
        return f"!{keys[0]}" not in forced
    return any(rule[: len(keys)] == keys or keys[: len(rule)] == rule for rule in map(_split, forced))


@functools.cache
def _split(rule: str) -> tuple[str, ...]:
    return tuple(rule.split("."))


def _name_is_taken(token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether old and new would have one name that the program gave: of such, AWS allows one.

    A name that the provider made up stands among `__defaults` and is made up anew for the new one.
    """
    key = "bucket" if token in ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2") else "name"
    name = new.get(key)
    return name is not None and name is not UNKNOWN and name == old.get(key) and key not in new.get("__defaults", ())


def _comparable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as a provider compares them: secrets opened, what is None left out, its own notes as well."""
    kept = {key: value for key, value in inputs.items() if key == "__defaults" or not key.startswith("__")}
    opened: dict[str, Any] = unwrapped(kept, nulls=False)
    return opened


# -- a stack --------------------------------------------------------------------------------------------------


def plan(before: Rehearsal, after: Rehearsal, *, settled: bool = False) -> tuple[Step, ...]:
    """What an update does to a stack that stands as one run left it, when the program says what another says.

    Resources stand in the order in which the program makes them, deletions at the end, dependents first.

    A value that is not known in `after` counts as unchanged unless what it comes from is made anew or changes
    itself; with `settled`, whatever is unknown changes: `after` began from `before` and knows what the engine knows.
    """
    return _Plan(before, after, settled).steps()


def found(before: Rehearsal, urn: str, aliases: Iterable[str], met: Collection[str]) -> Resource | None:
    """The resource that stood under a URN or one of its aliases, and that nobody else is the successor of."""
    return next((old for name in (urn, *aliases) if (old := before.get(name)) and old.urn not in met), None)


def step(old: Resource | None, new: Resource, inputs: Mapping[str, Any], *, taken: bool = False) -> Step:
    """What happens to one resource.

    Args:
        old: as it stands, or None.
        new: as the program says.
        inputs: the new inputs with everything known that the engine knows.
        taken: whether the old one is deleted already, with something that it depended on.
    """
    result = Step(op="same", urn=new.urn, type=new.type, name=new.name, old=old, new=new)
    if new.read:
        return replace(result, op="read")
    if old is None:
        return replace(result, op="import" if new.options.import_id else "create")
    moved = _other_thing(old, new)
    if moved is not None:
        return _replaced(result, (moved,))
    diff = difference(
        new.type if new.custom else "",
        old.inputs,
        inputs,
        ignore=new.options.ignore_changes,
        replace_on=new.options.replace_on_changes,
    )
    assumed = diff.assumed and new.custom and bool(diff.changes)
    result = replace(result, refused=diff.refused)
    if taken or (new.custom and diff.replaces):
        first = new.options.delete_before_replace
        result = replace(result, delete_first=diff.delete_first if first is None else first, assumed=assumed)
        return replace(_replaced(result, diff.changes), delete_first=taken or result.delete_first)
    return replace(result, op="update", changes=diff.changes, assumed=assumed) if diff.changes else result


def deletion(old: Resource) -> Step:
    """What happens to a resource that the program no longer makes."""
    refused = (
        f"resource {json.dumps(old.urn)} cannot be deleted\nbecause it is protected. To unprotect the resource, either "
        "remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`, or use the command:\n"
        f"`pulumi state unprotect '{old.urn}'`"
    )
    return Step(
        op="delete",
        urn=old.urn,
        type=old.type,
        name=old.name,
        old=old,
        retained=old.options.retain_on_delete,
        refused=refused if old.options.protect else "",
    )


def taken_along(before: Rehearsal, root: Resource) -> Iterator[Resource]:
    """What depends on something that is deleted first and would be made anew for it: it goes first as well."""
    gone = {root.urn}
    for old in before.resources:
        lost = {key for key, urns in old.property_dependencies.items() if gone.intersection(urns)}
        if not lost or not old.custom or old.read or old.urn in gone:
            continue
        without = {key: _MOVED if key in lost else value for key, value in old.inputs.items()}
        options = old.options
        diff = difference(
            old.type, old.inputs, without, ignore=options.ignore_changes, replace_on=options.replace_on_changes
        )
        if diff.replaces:
            gone.add(old.urn)
            yield old


def _replaced(step: Step, changes: tuple[Change, ...]) -> Step:
    old, new = step.old, step.new
    refused = step.refused
    # Who takes the protection away and changes what replaces in one update is let through.
    if old is not None and new is not None and old.options.protect and new.options.protect:
        refused = f"unable to replace resource {json.dumps(step.urn)}\n{_UNPROTECT}"
    retained = old is not None and old.options.retain_on_delete
    return replace(step, op="replace", changes=changes, refused=refused, retained=retained)


@dataclass
class _Plan:
    before: Rehearsal
    after: Rehearsal
    settled: bool
    _steps: dict[str, Step] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def steps(self) -> tuple[Step, ...]:
        for new in self.after.resources:
            old = found(self.before, new.urn, new.options.aliases, self._seen)
            if old is not None:
                self._seen.add(old.urn)
            inputs = new.inputs if old is None or self.settled else self._settled(old, new)
            self._steps[new.urn] = step(old, new, inputs)
        for root in [s for s in self._steps.values() if s.op == "replace" and s.delete_first]:
            self._take_along(root)
        gone = [deletion(old) for old in reversed(self.before.resources) if old.urn not in self._seen and not old.read]
        return (*self._steps.values(), *gone)

    def _settled(self, old: Resource, new: Resource) -> dict[str, Any]:
        """The new inputs; what is unknown in them as it was, where nothing that it comes from changes."""
        result = dict(new.inputs)
        for key, value in new.inputs.items():
            if unknown_paths(value):
                moving = any(self._moves(urn) for urn in new.property_dependencies.get(key, ()))
                known = old.inputs.get(key)
                result[key] = known if not moving else _MOVED if known is UNKNOWN else UNKNOWN
        return result

    def _moves(self, urn: str) -> bool:
        source = self._steps.get(urn)
        if source is None or source.new is None:
            return True
        unsettled = source.op == "update" and source.new.custom and bool(unknown_paths(source.new.outputs))
        return source.op in ("create", "import", "replace") or unsettled

    def _take_along(self, root: Step) -> None:
        if root.old is None:
            return
        for old in taken_along(self.before, root.old):
            own = next((s for s in self._steps.values() if s.old is old), None)
            if own is None or own.op == "replace":
                continue  # deleted or replaced anyway
            refused = f"unable to replace resource {json.dumps(old.urn)} as part of replacing {json.dumps(root.urn)} "
            refused += f"{_UNPROTECT}, or use the command:\n`pulumi state unprotect '{old.urn}'`"
            self._steps[own.urn] = replace(
                own,
                op="replace",
                delete_first=True,
                because_of=root.urn,
                refused=refused if old.options.protect else "",
            )


def _other_thing(old: Resource, new: Resource) -> Change | None:
    """Why the state's resource cannot become the program's, whatever its properties are."""
    if old.read or old.custom != new.custom:
        return Change(path="provider", old=old.provider, new=new.provider, replaces=True)
    wanted = new.options.import_id
    if wanted and old.id not in (UNKNOWN, wanted):
        return Change(path="id", old=old.id, new=wanted, replaces=True)
    return None


_UNPROTECT = (
    "as it is currently marked for protection. To unprotect the resource, remove the `protect` flag from the resource "
    "in your Pulumi program and run `pulumi up`"
)
_MOVED = ("a value that is not known and not the old one",)
