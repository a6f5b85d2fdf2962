"""What the emulator asks of a deployment strategy, and the strategies there are (`strategies/`, one module each)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Protocol

from contract.loading import modules_of

from .errors import NotDeclaredError, StepError
from .steps import BEFORE_DEPLOYMENT, REJECTED_APPROVAL, Step

if TYPE_CHECKING:
    from .declared import Service
    from .deployer import Deployer
    from .stage import Stage


class Strategy(Protocol):
    """A deployment strategy."""

    @property
    def name(self) -> str:
        """As in `release.json`."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Where a deployment can be made to fail."""

    def impossible(self, service: Service, step: Step) -> str | None:
        """Why one of the steps cannot happen to this service, as the end of a sentence; None when it can."""

    def port(self, service: Service, files: Mapping[str, bytes]) -> int | None:
        """The port on which a revision released from these files gets traffic; None without a load balancer."""

    def hooks(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """The functions (their ARNs) that a deployment of these files calls."""

    def hook_role(self, service: Service) -> str | None:
        """The role (its ARN) that calls them; None where nothing does."""

    def set_up(self, stage: Stage) -> Deployer:
        """What carries out the deployments of one rehearsal."""


@cache
def found() -> Mapping[str, Strategy]:
    """Every strategy, by name."""
    return {module.STRATEGY.name: module.STRATEGY for module in modules_of("rehearsal.emulator.strategies")}


def of(service: Service) -> Strategy:
    """The strategy of a service.

    Raises:
        NotDeclaredError: the emulator has none of that name.
    """
    strategy = found().get(service.strategy)
    if strategy is None:
        raise NotDeclaredError(
            f"Service {service.name} deploys by the strategy {service.strategy}, which the rehearsal does not know; "
            f"it knows {', '.join(sorted(found()))}; add a module to rehearsal/emulator/strategies/."
        )
    return strategy


def steps() -> Mapping[str, Step]:
    """Every step at which some release can be made to fail, by name."""
    of_strategies = (step for strategy in found().values() for step in strategy.steps)
    return {step.name: step for step in (*BEFORE_DEPLOYMENT, *of_strategies)}


def step_named(name: str) -> Step:
    """The step of that name.

    Raises:
        StepError: there is none.
    """
    if name not in steps():
        raise StepError(f"There is no step {name}; a release can be made to fail at {', '.join(steps())}.")
    return steps()[name]


def impossible(service: Service, step: Step) -> str | None:
    """Why a release of this service cannot be made to fail at this step; None when it can."""
    strategy = of(service)
    if step == REJECTED_APPROVAL and not service.pipeline.approves():
        return "its pipeline asks nobody for approval"
    if step in BEFORE_DEPLOYMENT:
        return None
    if step not in strategy.steps:
        has = ", ".join(own.name for own in strategy.steps)
        return f"its strategy, {strategy.name}, has no such step; it has {has}"
    return strategy.impossible(service, step)
