"""A pack's settings: one pydantic model, whose JSON schema is the pack's configuration schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema

from .resources import Resource

PRODUCTION_NAMES: Final = ("prod", "prd", "production", "live")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, Field(min_length=1)]
Texts = tuple[Text, ...]
Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number; what Pulumi sends is a float, as in any `google.protobuf.Struct`."""


class SettingsError(ValueError):
    """The pack's configuration cannot be used; the message names the key and what is allowed."""


class SettingsModel(BaseModel):
    """Keys in camelCase, none unknown, nothing converted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
    )


class PackSettings(SettingsModel):
    """Settings of every pack of this kit."""

    environment_tag: Text = Field(
        default="ecs-release:environment",
        description="Tag of the environment's name, on resources or among the provider's default tags.",
    )
    production_tag: Text = Field(
        default="ecs-release:production", description='Tag that is "true" where the environment is production.'
    )
    production_environments: Texts = Field(
        default=PRODUCTION_NAMES, description="Names of environments that are production whatever their tag says."
    )

    def environment(self, resource: Resource) -> str:
        """The environment's name; empty when no tag says."""
        return resource.tags.get(self.environment_tag, "")

    def production(self, resource: Resource) -> bool:
        """Whether the resource belongs to production, by its mark or by the environment's name."""
        marked = resource.tags.get(self.production_tag, "").lower() == "true"
        return marked or self.environment(resource).lower() in {n.lower() for n in self.production_environments}


P = TypeVar("P", bound=PackSettings)


def read(model: type[P], config: Mapping[str, Any] | None) -> P:
    """The settings of one policy's configuration; equal configurations give the same object.

    Raises:
        SettingsError: a key is unknown or its value has another form.
    """
    found: P = _read(model, json.dumps(config or {}, sort_keys=True))
    return found


@lru_cache(maxsize=64)
def _read(model: type[P], config: str) -> P:
    try:
        return model.model_validate_json(config, by_name=False)
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(model, problem) for problem in error.errors())) from None


def _sentence(model: type[PackSettings], problem: Any) -> str:
    *above, last = (str(part) for part in problem["loc"] if part != "[key]")
    place = f"The setting {'.'.join(above)}" if above else "The pack"
    if problem["type"] == "extra_forbidden":
        known = "" if above else f"; it knows {', '.join(schema(model))}"
        return f"{place} has no {'key' if above else 'setting'} {last}{known}."
    if problem["type"] == "missing":
        return f"{place} must have {last}."
    _, _, must_be = problem["msg"].partition(" should ")
    return f"The setting {'.'.join((*above, last))} must {must_be or problem['msg']}; found {problem['input']!r}."


class _Untitled(GenerateJsonSchema):
    """A key's title would say its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  the generator's own signature
        return False


def schema(model: type[PackSettings]) -> dict[str, dict[str, Any]]:
    """JSON schema of each key, as `PolicyConfigSchema` takes it: with nothing defined elsewhere."""
    whole = model.model_json_schema(schema_generator=_Untitled)
    inlined: dict[str, dict[str, Any]] = _inlined(whole["properties"], whole.get("$defs", {}))
    return inlined


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(definitions[value["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(item, definitions) for key, item in value.items() if key != "title"}
