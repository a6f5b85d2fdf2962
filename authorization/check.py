"""Checks a policy document against the reference: actions exist, fit their resources, have the condition keys.

It judges what is written and not whether it should be granted: that is the policy packs' business. A document that is
not one at all (no JSON, no statement) is theirs too.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from .corrections import CLAIMS_OF, CORRECTIONS, GLOBAL_KEYS, GLOBAL_TAGS, TOKEN_CLAIMS, Correction
from .reference import Action, Kind, Reference, reference

Of = Literal["identity", "trust", "resource"]
"""Whose document: a role's own, a role's trust, a bucket's, key's, topic's or queue's."""

EVERYTHING: Final = "*"
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_WILD: Final = re.compile(r"[*?]")
_OIDC: Final = re.compile(r"arn:[^:]+:iam::\d{12}:oidc-provider/(?P<host>[^/]+)(?P<path>/.*)?")
_PARTS: Final = 6


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """Something in a statement that AWS does not know, or that means nothing."""

    sid: str
    what: str
    """One sentence: what is written, and what AWS knows in its place."""

    def __str__(self) -> str:
        return f"statement {self.sid}: {self.what}" if self.sid else self.what


def mistakes(document: str | Mapping[str, Any], of: Of = "identity") -> list[Mistake]:
    """Everything in a policy document that AWS does not know.

    Args:
        document: its JSON text, or the same as objects.
        of: whose document it is.
    """
    read: Mapping[str, Any] = json.loads(document) if isinstance(document, str) else document
    known = reference()
    statements = _list(read["Statement"])
    out = []
    for statement in statements:
        sid = str(statement.get("Sid", ""))
        out += [Mistake(sid=sid, what=what) for what in in_statement(statement, of)]
    if of == "identity":
        out += _missing_dependents(statements, known)
    return out


def unknown(action: str) -> str:
    """What is wrong with the name of an action, or nothing; a pattern has to match one."""
    known = reference()
    return "" if _actions(action, known) else _unknown_action(action, known)


def fits(action: str, resource: str) -> str:
    """What is wrong with an action on a resource, or nothing."""
    known = reference()
    found = _actions(action, known)
    if not found:
        return _unknown_action(action, known)
    return "" if any(not _misfit(one, resource, known) for one in found) else _misfit(found[0], resource, known)


def in_statement(statement: Mapping[str, Any], of: Of = "identity") -> Iterator[str]:
    """Everything in one statement that AWS does not know, by itself."""
    known = reference()
    actions = _list(statement.get("Action", ()))
    for written in (*actions, *_list(statement.get("NotAction", ()))):
        if not _actions(written, known):
            yield _unknown_action(written, known)
    named = {written: found for written in actions if (found := _actions(written, known))}
    if of != "trust":
        for resource in _list(statement.get("Resource", ())):
            yield from _of_resource(resource, named, of, known)
    keys = {key for condition in statement.get("Condition", {}).values() for key in condition}
    hosts = set(_token_hosts(statement.get("Principal")))
    for key in sorted(keys):
        if not _is_global(key) and not _is_claim(key, hosts):
            yield from _of_key(key, named, known)


# ---------------------------------------------------------------- actions


@cache
def _actions(written: str, known: Reference) -> tuple[Action, ...]:
    """The actions that a name or a pattern matches."""
    prefix, _, name = written.lower().partition(":")
    if _WILD.search(prefix):
        services = [s for p, s in known.services.items() if _like(prefix, p)]
        name = name or EVERYTHING
    else:
        services = [known.services[prefix]] if prefix in known.services else []
    if not _WILD.search(name):
        return tuple(s.actions[name] for s in services if name in s.actions)
    return tuple(action for s in services for lower, action in s.actions.items() if _like(name, lower))


def _unknown_action(written: str, known: Reference) -> str:
    prefix, _, name = written.partition(":")
    service = known.services.get(prefix.lower())
    if service is None:
        near = difflib.get_close_matches(prefix.lower(), known.services, 3)
        return f"{written} is of no service that AWS has{_or(near)}"
    near = [str(service.actions[n]) for n in difflib.get_close_matches(name.lower(), service.actions, 3)]
    return f"{written} is no action{_or(near)}"


def _or(near: Sequence[str]) -> str:
    return f"; there is {', '.join(near)}" if near else ""


# ---------------------------------------------------------------- resources


def _of_resource(resource: str, named: Mapping[str, tuple[Action, ...]], of: Of, known: Reference) -> Iterator[str]:
    for written, found in named.items():
        if resource == EVERYTHING and (len(found) > 1 or of == "resource"):
            continue  # many actions, or the one thing that the document is attached to
        if not any(not _misfit(action, resource, known) for action in found):
            yield _misfit(found[0], resource, known).replace(str(found[0]), written, 1)


def _misfit(action: Action, resource: str, known: Reference) -> str:
    own = [c for c in CORRECTIONS if str(action) in c.actions]
    arns = [arn for c in own for arn in c.arns]
    kinds = list(known.kinds(action))
    if resource == EVERYTHING:
        if not kinds or any(c.everything for c in own):
            return ""
        return f"{action} on * although it knows {_kinds(kinds)}"
    if not kinds and not arns:
        return f"{action} on {resource} although it knows no resource, so that only * allows it"
    service = known.services[action.service].kinds.values()
    reached = {kind.arn for kind in _reached(resource, [*service, *(Kind(name="", arn=arn) for arn in arns)])}
    if reached & {*arns, *(kind.arn for kind in kinds)}:
        return ""
    return f"{action} on {resource} means nothing: it works on {_kinds(kinds)}"


def _kinds(kinds: Iterable[Kind]) -> str:
    return ", ".join(f"{kind.name} ({kind.arn})" for kind in kinds)


def _reached(resource: str, kinds: Sequence[Kind]) -> Iterator[Kind]:
    """The kinds of resource that an ARN, or a pattern of ARNs, is or reaches.

    An ARN is of the kind that says most of it: `bucket/key` is an object although a bucket's name might be any text. A
    pattern reaches, besides, the kinds that say still more and overlap with it: `log-group:NAME:*` the streams in it.
    """
    text = _VARIABLE.sub(EVERYTHING, resource)
    plain = [kind for kind in kinds if _regex(kind.arn).fullmatch(text)]
    most = max((_said(kind) for kind in plain), default=-1)
    yield from (kind for kind in plain if _said(kind) == most)
    if _WILD.search(text):
        yield from (k for k in kinds if _said(k) > most and _overlap_by_parts(_VARIABLE.sub(EVERYTHING, k.arn), text))


def _said(kind: Kind) -> int:
    return len(_VARIABLE.sub("", kind.arn).replace(EVERYTHING, ""))


@cache
def _regex(arn: str) -> re.Pattern[str]:
    """An ARN's text: what a variable stands for has no colon before the last part, and is not empty in it."""
    parts = arn.split(":", _PARTS - 1)
    out = []
    for number, part in enumerate(parts):
        any_text = ".+" if number == _PARTS - 1 else "[^:]*"
        pieces = re.split(r"(\$\{[^}]*\}|\*)", part)
        out.append("".join(any_text if p[:1] in {"$", "*"} and p else re.escape(p) for p in pieces))
    return re.compile(":".join(out))


