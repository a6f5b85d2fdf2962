"""What a stack's owner may tell the pack: one schema, understood by every policy of the pack that needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

PURPOSES: Final = (
    "ci",
    "pipeline",
    "pipeline-action",
    "deployment",
    "task",
    "task-execution",
    "function",
    "event-rule",
    "trail",
    "chatbot",
    "cross-account",
)
PRODUCTION_NAMES: Final = ("prod", "prd", "production", "live")


class SettingsError(ValueError):
    """The pack's configuration cannot be used; the message names the key and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A permission that the owner adds by name to one purpose."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """An OIDC issuer beside those that the pack knows."""

    audiences: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The pack's configuration. Every field has a default that suits ecs-release itself."""

    purpose_tag: str = "ecs-release:purpose"
    service_tag: str = "ecs-release:service"
    environment_tag: str = "ecs-release:environment"
    production_tag: str = "ecs-release:production"
    production_environments: tuple[str, ...] = PRODUCTION_NAMES
    purposes: Mapping[str, str] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    handoffs: tuple[str, ...] = ()
    allowed: Mapping[str, tuple[Extra, ...]] = field(default_factory=dict)
    managed_policies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    passable_roles: tuple[str, ...] = ()
    external_principals: tuple[str, ...] = ()
    third_parties: tuple[str, ...] = ()
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    release_tags: tuple[str, ...] = ("v*", "*.*.*")
    protected_environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    require_boundary: bool = True


def _object(of: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": dict(of), "description": description}


def _list(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "description": description}


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
SCHEMA: Final[dict[str, dict[str, Any]]] = {
    "purposeTag": {
        "type": "string",
        "default": "ecs-release:purpose",
        "description": f"Tag by which a role states its purpose: {', '.join(PURPOSES)}.",
    },
    "serviceTag": {
        "type": "string",
        "default": "ecs-release:service",
        "description": "Tag by which a role or resource states the service it belongs to.",
    },
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
    "purposes": _object({"type": "string"}, "The stack's own words for purposes: word to purpose."),
    "accounts": _list("Account ids that are the stack's own, where the provider does not say (allowedAccountIds)."),
    "handoffs": _list("s3://bucket/key of hand-offs, where no event rule or pipeline source of the stack names them."),
    "allowed": _object(
        {
            "type": "array",
            "items": {"type": "object", "properties": {"actions": _TEXTS, "resources": _TEXTS}},
        },
        "Purpose to permissions that are intended beside those the stack itself explains.",
    ),
    "managedPolicies": _object(_TEXTS, "Purpose to ARNs of managed policies that may be attached."),
    "passableRoles": _list("ARNs of roles outside the stack that may be passed."),
    "externalPrincipals": _list("Accounts, roles or organisations (o-...) that the stack trusts besides itself."),
    "thirdParties": _list("Those of externalPrincipals that belong to somebody else: they must send an ExternalId."),
    "branches": _object(_TEXTS, "Environment to the branches that release to it; without it the branch of its name."),
    "releaseTags": _list("Patterns of the git tags that are releases."),
    "protectedEnvironments": _object(_TEXTS, "Environment to the CI environments that guard it."),
    "issuers": _object(
        {"type": "object", "properties": {"audiences": _TEXTS, "subjects": _TEXTS}},
        "Host of an OIDC issuer to the audiences and subjects that are the stack's.",
    ),
    "requireBoundary": {
        "type": "boolean",
        "default": True,
        "description": "Whether each CI role must have a permissions boundary.",
    },
}  # fmt: skip


def settings_of(config: Mapping[str, Any] | None) -> Settings:
    """The settings of one policy's configuration.

    Raises:
        SettingsError: a key is unknown or its value has another form.
    """
    return _settings(_frozen(config or {}))


@lru_cache(maxsize=64)
def _settings(frozen: tuple[tuple[str, Any], ...]) -> Settings:
    values = dict(frozen)
    unknown = sorted(set(values) - set(SCHEMA))
    if unknown:
        raise SettingsError(f"The pack has no setting {', '.join(unknown)}; it knows {', '.join(SCHEMA)}.")
    return Settings(**{name: read(key, values[key]) for key, (name, read) in _READ.items() if key in values})


class _Map(tuple[tuple[str, Any], ...]):
    """A mapping that can be hashed."""

    __slots__ = ()


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Map((str(k), _frozen(v)) for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(v) for v in value)
    return value


def _map(key: str, value: Any) -> _Map:
    if not isinstance(value, _Map):
        raise SettingsError(f"The setting {key} must be an object.")
    return value


def _items(key: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, _Map) or not isinstance(value, tuple):
        raise SettingsError(f"The setting {key} must be a list.")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"The setting {key} must be text.")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    return tuple(_text(key, item) for item in _items(key, value))


def _purpose(key: str, value: Any) -> str:
    if value not in PURPOSES:
        raise SettingsError(f"The setting {key} names the purpose {value!r}; known are {', '.join(PURPOSES)}.")
    return str(value)


def _extra(key: str, value: Any) -> Extra:
    found = dict(_map(key, value))
    if set(found) != {"actions", "resources"}:
        raise SettingsError(f"The setting {key} must list permissions with actions and resources.")
    actions = tuple(a.lower() for a in _texts(f"{key}.actions", found["actions"]))
    return Extra(actions=actions, resources=_texts(f"{key}.resources", found["resources"]))


def _issuer(key: str, value: Any) -> Issuer:
    found = dict(_map(key, value))
    if set(found) != {"audiences", "subjects"}:
        raise SettingsError(f"The setting {key} must have audiences and subjects.")
    return Issuer(
        audiences=_texts(f"{key}.audiences", found["audiences"]),
        subjects=_texts(f"{key}.subjects", found["subjects"]),
    )


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"The setting {key} must be true or false.")
    return value


def _lists(key: str, value: Any) -> dict[str, tuple[str, ...]]:
    return {k: _texts(f"{key}.{k}", v) for k, v in _map(key, value)}


def _purposes(key: str, value: Any) -> dict[str, str]:
    return {k: _purpose(f"{key}.{k}", v) for k, v in _map(key, value)}


def _allowed(key: str, value: Any) -> dict[str, tuple[Extra, ...]]:
    return {
        _purpose(key, k): tuple(_extra(f"{key}.{k}", item) for item in _items(f"{key}.{k}", v))
        for k, v in _map(key, value)
    }


def _issuers(key: str, value: Any) -> dict[str, Issuer]:
    return {k: _issuer(f"{key}.{k}", v) for k, v in _map(key, value)}


_READ: Final[Mapping[str, tuple[str, Callable[[str, Any], Any]]]] = {
    "purposeTag": ("purpose_tag", _text),
    "serviceTag": ("service_tag", _text),
    "environmentTag": ("environment_tag", _text),
    "productionTag": ("production_tag", _text),
    "productionEnvironments": ("production_environments", _texts),
    "purposes": ("purposes", _purposes),
    "accounts": ("accounts", _texts),
    "handoffs": ("handoffs", _texts),
    "allowed": ("allowed", _allowed),
    "managedPolicies": ("managed_policies", _lists),
    "passableRoles": ("passable_roles", _texts),
    "externalPrincipals": ("external_principals", _texts),
    "thirdParties": ("third_parties", _texts),
    "branches": ("branches", _lists),
    "releaseTags": ("release_tags", _texts),
    "protectedEnvironments": ("protected_environments", _lists),
    "issuers": ("issuers", _issuers),
    "requireBoundary": ("require_boundary", _flag),
}
