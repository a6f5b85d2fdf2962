"""What the generated SDKs say of resource types and functions: their inputs, their outputs, and the types of both."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import _types

from .loading import imported


@functools.cache
def raw_hints(cls: type) -> dict[str, Any]:
    """The types of a class's properties, by the provider's name."""
    return dict(_types._raw_return_hints(cls))  # noqa: SLF001  what the SDK itself reads output types from


_classes: dict[str, type] = {}


def resource_class(token: str) -> type | None:
    """The Python class of a type token, among those that the program has imported."""
    found = _classes.get(token)
    if found is not None:
        return found
    waiting: list[type] = [pulumi.CustomResource, pulumi.ComponentResource]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        name = cls.__dict__.get("pulumi_type")
        if isinstance(name, str):
            # Of a deprecated alias and its successor, which share a token, either describes the outputs.
            _classes.setdefault(name, cls)
    return _classes.get(token)


def computed(token: str) -> Mapping[str, Any]:
    """The output properties that a type always has, by the provider's name, with their Python type.

    An output that is not optional is either a required input or computed: where the program did not give it,
    the provider does.
    """
    cls = resource_class(token)
    return {} if cls is None else _required(cls)


@functools.cache
def _required(cls: type) -> dict[str, Any]:
    return {name: hint for name, hint in raw_hints(cls).items() if not is_optional(inside_output(hint))}


@functools.cache
def inputs_of(cls: type) -> frozenset[str]:
    """The properties, by the provider's name, that the program could have given a type itself."""
    names = _types.resource_py_to_pulumi_names(cls)
    start: Any = getattr(cls, "_internal_init", None) or cls.__dict__["__init__"]
    return frozenset(names.get(parameter, parameter) for parameter in inspect.signature(start).parameters)


def inside_output(hint: Any) -> Any:
    """The type of what an `Output` holds."""
    if typing.get_origin(hint) is pulumi.Output:
        return typing.get_args(hint)[0]
    return hint


def is_optional(hint: Any) -> bool:
    """Whether a type allows None."""
    return typing.get_origin(hint) is typing.Union and type(None) in typing.get_args(hint)


def results(token: str) -> Mapping[str, Any]:
    """Every property of what a function gives back, by the provider's name, with its Python type."""
    cls = result_class(token)
    return {} if cls is None else {key: needed(hint) for key, hint in raw_hints(cls).items()}


def needed(hint: Any) -> Any:
    """A type without the None that it may be instead."""
    inner = [one for one in typing.get_args(hint) if one is not type(None)] if is_optional(hint) else []
    return inner[0] if len(inner) == 1 else hint


def result_class(token: str) -> type | None:
    """The class of a function's result: `aws:ec2/getVpc:getVpc` is `pulumi_aws.ec2.get_vpc.GetVpcResult`."""
    package, module, function = token.split(":")
    file = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    found = imported(f"pulumi_{package}.{module.split('/')[0]}.{file}")
    cls = getattr(found, f"{function[:1].upper()}{function[1:]}Result", None)
    return cls if isinstance(cls, type) else None


def all_outputs(token: str) -> Mapping[str, Any]:
    """Every output property of a type, by the provider's name, with its Python type."""
    cls = resource_class(token)
    return {} if cls is None else _all(cls)


@functools.cache
def _all(cls: type) -> dict[str, Any]:
    return {name: inside_output(hint) for name, hint in raw_hints(cls).items()}


def fields(hint: Any) -> Mapping[str, Any]:
    """The properties of an output type, with their types; nothing for any other type."""
    return raw_hints(hint) if isinstance(hint, type) and _types.is_output_type(hint) else {}


def element(hint: Any) -> Any:
    """The type of a list's elements; None for any other type."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) in (list, Sequence) and typing.get_args(hint) else None


def forget_classes() -> None:
    """Forget the classes that a program defined, so that the next run finds its own."""
    for token, cls in list(_classes.items()):
        if getattr(imported(cls.__module__), cls.__name__, None) is not cls:
            del _classes[token]
