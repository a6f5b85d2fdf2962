"""What a function needs for what it was told: the events that reach it, and the names in its environment.

Sources: Service Authorization Reference, the pages of CodeDeploy, CodePipeline, Application Auto Scaling, Systems
Manager and Secrets Manager; Application Auto Scaling user guide, "Permissions validation for API calls on target
resources".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from policy_kit.patterns import matches

from . import lookups
from .grants import Permission

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .inventory import Identity, Inventory

_SEE_TARGETS: Final = Permission(actions=("application-autoscaling:describescalabletargets",), resources=("*",))
_OF_ECS: Final = {
    "application-autoscaling:service-namespace": ("ecs",),
    "application-autoscaling:scalable-dimension": ("ecs:service:DesiredCount",),
}
#: What a function does to a parameter, by the key that names it: its own memory, and what people tell it.
_PARAMETERS: Final = {
    "parameter": ("ssm:getparameter", "ssm:putparameter", "ssm:deleteparameter"),
    "letItScale": ("ssm:getparameter",),
}
_PLACEHOLDER = re.compile(r"\{\w+\}")
_TARGET = re.compile(r"service/[\w{}-]+/[\w{}-]+")
_PARAMETER = re.compile(r"/[\w./{}-]+/[\w./{}-]+")


def permissions(function: Resource, name: str, identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What the function may do beyond its logs, for the events and names that it is given."""
    role = identity.resource
    for pattern in _patterns(function, inventory):
        yield from _of_events(pattern, role)
    if name in inventory.hooks:
        groups = [
            f"{_base(role, 'codedeploy')}:deploymentgroup:{g.text('appName')}/{g.text('deploymentGroupName')}"
            for g in lookups.groups(inventory, identity.service)
        ]
        if groups:
            yield Permission(actions=("codedeploy:putlifecycleeventhookexecutionstatus",), resources=tuple(groups))
    for key, text in _said(function):
        yield from _of_text(key, text, role, inventory)


def _base(role: Resource, service: str) -> str:
    return f"arn:{role.partition}:{service}:{role.region}:{role.account}"


def _patterns(function: Resource, inventory: Inventory) -> Iterator[Mapping[str, Any]]:
    for target in inventory.targets_of(function):
        rule = inventory.rule_of(target)
        if rule is not None and rule.text("eventPattern"):
            yield _event_pattern(rule.text("eventPattern"))


@lru_cache(maxsize=1024)
def _event_pattern(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _of_events(pattern: Mapping[str, Any], role: Resource) -> Iterator[Permission]:
    """Reading about what an event tells of, as narrowly as the rule's pattern."""
    detail = pattern.get("detail")
    if not isinstance(detail, Mapping):
        return
    if pattern.get("source") == ["aws.codedeploy"]:
        names = _names(detail.get("application"))
        groups = [f"{_base(role, 'codedeploy')}:deploymentgroup:{n}/{n}" for n in names]
        groups += [f"{_base(role, 'codedeploy')}:deploymentgroup:{n}/*" for n in names if "*" not in n]
        if groups:
            yield Permission(
                actions=("codedeploy:getdeployment", "codedeploy:listdeployments"), resources=tuple(groups)
            )
    elif pattern.get("source") == ["aws.codepipeline"]:
        pipelines = [f"{_base(role, 'codepipeline')}:{n}" for n in _names(detail.get("pipeline"))]
        actions = ("codepipeline:listactionexecutions", "codepipeline:getpipelineexecution")
        if pipelines:
            yield Permission(actions=actions, resources=tuple(pipelines))


def _names(value: Any) -> list[str]:
    """Patterns of the names that a rule takes: exact ones, and prefixes with `*` after them."""
    out = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, str):
            out.append(item)
        elif isinstance(item, Mapping) and isinstance(item.get("prefix"), str) and item["prefix"]:
            out.append(f"{item['prefix']}*")
    return out


def _said(function: Resource) -> Iterator[tuple[str, str]]:
    """(key, text) of everything in the function's environment, JSON taken apart."""
    for environment in function.objects("environment"):
        variables = environment.get("variables")
        if isinstance(variables, Mapping):
            for key, value in variables.items():
                yield from _inside(str(key), _loaded(value))


def _loaded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _inside(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _inside(str(inner), item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(key, item)


def _of_text(key: str, text: str, role: Resource, inventory: Inventory) -> Iterator[Permission]:
    kind, _, rest = text.partition(":")
    if kind == "ssm" and rest.startswith("/"):
        yield Permission(actions=("ssm:getparameter",), resources=(f"{_base(role, 'ssm')}:parameter{rest}",))
    elif kind == "secretsmanager" and rest:
        base = f"{_base(role, 'secretsmanager')}:secret:{rest.partition('#')[0]}"
        yield Permission(actions=("secretsmanager:getsecretvalue",), resources=(base, f"{base}-??????"))
    elif key in _PARAMETERS and _PARAMETER.fullmatch(text):
        arn = f"{_base(role, 'ssm')}:parameter{_PLACEHOLDER.sub('*', text)}"
        if arn not in inventory.parameters_of_tasks:
            yield Permission(actions=_PARAMETERS[key], resources=(arn,))
    elif key == "resourceId" and _TARGET.fullmatch(text):
        yield _SEE_TARGETS
        yield Permission(
            actions=("application-autoscaling:registerscalabletarget",),
            resources=(f"{_base(role, 'application-autoscaling')}:scalable-target/*",),
            conditions=_OF_ECS,
        )
        services = tuple(_owned_by_codedeploy(text, role, inventory))
        if services:
            # Application Auto Scaling tries both with its caller's rights; a service of CodeDeploy's takes no other
            # task definition by UpdateService, so that nothing is deployed around an approval by it.
            yield Permission(actions=("ecs:describeservices", "ecs:updateservice"), resources=services)


def _owned_by_codedeploy(resource_id: str, role: Resource, inventory: Inventory) -> Iterator[str]:
    """The ARNs of the services that a scalable target's id may be of and whose tasks CodeDeploy replaces.

    Source: Amazon ECS API reference, UpdateService ("CODE_DEPLOY deployment controller").
    """
    named = _PLACEHOLDER.sub("*", resource_id)
    for group in inventory.of("codedeploy.DeploymentGroup"):
        for service in group.objects("ecsService"):
            own = f"service/{service.get('clusterName')}/{service.get('serviceName')}"
            if matches(named, own):
                yield f"{_base(role, 'ecs')}:{own}"
