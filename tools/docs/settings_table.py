"""Every setting in tables, read from the model in `components/settings/`."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Len, MaxLen, MinLen
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from components import strategies
from components.settings import Settings, SettingsModel


def rows(
    part: type[SettingsModel] = Settings, prefix: str = "", seen: dict[type[SettingsModel], str] | None = None
) -> Iterator[tuple[str, str, str, str]]:
    """(key, allowed, default, description) of every setting, in the model's order; a model's keys once."""
    seen = {} if seen is None else seen
    for field in part.model_fields.values():
        nested, suffix = _nested(field.annotation)
        key = f"{prefix}{field.alias}{suffix}"
        if nested is None:
            yield key, _allowed(field), _default(field), _sentence(field)
            continue
        kind = {"": "object", "[]": "list of objects"}.get(suffix, "map of names to objects")
        known = seen.get(nested)
        yield key, f"{kind}, keys as in `{known}`" if known else kind, _default(field), _sentence(field)
        if known is None:
            seen[nested] = key
            yield from rows(nested, f"{key}.", seen)


_HEAD = ["| key | allowed | default | description |", "| --- | --- | --- | --- |"]


def table() -> str:
    """The rows as Markdown, a section for each part of a stack and of a service."""
    lines = ["## The stack", "", *_HEAD]
    for key, allowed, default, description in map(_with_strategies, rows()):
        inside = key.removeprefix("services[].")
        if "." not in inside and allowed.startswith(("object", "list of objects")) and "keys as in" not in allowed:
            level = "##" if inside == key else "###"
            lines += ["", f"{level} `{key}`: {description[0].lower()}{description[1:].rstrip('.')}", "", *_HEAD]
        lines.append(f"| `{key}` | {allowed} | {default} | {description} |")
    return "\n".join(lines)


def _with_strategies(row: tuple[str, str, str, str]) -> tuple[str, str, str, str]:
    """The settings know no strategy; those that there are say what they are."""
    key, _, default, sentence = row
    if not key.endswith(".strategy"):
        return row
    summaries = "; ".join(f"{name}: {s.summary}" for name, s in sorted(strategies.ALL.items()))
    return key, ", ".join(f"`{name}`" for name in sorted(strategies.ALL)), default, f"{sentence[:-1]}. {summaries}."


def _sentence(field: FieldInfo) -> str:
    return " ".join((field.description or "").split()).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, SettingsModel):
        return "see nested keys"
    return f"`{json.dumps(value, default=list) if not isinstance(value, str) else value}`"


def _nested(annotation: Any) -> tuple[type[SettingsModel] | None, str]:
    """The model inside an annotation, and how its key goes on: [] for a list, .NAME for named ones."""
    if isinstance(annotation, type) and issubclass(annotation, SettingsModel):
        return annotation, ""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    suffix = {tuple: "[]", dict: ".NAME"}.get(origin, "")
    for argument in args:
        found, below = _nested(argument)
        if found is not None:
            return found, suffix + below
    return None, ""


def _allowed(field: FieldInfo) -> str:
    limits = [w for m in field.metadata if (w := _limit(m))]
    words = limits if limits and field.annotation is str else [_kind(field.annotation), *limits]
    return "; ".join(dict.fromkeys(w for w in words if w)).replace("|", "\\|")


def _kind(annotation: Any) -> str:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        limits = [w for m in args[1:] if (w := _limit(m))]
        return "; ".join(limits) or _kind(args[0])
    if origin is Literal:
        return ", ".join(f"`{a}`" for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(a) for a in args if a is not type(None))
    if origin is tuple:
        return f"list of: {_kind(args[0])}"
    if origin is dict:
        return f"map of names to: {_kind(args[1])}"
    return {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}.get(annotation, "")


_LIMITS = {
    Ge: "{0.ge} or more",
    Le: "{0.le} or less",
    Gt: "more than {0.gt}",
    MinLen: "at least {0.min_length}",
    MaxLen: "at most {0.max_length}",
    Len: "{0.min_length} to {0.max_length} items",
}


def _limit(metadata: Any) -> str:
    if isinstance(metadata, AfterValidator):
        return str(getattr(metadata.func, "allowed", ""))
    return _LIMITS.get(type(metadata), "").format(metadata)
