"""A role with its trust, everything that is attached to it, and where each document is declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from policy_kit.documents import Document, DocumentError, Statement, parse
from policy_kit.resources import Resource, holds_unknown

from .settings import PURPOSES, Purpose, Settings


@dataclass(frozen=True, kw_only=True)
class Source:
    """A document, where it is declared, and how it reaches whom it concerns."""

    resource: Resource
    via: str
    """In words: `inline policy ci`, `managed policy deploy`."""
    value: Any
    principals: bool = False

    @property
    def unknown(self) -> bool:
        """Whether the document, or a part of it, is computed by the provider."""
        return holds_unknown(self.value)

    @cached_property
    def parsed(self) -> Document | DocumentError:
        """The document, or why it cannot be understood."""
        if not isinstance(self.value, str | Mapping):
            return DocumentError("it is neither JSON text nor an object")
        try:
            return parse(self.value, principals=self.principals)
        except DocumentError as error:
            return error

    @property
    def allows(self) -> tuple[Statement, ...]:
        """What it grants; nothing while it is unknown or cannot be understood (other rules say so)."""
        if self.unknown or isinstance(self.parsed, DocumentError):
            return ()
        return self.parsed.allows


@dataclass(kw_only=True, eq=False)
class Identity:
    """A role with its trust and everything attached to it."""

    resource: Resource
    settings: Settings
    trust: Source | None
    sources: list[Source] = field(default_factory=list)
    managed: list[tuple[Resource, str]] = field(default_factory=list)
    """(attaching resource, ARN) of managed policies that the stack does not hold."""
    unresolved: list[tuple[Resource, str]] = field(default_factory=list)
    """(attaching resource, property) of managed policies that are not known yet."""
    boundary: Source | None = None
    """The permissions boundary, where the stack holds it."""

    @cached_property
    def name(self) -> str:
        """Role name; the logical name where it is not known."""
        return self.resource.text("name") or self.resource.name

    @cached_property
    def arn(self) -> str:
        """Role ARN."""
        path = self.resource.text("path") or "/"
        return self.resource.arn("iam", f"role{path}{self.name}", regional=False)

    @cached_property
    def stated_purpose(self) -> str:
        """What the tag says; empty when there is none."""
        return self.resource.tags.get(self.settings.purpose_tag, "")

    @cached_property
    def purpose(self) -> Purpose | None:
        """The declared purpose, or None when there is none that the pack knows."""
        stated = self.settings.purposes.get(self.stated_purpose, self.stated_purpose)
        return next((purpose for purpose in PURPOSES if purpose == stated), None)

    @cached_property
    def service(self) -> str:
        """The service that the role belongs to; empty for one that all services share."""
        return self.resource.tags.get(self.settings.service_tag, "")

    @cached_property
    def environment(self) -> str:
        """The environment's name; empty when no tag says."""
        return self.settings.environment(self.resource)

    @cached_property
    def production(self) -> bool:
        """Whether the role belongs to production."""
        return self.settings.production(self.resource)

    @property
    def grants(self) -> Iterator[tuple[Source, Statement]]:
        """Every statement that grants the role something, with where it is declared."""
        for source in self.sources:
            for statement in source.allows:
                yield source, statement
