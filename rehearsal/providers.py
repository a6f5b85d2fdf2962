"""What providers do with resources while a program runs: check inputs, and give id and outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import outputs, state, wire
from .registration import PROVIDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .changes import Step
    from .registration import Registration


class Providers:
    """Every provider of one run."""

    def __init__(self, config: Mapping[str, str], *, preview: bool) -> None:
        self._config = config
        self._preview = preview
        self._places: dict[str, outputs.Place] = {}
        self._default_tags: dict[str, Any] = {}

    def check(self, registration: Registration) -> None:
        """What a provider's Check adds to the inputs: of pulumi-aws, `tagsAll` from the default tags."""
        provider = registration.provider
        if (
            provider is None
            or provider.type != f"{PROVIDER_PREFIX}aws"
            or not registration.custom
            or "tagsAll" not in outputs.computed(registration.type)
        ):
            return
        if provider.urn not in self._default_tags:
            self._default_tags[provider.urn] = _default_tags(provider.inputs)
        defaults = self._default_tags[provider.urn]
        own = registration.inputs.get("tags") or {}
        if defaults == wire.UNKNOWN_WIRE or wire.contains_unknown(own):
            tags: Any = wire.UNKNOWN_WIRE
        else:
            tags = {**defaults, **wire.opened(own)}
        registration.inputs = {**registration.inputs, "tagsAll": tags}

    def create(self, registration: Registration, step: Step | None = None) -> None:
        """Set id and outputs as the provider, or at preview the engine, would give them."""
        old = step.old if step is not None else None
        if step is not None and old is not None and step.op == "same":
            if registration.custom or registration.remote:
                registration.id = None if registration.remote else str(old.id)
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
            wire.unwrapped(wire.plain_of(registration.inputs)),
            self.place(registration.provider),
            looked_up=registration.options.import_id,
            instead_of=old.outputs if old is not None and step is not None and step.op == "replace" else None,
        )
        registration.id = identifier
        result = {**wire.wire_from_plain(made), **registration.inputs}
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
                wire.unwrapped(wire.plain_of(registration.inputs)),
                self.place(registration.provider),
            )
            registration.outputs = wire.wire_from_plain(made)
        else:
            registration.outputs = dict.fromkeys(outputs.all_outputs(registration.type), wire.UNKNOWN_WIRE)

    def unknown_outputs(self, registration: Registration) -> dict[str, Any]:
        """What the engine knows of a resource before a provider made it."""
        if registration.type.startswith(PROVIDER_PREFIX):
            return registration.inputs
        unknown = dict.fromkeys(outputs.computed(registration.type), wire.UNKNOWN_WIRE)
        return {**unknown, **registration.inputs, "id": wire.UNKNOWN_WIRE}

    def place(self, provider: Registration | None) -> outputs.Place:
        """Where a provider makes its resources; None is for the provider that no resource names."""
        if provider is None:
            return outputs.place_of({}, self._config)
        found = self._places.get(provider.urn)
        if found is None:
            inputs = {k: v for k, v in wire.opened(provider.inputs).items() if v != wire.UNKNOWN_WIRE}
            found = self._places[provider.urn] = outputs.place_of(inputs, self._config)
        return found


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
