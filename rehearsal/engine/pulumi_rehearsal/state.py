"""The state that a run starts from: what an earlier run left, and what becomes of each resource in this one.

A resource that did not change keeps its id and outputs, known at preview as well; one that changes in place keeps
what the provider does not compute anew; one that is made anew is as a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import changes, paths, wire
from .errors import UsageError

if TYPE_CHECKING:
    from .changes import Step
    from .model import Rehearsal, Resource
    from .registration import Registration


class State:
    """The resources that stand before the run, and which of them the run has met."""

    def __init__(self, before: Rehearsal) -> None:
        if before.mode != "up":
            raise UsageError("the state that a run starts from is what an `up` left; a preview leaves none")
        self._before = before
        self._met: set[str] = set()
        self._taken: set[str] = set()

    def old(self, registration: Registration) -> Resource | None:
        """What the registered resource was, by its URN or an alias; found once."""
        found = changes.found(self._before, registration.urn, registration.options.aliases, self._met)
        if found is not None:
            self._met.add(found.urn)
        return found

    def step(self, registration: Registration, old: Resource | None) -> Step:
        """What happens to a resource whose inputs are final."""
        new = registration.recorded()
        step = changes.step(old, new, new.inputs, taken=old is not None and old.urn in self._taken)
        if step.op == "replace" and step.delete_first and old is not None:
            self._taken.update(other.urn for other in changes.taken_along(self._before, old))
        return step

    def gone(self) -> tuple[Step, ...]:
        """What the program no longer makes, dependents first."""
        return tuple(
            changes.deletion(old)
            for old in reversed(self._before.resources)
            if old.urn not in self._met and not old.read
        )


def with_ignored(registration: Registration, old: Resource) -> dict[str, Any]:
    """The inputs with the old value of every property that is ignored, as the engine hands them to Check."""
    ignored = registration.options.ignore_changes
    return paths.reset(inputs_of(old), registration.inputs, ignored) if ignored else registration.inputs


def inputs_of(old: Resource) -> dict[str, Any]:
    """The inputs in the state, in wire form."""
    result: dict[str, Any] = wire.wire_from_plain(old.inputs)
    return result


def outputs_of(old: Resource) -> dict[str, Any]:
    """The outputs in the state, in wire form."""
    result: dict[str, Any] = wire.wire_from_plain(old.outputs)
    return result


def after_update(step: Step, new_inputs: dict[str, Any], *, preview: bool, made: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a resource that changes in place, in wire form.

    Args:
        step: the update.
        new_inputs: its inputs from now on.
        preview: whether what the provider computes anew is still unknown.
        made: what it would compute for a new one.
    """
    if step.old is None:
        return new_inputs
    computed = {key: value for key, value in outputs_of(step.old).items() if key not in step.old.inputs}
    changed = {change.path.split(".", 1)[0].split("[", 1)[0] for change in step.changes}
    for because, anew in _COMPUTED_ANEW.get(step.type, ()):
        if because & changed:
            computed.update({key: wire.UNKNOWN_WIRE if preview else made.get(key) for key in anew if key in computed})
    return {**computed, **new_inputs}


_CODE = frozenset({"code", "imageUri", "s3Bucket", "s3Key", "s3ObjectVersion", "sourceCodeHash"})

#: Type to (inputs, outputs that the provider computes anew when one of them changes): SetNewComputed in
#: terraform-provider-aws `internal/service/lambda/function.go` and `internal/service/s3/object.go`.
_COMPUTED_ANEW: dict[str, tuple[tuple[frozenset[str], tuple[str, ...]], ...]] = {
    "aws:lambda/function:Function": ((_CODE, ("lastModified",)),),
    "aws:s3/bucketObjectv2:BucketObjectv2": (
        (frozenset({"content", "contentBase64", "etag", "source", "sourceHash"}), ("versionId",)),
    ),
}
