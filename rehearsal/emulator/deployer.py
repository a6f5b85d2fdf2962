"""A deployment strategy at work in one rehearsal: what the stage and the checks after a release ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .declared import Action, Service
    from .executions import Execution

ActionHandler = Callable[["Execution", "Action", str], dict[str, str]]
"""Carries out an action of a pipeline under a role (its ARN); returns the action's output variables.

Raises:
    ActionFailedError: the action fails.
"""

Finding = tuple[str, bool, str]
"""What has to hold, whether it does, and what was found."""


class Deployer(Protocol):
    """Carries the deployments of one strategy out, each service by itself; holds what they leave to be looked at."""

    @property
    def actions(self) -> Mapping[tuple[str, str], ActionHandler]:
        """(category, provider) of the actions that only pipelines of this strategy have, and what carries them out."""

    def prepare(self, service: Service) -> None:
        """Before the release: do what `--fail-at` wants to have happened by then."""

    def advance(self, service: Service) -> None:
        """Let a running deployment go one step on: CodePipeline is about to call a Lambda action's function again."""

    def settle(self, service: Service) -> None:
        """After the pipeline's end: let what still goes on come to its end."""

    def finish(self, service: Service) -> None:
        """After the release: do what `--fail-at` wants to happen then."""

    def live(self, service: Service) -> str:
        """The revision that serves, as `family:number`."""

    def unfinished(self, service: Service) -> Iterator[str]:
        """What a deployment left behind and should not have; nothing where it ended well or was rolled back."""

    def notices(self, service: Service) -> list[str]:
        """Parts of the titles of the messages about the deployment that people must get in this rehearsal."""

    def findings(self, service: Service) -> Iterator[Finding]:
        """What else has to hold after the release."""
