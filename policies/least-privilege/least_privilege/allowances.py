"""What each purpose may do, worked out from the stack's own resources; nothing is intended that is not here.

Sources of the actions: Service Authorization Reference; Amazon ECR user guide, "IAM permissions for pushing an image";
CodePipeline user guide, "Manage the CodePipeline service role"; CodeDeploy user guide, "Create a service role";
EventBridge user guide, "Using identity-based policies"; Lambda developer guide, "Execution role".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from . import told
from .grants import Permission

if TYPE_CHECKING:
    from .inventory import Identity, Inventory, Revision
    from .resources import Resource

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


def belongs(text: str, resource: Resource, service: str, tag: str) -> bool:
    """Whether a resource belongs to a service: by its tag, otherwise by a whole segment of its path-like name."""
    if not service:
        return True
    tagged = resource.tags.get(tag)
    return tagged == service if tagged else service in text.split("/")


def repositories(inventory: Inventory, service: str) -> list[str]:
    """ARNs of the service's repositories."""
    tag = inventory.settings.service_tag
    return [
        r.arn("ecr", f"repository/{r.text('name') or r.name}")
        for r in inventory.of("ecr.Repository")
        if belongs(r.text("name") or r.name, r, service, tag)
    ]


def handoffs(inventory: Inventory, service: str) -> list[tuple[str, str]]:
    """(bucket, key) that CI of the service may put: what its pipelines read and the stack does not write itself."""
    own = {(inventory.bucket_of(o), o.text("key")) for o in inventory.of("s3.BucketObject", "s3.ObjectCopy")}
    tag = inventory.settings.service_tag
    out = []
    for pipeline in inventory.of("codepipeline.Pipeline"):
        for action in pipeline_actions(pipeline):
            configuration = action.get("configuration")
            if action.get("category") != "Source" or action.get("provider") != "S3":
                continue
            if not isinstance(configuration, Mapping):
                continue
            bucket, key = configuration.get("S3Bucket"), configuration.get("S3ObjectKey")
            if not isinstance(bucket, str) or not isinstance(key, str) or (bucket, key) in own:
                continue
            if belongs(key, pipeline, service, tag):
                out.append((bucket, key))
    for uri in inventory.settings.handoffs:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        out.append((bucket, key))
    return out


def pipeline_actions(pipeline: Resource) -> Iterator[Mapping[str, Any]]:
    """Every action of a pipeline, in its order."""
    for stage in pipeline.objects("stages"):
        actions = stage.get("actions")
        for action in actions if isinstance(actions, list) else []:
            if isinstance(action, Mapping):
                yield action


def bucket_key(inventory: Inventory, bucket: str) -> list[str]:
    """ARNs of the customer keys that encrypt a bucket."""
    out = []
    for encryption in inventory.of("s3.BucketServerSideEncryptionConfiguration"):
        if inventory.bucket_of(encryption) != bucket:
            continue
        for rule in encryption.objects("rules"):
            default = rule.get("applyServerSideEncryptionByDefault")
            key = default.get("kmsMasterKeyId") if isinstance(default, Mapping) else None
            if isinstance(key, str) and ":key/" in key:
                out.append(key)
    return out


def for_ci(identity: Identity, inventory: Inventory) -> list[Permission]:
    """What CI may do: log in to the registry, push to its repositories, put its one hand-off."""
    partition = identity.resource.partition
    objects = handoffs(inventory, identity.service)
    out = [LOG_IN]
    repository_arns = repositories(inventory, identity.service)
    if repository_arns:
        out.append(Permission(actions=PUSH, resources=tuple(repository_arns)))
    if objects:
        arns = tuple(f"arn:{partition}:s3:::{bucket}/{key}" for bucket, key in objects)
        out.append(Permission(actions=("s3:putobject",), resources=arns))
    keys = {key for bucket, _ in objects for key in bucket_key(inventory, bucket)}
    if keys:
        out.append(Permission(actions=DATA_KEY, resources=tuple(sorted(keys))))
    return [*out, *_extras(identity, inventory)]


def for_purpose(identity: Identity, inventory: Inventory) -> list[Permission]:
    """What a role of any purpose may do; for the application's own role see `data.application_permissions`."""
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
    return own if identity.purpose == "ci" else [*own, *_extras(identity, inventory)]


def _extras(identity: Identity, inventory: Inventory) -> Iterable[Permission]:
    for extra in inventory.settings.allowed.get(identity.purpose or "", ()):
        yield Permission(actions=extra.actions, resources=extra.resources)


# ---------------------------------------------------------------- pipelines


