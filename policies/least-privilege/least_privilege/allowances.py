"""What each purpose may do, worked out from the stack's own resources; nothing is intended that is not here.

Sources of the actions: Service Authorization Reference; Amazon ECR user guide, "IAM permissions for pushing an image";
CodePipeline user guide, "Manage the CodePipeline service role"; CodeDeploy user guide, "Create a service role";
EventBridge user guide, "Using identity-based policies"; Lambda developer guide, "Execution role".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from . import lookups, told
from .grants import Permission

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .inventory import Identity, Inventory

PUSH: Final = (
    "ecr:batchchecklayeravailability",
    "ecr:batchgetimage",
    "ecr:completelayerupload",
    "ecr:getdownloadurlforlayer",
    "ecr:initiatelayerupload",
    "ecr:putimage",
    "ecr:uploadlayerpart",
)
LOG_IN: Final = Permission(actions=("ecr:getauthorizationtoken",), resources=("*",))
DATA_KEY: Final = ("kms:generatedatakey", "kms:generatedatakeywithoutplaintext")


def for_ci(identity: Identity, inventory: Inventory) -> list[Permission]:
    """What CI may do: log in to the registry, push to its repositories, put its one hand-off."""
    partition = identity.resource.partition
    objects = lookups.handoffs(inventory, identity.service)
    out = [LOG_IN]
    repository_arns = lookups.repositories(inventory, identity.service)
    if repository_arns:
        out.append(Permission(actions=PUSH, resources=tuple(repository_arns)))
    if objects:
        arns = tuple(f"arn:{partition}:s3:::{bucket}/{key}" for bucket, key in objects)
        out.append(Permission(actions=("s3:putobject",), resources=arns))
    keys = {key for bucket, _ in objects for key in lookups.bucket_keys(inventory, bucket)}
    if keys:
        out.append(Permission(actions=DATA_KEY, resources=tuple(sorted(keys))))
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
        "pipeline": _for_pipeline,
        "pipeline-action": _for_pipeline,
        "deployment": _for_deployment,
        "task-execution": _for_task_execution,
        "task": _for_task,
        "function": _for_function,
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


# ---------------------------------------------------------------- pipelines


#: CodePipeline user guide, "Service role permissions: S3 source action".
_READ_SOURCE: Final = ("s3:getobject", "s3:getobjectversion", "s3:getobjecttagging", "s3:getobjectversiontagging")
#: Characters of a pipeline's name that CodePipeline makes the folder of its artifacts of (AWS re:Post, "Code pipeline
#: truncates folder names in output artifact S3 bucket").
_FOLDER: Final = 20
_KNOW_BUCKET: Final = ("s3:getbucketacl", "s3:getbucketlocation", "s3:getbucketversioning")


def _for_pipeline(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What the pipeline does itself, or the actions whose role this is.

    An action's role that is not known at preview counts for every role that the stages refer to.
    """
    for pipeline in lookups.pipelines(inventory, identity):
        own = identity in inventory.roles_in(pipeline, "roleArn", pipeline.props.get("roleArn"))
        if own:
            yield from _artifact_stores(pipeline, identity)
        for action in lookups.pipeline_actions(pipeline):
            stated = action.get("roleArn")
            roles = inventory.roles_in(pipeline, "stages", stated)
            if own and stated is not None:
                yield Permission(actions=("sts:assumerole",), resources=tuple(r.arn for r in roles))
            if identity in roles or (own and stated is None):
                yield from _action(action, identity, inventory)
                yield from _artifacts(action, pipeline, identity)


def _artifact_stores(pipeline: Resource, identity: Identity) -> Iterator[Permission]:
    """What a pipeline asks of its store itself (CodePipeline user guide, "CodePipeline service role policy")."""
    for store in pipeline.objects("artifactStores"):
        bucket = store.get("location")
        if isinstance(bucket, str):
            yield Permission(
                actions=("s3:getbucketacl", "s3:getbucketlocation", "s3:getbucketversioning"),
                resources=(f"arn:{identity.resource.partition}:s3:::{bucket}",),
            )


