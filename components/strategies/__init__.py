"""Deployment strategies, one module each, found by being in this folder.

A module with a `STRATEGY` is one; what it is made of may stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import pulumi

from components import settings
from components.foundation.dead_letters import OnFailure
from components.foundation.network import Network
from components.strategy import Strategy
from components.workload.alarms import Alarms
from components.workload.load_balancer import LoadBalancer
from components.workload.service import Service
from contract import loading


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a strategy deploys, and what it can use for that.

    Args:
        stack: the stack's settings.
        service: the service's settings.
        running: the ECS service.
        network: where tasks run.
        balancer: the load balancer, if there is one.
        alarms: what rolls a deployment back, beside a load balancer.
        on_failure: queue and topic of functions' failures.
    """

    stack: settings.Settings
    service: settings.ResolvedService
    running: Service
    network: Network
    balancer: LoadBalancer | None
    alarms: Alarms | None
    on_failure: OnFailure


class Deployer(Strategy, Protocol):
    """A strategy with the resources that carry it out."""

    def declare(self, name: str, parts: Parts, opts: pulumi.ResourceOptions) -> Sequence[pulumi.Resource]:
        """What has to stand before the first release."""


def _found() -> dict[str, Deployer]:
    modules = loading.modules_of(__name__)
    found: list[Deployer] = [module.STRATEGY for module in modules if hasattr(module, "STRATEGY")]
    return {strategy.name: strategy for strategy in found}


ALL: Final = _found()
"""Every strategy by the name that settings use."""


def of(service: settings.Service) -> Deployer:
    """The strategy of a service."""
    return ALL[service.strategy]
