"""Executions of a pipeline: what they were started with, and what their actions left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .declared import Service


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person is asked to approve."""

    pipeline: str
    text: str
    link: str
    topic: str


@dataclass(kw_only=True)
class Execution:
    """One execution of a pipeline and what its actions left."""

    id: str
    service: Service
    overrides: dict[str, str] = field(default_factory=dict)
    """Source action to the object version that the trigger pins."""
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Artifact to bucket and key."""
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    """Namespace to output variables."""
    done: list[dict[str, Any]] = field(default_factory=list)
    """ListActionExecutions' actionExecutionDetails, the newest first."""
    state: str = "InProgress"
    reason: str = ""
    failed_at: str = ""


class ActionFailedError(Exception):
    """An action fails; the message is what CodePipeline says of it."""
