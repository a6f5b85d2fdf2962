"""Property paths as resource options name them: `tags.team`, `ingress[0].fromPort`, `["a.b"]`, `rules[*]`.

The rules are the SDK's (`sdk/go/common/resource/properties_path.go`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str | int, ...]

_PART = re.compile(r"""\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<any>\*)\]|\["(?P<quoted>(?:[^"\\]|\\.)*)"\]""")
_GONE = object()


def parsed(text: str) -> Path:
    """The parts of a path; names, and indices as numbers.

    Raises:
        ValueError: it is not a path.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f'{text!r} is not a property path; write tags.team, rules[0].port or rules["a.b"]')
        if found["index"] is not None:
            parts.append(int(found["index"]))
        elif found["quoted"] is not None:
            parts.append(re.sub(r"\\(.)", r"\1", found["quoted"]))
        else:
            parts.append(found["any"] or found["name"])
        at = found.end()
    return tuple(parts)


def written(path: Path) -> str:
    """The path as text."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += "[" + json.dumps(part, ensure_ascii=False) + "]"
    return text


def contains(path: Path, other: Path) -> bool:
    """Whether a path is another or stands above it; `*` stands for any one part."""
    return len(other) >= len(path) and all(a in ("*", b) for a, b in zip(path, other, strict=False))


def reset(old: Mapping[str, Any], new: Mapping[str, Any], ignored: Sequence[str]) -> dict[str, Any]:
    """The new properties with the old value at every path that is ignored; plain values.

    An element of a list that only one of the two has is left as it is: a list has no holes.
    """
    result = dict(new)
    for text in ignored:
        result = _reset(parsed(text), dict(old), result)
    return result


def _reset(path: Path, old: Any, new: Any) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(old, dict) and isinstance(new, dict):
        if head == "*" and not rest:
            return dict(old)
        keys = list(old) if head == "*" else [str(head)]
        return _reset_keys(keys, rest, old, new)
    if isinstance(old, list) and isinstance(new, list) and not (isinstance(head, str) and head != "*"):
        indices = range(min(len(old), len(new))) if head == "*" else [int(head)]
        result = list(new)
        for index in indices:
            if index < len(old) and index < len(new):
                result[index] = _reset(rest, old[index], new[index]) if rest else old[index]
        return result
    return new


def _reset_keys(keys: Sequence[str], rest: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(new)
    for key in keys:
        if rest:
            if key in old and key in new:
                result[key] = _reset(rest, old[key], new[key])
        elif key in old:
            result[key] = old[key]
        else:
            result.pop(key, None)
    return result


def changed(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Where two plain values differ, deepest place first: (path, old value, new value), None for none."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if not key.startswith("__"):
                yield from _one(old.get(key, _GONE), new.get(key, _GONE), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _one(
                old[index] if index < len(old) else _GONE,
                new[index] if index < len(new) else _GONE,
                (*path, index),
            )
    elif old is not new and (type(old) is not type(new) or old != new) and not _same_number(old, new):
        yield path, old, new


def _one(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if old is _GONE or new is _GONE:
        yield path, None if old is _GONE else old, None if new is _GONE else new
    else:
        yield from changed(old, new, path)


def _same_number(old: Any, new: Any) -> bool:
    return (
        isinstance(old, int | float)
        and isinstance(new, int | float)
        and old == new
        and bool not in (type(old), type(new))
    )
