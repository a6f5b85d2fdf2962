"""Policy documents as AWS reads them: any shape that IAM takes becomes one form, the rest is refused.

Source: IAM user guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

VERSIONS: Final = ("2012-10-17", "2008-10-17")
PRINCIPAL_KINDS: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_DOCUMENT_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    },
)
_OPERATORS: Final = {
    name.lower(): name
    for name in (
        "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
        "StringLike", "StringNotLike",
        "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
        "NumericGreaterThan", "NumericGreaterThanEquals",
        "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool", "BinaryEquals", "IpAddress", "NotIpAddress",
        "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
    )
}  # fmt: skip
_ACTION = re.compile(r"[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+|\*")


class DocumentError(ValueError):
    """The text is not a policy document that can be understood; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One operator on one key: the request's value must match one of `values` by it."""

    operator: str
    """The operator's own name, without `ForAnyValue:`, `ForAllValues:` and `IfExists`."""
    key: str
    """Condition key in lower case; IAM does not tell cases apart in keys."""
    values: tuple[str, ...]
    qualifier: Literal["", "ForAnyValue", "ForAllValues"] = ""
    if_exists: bool = False


@dataclass(frozen=True, kw_only=True)
class Principals:
    """Whom a statement names: kind to names. `everyone` is `"*"` or `{"AWS": "*"}`."""

    names: tuple[tuple[str, str], ...]
    """(kind, name), kind one of AWS, Service, Federated, CanonicalUser."""

    @property
    def everyone(self) -> bool:
        """Whether the statement names every principal of every account."""
        return ("AWS", "*") in self.names

    def of(self, kind: str) -> tuple[str, ...]:
        """The names of one kind."""
        return tuple(name for found, name in self.names if found == kind)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement; lists are tuples, and absent elements None."""

    effect: Literal["Allow", "Deny"]
    sid: str | None = None
    principals: Principals | None = None
    not_principals: Principals | None = None
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def allows(self) -> bool:
        """Whether the statement grants something."""
        return self.effect == "Allow"


@dataclass(frozen=True, kw_only=True)
class Document:
    """A policy document."""

    statements: tuple[Statement, ...]
    version: str = VERSIONS[1]
    id: str | None = field(default=None)

    @property
    def allows(self) -> tuple[Statement, ...]:
        """The statements that grant."""
        return tuple(s for s in self.statements if s.allows)


def parse(document: str | Mapping[str, Any], *, principals: bool = False) -> Document:
    """The document, from JSON text or from objects.

    Args:
        document: the document as a resource's property holds it.
        principals: whether it is a trust or resource policy, whose statements must name principals;
            otherwise none may.

    Raises:
        DocumentError: it is not JSON, repeats a key, has an element or operator that IAM does not know, or lacks
            one that it needs.
    """
    if isinstance(document, str):
        return _parse_text(document, principals)
    return _parse_object(document, principals)


@lru_cache(maxsize=4096)
def _parse_text(text: str, principals: bool) -> Document:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"it is not JSON ({error})") from None
    return _parse_object(value, principals)


def _no_constant(name: str) -> None:
    raise DocumentError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise DocumentError(f"the key {key!r} is repeated in one object, which hides one of its values")
        out[key] = value
    return out


def _parse_object(value: Any, principals: bool) -> Document:
    if not isinstance(value, Mapping):
        raise DocumentError("it is not an object with Version and Statement")
    _known_elements(value, _DOCUMENT_ELEMENTS, "document")
    version = value.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise DocumentError(f"Version is {version!r}; IAM knows {' and '.join(VERSIONS)}")
    identifier = value.get("Id")
    if identifier is not None and not isinstance(identifier, str):
        raise DocumentError("Id is not text")
    raw = value.get("Statement")
    statements = [raw] if isinstance(raw, Mapping) else raw
    if not isinstance(statements, Sequence) or isinstance(statements, str) or not statements:
        raise DocumentError("Statement is neither an object nor a list of objects")
    return Document(
        version=str(version),
        id=identifier,
        statements=tuple(_statement(s, n, principals) for n, s in enumerate(statements, 1)),
    )


def _known_elements(value: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    unknown = sorted(str(k) for k in value if k not in known)
    if unknown:
        raise DocumentError(f"the {place} has the unknown element {', '.join(unknown)}")


def _statement(value: Any, number: int, principals: bool) -> Statement:
    place = f"statement {number}"
    if not isinstance(value, Mapping):
        raise DocumentError(f"{place} is not an object")
    _known_elements(value, _STATEMENT_ELEMENTS, place)
    effect = value.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise DocumentError(f"{place} has the Effect {effect!r}; IAM knows Allow and Deny")
    sid = value.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise DocumentError(f"{place} has a Sid that is not text")
    _one_of(value, "Action", place, needed=True)
    _one_of(value, "Resource", place, needed=not principals)
    _one_of(value, "Principal", place, needed=principals)
    if not principals and ("Principal" in value or "NotPrincipal" in value):
        raise DocumentError(f"{place} names a principal, which a policy of an identity cannot")
    actions, not_actions = (_texts(value, key, place) for key in ("Action", "NotAction"))
    for action in (*(actions or ()), *(not_actions or ())):
        if not _ACTION.fullmatch(action):
            raise DocumentError(f"{place} has the action {action!r}, which is not service:Action")
    return Statement(
        effect="Allow" if effect == "Allow" else "Deny",
        sid=sid,
        principals=_principals(value.get("Principal"), place),
        not_principals=_principals(value.get("NotPrincipal"), place),
        actions=_lower(actions),
        not_actions=_lower(not_actions),
        resources=_texts(value, "Resource", place),
        not_resources=_texts(value, "NotResource", place),
        conditions=_conditions(value.get("Condition"), place),
    )


def _one_of(value: Mapping[str, Any], element: str, place: str, *, needed: bool) -> None:
    found = [key for key in (element, f"Not{element}") if key in value]
    if len(found) > 1:
        raise DocumentError(f"{place} has both {element} and Not{element}")
    if needed and not found:
        raise DocumentError(f"{place} has neither {element} nor Not{element}")


def _lower(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(v.lower() for v in values)


def _texts(value: Mapping[str, Any], key: str, place: str) -> tuple[str, ...] | None:
    if key not in value:
        return None
    found = _list(value[key])
    if not found or not all(isinstance(v, str) and v for v in found):
        raise DocumentError(f"{place} has a {key} that is neither text nor a list of texts")
    return tuple(found)


def _list(value: Any) -> list[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return [value]


def _principals(value: Any, place: str) -> Principals | None:
    if value is None:
        return None
    named = value if isinstance(value, Mapping) else {"AWS": value}
    pairs: list[tuple[str, str]] = []
    for kind, names in named.items():
        if kind not in PRINCIPAL_KINDS:
            raise DocumentError(f"{place} has a principal of the unknown kind {kind!r}")
        for name in _list(names):
            if not isinstance(name, str) or not name:
                raise DocumentError(f"{place} has a principal that is not text")
            pairs.append((kind, name))
    if not pairs:
        raise DocumentError(f"{place} names no principal")
    return Principals(names=tuple(pairs))


def _conditions(value: Any, place: str) -> tuple[Condition, ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise DocumentError(f"{place} has a Condition that is not an object")
    out: list[Condition] = []
    for written, keys in value.items():
        operator, qualifier, if_exists = _operator(written, place)
        if not isinstance(keys, Mapping) or not keys:
            raise DocumentError(f"{place} has the operator {written} without keys")
        seen: set[str] = set()
        for key, values in keys.items():
            lower = str(key).lower()
            if lower in seen:
                raise DocumentError(f"{place} has the condition key {key} twice under {written}, in two spellings")
            seen.add(lower)
            out.append(
                Condition(
                    operator=operator,
                    key=lower,
                    values=tuple(_condition_value(v, place, str(key)) for v in _list(values)),
                    qualifier=qualifier,
                    if_exists=if_exists,
                ),
            )
    return tuple(out)


def _operator(written: Any, place: str) -> tuple[str, Literal["", "ForAnyValue", "ForAllValues"], bool]:
    name = str(written).lower()
    qualifier: Literal["", "ForAnyValue", "ForAllValues"] = ""
    if name.startswith("foranyvalue:"):
        qualifier, name = "ForAnyValue", name.removeprefix("foranyvalue:")
    elif name.startswith("forallvalues:"):
        qualifier, name = "ForAllValues", name.removeprefix("forallvalues:")
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if name not in _OPERATORS or (if_exists and name == "null"):
        raise DocumentError(f"{place} has the unknown condition operator {written!r}")
    return _OPERATORS[name], qualifier, if_exists


def _condition_value(value: Any, place: str, key: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return value
    raise DocumentError(f"{place} has a value of {key} that is not text")


def sids(statements: Iterable[Statement]) -> str:
    """The statements' names for a message."""
    return ", ".join(s.sid or "without a Sid" for s in statements)
