"""The protocol of a deployment strategy: what settings, load balancer, service and pipeline need to know of it.

The implementations stand in `components/strategies/`, a file each, made of the components that ask here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import pulumi_aws as aws

from components import iam
from components.naming import ServiceNames

if TYPE_CHECKING:
    from components import settings
    from components.settings.values import InvalidSetting

Action = aws.codepipeline.PipelineStageActionArgsDict


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """What a strategy asks of the ECS service itself.

    Args:
        controller: the deployment controller (Amazon ECS API reference, DeploymentController).
        ignore_changes: inputs of `aws.ecs.Service` that releases own; `up` leaves them as they are.
        rolls_back: whether ECS itself rolls back, by its circuit breaker and by the service's alarms.
    """

    controller: Literal["CODE_DEPLOY", "ECS"]
    ignore_changes: tuple[str, ...]
    rolls_back: bool


class Strategy(Protocol):
    """How a release takes the place of the one before."""

    @property
    def name(self) -> str:
        """As a service's settings say it."""

    @property
    def summary(self) -> str:
        """Who deploys, in a few words for the table of settings."""

    @property
    def target_groups(self) -> tuple[str, ...]:
        """Names of the target groups behind a load balancer; with two, releases shift the listeners between them."""

    @property
    def test_listener(self) -> bool:
        """Whether new tasks are tested at a listener of their own before they get traffic."""

    @property
    def guarded(self) -> bool:
        """Whether scaling has to be suspended while a deployment shifts traffic."""

    @property
    def release_sets_network(self) -> bool:
        """Whether a release says in which subnets its tasks stand; otherwise `up` does."""

    @property
    def service_options(self) -> ServiceOptions:
        """What the ECS service has to be."""

    def service_errors(self, service: settings.Service) -> Iterable[InvalidSetting]:
        """What the settings of a service say against this strategy; keys below the service."""

    def stack_errors(self, stack: settings.Settings, service: settings.Service) -> Iterable[InvalidSetting]:
        """The same of a service in its stack; keys below the stack, each problem once whichever service has it."""

    def template_files(self, stack: settings.Settings, service: settings.ResolvedService) -> dict[str, str]:
        """An AppSpec by its file name, or nothing: the gate takes no other file beside task definition and contract."""

    def deploy_action(self, names: ServiceNames) -> Action:
        """The pipeline's Deploy action."""

    def action_statements(
        self, stack: settings.Settings, service: settings.ResolvedService
    ) -> tuple[iam.Statement, ...]:
        """What the role of the Deploy action may do."""
