"""A pack's configuration as the engine puts it together: defaults, the pack's initial config, the user's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2

from pulumi_rehearsal.errors import UsageError

_LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "remediate": analyzer_pb2.REMEDIATE,
    "disabled": analyzer_pb2.DISABLED,
}


def configuration(
    info: analyzer_pb2.AnalyzerInfo, given: Mapping[str, Any], source: str
) -> analyzer_pb2.ConfigureAnalyzerRequest:
    """What the engine sends to Configure: defaults, then the pack's initial config, then the user's.

    `given` is the content of a `--policy-config` file: by policy name (or `all`) an enforcement level, or a map
    with `enforcementLevel` and the policy's properties.

    Raises:
        UsageError: an unknown policy or property, a wrong type, or a required property that is missing.
    """
    policies = {policy.name: policy for policy in info.policies}
    levels = {name: policy.enforcementLevel for name, policy in policies.items()}
    properties: dict[str, dict[str, Any]] = {
        name: {
            key: schema["default"]
            for key, schema in _schema(policy).items()
            if isinstance(schema, dict) and "default" in schema
        }
        for name, policy in policies.items()
    }
    initial = {
        name: {
            "enforcementLevel": analyzer_pb2.EnforcementLevel.Name(config.enforcementLevel).lower(),
            **json_format.MessageToDict(config.properties),
        }
        for name, config in info.initialConfig.items()
    }
    for layer, where in ((initial, f"the initial config of {info.name}"), (given, source)):
        _apply(layer, where, levels, properties)
    for name, policy in policies.items():
        if levels[name] != analyzer_pb2.DISABLED:
            missing = [key for key in policy.configSchema.required if key not in properties[name]]
            if missing:
                raise UsageError(f"{source}: policy {name} needs {', '.join(missing)}")
            if given or initial:
                _validate(policy, properties[name], source)
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name in policies:
        entry = request.policyConfig[name]
        entry.enforcementLevel = levels[name]
        entry.properties.update(properties[name])
    return request


def _apply(
    layer: Mapping[str, Any],
    where: str,
    levels: dict[str, analyzer_pb2.EnforcementLevel.ValueType],
    properties: dict[str, dict[str, Any]],
) -> None:
    if "all" in layer:
        level, rest = _entry("all", layer["all"], where)
        if rest:
            raise UsageError(f"{where}: all takes an enforcementLevel only; found {', '.join(sorted(rest))}")
        if level is not None:
            for name in levels:
                levels[name] = level
    for name, value in layer.items():
        if name == "all":
            continue
        if name not in levels:
            raise UsageError(f"{where}: there is no policy {name!r}; the policies are {', '.join(sorted(levels))}")
        level, rest = _entry(name, value, where)
        if level is not None:
            levels[name] = level
        properties[name].update(rest)


def _entry(name: str, value: Any, where: str) -> tuple[analyzer_pb2.EnforcementLevel.ValueType | None, dict[str, Any]]:
    if isinstance(value, str):
        value = {"enforcementLevel": value}
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {name} must be an enforcement level or a map of properties; found {value!r}")
    rest = {key: item for key, item in value.items() if key != "enforcementLevel"}
    if "enforcementLevel" not in value:
        return None, rest
    level = _LEVELS.get(str(value["enforcementLevel"]))
    if level is None:
        raise UsageError(
            f"{where}: {name} has enforcementLevel {value['enforcementLevel']!r}; allowed are {', '.join(_LEVELS)}"
        )
    return level, rest


def _schema(policy: analyzer_pb2.PolicyInfo) -> dict[str, Any]:
    return dict(json_format.MessageToDict(policy.configSchema.properties))


def _validate(policy: analyzer_pb2.PolicyInfo, values: Mapping[str, Any], source: str) -> None:
    # Only a pack that is configured pays for the import.
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # noqa: PLC0415

    schema = {"type": "object", "properties": _schema(policy)}
    for error in Draft7Validator(schema).iter_errors(dict(values)):
        key, *inside = error.absolute_path
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inside)
        say = _WORDS.get(str(error.validator), lambda error: f"is not allowed ({error.message})")
        raise UsageError(f"{source}: {key}{where} of policy {policy.name} {say(error)}; found {error.instance!r}")


_WORDS: dict[str, Callable[[Any], str]] = {
    "additionalProperties": lambda e: (
        f"has no property {', '.join(sorted(set(e.instance) - set(e.schema.get('properties', ()))))}"
    ),
    "enum": lambda e: f"must be one of {', '.join(map(str, e.validator_value))}",
    "maximum": lambda e: f"must be at most {e.validator_value:g}",
    "maxItems": lambda e: f"must have at most {e.validator_value:g} items",
    "maxLength": lambda e: f"must have at most {e.validator_value:g} characters",
    "minimum": lambda e: f"must be at least {e.validator_value:g}",
    "minItems": lambda e: f"must have at least {e.validator_value:g} items",
    "minLength": lambda e: f"must have at least {e.validator_value:g} characters",
    "pattern": lambda e: f"must match {e.validator_value}",
    "required": lambda e: f"needs {', '.join(key for key in e.validator_value if key not in e.instance)}",
    "type": lambda e: (
        f"must be of type {e.validator_value if isinstance(e.validator_value, str) else ' or '.join(e.validator_value)}"
    ),
}