def _overlap_by_parts(first: str, second: str) -> bool:
    """Whether some ARN is matched by both; no part of an ARN but the last has a colon in it."""
    ours, theirs = first.split(":", _PARTS - 1), second.split(":", _PARTS - 1)
    if len(ours) < len(theirs) or len(theirs) < _PARTS:
        return _overlap(first, second)
    return all(_overlap(a, b) for a, b in zip(ours, theirs, strict=True))


@cache
def _overlap(first: str, second: str) -> bool:
    """Whether some text is matched by both patterns of `*` and `?`."""
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        i, j = at
        a, b = first[i : i + 1], second[j : j + 1]
        if not a and not b:
            return True
        if a == EVERYTHING:
            waiting.append((i + 1, j))
        if b == EVERYTHING:
            waiting.append((i, j + 1))
        if a and b and (a == b or a in "*?" or b in "*?"):
            waiting.append((i if a == EVERYTHING else i + 1, j if b == EVERYTHING else j + 1))
    return False


@cache
def _like(pattern: str, text: str) -> bool:
    return _overlap(pattern, text)


# ---------------------------------------------------------------- condition keys


def _is_global(key: str) -> bool:
    return key.lower() in GLOBAL_KEYS or key.lower().startswith(GLOBAL_TAGS)


def _token_hosts(principal: Any) -> Iterator[str]:
    for name in _list(principal.get("Federated", ())) if isinstance(principal, Mapping) else ():
        provider = _OIDC.fullmatch(name)
        yield (provider["host"] + (provider["path"] or "") if provider else name).lower()


def _is_claim(key: str, hosts: set[str]) -> bool:
    host, _, claim = key.lower().rpartition(":")
    return host in hosts and (claim in TOKEN_CLAIMS or claim in CLAIMS_OF.get(host, ()))


def _of_key(key: str, named: Mapping[str, tuple[Action, ...]], known: Reference) -> Iterator[str]:
    for written, found in named.items():
        if not any(_has_key(action, key, known) for action in found):
            yield f"{written} has no condition key {key}{_or(_near_keys(found, key, known))}"


def _has_key(action: Action, key: str, known: Reference) -> bool:
    return any(_same_key(key, other) for other in _keys(action, known))


def _keys(action: Action, known: Reference) -> Iterator[str]:
    yield from action.keys
    for kind in known.kinds(action):
        yield from kind.keys


def _same_key(key: str, known: str) -> bool:
    """A known key may end in a variable, such as `aws:ResourceTag/${TagKey}`."""
    beginning, variable, _ = known.lower().partition("${")
    return key.lower().startswith(beginning) and len(key) > len(beginning) if variable else key.lower() == known.lower()


def _near_keys(found: Iterable[Action], key: str, known: Reference) -> list[str]:
    names = {name.lower(): name for action in found for name in _keys(action, known)}
    return [names[n] for n in difflib.get_close_matches(key.lower(), names, 3)]


# ---------------------------------------------------------------- what an action needs besides


def _missing_dependents(statements: Iterable[Mapping[str, Any]], known: Reference) -> Iterator[Mistake]:
    allowing = [s for s in statements if s.get("Effect") == "Allow"]
    granted = [written.lower() for s in allowing for written in _list(s.get("Action", ()))]
    for statement in allowing:
        for written in _list(statement.get("Action", ())):
            for action in _actions(written, known) if not _WILD.search(written) else ():
                for other in action.dependent:
                    if not any(_like(pattern, other.lower()) for pattern in granted) and not _needless(action, other):
                        sid = str(statement.get("Sid", ""))
                        yield Mistake(sid=sid, what=f"{action} needs {other} besides, which nothing here allows")


def _needless(action: Action, other: str) -> Correction | None:
    return next((c for c in CORRECTIONS if str(action) in c.actions and other in c.needless), None)


def _list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Mapping) else list(value)
