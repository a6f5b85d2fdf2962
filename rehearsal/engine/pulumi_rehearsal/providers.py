"""What providers do with resources while a program runs: check inputs, and give id and outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import aws_values, outputs, sdk_types, state, wire
from .model import unwrapped
from .registration import PROVIDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .changes import Step
    from .registration import Registration


class Providers:
    """Every provider of one run."""

    def __init__(
        self,
        config: Mapping[str, str],
        *,
        preview: bool,
        answers: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._config = config
        self._answers = answers or {}
        self._preview = preview
        self._places: dict[str, aws_values.Place] = {}
        self._default_tags: dict[str, Any] = {}

    def check(self, registration: Registration) -> None:
        """What a provider's Check makes of the inputs.

        Of pulumi-aws: documents that are given as objects become JSON, and `tagsAll` comes from the default tags.
        """
        provider = registration.provider
        if provider is None or provider.type != f"{PROVIDER_PREFIX}aws" or not registration.custom:
            return
        hints = sdk_types.all_outputs(registration.type)
        given = registration.inputs
        inputs = {key: _as_text(value, hints.get(key)) for key, value in given.items()}
        if any(inputs[key] is not given[key] for key in given):
            registration.inputs = inputs
        if "tagsAll" in hints:
            registration.inputs = {**registration.inputs, "tagsAll": self._all_tags(provider, registration)}

    def _all_tags(self, provider: Registration, registration: Registration) -> Any:
        if provider.urn not in self._default_tags:
            self._default_tags[provider.urn] = _default_tags(provider.inputs)
        defaults = self._default_tags[provider.urn]
        own = registration.inputs.get("tags") or {}
        if defaults == wire.UNKNOWN_WIRE or wire.contains_unknown(own):
            return wire.UNKNOWN_WIRE
        return {**defaults, **wire.opened(own)}

    def create(self, registration: Registration, step: Step | None = None) -> None:
        """Set id and outputs as the provider, or at preview the engine, would give them."""
        old = step.old if step is not None else None
        if step is not None and old is not None and step.op == "same":
            # What a component says of itself comes later, where the program gets that far.
            registration.id = str(old.id) if registration.custom else None
            registration.outputs = state.outputs_of(old)
            return
        if registration.remote:
            self._construct(registration)
            return
        if not registration.custom:
            return
        if self._preview and (step is None or step.op != "update"):
            registration.id = wire.UNKNOWN_WIRE
            registration.outputs = self.unknown_outputs(registration)
            return
        identifier, made = outputs.filled(
            registration.type,
            registration.name,
            registration.urn,
            unwrapped(wire.plain_of(registration.inputs)),
            self.place(registration.provider),
            looked_up=registration.options.import_id,
            instead_of=old.outputs if old is not None and step is not None and step.op == "replace" else None,
        )
        registration.id = identifier
        result = {**wire.wire_from_plain(made), **registration.inputs, **self._answered(registration)}
        if step is not None and old is not None and step.op == "update":
            registration.id = str(old.id)
            result = state.after_update(step, registration.inputs, preview=self._preview, made=result)
        if not registration.type.startswith(PROVIDER_PREFIX):
            result["id"] = registration.id
        for key in registration.options.additional_secret_outputs:
            if key in result and not wire.is_secret(result[key]):
                result[key] = {wire.SIGNATURE: wire.SECRET, "value": result[key]}
        registration.outputs = result

    def _construct(self, registration: Registration) -> None:
        """What a plugin would give back of a component that it makes."""
        if not self._preview:
            made = outputs.remote_outputs(
                registration.type,
                registration.name,
                registration.urn,
                unwrapped(wire.plain_of(registration.inputs)),
                self.place(registration.provider),
            )
            registration.outputs = {**wire.wire_from_plain(made), **self._answered(registration)}
        else:
            registration.outputs = dict.fromkeys(sdk_types.all_outputs(registration.type), wire.UNKNOWN_WIRE)

    def _answered(self, registration: Registration) -> dict[str, Any]:
        """The outputs that the user gave, by the resource's type or URN."""
        given = {**self._answers.get(registration.type, {}), **self._answers.get(registration.urn, {})}
        result: dict[str, Any] = wire.wire_from_plain(given)
        return result

    def unknown_outputs(self, registration: Registration) -> dict[str, Any]:
        """What the engine knows of a resource before a provider made it."""
        if registration.type.startswith(PROVIDER_PREFIX):
            return registration.inputs
        unknown = dict.fromkeys(sdk_types.computed(registration.type), wire.UNKNOWN_WIRE)
        return {**unknown, **registration.inputs, "id": wire.UNKNOWN_WIRE}

    def place(self, provider: Registration | None) -> aws_values.Place:
        """Where a provider makes its resources; None is for the provider that no resource names."""
        if provider is None:
            return aws_values.place_of({}, self._config)
        found = self._places.get(provider.urn)
        if found is None:
            inputs = {k: v for k, v in wire.opened(provider.inputs).items() if v != wire.UNKNOWN_WIRE}
            found = self._places[provider.urn] = aws_values.place_of(inputs, self._config)
        return found


def _as_text(value: Any, hint: Any) -> Any:
    """A value in wire form with every object as JSON where the provider's own type is text.

    Unknown where anything in the object is, secret where anything in it is (pulumi-aws 7 takes policy documents as
    objects; its Check hands text on). The value itself where there is nothing to do.
    """
    kind = sdk_types.needed(hint)
    if isinstance(value, dict) and value.get(wire.SIGNATURE) == wire.SECRET:
        inner = _as_text(value.get("value"), hint)
        return value if inner is value.get("value") else {**value, "value": wire.opened(inner)}
    if isinstance(value, dict) and wire.SIGNATURE not in value:
        if kind is str:
            return _json(value)
        inside = sdk_types.fields(kind)
        made = {key: _as_text(item, inside.get(key)) for key, item in value.items()} if inside else value
        return made if any(made[key] is not value[key] for key in value) else value
    if isinstance(value, list) and (of := sdk_types.element(kind)) is not None:
        items = [_as_text(item, of) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def _json(document: dict[str, Any]) -> Any:
    if wire.contains_unknown(document):
        return wire.UNKNOWN_WIRE
    text = json.dumps(wire.plain_of(wire.opened(document)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {wire.SIGNATURE: wire.SECRET, "value": text} if wire.contains_secret(document) else text


def _default_tags(provider_inputs: Mapping[str, Any]) -> Any:
    """The provider's default tags, or the unknown sentinel; a provider carries them as JSON."""
    given = wire.opened(provider_inputs.get("defaultTags") or {})
    if isinstance(given, str):
        if given == wire.UNKNOWN_WIRE:
            return given
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    tags = given.get("tags") if isinstance(given, dict) else None
    if wire.contains_unknown(tags):
        return wire.UNKNOWN_WIRE
    return dict(tags or {})


def unmade(registration: Registration, by_urn: Mapping[str, Registration]) -> Iterator[str]:
    """Why inputs of a resource stay unknown at `up`, and how to give them."""
    for key, value in registration.inputs.items():
        if not wire.contains_unknown(value):
            continue
        sources = [by_urn[u] for u in registration.property_dependencies.get(key, ()) if u in by_urn]
        lacking = [
            f"{name} of {source.type} {source.name}"
            for source in sources
            for name, output in sorted(source.outputs.items())
            if wire.contains_unknown(output) and not wire.contains_unknown(source.inputs.get(name))
        ]
        yield (
            f"{key} stays unknown: a rehearsal cannot make up {', '.join(lacking) or 'what it comes from'}; give "
            "it under outputs: in a file with --answers"
        )
