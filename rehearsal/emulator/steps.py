"""Where a release can be made to fail, and to which services that can happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .declared import Service

BAD_IMAGE: Final = "bad-image"
FAILED_SMOKE_TEST: Final = "failed-smoke-test"
ALARM: Final = "alarm"
REJECTED_APPROVAL: Final = "rejected-approval"
STOP: Final = "stop"
LOST_EVENT: Final = "lost-event"
LATE_JOB: Final = "late-job"
STEPS: Final = {
    BAD_IMAGE: "an image that the gate refuses",
    FAILED_SMOKE_TEST: "the new tasks do not answer (a rolling service: they never become healthy)",
    ALARM: "an alarm is raised while traffic shifts",
    REJECTED_APPROVAL: "a person rejects the release",
    STOP: "a person stops the deployment while traffic shifts",
    LOST_EVENT: "the end of the deployment never reaches the scaling guard",
    LATE_JOB: "the jobs of one rolling release come once more after the next release",
}
"""Where a release can be made to fail."""


class StepError(Exception):
    """The step cannot happen in this stack; one sentence."""


def applies(service: Service, step: str | None) -> str | None:
    """Why this step cannot happen to this service; None when it can."""
    if step in {ALARM, STOP, LOST_EVENT} and not service.blue_green:
        return "it is a rolling service, and this step is one of a blue/green deployment"
    if step == LATE_JOB and service.blue_green:
        return "it is a blue/green service, which no function of ours deploys"
    if step == REJECTED_APPROVAL and not service.pipeline.approves():
        return "its pipeline asks nobody for approval"
    if step == ALARM and service.group is not None and not alarms_of(service):
        return "its deployments watch no alarm"
    return None


def alarms_of(service: Service) -> list[str]:
    """The alarms that the service's deployments watch."""
    watched = (service.group or {}).get("alarmConfiguration") or {}
    return list(watched.get("alarms", [])) if watched.get("enabled") else []