def _artifacts(action: Mapping[str, Any], pipeline: Resource, identity: Identity) -> Iterator[Permission]:
    reads, writes = action.get("inputArtifacts"), action.get("outputArtifacts")
    source = action.get("category") == "Source" and action.get("provider") == "S3"
    actions = [
        *(("s3:getobject", "s3:getobjectversion") if reads else ()),
        *(("s3:putobject",) if writes else ()),
        *(("s3:putobjecttagging",) if writes and source else ()),
    ]
    folder = pipeline.text("name")[:_FOLDER]
    for store in pipeline.objects("artifactStores"):
        bucket = store.get("location")
        if isinstance(bucket, str) and actions:
            objects = f"arn:{identity.resource.partition}:s3:::{bucket}/{f'{folder}/*' if folder else '*'}"
            yield Permission(actions=tuple(actions), resources=(objects,))
        key = store.get("encryptionKey")
        arn = key.get("id") if isinstance(key, Mapping) else None
        if isinstance(arn, str) and ":key/" in arn:
            yield Permission(actions=(*DATA_KEY, "kms:decrypt", "kms:encrypt", "kms:describekey"), resources=(arn,))


def _action(action: Mapping[str, Any], identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    configuration = action.get("configuration")
    said = {k: v for k, v in configuration.items() if isinstance(v, str)} if isinstance(configuration, Mapping) else {}
    provider, role = action.get("provider"), identity.resource
    if provider == "S3" and action.get("category") == "Source":
        bucket = f"arn:{role.partition}:s3:::{said.get('S3Bucket', '')}"
        objects = (f"{bucket}/{said.get('S3ObjectKey', '')}",)
        yield Permission(actions=_READ_SOURCE, resources=objects)
        yield Permission(actions=_KNOW_BUCKET, resources=(bucket,))
    elif provider == "ECR":
        repository = _arn(role, "ecr", f"repository/{said.get('RepositoryName', '')}")
        yield Permission(actions=("ecr:describeimages",), resources=(repository,))
    elif provider == "Lambda":
        function = _arn(role, "lambda", f"function:{said.get('FunctionName', '')}")
        yield Permission(actions=("lambda:invokefunction",), resources=(function,))
    elif provider == "Manual" and said.get("NotificationArn"):
        yield Permission(actions=("sns:publish",), resources=(said["NotificationArn"],))
    elif provider == "Manual":
        # The topic's ARN is not known yet: any of those that the pipelines refer to.
        yield Permission(actions=("sns:publish",), resources=tuple(lookups.topics_of_approvals(inventory)))
    elif provider == "CodeBuild":
        project = _arn(role, "codebuild", f"project/{said.get('ProjectName', '')}")
        actions = ("codebuild:startbuild", "codebuild:stopbuild", "codebuild:batchgetbuilds")
        yield Permission(actions=actions, resources=(project,))
    elif provider == "CodeDeployToECS":
        yield from _blue_green(said, identity, inventory)
    elif provider == "ECS":
        service = _arn(role, "ecs", f"service/{said.get('ClusterName', '')}/{said.get('ServiceName', '')}")
        yield Permission(actions=("ecs:describeservices", "ecs:updateservice"), resources=(service,))
        yield DESCRIBE_REVISION
        yield from _register(identity, inventory)


DESCRIBE_REVISION: Final = Permission(actions=("ecs:describetaskdefinition",), resources=("*",))


def _blue_green(said: Mapping[str, str], identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    role = identity.resource
    application, group = said.get("ApplicationName", ""), said.get("DeploymentGroupName", "")
    yield Permission(
        actions=("codedeploy:createdeployment", "codedeploy:getdeployment"),
        resources=(_arn(role, "codedeploy", f"deploymentgroup:{application}/{group}"),),
    )
    yield Permission(
        actions=(
            "codedeploy:getapplication",
            "codedeploy:getapplicationrevision",
            "codedeploy:registerapplicationrevision",
        ),
        resources=(_arn(role, "codedeploy", f"application:{application}"),),
    )
    configurations = lookups.configurations(inventory, group)
    if configurations:
        yield Permission(
            actions=("codedeploy:getdeploymentconfig",),
            resources=tuple(_arn(role, "codedeploy", f"deploymentconfig:{c}") for c in configurations),
        )
    yield from _register(identity, inventory)


def _register(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """Registering a revision of the service's own family, with its own two roles."""
    families = tuple(
        _arn(identity.resource, "ecs", f"task-definition/{family}:*")
        for family in lookups.families(inventory, identity.service)
    )
    creating = {"ecs:CreateAction": ("RegisterTaskDefinition",)}
    yield Permission(actions=("ecs:registertaskdefinition",), resources=families or ("*",))
    yield Permission(actions=("ecs:tagresource",), resources=families, conditions=creating)
    yield pass_to_tasks(identity, inventory)


def pass_to_tasks(identity: Identity, inventory: Inventory) -> Permission:
    """Passing the service's task and execution roles to ECS tasks."""
    return Permission(
        actions=("iam:passrole",),
        resources=(*lookups.task_roles(inventory, identity.service), *inventory.settings.passable_roles),
        conditions={"iam:PassedToService": ("ecs-tasks.amazonaws.com",)},
    )


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
    yield pass_to_tasks(identity, inventory)
    for group in lookups.run_with(inventory, identity, "codedeploy.DeploymentGroup", "serviceRoleArn"):
        for service in group.objects("ecsService"):
            path = f"{service.get('clusterName')}/{service.get('serviceName')}"
            yield Permission(
                actions=("ecs:describeservices", "ecs:updateserviceprimarytaskset"),
                resources=(_arn(role, "ecs", f"service/{path}"),),
            )
            yield Permission(
                actions=("ecs:createtaskset", "ecs:deletetaskset"),
                resources=(_arn(role, "ecs", f"task-set/{path}/*"),),
            )
        balancers = _balancers(group)
        if balancers:
            for action, kind in (("modifylistener", "listener"), ("modifyrule", "listener-rule")):
                patterns = (
                    _arn(role, "elasticloadbalancing", f"{kind}/{layer}/{balancer}/*")
                    for balancer in sorted(balancers)
                    for layer in ("app", "net")
                )
                yield Permission(actions=(f"elasticloadbalancing:{action}",), resources=tuple(patterns))
        alarms = [a for c in group.objects("alarmConfiguration") for a in _texts(c.get("alarms"))]
        if alarms:
            # A list that only reads; AWS may judge it by every alarm that its answer could name.
            yield Permission(actions=("cloudwatch:describealarms",), resources=(_arn(role, "cloudwatch", "alarm:*"),))
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
    for arn in _every_text(group.props.get("loadBalancerInfo")):
        parts = arn.split("/")
        if ":listener/" in arn and len(parts) > 2:  # noqa: PLR2004 listener/app/NAME/...
            out.add(parts[2])
    return out - {""}


# ---------------------------------------------------------------- tasks


def _for_task_execution(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    yield LOG_IN
    yield Permission(
        actions=("ecr:batchgetimage", "ecr:getdownloadurlforlayer", "ecr:batchchecklayeravailability"),
        resources=tuple(lookups.repositories(inventory, identity.service)),
    )
    for revision in lookups.executions(inventory, identity):
        for container in revision.containers:
            yield from _container(container, identity.resource)
    for secret in lookups.lasting(inventory, identity.service, "secrets"):
        store, _, name = secret.partition(" ")
        kind = "ssm" if store == "ssm" else "secretsmanager"
        source = f"parameter{name}" if kind == "ssm" else f"secret:{name}"
        yield from _container({"secrets": [{"valueFrom": _arn(identity.resource, kind, source)}]}, identity.resource)


_REGISTRY_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[a-z0-9._/-]+)([:@].*)?"
)


def _container(container: Mapping[str, Any], role: Resource) -> Iterator[Permission]:
    image = _REGISTRY_IMAGE.fullmatch(str(container.get("image")))
    if image is not None and image["account"] == role.account:
        repository = f"arn:{role.partition}:ecr:{image['region']}:{image['account']}:repository/{image['repository']}"
        yield Permission(actions=("ecr:batchgetimage", "ecr:getdownloadurlforlayer"), resources=(repository,))
    logging = container.get("logConfiguration")
    options = logging.get("options") if isinstance(logging, Mapping) else None
    group = options.get("awslogs-group") if isinstance(options, Mapping) else None
    if isinstance(group, str):
        yield _write_logs(group, role)
    for secret in container.get("secrets") or ():
        source = secret.get("valueFrom") if isinstance(secret, Mapping) else None
        if not isinstance(source, str):
            continue
        if ":secretsmanager:" in source:
            # ...:secret:NAME[:json key:stage:version]; AWS adds a hyphen and six characters to a secret's name.
            base = ":".join(source.split(":")[:7])
            yield Permission(actions=("secretsmanager:getsecretvalue",), resources=(base, f"{base}-??????"))
        else:
            arn = source if source.startswith("arn:") else _arn(role, "ssm", f"parameter/{source.lstrip('/')}")
            yield Permission(actions=("ssm:getparameters",), resources=(arn,))
    for file in container.get("environmentFiles") or ():
        if isinstance(file, Mapping) and isinstance(file.get("value"), str):
            yield Permission(actions=("s3:getobject",), resources=(file["value"],))


def _write_logs(group: str, role: Resource) -> Permission:
    base = _arn(role, "logs", f"log-group:{group}")
    return Permission(actions=("logs:createlogstream", "logs:putlogevents"), resources=(f"{base}:*",))


def _for_task(_identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """ECS Exec of its own tasks; what the application does with data is judged by `application`."""
    if any(s.props.get("enableExecuteCommand") is True for s in inventory.of("ecs.Service")):
        yield Permission(
            actions=(
                "ssmmessages:createcontrolchannel",
                "ssmmessages:createdatachannel",
                "ssmmessages:opencontrolchannel",
                "ssmmessages:opendatachannel",
            ),
            resources=("*",),
        )


# ---------------------------------------------------------------- functions


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


def _for_function(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    role = identity.resource
    for function in lookups.run_with(inventory, identity, "lambda.Function", "role"):
        name = function.text("name") or function.name
        logging = function.objects("loggingConfig")
        group = logging[0].get("logGroup") if logging else None
        yield _write_logs(group if isinstance(group, str) else f"/aws/lambda/{name}", role)
        if any(v.get("subnetIds") for v in function.objects("vpcConfig")):
            yield IN_A_VPC
        yield from _on_failure(function, inventory)
        yield from told.permissions(function, name, identity, inventory)
        where = inventory.functions_in_pipelines.get(name)
        if where is None:
            continue
        yield ANSWER
        yield DESCRIBE_REVISION
        services = tuple(lookups.ecs_services(inventory, identity.service))
        if where == "deploy":
            yield Permission(actions=("ecs:describeservices", "ecs:updateservice"), resources=services)
            own = tuple(inventory.pipelines_calling(name))
            yield Permission(actions=("codepipeline:getpipelinestate",), resources=own)
            yield from _register(identity, inventory)
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
        arns = [arn for arn in _every_text(configuration.props.get("destinationConfig")) if arn.startswith("arn:")]
        arns += [
            queue.arn("sqs", queue.text("name"))
            for queue in configuration.refers.get("destinationConfig", ())
            if queue.kind == "sqs.Queue" and queue.text("name")
        ]
        for arn in arns:
            action = _LEAVES.get(arn.split(":")[2])
            if action is not None:
                yield Permission(actions=(action,), resources=(arn,))


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


def _arn(role: Resource, service: str, resource: str) -> str:
    return f"arn:{role.partition}:{service}:{role.region}:{role.account}:{resource}"


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _every_text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _every_text(item)
    elif isinstance(value, list):
        for item in value:
            yield from _every_text(item)
