"""Which conditions truly restrict a statement, and to which values.

A condition counts when a request without the key, or with another value, is refused by it: no `IfExists`, no
`ForAllValues` (which is true for an absent key) unless `Null` demands the key, no negation, no `*`.
Source: IAM user guide, "Condition operators", "Multivalued context keys".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .patterns import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .documents import Condition, Statement

_ACCOUNT = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):")
_EXACT: Final = frozenset({"StringEquals", "BinaryEquals", "NumericEquals", "Bool", "DateEquals"})
_PATTERNED: Final = frozenset({"StringLike", "ArnLike", "ArnEquals"})


def restrictions(statement: Statement, key: str) -> list[tuple[str, ...]]:
    """The values that each condition on `key` leaves, as patterns; one list an operator, all of which hold.

    Only conditions that refuse a request without the key are here. A value's `${...}` variable is a pattern.
    """
    key = key.lower()
    out: list[tuple[str, ...]] = []
    for condition in statement.conditions:
        if condition.key != key or condition.if_exists:
            continue
        if condition.qualifier == "ForAllValues" and not _demanded(statement.conditions, key):
            continue
        if condition.operator in _PATTERNED:
            out.append(condition.values)
        elif condition.operator in _EXACT:
            out.append(tuple(_escaped(v) for v in condition.values))
        elif condition.operator == "StringEqualsIgnoreCase":
            # Another case of the text is another text: where case tells values apart this is a pattern.
            out.append(tuple(_any_case(v) for v in condition.values))
    return out


def exact_values(statement: Statement, key: str) -> frozenset[str] | None:
    """The texts that `key` may have under this statement, or None when it is not held to a list of texts."""
    best: frozenset[str] | None = None
    for values in restrictions(statement, key):
        texts = [literal(v) for v in values]
        if any(t is None for t in texts):
            continue
        found = frozenset(t for t in texts if t is not None)
        best = found if best is None else best & found
    return best


def source_accounts(statement: Statement) -> frozenset[str]:
    """Accounts on whose behalf a service may act under this statement; empty when it may for any.

    Source: IAM user guide, "The confused deputy problem" (`aws:SourceAccount`, `aws:SourceArn`).
    """
    accounts = exact_values(statement, "aws:SourceAccount")
    if accounts:
        return accounts
    for values in restrictions(statement, "aws:SourceArn"):
        found = [_ACCOUNT.match(v) for v in values]
        if found and all(found):
            return frozenset(m.group(1) for m in found if m)
    return frozenset()


def _demanded(conditions: Iterable[Condition], key: str) -> bool:
    return any(
        c.operator == "Null" and c.key == key and {v.lower() for v in c.values} == {"false"} and not c.qualifier
        for c in conditions
    )


def _escaped(value: str) -> str:
    """An exact operator takes `*` and `?` for themselves; a policy variable stays one."""
    out = []
    depth = 0
    for at, character in enumerate(value):
        if value.startswith("${", at):
            depth += 1
        out.append(f"${{{character}}}" if character in "*?" and not depth else character)
        if character == "}" and depth:
            depth -= 1
    return "".join(out)


def _any_case(value: str) -> str:
    escaped = _escaped(value)
    return escaped if not any(c.isalpha() for c in value) else "".join("?" if c.isalpha() else c for c in escaped)
