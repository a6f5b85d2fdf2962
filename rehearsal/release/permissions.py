"""Who was allowed to do it: every call held against the declared documents of the role that made it.

A call that they do not allow goes on all the same, so that one rehearsal finds everything that is missing; it makes
the rehearsal fail. What the documents allow and nobody ever called is listed by `unused`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .declared import Declared, Role

# The policy pack reads IAM documents as AWS does; packs are no part of the project's package.
_PACK = str(Path(__file__).parents[2] / "policies" / "least-privilege")
if _PACK not in sys.path:
    sys.path.append(_PACK)

from least_privilege.documents import Condition, Document, Statement, parse  # noqa: E402
from least_privilege.patterns import matches  # noqa: E402

EVERYTHING: Final = ("*",)
_PATTERNED: Final = frozenset({"StringLike", "ArnLike", "ArnEquals"})
_EXACT: Final = frozenset({"StringEquals", "Bool"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to AWS: by the role of that ARN, one action on each of the resources."""

    role: str
    action: str
    resources: tuple[str, ...] = EVERYTHING
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys of the request, in lower case, as far as they can be known."""


@dataclass(frozen=True, kw_only=True, order=True)
class Grant:
    """One action that one statement of one kind of role allows."""

    role: str
    """Purpose and label of the role, such as `function/gate`."""
    sid: str
    action: str

    def __str__(self) -> str:
        return f"{self.role}: {self.action} ({self.sid})"


class Permissions:
    """What was called, what of it was not allowed, and which grants were used."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self._used: set[Grant] = set()

    def call(self, call: Call) -> None:
        """Note a call and judge it."""
        self.calls.append(call)
        role = self._declared.roles.get(call.role)
        if role is None:
            self.complain(f"{call.role} calls {call.action} and is not declared.")
            return
        for resource in call.resources:
            allowing = [s for s in _statements(role) if s.allows and _covers(s, call, resource)]
            self._used |= {_grant(role, s, call.action) for s in allowing}
            why = ""
            if any(not s.allows and _covers(s, call, resource) for s in _statements(role)):
                why = "a statement of its own denies it"
            elif not allowing:
                why = "none of its statements allows it"
            elif role.boundary is not None and not any(
                s.allows and _covers(s, call, resource) for s in _parsed(role.boundary).statements
            ):
                why = "its permissions boundary does not allow it"
            if why:
                with_keys = "".join(f", {k} = {v}" for k, v in sorted(call.context.items()))
                self.complain(f"The role {role.name} may not call {call.action} on {resource}{with_keys}: {why}.")

    def assume(self, arn: str, principal: tuple[str, str], context: Mapping[str, str] | None = None) -> None:
        """Judge whether a role's trust document lets this principal (kind, name) take it on."""
        role = self._declared.roles[arn]
        call = Call(role=arn, action="sts:AssumeRole", context=context or {})
        for statement in parse(role.trust, principals=True).statements:
            names = statement.principals.names if statement.principals else ()
            if statement.allows and principal in names and _acts(statement, call) and _met(statement, call):
                return
        self.complain(f"The trust document of {role.name} does not let {principal[1]} take it on.")

    def complain(self, sentence: str) -> None:
        """Note something that is not allowed; the same sentence is noted once."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    @property
    def used(self) -> frozenset[Grant]:
        """Every grant by which a call was allowed."""
        return frozenset(self._used)

    def granted(self) -> frozenset[Grant]:
        """Every grant of every declared role, boundaries apart (they grant nothing)."""
        return frozenset(granted(self._declared.roles.values()))


def granted(roles: Iterable[Role]) -> Iterator[Grant]:
    """Every action that the roles' statements allow, written as the documents write it."""
    for role in roles:
        for text in role.documents:
            for statement in json.loads(text)["Statement"]:
                actions = statement.get("Action", [])
                if statement["Effect"] == "Allow":
                    for action in [actions] if isinstance(actions, str) else actions:
                        yield Grant(role=_kind(role), sid=statement.get("Sid", ""), action=action)


def _kind(role: Role) -> str:
    """The CIs' roles of a service say the same and are one kind."""
    return role.purpose if role.purpose == "ci" else f"{role.purpose}/{role.label}"


def _grant(role: Role, statement: Statement, action: str) -> Grant:
    return Grant(role=_kind(role), sid=statement.sid or "", action=action)


def _statements(role: Role) -> Iterator[Statement]:
    for text in role.documents:
        yield from _parsed(text).statements


def _parsed(text: str) -> Document:
    return parse(text)


def _covers(statement: Statement, call: Call, resource: str) -> bool:
    named = statement.resources or ()
    return _acts(statement, call) and any(matches(r, resource) for r in named) and _met(statement, call)


def _acts(statement: Statement, call: Call) -> bool:
    return any(matches(a, call.action.lower()) for a in statement.actions or ())


def _met(statement: Statement, call: Call) -> bool:
    return all(_holds(c, call.context) for c in statement.conditions)


def _holds(condition: Condition, context: Mapping[str, str]) -> bool:
    """Whether the request meets one condition; a key that the request does not have fails it."""
    found = context.get(condition.key)
    if found is None:
        return condition.if_exists
    if condition.operator in _EXACT:
        return found in condition.values
    if condition.operator in _PATTERNED:
        return any(matches(v, found) for v in condition.values)
    raise NotImplementedError(f"the rehearsal cannot judge the condition operator {condition.operator}")