def _for_pipeline(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What the pipeline does itself, or the actions whose role this is.

    An action's role that is not known at preview counts for every role that the stages refer to.
    """
    for pipeline in inventory.of("codepipeline.Pipeline"):
        own = identity in inventory.roles_in(pipeline, "roleArn", pipeline.props.get("roleArn"))
        acted = False
        for action in pipeline_actions(pipeline):
            stated = action.get("roleArn")
            if stated is None:
                if own:
                    acted = True
                    yield from _action(action, identity, inventory)
                continue
            roles = inventory.roles_in(pipeline, "stages", stated)
            if own:
                yield Permission(actions=("sts:assumerole",), resources=tuple(r.arn for r in roles))
            if identity in roles:
                acted = True
                yield from _action(action, identity, inventory)
                yield from _artifacts(action, pipeline, identity)
        if own and acted:
            for action in pipeline_actions(pipeline):
                if action.get("roleArn") is None:
                    yield from _artifacts(action, pipeline, identity)


def _artifacts(action: Mapping[str, Any], pipeline: Resource, identity: Identity) -> Iterator[Permission]:
    reads, writes = action.get("inputArtifacts"), action.get("outputArtifacts")
    actions = [*(("s3:getobject", "s3:getobjectversion") if reads else ()), *(("s3:putobject",) if writes else ())]
    for store in pipeline.objects("artifactStores"):
        bucket = store.get("location")
        if isinstance(bucket, str) and actions:
            yield Permission(actions=tuple(actions), resources=(f"arn:{identity.resource.partition}:s3:::{bucket}/*",))
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
        yield Permission(actions=("s3:getobject", "s3:getobjectversion", "s3:getobjecttagging"), resources=objects)
        yield Permission(actions=("s3:getbucketversioning", "s3:getbucketlocation"), resources=(bucket,))
    elif provider == "ECR":
        repository = _arn(role, "ecr", f"repository/{said.get('RepositoryName', '')}")
        yield Permission(actions=("ecr:describeimages",), resources=(repository,))
    elif provider == "Lambda":
        function = _arn(role, "lambda", f"function:{said.get('FunctionName', '')}")
        yield Permission(actions=("lambda:invokefunction",), resources=(function,))
    elif provider == "Manual" and said.get("NotificationArn"):
        yield Permission(actions=("sns:publish",), resources=(said["NotificationArn"],))
    elif provider == "Manual":
        yield from _topics(inventory)
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


def _topics(inventory: Inventory) -> Iterator[Permission]:
    """The topic of an approval whose ARN is not known yet: any of the topics that the pipelines refer to."""
    for pipeline in inventory.of("codepipeline.Pipeline"):
        for topic in pipeline.refers.get("stages", ()):
            if topic.kind == "sns.Topic":
                arn = topic.arn("sns", topic.text("name") or topic.name)
                yield Permission(actions=("sns:publish",), resources=(arn,))


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
    for found in inventory.of("codedeploy.DeploymentGroup"):
        configuration = found.text("deploymentConfigName")
        if found.text("deploymentGroupName") == group and configuration:
            yield Permission(
                actions=("codedeploy:getdeploymentconfig",),
                resources=(_arn(role, "codedeploy", f"deploymentconfig:{configuration}"),),
            )
    yield from _register(identity, inventory)


def _register(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """Registering a revision of the service's own family, with its own two roles."""
    families = tuple(
        _arn(identity.resource, "ecs", f"task-definition/{revision.family}:*")
        for revision in inventory.revisions
        if revision.family and _serves(revision, identity)
    )
    creating = {"ecs:CreateAction": ("RegisterTaskDefinition",)}
    yield Permission(actions=("ecs:registertaskdefinition",), resources=families or ("*",))
    yield Permission(actions=("ecs:tagresource",), resources=families, conditions=creating)
    yield pass_to_tasks(identity, inventory)


def pass_to_tasks(identity: Identity, inventory: Inventory) -> Permission:
    """Passing the service's task and execution roles to ECS tasks."""
    roles = [
        i.arn
        for i in inventory.identities
        if i.purpose in ("task", "task-execution") and identity.service in ("", i.service)
    ]
    return Permission(
        actions=("iam:passrole",),
        resources=(*roles, *inventory.settings.passable_roles),
        conditions={"iam:PassedToService": ("ecs-tasks.amazonaws.com",)},
    )


def _serves(revision: Revision, identity: Identity) -> bool:
    """Whether the task definition belongs to the identity's service: by the roles that it runs with."""
    roles = (*revision.task_roles, *revision.execution_roles)
    return not identity.service or any(role.service == identity.service for role in roles)


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
    for group in inventory.of("codedeploy.DeploymentGroup"):
        if identity not in inventory.roles_in(group, "serviceRoleArn", group.props.get("serviceRoleArn")):
            continue
        for service in group.objects("ecsService"):
            path = f"{service.get('clusterName')}/{service.get('serviceName')}"
            yield Permission(
                actions=(
                    "ecs:describeservices",
                    "ecs:createtaskset",
                    "ecs:updateserviceprimarytaskset",
                    "ecs:deletetaskset",
                ),
                resources=(_arn(role, "ecs", f"service/{path}"), _arn(role, "ecs", f"task-set/{path}/*")),
            )
        balancers = _balancers(group)
        if balancers:
            kinds = ("listener/app/", "listener/net/", "listener-rule/app/", "listener-rule/net/")
            patterns = tuple(_arn(role, "elasticloadbalancing", f"{k}{b}/*") for b in balancers for k in kinds)
            yield Permission(
                actions=("elasticloadbalancing:modifylistener", "elasticloadbalancing:modifyrule"),
                resources=patterns,
            )
        alarms = [a for c in group.objects("alarmConfiguration") for a in _texts(c.get("alarms"))]
        yield Permission(
            actions=("cloudwatch:describealarms",),
            resources=tuple(_arn(role, "cloudwatch", f"alarm:{a}") for a in alarms),
        )
        for trigger in group.objects("triggerConfigurations"):
            topic = trigger.get("triggerTargetArn")
            if isinstance(topic, str):
                yield Permission(actions=("sns:publish",), resources=(topic,))
    hooks = [arn for arn, name in _functions(identity, inventory) if name in inventory.hooks]
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


def _functions(identity: Identity, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """(ARN, name) of the functions of the identity's service."""
    for function in inventory.of("lambda.Function"):
        roles = inventory.roles_in(function, "role", function.props.get("role"))
        if any(identity.service in ("", r.service) for r in roles):
            name = function.text("name") or function.name
            yield function.arn("lambda", f"function:{name}"), name


# ---------------------------------------------------------------- tasks


def _for_task_execution(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    yield LOG_IN
    yield Permission(
        actions=("ecr:batchgetimage", "ecr:getdownloadurlforlayer", "ecr:batchchecklayeravailability"),
        resources=tuple(repositories(inventory, identity.service)),
    )
    for revision in inventory.revisions:
        if identity in revision.execution_roles:
            for container in revision.containers:
                yield from _container(container, identity.resource)


def _container(container: Mapping[str, Any], role: Resource) -> Iterator[Permission]:
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
    """ECS Exec of its own tasks; what the application does with data is judged by `data`."""
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
    for function in inventory.of("lambda.Function"):
        if identity not in inventory.roles_in(function, "role", function.props.get("role")):
            continue
        name = function.text("name") or function.name
        logging = function.objects("loggingConfig")
        group = logging[0].get("logGroup") if logging else None
        yield _write_logs(group if isinstance(group, str) else f"/aws/lambda/{name}", role)
        if any(v.get("subnetIds") for v in function.objects("vpcConfig")):
            yield IN_A_VPC
        yield from told.permissions(function, name, identity, inventory)
        where = inventory.functions_in_pipelines.get(name)
        if where is None:
            continue
        yield ANSWER
        yield DESCRIBE_REVISION
        services = tuple(_services(identity, inventory))
        if where == "deploy":
            yield Permission(actions=("ecs:describeservices", "ecs:updateservice"), resources=services)
            yield from _register(identity, inventory)
        else:
            yield Permission(actions=("ecs:describeservices",), resources=services)
            yield Permission(
                actions=(
                    "ecr:batchgetimage",
                    "ecr:describeimages",
                    "ecr:describeimagescanfindings",
                    "ecr:getdownloadurlforlayer",
                ),
                resources=tuple(repositories(inventory, identity.service)),
            )


def _services(identity: Identity, inventory: Inventory) -> Iterator[str]:
    """ARNs of the ECS services of the identity's service: those that run its task definitions."""
    for service in inventory.of("ecs.Service"):
        if not any(_serves(r, identity) for r in inventory.revisions_of(service)):
            continue
        cluster = service.text("cluster").rsplit("/", 1)[-1]
        if not cluster:
            names = (c.text("name") or c.text("clusterName") for c in service.refers.get("cluster", ()))
            cluster = next((n for n in names if n), "")
        yield _arn(service, "ecs", f"service/{cluster}/{service.text('name') or service.name}")


# ---------------------------------------------------------------- rules and trails


def _for_event_rule(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    for target in inventory.of("cloudwatch.EventTarget"):
        if identity not in inventory.roles_in(target, "roleArn", target.props.get("roleArn")):
            continue
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
