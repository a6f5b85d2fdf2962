"""Rules on rollback: what stops a deployment that fails and brings the old revision back.

Sources: CodeDeploy API reference, "DeploymentGroupInfo"; Amazon ECS developer guide, "How the Amazon ECS deployment
circuit breaker detects failures".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from policy_kit.findings import Finding, Verdict
from policy_kit.resources import UNKNOWN

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .releases import Releases

_ROLL_BACK: Final = frozenset({"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"})


def deployments_have_automatic_rollback(releases: Releases) -> Iterator[Verdict]:
    """Blue/green without test listener, alarms, automatic rollback or bake time; rolling without circuit breaker."""
    for group in releases.of("codedeploy.DeploymentGroup"):
        if not group.objects("ecsService"):
            continue
        for problem in _group_problems(group, releases):
            yield _roll_back(group, problem)
    for service in releases.of("ecs.Service"):
        controller = next((c.get("type") for c in service.objects("deploymentController")), None) or "ECS"
        breaker = next(iter(service.objects("deploymentCircuitBreaker")), {})
        if controller == "ECS" and not (breaker.get("enable") is True and breaker.get("rollback") is True):
            yield _roll_back(service, "it is deployed rolling, and its circuit breaker does not roll back")


def _roll_back(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="A failed release has to roll back without an operator.",
        remedy="Give blue/green a test listener, alarms, autoRollbackConfiguration with DEPLOYMENT_FAILURE and "
        "DEPLOYMENT_STOP_ON_ALARM and, in production, a bake time; give rolling services a circuit breaker that rolls "
        "back.",
    )


def _group_problems(group: Resource, releases: Releases) -> Iterator[str]:
    style = next(iter(group.objects("deploymentStyle")), {})
    if (style.get("deploymentType"), style.get("deploymentOption")) != ("BLUE_GREEN", "WITH_TRAFFIC_CONTROL"):
        yield "it is not blue/green with traffic control"
    pair = next(iter(group.objects("loadBalancerInfo")), {}).get("targetGroupPairInfo")
    pair = pair[0] if isinstance(pair, list) and pair else pair
    test = pair.get("testTrafficRoute") if isinstance(pair, Mapping) else None
    test = test[0] if isinstance(test, list) and test else test
    if test is not UNKNOWN and not (isinstance(test, Mapping) and test.get("listenerArns")):
        yield "it has no test listener, so that nothing can be tried before the shift"
    alarms = next(iter(group.objects("alarmConfiguration")), {})
    if alarms.get("enabled") is not True or not alarms.get("alarms"):
        yield "no alarm stops it"
    if alarms.get("ignorePollAlarmFailure") is True:
        yield "it goes on when its alarms cannot be read"
    back = next(iter(group.objects("autoRollbackConfiguration")), {})
    events = back.get("events")
    missing = sorted(_ROLL_BACK - set(events if isinstance(events, list) else []))
    if back.get("enabled") is not True or missing:
        yield f"it does not roll back automatically ({', '.join(missing) or 'autoRollbackConfiguration is off'})"
    if releases.settings.production(group):
        config = next(iter(group.objects("blueGreenDeploymentConfig")), {})
        old = config.get("terminateBlueInstancesOnDeploymentSuccess")
        old = old[0] if isinstance(old, list) and old else old
        minutes = old.get("terminationWaitTimeInMinutes") if isinstance(old, Mapping) else None
        kept = isinstance(old, Mapping) and old.get("action") == "KEEP_ALIVE"
        least = releases.settings.minimum_bake_minutes
        if not kept and not (isinstance(minutes, int | float) and minutes >= least):
            yield f"in production it keeps the old tasks {minutes or 0} minutes; {least} at the least"
