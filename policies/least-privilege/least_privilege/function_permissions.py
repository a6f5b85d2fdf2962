"""Permissions of a function, derived from its event rules, its environment and the pipelines that call it.

Sources: Lambda developer guide, "Execution role"; Service Authorization Reference, the pages of CodeDeploy,
CodePipeline, Application Auto Scaling, Systems Manager and Secrets Manager; Application Auto Scaling user guide,
"Permissions validation for API calls on target resources".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_kit.patterns import matches
from policy_kit.resources import decoded, every_text

from . import lookups
from .grants import Permission
from .pipeline_permissions import DESCRIBE_TASK_DEFINITION, register_task_definition
from .task_permissions import write_logs

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity

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


ANSWER: Final = Permission(
    actions=("codepipeline:putjobsuccessresult", "codepipeline:putjobfailureresult"),
    resources=("*",),
)
IN_A_VPC: Final = Permission(
    actions=(
        "ec2:createnetworkinterface",
        "ec2:describenetworkinterfaces",
        "ec2:describesubnets",
        "ec2:deletenetworkinterface",
        "ec2:assignprivateipaddresses",
        "ec2:unassignprivateipaddresses",
    ),
    resources=("*",),
)


def for_function(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What the functions with this role may do."""
    role = identity.resource
    for function in lookups.run_with(inventory, identity, "lambda.Function", "role"):
        name = function.text("name") or function.name
        logging = function.objects("loggingConfig")
        group = logging[0].get("logGroup") if logging else None
        yield write_logs(group if isinstance(group, str) else f"/aws/lambda/{name}", role)
        if any(v.get("subnetIds") for v in function.objects("vpcConfig")):
            yield IN_A_VPC
        yield from _on_failure(function, inventory)
        yield from _for_events_and_environment(function, name, identity, inventory)
        where = inventory.functions_in_pipelines.get(name)
        if where is None:
            continue
        yield ANSWER
        yield DESCRIBE_TASK_DEFINITION
        services = tuple(lookups.ecs_services(inventory, identity.service))
        if where == "deploy":
            described = ("ecs:describeservicedeployments", "ecs:describeservicerevisions")
            reads = ("ecs:describeservices", "ecs:listservicedeployments", *described)
            yield Permission(actions=(*reads, "ecs:updateservice"), resources=services)
            for action, kind in zip(described, ("service-deployment", "service-revision"), strict=True):
                of_kind = tuple(f"{arn.replace(':service/', f':{kind}/', 1)}/*" for arn in services)
                yield Permission(actions=(action,), resources=of_kind)
            own = tuple(inventory.pipelines_calling(name))
            yield Permission(actions=("codepipeline:getpipelinestate",), resources=own)
            yield from register_task_definition(identity, inventory)
        else:
            yield Permission(actions=("ecs:describeservices",), resources=services)
            # Asked of whoever reads findings where the registry's scanning is enhanced (Amazon ECR user guide).
            yield Permission(actions=("inspector2:listfindings",), resources=("*",))
            yield Permission(
                actions=(
                    "ecr:batchgetimage",
                    "ecr:describeimages",
                    "ecr:describeimagescanfindings",
                    "ecr:getdownloadurlforlayer",
                ),
                resources=tuple(lookups.repositories(inventory, identity.service)),
            )


#: What Lambda does by the function's role with an event that it gave up, by the kind of the destination.
_LEAVES: Final = {"sqs": "sqs:sendmessage", "sns": "sns:publish", "lambda": "lambda:invokefunction"}


def _on_failure(function: Resource, inventory: Inventory) -> Iterator[Permission]:
    """Leaving an event that it failed at where its configuration says.

    Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
    """
    for configuration in lookups.invoke_configurations(inventory, function):
        arns = [arn for arn in every_text(configuration.props.get("destinationConfig")) if arn.startswith("arn:")]
        arns += [
            queue.arn("sqs", queue.text("name"))
            for queue in configuration.refers.get("destinationConfig", ())
            if queue.kind == "sqs.Queue" and queue.text("name")
        ]
        for arn in arns:
            action = _LEAVES.get(arn.split(":")[2])
            if action is not None:
                yield Permission(actions=(action,), resources=(arn,))


def _for_events_and_environment(
    function: Resource, name: str, identity: Identity, inventory: Inventory
) -> Iterator[Permission]:
    role = identity.resource
    for pattern in _patterns(function, inventory):
        yield from _of_events(pattern, role)
    if name in inventory.hooks:
        groups = [
            role.arn_beside("codedeploy", f"deploymentgroup:{g.text('appName')}/{g.text('deploymentGroupName')}")
            for g in lookups.groups(inventory, identity.service)
        ]
        if groups:
            yield Permission(actions=("codedeploy:putlifecycleeventhookexecutionstatus",), resources=tuple(groups))
    for key, text in _variables(function):
        yield from _of_text(key, text, role, inventory)


def _patterns(function: Resource, inventory: Inventory) -> Iterator[Mapping[str, Any]]:
    for target in inventory.targets_of(function):
        rule = inventory.rule_of(target)
        if rule is not None and rule.text("eventPattern"):
            pattern = decoded(rule.text("eventPattern"))
            if isinstance(pattern, Mapping):
                yield pattern


def _of_events(pattern: Mapping[str, Any], role: Resource) -> Iterator[Permission]:
    """Reading about what an event tells of, as narrowly as the rule's pattern."""
    detail = pattern.get("detail")
    if not isinstance(detail, Mapping):
        return
    if pattern.get("source") == ["aws.codedeploy"]:
        names = _names(detail.get("application"))
        groups = [role.arn_beside("codedeploy", f"deploymentgroup:{n}/{n}") for n in names]
        groups += [role.arn_beside("codedeploy", f"deploymentgroup:{n}/*") for n in names if "*" not in n]
        if groups:
            yield Permission(
                actions=("codedeploy:getdeployment", "codedeploy:listdeployments"), resources=tuple(groups)
            )
    elif pattern.get("source") == ["aws.codepipeline"]:
        pipelines = [role.arn_beside("codepipeline", f"{n}") for n in _names(detail.get("pipeline"))]
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


def _variables(function: Resource) -> Iterator[tuple[str, str]]:
    """(key, text) of everything in the function's environment, JSON taken apart."""
    for environment in function.objects("environment"):
        variables = environment.get("variables")
        if isinstance(variables, Mapping):
            for key, value in variables.items():
                yield from _inside(str(key), decoded(value))


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
        yield Permission(actions=("ssm:getparameter",), resources=(role.arn_beside("ssm", f"parameter{rest}"),))
    elif kind == "secretsmanager" and rest:
        base = role.arn_beside("secretsmanager", f"secret:{rest.partition('#')[0]}")
        yield Permission(actions=("secretsmanager:getsecretvalue",), resources=(base, f"{base}-??????"))
    elif key in _PARAMETERS and _PARAMETER.fullmatch(text):
        arn = role.arn_beside("ssm", f"parameter{_PLACEHOLDER.sub('*', text)}")
        if arn not in inventory.parameters_of_tasks:
            yield Permission(actions=_PARAMETERS[key], resources=(arn,))
    elif key == "resourceId" and _TARGET.fullmatch(text):
        yield _SEE_TARGETS
        yield Permission(
            actions=("application-autoscaling:registerscalabletarget",),
            resources=(role.arn_beside("application-autoscaling", "scalable-target/*"),),
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
                yield role.arn_beside("ecs", f"{own}")
