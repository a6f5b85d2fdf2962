"""Grants held against permissions: does every request that a statement allows belong to what is intended?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy_kit.conditions import exact_values
from policy_kit.patterns import covers, overlaps

if TYPE_CHECKING:
    from policy_kit.documents import Statement


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Something that is intended: actions on resources, where `conditions` hold."""

    actions: tuple[str, ...]
    """Action patterns in lower case."""
    resources: tuple[str, ...]
    """Patterns of ARNs; `*` only where AWS knows nothing narrower."""
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition key to the only values that it may have; the grant must hold it to them."""

    def holds(self, statement: Statement) -> bool:
        """Whether the statement carries the conditions of this permission."""
        for key, allowed in self.conditions.items():
            found = exact_values(statement, key)
            if found is None or not found <= set(allowed):
                return False
        return True


@dataclass(frozen=True)
class Excess:
    """What a statement grants beyond what is intended."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def excess(
    statement: Statement,
    permissions: Iterable[Permission],
    resources: tuple[str, ...] | None = None,
) -> list[Excess]:
    """What the statement allows and no permission covers; empty when all of it is intended.

    Args:
        statement: an Allow.
        permissions: what is intended.
        resources: the statement's resources where it names none itself (a policy on one resource).
    """
    usable = [p for p in permissions if p.holds(statement)]
    asked = statement.resources or resources
    if statement.not_actions is not None:
        return [Excess("*", _resources(statement))]
    if statement.not_resources is not None or asked is None:
        return [Excess(action, _resources(statement)) for action in statement.actions or ()]
    out = []
    for action in statement.actions or ():
        targets = tuple(r for p in usable if covers(p.actions, action) for r in p.resources)
        out += [Excess(action, resource) for resource in asked if not covers(targets, resource)]
    return out


def _resources(statement: Statement) -> str:
    if statement.not_resources is not None:
        return f"everything except {', '.join(statement.not_resources)}"
    return ", ".join(statement.resources or ("the policy's own resource",))


def may(statement: Statement, action: str) -> bool:
    """Whether the statement allows this action (lower case, or a pattern) on anything."""
    if statement.not_actions is not None:
        return not covers(statement.not_actions, action)
    return any(overlaps(granted, action) for granted in statement.actions or ())


def actions_of(statement: Statement) -> Iterator[str]:
    """The statement's action patterns; `*` for one that names what it leaves out."""
    if statement.not_actions is not None:
        yield "*"
    yield from statement.actions or ()
