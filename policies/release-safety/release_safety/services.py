"""Rules on services and what belongs to them: TLS at the listeners, log retention, and what an update may revert.

Sources: Amazon ECS API reference, UpdateService (what the CODE_DEPLOY controller refuses); Elastic Load Balancing user
guide, "Security policies for your Application Load Balancer".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_kit.findings import Finding, Verdict
from policy_kit.resources import UNKNOWN

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .releases import Releases

_MODERN_TLS = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)[\w-]*")

_BLUE_GREEN_OWNED: Final = (
    "taskDefinition",
    "desiredCount",
    "loadBalancers",
    "capacityProviderStrategies",
    "networkConfiguration",
    "platformVersion",
)
_ROLLING_OWNED: Final = ("taskDefinition",)


def listeners_require_tls(releases: Releases) -> Iterator[Verdict]:
    """Listeners in plain text beside one with a certificate, and old TLS."""
    balancers: dict[object, list[Resource]] = {}
    for listener in releases.of("lb.Listener"):
        balancer = next((r for r in listener.refers.get("loadBalancerArn", ())), None)
        balancers.setdefault(id(balancer) if balancer else listener.text("loadBalancerArn"), []).append(listener)
    for listeners in balancers.values():
        secure = any(r.props.get("certificateArn") or r.text("protocol") in ("HTTPS", "TLS") for r in listeners)
        for listener in listeners if secure else ():
            protocol = listener.text("protocol")
            if protocol in ("HTTPS", "TLS"):
                policy = listener.text("sslPolicy")
                if not _MODERN_TLS.fullmatch(policy) and not listener.unknown("sslPolicy"):
                    yield _tls(listener, f"it takes old TLS ({policy or 'no sslPolicy, so AWS chooses 2016 or later'})")
            elif not _only_redirects(listener):
                yield _tls(
                    listener, f"it answers in plain text ({protocol or 'HTTP'}) beside a listener with a certificate"
                )


def _only_redirects(listener: Resource) -> bool:
    actions = listener.objects("defaultActions")
    return bool(actions) and all(
        a.get("type") == "redirect" and _first(a.get("redirect")).get("protocol") == "HTTPS" for a in actions
    )


def _first(value: Any) -> Mapping[str, Any]:
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, Mapping) else {}


def _tls(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="Unencrypted traffic can be read and changed on the way.",
        remedy="Use HTTPS with a policy of TLS 1.2 or 1.3 on every listener, and on port 80 only the redirect to it.",
    )


def log_groups_expire(releases: Releases) -> Iterator[Verdict]:
    """Log groups without a retention period."""
    for group in releases.of("cloudwatch.LogGroup"):
        days = group.props.get("retentionInDays")
        if days is not UNKNOWN and not (isinstance(days, int | float) and days > 0):
            yield Finding(
                resource=group,
                found=f"the log group {group.text('name') or group.name} has no retention period",
                why="Logs that are never deleted cost more every month and may hold personal data.",
                remedy="Set retentionInDays.",
            )


def releases_are_not_reverted(releases: Releases) -> Iterator[Verdict]:
    """Resources that a release changes and the next update of the program would change back."""
    for service in releases.of("ecs.Service"):
        controller = next((c.get("type") for c in service.objects("deploymentController")), None) or "ECS"
        owned = _BLUE_GREEN_OWNED if controller == "CODE_DEPLOY" else _ROLLING_OWNED if controller == "ECS" else ()
        if controller == "ECS" and not releases.pipelines:
            continue
        yield from _reverted(service, owned)
        if controller == "CODE_DEPLOY" and service.props.get("forceNewDeployment") is True:
            yield _revert(service, "it forces a new deployment, which the CODE_DEPLOY controller refuses")
    for listener in releases.of("lb.Listener"):
        if id(listener) in releases.blue_green:
            yield from _reverted(listener, ("defaultActions",))
    shifted = {id(r) for r in releases.of("lb.Listener") if id(r) in releases.blue_green}
    for rule in releases.of("lb.ListenerRule"):
        if any(id(r) in shifted for r in rule.refers.get("listenerArn", ())):
            yield from _reverted(rule, ("actions",))
    scaled = {id(r) for t in releases.of("appautoscaling.Target") for r in t.refers.get("resourceId", ())}
    for service in releases.of("ecs.Service"):
        if id(service) in scaled:
            yield from _reverted(service, ("desiredCount",))


def _reverted(resource: Resource, owned: Iterable[str]) -> Iterator[Finding]:
    missing = [p for p in owned if p in resource.props and not _ignores(resource, p)]
    if missing:
        yield _revert(resource, f"the next update reverts {', '.join(missing)}")


def _ignores(resource: Resource, key: str) -> bool:
    return any(i in (key, "*") or i.startswith((f"{key}[", f"{key}.")) for i in resource.ignored)


def _revert(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="A release changes it outside the program; an update would deploy an old release again.",
        remedy="Name the property in the resource's ignore_changes.",
    )
