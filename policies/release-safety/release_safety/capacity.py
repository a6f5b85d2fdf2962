"""Rules on capacity providers: what production keeps on demand, and what an AppSpec hands on.

Source: CodeDeploy user guide, "AppSpec 'resources' section (Amazon ECS and AWS Lambda compute platforms only)".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from policy_kit.findings import Finding, Verdict
from policy_kit.resources import objects_in

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .releases import Releases


def production_keeps_on_demand_capacity(releases: Releases) -> Iterator[Verdict]:
    """Services, and AppSpecs, of production whose tasks may all be taken away at once."""
    defaults = {
        c.text("clusterName"): c.objects("defaultCapacityProviderStrategies")
        for c in releases.of("ecs.ClusterCapacityProviders")
    }
    for service in releases.of("ecs.Service"):
        if not releases.settings.production(service):
            continue
        strategy = service.objects("capacityProviderStrategies")
        if not strategy and service.text("launchType") in ("", "FARGATE_SPOT"):
            strategy = defaults.get(service.text("cluster").rsplit("/", 1)[-1], ())
        if strategy and not _keeps_base(strategy, "capacityProvider", "base"):
            yield _spot(service, f"the service {service.text('name') or service.name}")
    for resource, appspec in releases.appspecs:
        strategy = _strategy(appspec)
        if (
            releases.settings.production(resource)
            and strategy
            and not _keeps_base(strategy, "CapacityProvider", "Base")
        ):
            yield _spot(resource, "the AppSpec")


def _keeps_base(strategy: Iterable[Mapping[str, Any]], provider: str, base: str) -> bool:
    return any(
        s.get(provider) != "FARGATE_SPOT" and isinstance(s.get(base), int | float) and s[base] >= 1 for s in strategy
    )


def _spot(resource: Resource, what: str) -> Finding:
    return Finding(
        resource=resource,
        found=f"{what} of production has no on-demand base",
        why="AWS takes Spot tasks back with two minutes' notice, and there is no fallback to on-demand.",
        remedy="Give the capacity provider FARGATE a base of 1 or more.",
    )


def appspecs_set_the_capacity_provider_strategy(releases: Releases) -> Iterator[Verdict]:
    """AppSpecs without CapacityProviderStrategy, or with one that CodeDeploy refuses."""
    for resource, appspec in releases.appspecs:
        strategy = _strategy(appspec)
        if not strategy:
            problem = "cannot be read" if appspec is None else "has no CapacityProviderStrategy"
        elif sum(1 for s in strategy if s.get("Base")) > 1:
            problem = "has more than one base"
        elif not any(s.get("Weight") or s.get("Base") for s in strategy):
            problem = "has weights that sum to zero"
        else:
            continue
        yield Finding(
            resource=resource,
            found=f"its AppSpec {problem}",
            why="Without the strategy a service loses its own at the next release and crowds where CodeDeploy puts it.",
            remedy="Write CapacityProviderStrategy into the AppSpec, the same as the service's.",
        )


def _strategy(appspec: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    resources = appspec.get("Resources") if appspec else None
    for item in resources if isinstance(resources, list) else []:
        target = item.get("TargetService") if isinstance(item, Mapping) else None
        properties = target.get("Properties") if isinstance(target, Mapping) else None
        strategy = properties.get("CapacityProviderStrategy") if isinstance(properties, Mapping) else None
        if isinstance(strategy, list):
            return objects_in(strategy)
    return ()
