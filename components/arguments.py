"""Arguments of the public components, the same from either side.

A Python program gives an `XArgs`. Pulumi's component host, which runs a component for a program in any language, gives
a dict of them: nested types are dicts too, whole numbers are floats, enumerations their values.
"""

import dataclasses
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import pulumi
from pydantic import BaseModel, ValidationError

T = TypeVar("T")


class ArgumentError(pulumi.RunError):
    """An argument is missing, unknown, or of another type; Pulumi shows a `RunError` without a traceback."""


def read(kind: type[T], given: T | Mapping[str, Any]) -> T:
    """The arguments as `kind`, a dataclass, whichever way they come.

    Raises:
        ArgumentError: one is missing, unknown, of another type, or an Output where the preview needs the value.
    """
    out: T = _read(kind, given, kind.__name__)
    return out


def check(model: type[BaseModel], given: Any) -> None:
    """Hold arguments, a dataclass of plain values, to the rules that the settings have for the same thing.

    Raises:
        ArgumentError: they break one.
    """
    try:
        model.model_validate(dataclasses.asdict(given), by_name=True)
    except ValidationError as error:
        found, where = error.errors()[0], type(given).__name__
        place = ".".join(map(str, (where, *found["loc"])))
        for key, value, allowed in found.get("ctx", {}).get("problems", ()):
            raise ArgumentError(f"{place}{'.' if key else ''}{key}: {value!r}; allowed: {allowed}") from None
        raise ArgumentError(f"{place}: {found['input']!r}; allowed: {found['msg']}") from None


def _read(kind: Any, value: Any, where: str) -> Any:
    """One value as its annotation says."""
    if get_origin(kind) in (Union, UnionType):
        return _one_of(get_args(kind), value, where)
    if kind is Any:
        return value
    if isinstance(value, pulumi.Output | Awaitable):
        raise ArgumentError(f"{where}: an Output; names and IAM documents are made of it, so give a plain value")
    return _dataclass(kind, value, where) if dataclasses.is_dataclass(kind) else _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    items = get_args(kind)
    match get_origin(kind) or kind:
        case origin if origin is Sequence and isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(_read(items[0], item, f"{where}[{i}]") for i, item in enumerate(value))
        case origin if origin is dict and isinstance(value, Mapping):
            return {key: _read(items[1], item, f"{where}.{key}") for key, item in value.items()}
        case origin if origin is int and isinstance(value, float) and value.is_integer():
            return int(value)
        case type() as origin if issubclass(origin, Enum) and value in [member.value for member in origin]:
            return origin(value)
        case type() as origin if isinstance(value, origin) and origin is not Sequence:
            return value
    allowed = [member.value for member in kind] if isinstance(kind, type) and issubclass(kind, Enum) else kind
    raise ArgumentError(f"{where}: {value!r}; allowed: {getattr(allowed, '__name__', allowed)}")


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """A value that may be None, or come later (`pulumi.Input`)."""
    if value is None and NoneType in kinds:
        return None
    if isinstance(value, pulumi.Output | Awaitable) and any(get_origin(k) is Awaitable for k in kinds):
        return value
    return _read(kinds[0], value, where)


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if isinstance(value, kind):
        value = {name: getattr(value, name) for name in fields}
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{where}: {value!r}; allowed: {kind.__name__}, or a dict of {', '.join(fields)}")
    if unknown := sorted(set(value) - set(fields)):
        raise ArgumentError(f"{where}.{unknown[0]}: not known; allowed: {', '.join(fields)}")
    required = [name for name, f in fields.items() if f.default is dataclasses.MISSING]
    if missing := [name for name in required if name not in value]:
        raise ArgumentError(f"{where}.{missing[0]}: missing")
    return kind(**{name: _read(fields[name].type, item, f"{where}.{name}") for name, item in value.items()})
