"""The permission check: every call is evaluated against the documents declared for the role that made it.

A call that they do not allow goes on all the same, so that one rehearsal finds everything that is missing; it makes
the rehearsal fail. What the documents allow and nobody ever called is listed by `unused`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from policy_kit.documents import Condition, Document, DocumentError, Statement, parse
from policy_kit.patterns import matches

from contract import tags

from .declared import Declared, Role

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
    required_by: str = ""
    """Which other call asks for it, and where, as a sentence's end; empty for a call of the role's own."""


@dataclass(frozen=True, kw_only=True, order=True)
class Grant:
    """One action on one resource, by one statement of one kind of role: what is never used alone is never used."""

    role: str
    """Purpose and label of the role, such as `function/gate`."""
    sid: str
    action: str
    resource: str
    """As the statement writes it."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource} ({self.sid})"


class Permissions:
    """What was called, what of it was not allowed, and which grants were used."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self._used: set[Grant] = set()

    def call(self, call: Call) -> list[str]:
        """Record a call and check it; returns a sentence for each thing that is not allowed."""
        self.calls.append(call)
        try:
            found = list(self._judge(call))
        except (DocumentError, NotImplementedError) as error:
            found = [f"{call.role.rpartition('/')[2]} calls {call.action}, which cannot be judged: {error}."]
        for sentence in found:
            self.report_denied(sentence)
        return found

    def _judge(self, call: Call) -> Iterator[str]:
        role = self._declared.roles.get(call.role)
        if role is None:
            yield f"{call.role} calls {call.action} and is not declared."
            return
        for resource in call.resources:
            allowing = [s for s in _statements(role) if s.allows and _covers(s, call, resource)]
            for statement in allowing:
                self._use(role, statement, call.action, resource)
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
                required_by = f", and {call.required_by}" if call.required_by else ""
                yield f"The role {role.name} may not call {call.action} on {resource}{with_keys}: {why}{required_by}."

    def _use(self, role: Role, statement: Statement, action: str, resource: str) -> None:
        kind, sid = self._kind(role), statement.sid or ""
        used = (r for r in statement.resources or () if matches(r, resource))
        self._used |= {Grant(role=kind, sid=sid, action=action, resource=r) for r in used}

    def _kind(self, role: Role) -> str:
        """A service's CI roles have the same documents and are one kind; an action's role is known by its provider."""
        if role.purpose == tags.CI:
            return role.purpose
        actions = (a for p in self._declared.pipelines.values() for a in p.actions() if a.role == role.arn)
        provider = next((f" of {a.provider}" for a in actions), "")
        return f"{role.purpose}/{role.label}{provider}"

    def assume(self, arn: str, principal: tuple[str, str], context: Mapping[str, str] | None = None) -> None:
        """Judge whether a role's trust document lets this principal (kind, name) assume it."""
        role = self._declared.roles[arn]
        call = Call(role=arn, action="sts:AssumeRole", context=context or {})
        for statement in parse(role.trust, principals=True).statements:
            names = statement.principals.names if statement.principals else ()
            if statement.allows and principal in names and _acts(statement, call) and _met(statement, call):
                return
        self.report_denied(f"The trust document of {role.name} does not let {principal[1]} assume it.")

    def report_denied(self, sentence: str) -> None:
        """Report something that is not allowed; the same sentence is reported once."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    @property
    def used(self) -> frozenset[Grant]:
        """Every grant by which a call was allowed."""
        return frozenset(self._used)

    def granted(self) -> frozenset[Grant]:
        """Every grant of every declared role, boundaries apart (they grant nothing)."""
        return frozenset(self._granted())

    def _granted(self) -> Iterator[Grant]:
        for role in self._declared.roles.values():
            for text in role.documents:
                for statement in json.loads(text)["Statement"]:
                    if statement["Effect"] == "Allow":
                        kind, sid = self._kind(role), statement.get("Sid", "")
                        for action, resource in product(_texts(statement, "Action"), _texts(statement, "Resource")):
                            yield Grant(role=kind, sid=sid, action=action, resource=resource)


def _texts(statement: Mapping[str, Any], element: str) -> list[str]:
    found = statement.get(element, [])
    return [found] if isinstance(found, str) else list(found)


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
