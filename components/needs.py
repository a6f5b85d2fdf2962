"""Between two updates: what revisions that may still be started need of the stack, and must not lose.

A stack's file makes the template, which the next release takes, and the resources around it, which `pulumi up`
changes at once. What the running revision needs is therefore kept in the state with each update, and the next update is
compared with it, at preview and at up, before anything changes; AWS is not called.

A hook of the engine does it: `before_update` runs for a component whose inputs changed, has the old beside the new
ones, and ends the update by raising (pulumi/pulumi, pkg/resource/deploy/step.go, `UpdateStep.Apply`). No hook is bound
to deletion: it would keep `pulumi destroy` from running without the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import settings
from components.refusals import NeededError, other_vpc, refusals, warnings
from components.strategy import Strategy


def of_stack(stack: settings.Settings, strategies: Mapping[str, Strategy]) -> dict[str, Any]:
    """What the stack's revisions need, as plain data that the state keeps."""
    shared = stack.load_balancer
    return {
        "place": {"environment": stack.environment, "account": stack.account, "region": stack.region},
        "exposure": shared.exposure,
        "certificate": shared.certificate_arn or "",
        "allowedCidrs": sorted(shared.allowed_cidrs),
        "standInImage": stack.stand_in_image,
        "network": stack.network.model_dump(by_alias=True, exclude_none=True, mode="json"),
        "services": {s.name: of_service(s, strategies[s.strategy]) for s in settings.resolved(stack)},
    }


def of_service(service: settings.ResolvedService, strategy: Strategy) -> dict[str, Any]:
    """What one service's revisions need: `used` by the next, `retiring` beside it, and how traffic reaches them."""
    balancer, retiring = service.load_balancer, service.retiring
    hooks = (service.hooks.before_install, service.hooks.after_allow_traffic)
    out: dict[str, Any] = {
        "strategy": service.strategy,
        "controller": strategy.service_options.controller,
        "targetGroups": list(strategy.target_groups),
        "used": {
            "secrets": _stores(s for c in service.containers for s in c.secrets.values()),
            "containers": sorted(service.container_names),
            "ports": _numbers(set(service.open_ports) - set(retiring.ports)),
            "hooks": sorted({h for h in hooks if h is not None}),
            "permissions": _rights(service.permissions),
        },
        "retiring": {
            "secrets": _stores(retiring.secrets),
            "containers": sorted(retiring.containers),
            "ports": _numbers(retiring.ports),
            "hooks": sorted(retiring.hooks),
            "permissions": _rights(retiring.permissions),
        },
        "listens": sorted(f"{c.name}:{p}" for c in service.containers for p in c.ports),
        "max": str(service.max),
        "capacity": [c.model_dump(by_alias=True) for c in service.capacity],
    }
    if balancer is not None:
        check = balancer.health_check
        out["balancer"] = {
            "target": f"{balancer.container}:{balancer.port}",
            "traffic": balancer.traffic or "",
            "healthCheck": f"{check.path} -> {check.matcher} within {check.timeout_seconds} s",
        }
    return out


def _stores(found: Iterable[settings.Secret]) -> list[str]:
    return sorted({f"ssm {s.ssm}" if s.ssm is not None else f"secretsManager {s.secrets_manager}" for s in found})


def _rights(permissions: Iterable[settings.Permission]) -> list[str]:
    return sorted({f"{action} on {resource}" for p in permissions for action in p.actions for resource in p.resources})


def _numbers(ports: Iterable[int]) -> list[str]:
    """As text: the state would make floats of them."""
    return [str(port) for port in sorted(set(ports))]


@dataclass(frozen=True, kw_only=True)
class NeedsArgs:
    """`Needs`' arguments."""

    stack: settings.Settings
    strategies: Mapping[str, Strategy]


class Needs(pulumi.ComponentResource):
    """Its inputs are what the state keeps; an update that would break running revisions is refused."""

    def __init__(self, name: str, args: NeedsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        hook = pulumi.ResourceHook("what runs", _hold, pulumi.ResourceHookOptions(on_dry_run=True))
        held = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook]))
        opts = pulumi.ResourceOptions.merge(opts, held)
        needs = of_stack(args.stack, args.strategies)
        super().__init__("ecs-release:index:Needs", name, needs, opts)
        self.register_outputs({"services": needs["services"]})  # a policy of a whole stack sees outputs alone

    def first(self, value: str) -> pulumi.Output[str]:
        """The value, once the update may go on: what is made of it is not touched before."""
        return self.urn.apply(lambda _: value)


class Place(pulumi.ComponentResource):
    """The VPC that services were made in: its tags may come to mean another one, which no setting shows."""

    def __init__(self, name: str, vpc_id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
        hook = pulumi.ResourceHook("where it runs", _hold_place, pulumi.ResourceHookOptions(on_dry_run=True))
        held = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook]))
        opts = pulumi.ResourceOptions.merge(opts, held)
        super().__init__("ecs-release:index:Place", name, {"vpcId": vpc_id}, opts)
        self.register_outputs({})


def _hold_place(args: pulumi.ResourceHookArgs) -> None:
    problems = other_vpc((args.old_inputs or {}).get("vpcId"), (args.new_inputs or {}).get("vpcId"))
    if problems:
        raise NeededError(problems)


def _hold(args: pulumi.ResourceHookArgs) -> None:
    old, new = args.old_inputs or {}, args.new_inputs or {}
    problems = refusals(old, new)
    if problems:
        raise NeededError(problems)
    for line in warnings(old, new):
        pulumi.log.warn(line)
