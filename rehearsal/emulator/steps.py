"""Where a release can be made to fail: what can go wrong before the deployment, and what most deployments share.

A step that only one strategy knows stands in that strategy's module (`strategies/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Step:
    """One value of `--fail-at`."""

    name: str
    text: str
    """What happens, for `--help`."""
    released: bool = False
    """Whether the release is expected to succeed all the same."""


BAD_IMAGE: Final = Step(name="bad-image", text="an image that the gate refuses")
REJECTED_APPROVAL: Final = Step(name="rejected-approval", text="a person rejects the release")
BEFORE_DEPLOYMENT: Final = (BAD_IMAGE, REJECTED_APPROVAL)
"""The steps of every pipeline, whatever the strategy."""

FAILED_SMOKE_TEST: Final = Step(name="failed-smoke-test", text="the new tasks do not answer, or never become healthy")
ALARM: Final = Step(name="alarm", text="an alarm is raised while traffic shifts")
STOP: Final = Step(name="stop", text="a person stops the deployment while traffic shifts")
