"""What each purpose may do, worked out from the stack's own resources; nothing is intended that is not here.

Sources of the actions: Service Authorization Reference; Amazon ECR user guide, "IAM permissions for pushing an image";
CodeDeploy user guide, "Create a service role"; EventBridge user guide, "Using identity-based policies".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from policy_kit.resources import every_text, texts_in

from . import function_permissions, lookups, pipeline_permissions, task_permissions
from .grants import Permission

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity

PUSH: Final = (
    "ecr:batchchecklayeravailability",
    "ecr:batchgetimage",
    "ecr:completelayerupload",
    "ecr:getdownloadurlforlayer",
    "ecr:initiatelayerupload",
    "ecr:putimage",
    "ecr:uploadlayerpart",
)


def for_ci(identity: Identity, inventory: Inventory) -> list[Permission]:
    """What CI may do: log in to the registry, push to its repositories, put its one hand-off."""
    partition = identity.resource.partition
    objects = lookups.handoffs(inventory, identity.service)
    out = [task_permissions.LOG_IN]
    repository_arns = lookups.repositories(inventory, identity.service)
    if repository_arns:
        out.append(Permission(actions=PUSH, resources=tuple(repository_arns)))
    if objects:
        arns = tuple(f"arn:{partition}:s3:::{bucket}/{key}" for bucket, key in objects)
        out.append(Permission(actions=("s3:putobject",), resources=arns))
    keys = {key for bucket, _ in objects for key in lookups.bucket_keys(inventory, bucket)}
    if keys:
        out.append(Permission(actions=pipeline_permissions.DATA_KEY, resources=tuple(sorted(keys))))
    return [*out, *_added_by_owner(identity, inventory)]


def for_purpose(identity: Identity, inventory: Inventory) -> list[Permission]:
    """What a role of any purpose may do; what an application does with data is judged by `application`."""
    known: dict[Any, list[Permission]] = inventory.indexes.setdefault("permissions", {})
    if id(identity) not in known:
        known[id(identity)] = _for_purpose(identity, inventory)
    return known[id(identity)]


def _for_purpose(identity: Identity, inventory: Inventory) -> list[Permission]:
    rules = {
        "ci": for_ci,
        "pipeline": pipeline_permissions.for_pipeline,
        "pipeline-action": pipeline_permissions.for_pipeline,
        "deployment": _for_deployment,
        "task-execution": task_permissions.for_task_execution,
        "task": task_permissions.for_task,
        "function": function_permissions.for_function,
        "event-rule": _for_event_rule,
        "trail": _for_trail,
    }  # a chatbot's role and one for another account may do what the setting `allowed` says
    rule = rules.get(identity.purpose or "")
    own = list(rule(identity, inventory)) if rule else []
    return own if identity.purpose == "ci" else [*own, *_added_by_owner(identity, inventory)]


def _added_by_owner(identity: Identity, inventory: Inventory) -> Iterable[Permission]:
    if identity.purpose is None:
        return
    for added in inventory.settings.allowed.get(identity.purpose, ()):
        yield Permission(actions=added.actions, resources=added.resources)


# ---------------------------------------------------------------- deployments


def _for_deployment(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    role = identity.resource
    yield Permission(
        actions=(
            "elasticloadbalancing:describetargetgroups",
            "elasticloadbalancing:describelisteners",
            "elasticloadbalancing:describerules",
            "elasticloadbalancing:describeloadbalancers",
        ),
        resources=("*",),
    )
    yield pipeline_permissions.pass_to_tasks(identity, inventory)
    for group in lookups.run_with(inventory, identity, "codedeploy.DeploymentGroup", "serviceRoleArn"):
        for service in group.objects("ecsService"):
            path = f"{service.get('clusterName')}/{service.get('serviceName')}"
            yield Permission(
                actions=("ecs:describeservices", "ecs:updateserviceprimarytaskset"),
                resources=(role.arn_beside("ecs", f"service/{path}"),),
            )
            yield Permission(
                actions=("ecs:createtaskset", "ecs:deletetaskset"),
                resources=(role.arn_beside("ecs", f"task-set/{path}/*"),),
            )
        balancers = _balancers(group)
        if balancers:
            for action, kind in (("modifylistener", "listener"), ("modifyrule", "listener-rule")):
                patterns = (
                    role.arn_beside("elasticloadbalancing", f"{kind}/{layer}/{balancer}/*")
                    for balancer in sorted(balancers)
                    for layer in ("app", "net")
                )
                yield Permission(actions=(f"elasticloadbalancing:{action}",), resources=tuple(patterns))
        alarms = [a for c in group.objects("alarmConfiguration") for a in texts_in(c.get("alarms"))]
        if alarms:
            # A list that only reads; AWS may judge it by every alarm that its answer could name.
            yield Permission(
                actions=("cloudwatch:describealarms",), resources=(role.arn_beside("cloudwatch", "alarm:*"),)
            )
        for trigger in group.objects("triggerConfigurations"):
            topic = trigger.get("triggerTargetArn")
            if isinstance(topic, str):
                yield Permission(actions=("sns:publish",), resources=(topic,))
    hooks = [
        f.arn("lambda", f"function:{f.text('name')}")
        for f in lookups.functions(inventory, identity.service)
        if f.text("name") in inventory.hooks
    ]
    hooks += lookups.lasting(inventory, identity.service, "hooks")
    if hooks:
        yield Permission(actions=("lambda:invokefunction",), resources=tuple(hooks))


def _balancers(group: Resource) -> set[str]:
    """Names of the load balancers whose listeners the deployment group shifts."""
    out: set[str] = set()
    for listener in group.refers.get("loadBalancerInfo", ()):
        for balancer in listener.refers.get("loadBalancerArn", ()):
            out.add(balancer.text("name"))
    for arn in every_text(group.props.get("loadBalancerInfo")):
        parts = arn.split("/")
        if ":listener/" in arn and len(parts) > 2:  # noqa: PLR2004 listener/app/NAME/...
            out.add(parts[2])
    return out - {""}


# ---------------------------------------------------------------- rules and trails


def _for_event_rule(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    for target in lookups.run_with(inventory, identity, "cloudwatch.EventTarget", "roleArn"):
        pipelines = [p.arn("codepipeline", p.text("name")) for p in target.refers.get("arn", ()) if p.text("name")]
        stated = target.text("arn")
        if stated:
            pipelines.append(stated)
        yield Permission(actions=("codepipeline:startpipelineexecution",), resources=tuple(pipelines))


def _for_trail(_identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    for trail in inventory.of("cloudtrail.Trail"):
        group = trail.text("cloudWatchLogsGroupArn")
        if group:
            base = group.removesuffix(":*")
            yield Permission(
                actions=("logs:createlogstream", "logs:putlogevents"),
                resources=(f"{base}:*", f"{base}:log-stream:*"),
            )
