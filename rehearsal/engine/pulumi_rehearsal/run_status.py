"""How a run stands: what there is to say of it, whether it goes on, and what ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .model import Diagnostic

if TYPE_CHECKING:
    from .changes import Step


class Stopped(Exception):  # noqa: N818  the engine ends the program; why stands in the message
    """The engine would not go on: the run ends here, and this is its error."""


class RunStatus:
    """The diagnostics of one run, and its end."""

    def __init__(self, *, preview: bool) -> None:
        self.preview = preview
        self.diagnostics: list[Diagnostic] = []
        self.stopped: Stopped | None = None
        self.refusals: list[Diagnostic] = []
        """Errors after which the engine goes on at preview, and still lets the packs see the stack."""

    def note(self, severity: Any, message: str, urn: str = "") -> None:
        """Add a diagnostic."""
        self.diagnostics.append(Diagnostic(severity=severity, message=message, urn=urn))

    def go_on(self) -> None:
        """Raise what ended the run, where something did."""
        if self.stopped is not None:
            raise self.stopped

    def stop(self, message: str, urn: str = "") -> Stopped:
        """End the run with an error, which the caller raises."""
        self.stopped = Stopped(message)
        self.note("error", message, urn)
        return self.stopped

    def failed(self, message: str, urn: str) -> Stopped:
        """End the run at a step that failed; the engine's preview says what it was doing (`diag/errors.go`)."""
        return self.stop(f"Preview failed: {message}" if self.preview else message, urn)

    def refuse(self, step: Step) -> None:
        """Say that the engine refuses a step; it ends an update there, and a preview after it has shown the rest."""
        if not self.preview:
            raise self.stop(step.refused, step.urn)
        self.note("error", step.refused, step.urn)
        self.refusals.append(self.diagnostics[-1])

    def halt(self, urn: str) -> Stopped:
        """End the run at a resource that a policy forbids; the violation itself is reported as the error."""
        self.stopped = Stopped(f"{urn} is not created: a mandatory policy forbids it")
        self.note("info", f"the update stops here, before {urn} is created: a mandatory policy forbids it", urn)
        return self.stopped
