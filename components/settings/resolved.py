"""A service with the stack's defaults applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.settings.environment import Capacity
from components.settings.service import Service
from components.settings.values import Architecture, LogRetentionDays

if TYPE_CHECKING:
    from components.settings.stack import Settings


class ResolvedService(Service):
    """A service whose every setting has a value."""

    capacity: tuple[Capacity, ...]
    """Its own capacity provider strategy, or the stack's."""
    architecture: Architecture
    """Its own, or the stack's."""
    log_retention_days: LogRetentionDays
    """Its own, or the stack's."""


def resolved(stack: Settings) -> tuple[ResolvedService, ...]:
    """The services of the stack, in their order."""
    shared = {key: getattr(stack, key) for key in ("capacity", "architecture", "log_retention_days")}
    return tuple(
        ResolvedService.model_construct(
            **{
                key: shared[key] if value is None and key in shared else value
                for key in Service.model_fields
                for value in (getattr(service, key),)
            }
        )
        for service in stack.services
    )
