"""What a stack's owner may tell the pack: one schema, understood by every policy of the pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

PRODUCTION_NAMES: Final = ("prod", "prd", "production", "live")


class SettingsError(ValueError):
    """The pack's configuration cannot be used; the message names the key and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The pack's configuration. Every field has a default that suits ecs-release itself."""

    environment_tag: str = "ecs-release:environment"
    production_tag: str = "ecs-release:production"
    production_environments: tuple[str, ...] = PRODUCTION_NAMES
    cache_repositories: tuple[str, ...] = ("cache", "*/cache")
    registries: tuple[str, ...] = ("public.ecr.aws/",)
    external_buckets: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    minimum_bake_minutes: int = 5
    read_only_root: bool = False
    plain_variables: tuple[str, ...] = ()


def _list(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "description": description}


SCHEMA: Final[dict[str, dict[str, Any]]] = {
    "environmentTag": {
        "type": "string",
        "default": "ecs-release:environment",
        "description": "Tag of the environment's name, on resources or among the provider's default tags.",
    },
    "productionTag": {
        "type": "string",
        "default": "ecs-release:production",
        "description": 'Tag that is "true" where the environment is production.',
    },
    "productionEnvironments": _list("Names of environments that are production whatever their tag says."),
    "cacheRepositories": _list("Patterns of repositories that hold build caches and are never deployed."),
    "registries": _list("Beginnings of image names, besides the stack's own repositories, that a task may start from."),
    "externalBuckets": _list("Buckets of releases that another stack declares and holds to the same rules."),
    "gates": _list("Names of the functions that are gates; without it the first function that reads the hand-off."),
    "minimumBakeMinutes": {
        "type": "integer",
        "default": 5,
        "minimum": 1,
        "description": "Minutes that production keeps the old tasks after a deployment, at the least.",
    },
    "readOnlyRoot": {
        "type": "boolean",
        "default": False,
        "description": "Whether every container must have a read-only root file system, not only those that say so.",
    },
    "plainVariables": _list("Names of variables that look like secrets and are none."),
}

_KEYS: Final = {
    "environmentTag": "environment_tag",
    "productionTag": "production_tag",
    "productionEnvironments": "production_environments",
    "cacheRepositories": "cache_repositories",
    "registries": "registries",
    "externalBuckets": "external_buckets",
    "gates": "gates",
    "minimumBakeMinutes": "minimum_bake_minutes",
    "readOnlyRoot": "read_only_root",
    "plainVariables": "plain_variables",
}


def settings_of(config: Mapping[str, Any] | None) -> Settings:
    """The settings of one policy's configuration.

    Raises:
        SettingsError: a key is unknown or its value has another form.
    """
    return _settings(tuple((k, _frozen(v)) for k, v in (config or {}).items()))


def _frozen(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value)
    return value


@lru_cache(maxsize=64)
def _settings(values: tuple[tuple[str, Any], ...]) -> Settings:
    fields: dict[str, Any] = {}
    for key, value in values:
        if key not in _KEYS:
            raise SettingsError(f"The pack has no setting {key}; it knows {', '.join(SCHEMA)}.")
        fields[_KEYS[key]] = _checked(key, value)
    return Settings(**fields)


def _checked(key: str, value: Any) -> Any:
    kind = SCHEMA[key]["type"]
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "integer" and isinstance(value, int | float) and not isinstance(value, bool) and value >= 1:
        return int(value)
    if kind == "array" and isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return value
    raise SettingsError(f"The setting {key} is {value!r}; it must be of the type {kind}.")
