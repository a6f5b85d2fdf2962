"""EventBridge's event patterns and input transformers.

Source: EventBridge user guide, "Amazon EventBridge event patterns", "Comparison operators", "Input transformation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_ABSENT = object()


def matched(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether the event has every key of the pattern with one of its values.

    Raises:
        ValueError: a comparison that EventBridge knows and this reader does not.
    """
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matched(one, event) for one in wanted):
                return False
            continue
        found = event.get(key, _ABSENT) if isinstance(event, Mapping) else _ABSENT
        if isinstance(wanted, Mapping):
            inside = found if isinstance(found, list) else [found]
            if not any(matched(wanted, one) for one in inside):
                return False
        elif not _any(wanted, found):
            return False
    return True


def _any(filters: list[Any], found: Any) -> bool:
    values = found if isinstance(found, list) and found else [found]
    return any(_passes(one, value) for one in filters for value in values)


def _passes(wanted: Any, found: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return type(wanted) is type(found) and bool(wanted == found)
    ((comparison, operand),) = wanted.items()
    if comparison == "exists":
        return (found is not _ABSENT) is operand
    if comparison == "anything-but" and not isinstance(operand, Mapping):
        return found is not _ABSENT and found not in (operand if isinstance(operand, list) else [operand])
    test = _OF_TEXTS.get(comparison)
    if test is None or not isinstance(operand, str):
        raise ValueError(f"the rehearsal does not know the comparison {json.dumps(wanted)}")
    return isinstance(found, str) and test(found, operand)


def _like(found: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), found, re.DOTALL) is not None


_OF_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "equals-ignore-case": lambda found, operand: found.lower() == operand.lower(),
    "wildcard": _like,
}


def transformed(paths: Mapping[str, str], template: str | None, event: Mapping[str, Any]) -> dict[str, Any]:
    """What a target gets: the event itself, or what the input transformer makes of it."""
    if template is None:
        return dict(event)
    text = template
    for name, path in paths.items():
        value: Any = event
        for part in path.removeprefix("$").strip(".").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        said = json.dumps("" if value is None else value)
        text = text.replace(f'"<{name}>"', said).replace(f"<{name}>", said)
    made: dict[str, Any] = json.loads(text)
    return made
