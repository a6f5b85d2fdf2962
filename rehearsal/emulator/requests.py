"""The IAM actions that an API call requires, with the ARNs and condition keys of the request.

Sources: Service Authorization Reference, the pages of the services below; for what a call requires on
other services `authorization.callers`, where each row has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from authorization import callers
from authorization.callers import Need, On, Row

Requirement = tuple[str, tuple[str, ...], dict[str, str]]
"""Action, ARNs, condition keys in lower case."""

EVERYTHING: Final = ("*",)


class Lookup(Protocol):
    """What a request does not say itself."""

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the stack's account and region."""

    def group_of(self, deployment: str) -> str:
        """`application/group` of a deployment."""

    def secret(self, name: str) -> str:
        """The whole ARN of a secret."""

    def scalable_target(self, resource_id: str) -> str:
        """The ARN of a scalable target."""

    def roles_of(self, task_definition: str) -> tuple[str, ...]:
        """The ARNs of the roles of a registered task definition."""

    def key_of(self, service: str, params: Mapping[str, Any]) -> str | None:
        """The key of one's own that a bucket, topic or the like of this request is encrypted with, if it has one."""


def required(service: str, operation: str, params: Mapping[str, Any], look: Lookup) -> Iterator[Requirement]:
    """Everything that IAM must allow for this call of an API.

    Raises:
        NotImplementedError: the operation has no entry here yet.
    """
    name = f"{service}:{operation}"
    if name in _PLAIN:
        action, resources = _PLAIN[name]
        yield action, resources(params, look), {}
        return
    if name in _SPECIAL:
        yield from _SPECIAL[name](params, look)
        return
    raise NotImplementedError(
        f"the rehearsal does not know which IAM actions {name} requires; add it to rehearsal/emulator/requests.py"
    )


def also_required(call: str, params: Mapping[str, Any], look: Lookup) -> Iterator[tuple[Row, Requirement]]:
    """What the caller needs on other services as well, row by row.

    Args:
        call: `service:Operation`, or an action of a pipeline, as the rows name it.
        params: of the request; of a pipeline's action its `source object` and `artifact`, as ARNs.
        look: what the request does not say.
    """
    for row in callers.of(call):
        for need in row.needs:
            resources = _ON[need.on](call.partition(":")[0], params, look)
            if resources:
                yield row, (need.action, resources, _keys(need, call, look))


def _keys(need: Need, call: str, look: Lookup) -> dict[str, str]:
    if need.passed_to:
        return {"iam:passedtoservice": need.passed_to}
    if need.on == "key":
        region = look.arn("kms", "").split(":")[3]
        return {"kms:viaservice": f"{call.partition(':')[0]}.{region}.amazonaws.com"}
    return {}


def _roles(_service: str, params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    """Of a task definition that is registered or started, or of the targets of a rule."""
    stated = [params[key] for key in ("taskRoleArn", "executionRoleArn") if params.get(key)]
    stated += [target["RoleArn"] for target in params.get("Targets", ()) if target.get("RoleArn")]
    return tuple(stated) or (look.roles_of(params["taskDefinition"]) if params.get("taskDefinition") else ())


def _role(_service: str, params: Mapping[str, Any], _look: Lookup) -> tuple[str, ...]:
    """The one role that a request names, by whatever its API calls it."""
    places = (params, params.get("pipeline", {}), params.get("Target", {}))
    found = (place.get(key) for place in places for key in ("Role", "RoleArn", "roleArn", "serviceRoleArn"))
    return tuple(role for role in found if role)


def _infrastructure_roles(_service: str, params: Mapping[str, Any], _look: Lookup) -> tuple[str, ...]:
    balancers = (b.get("advancedConfiguration", {}).get("roleArn") for b in params.get("loadBalancers", ()))
    volumes = (v.get("managedEBSVolume", {}).get("roleArn") for v in params.get("volumeConfigurations", ()))
    return tuple(role for role in (*balancers, *volumes) if role)


def _alarms(_service: str, params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    """Of a target tracking policy: Application Auto Scaling names them after the target."""
    return (look.arn("cloudwatch", f"alarm:TargetTracking-{params['ResourceId']}-AlarmHigh"),)


def _scaled(_service: str, params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    return (look.arn("ecs", params["ResourceId"]),) if params["ServiceNamespace"] == "ecs" else ()


def _own_key(service: str, params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    key = look.key_of(service, params)
    return (key,) if key else ()


def _named(key: str) -> Callable[[str, Mapping[str, Any], Lookup], tuple[str, ...]]:
    return lambda _service, params, _look: (str(params[key]),)


_ON: Final[dict[On, Callable[[str, Mapping[str, Any], Lookup], tuple[str, ...]]]] = {
    "*": lambda _service, _params, _look: EVERYTHING,
    "service": _scaled,
    "alarms": _alarms,
    "roles": _roles,
    "role": _role,
    "service role": _infrastructure_roles,
    "key": _own_key,
    "source object": _named("source object"),
    "artifact": _named("artifact"),
}
"""How the resources of a row are found in a request."""


def _repository(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    return (look.arn("ecr", f"repository/{params['repositoryName']}"),)


def _service(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    names = params.get("services") or [params["service"]]
    return tuple(look.arn("ecs", f"service/{params['cluster']}/{name}") for name in names)


def _with_service(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    """Service deployments or service revisions, and the service that they belong to."""
    named = [arn for key in ("serviceDeploymentArns", "serviceRevisionArns") for arn in params.get(key, ())]
    services = {"/".join(arn.split("/")[1:3]) for arn in named}
    return (*(look.arn("ecs", f"service/{one}") for one in sorted(services)), *named)


def _task_set(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    own = str(params.get("taskSet", "")).rpartition("/")[2] or "ecs-svc-new"
    return (look.arn("ecs", f"task-set/{params['cluster']}/{params['service']}/{own}"),)


def _parameter(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    return tuple(look.arn("ssm", f"parameter{name}") for name in params.get("Names") or [params["Name"]])


def _group(params: Mapping[str, Any], look: Lookup) -> tuple[str, ...]:
    if "deploymentId" in params:
        names = look.group_of(params["deploymentId"])
    else:
        names = f"{params['applicationName']}/{params['deploymentGroupName']}"
    return (look.arn("codedeploy", f"deploymentgroup:{names}"),)


def _bucket(params: Mapping[str, Any], _look: Lookup) -> tuple[str, ...]:
    return (f"arn:aws:s3:::{params['Bucket']}",)


def _object(params: Mapping[str, Any], _look: Lookup) -> tuple[str, ...]:
    return (f"arn:aws:s3:::{params['Bucket']}/{params['Key']}",)


def _all_resources(_params: Mapping[str, Any], _look: Lookup) -> tuple[str, ...]:
    return EVERYTHING


_PLAIN: Final[dict[str, tuple[str, Callable[[Mapping[str, Any], Lookup], tuple[str, ...]]]]] = {
    **{
        f"ecr:{operation}": (f"ecr:{operation}", _repository)
        for operation in (
            "BatchGetImage",
            "DescribeImageScanFindings",
            "DescribeImages",
            "GetDownloadUrlForLayer",
            "PutImage",
        )
    },
    "ecr:GetAuthorizationToken": ("ecr:GetAuthorizationToken", _all_resources),
    "ecs:DescribeServices": ("ecs:DescribeServices", _service),
    "ecs:ListServiceDeployments": ("ecs:ListServiceDeployments", _service),
    "ecs:DescribeServiceDeployments": ("ecs:DescribeServiceDeployments", _with_service),
    "ecs:DescribeServiceRevisions": ("ecs:DescribeServiceRevisions", _with_service),
    "ecs:DescribeTaskDefinition": ("ecs:DescribeTaskDefinition", _all_resources),
    "ecs:UpdateServicePrimaryTaskSet": ("ecs:UpdateServicePrimaryTaskSet", _service),
    "ecs:CreateTaskSet": ("ecs:CreateTaskSet", _task_set),
    "ecs:DeleteTaskSet": ("ecs:DeleteTaskSet", _task_set),
    "ecs:UpdateService": ("ecs:UpdateService", _service),
    "application-autoscaling:DescribeScalableTargets": (
        "application-autoscaling:DescribeScalableTargets",
        _all_resources,
    ),
    "codedeploy:GetDeployment": ("codedeploy:GetDeployment", _group),
    "codedeploy:ListDeployments": ("codedeploy:ListDeployments", _group),
    "codedeploy:PutLifecycleEventHookExecutionStatus": ("codedeploy:PutLifecycleEventHookExecutionStatus", _group),
    "codepipeline:PutJobSuccessResult": ("codepipeline:PutJobSuccessResult", _all_resources),
    "codepipeline:PutJobFailureResult": ("codepipeline:PutJobFailureResult", _all_resources),
    "codepipeline:GetPipelineState": (
        "codepipeline:GetPipelineState",
        lambda params, look: (look.arn("codepipeline", params["name"]),),
    ),
    "codepipeline:ListActionExecutions": (
        "codepipeline:ListActionExecutions",
        lambda params, look: (look.arn("codepipeline", params["pipelineName"]),),
    ),
    "ssm:GetParameter": ("ssm:GetParameter", _parameter),
    "ssm:GetParameters": ("ssm:GetParameters", _parameter),
    "ssm:PutParameter": ("ssm:PutParameter", _parameter),
    "ssm:DeleteParameter": ("ssm:DeleteParameter", _parameter),
    "secretsmanager:GetSecretValue": (
        "secretsmanager:GetSecretValue",
        lambda params, look: (look.secret(params["SecretId"]),),
    ),
    "s3:HeadObject": ("s3:GetObject", _object),
    "s3:GetBucketVersioning": ("s3:GetBucketVersioning", _bucket),
    "s3:GetBucketLocation": ("s3:GetBucketLocation", _bucket),
    "sns:Publish": ("sns:Publish", lambda params, _look: (str(params["TopicArn"]),)),
}


def _get_object(params: Mapping[str, Any], look: Lookup) -> Iterator[Requirement]:
    action = "s3:GetObjectVersion" if params.get("VersionId") else "s3:GetObject"
    yield action, _object(params, look), {}


def _put_object(params: Mapping[str, Any], look: Lookup) -> Iterator[Requirement]:
    """Putting an object with tags asks for both (Amazon S3 API reference, "PutObject", Permissions)."""
    yield "s3:PutObject", _object(params, look), {}
    if params.get("Tagging"):
        yield "s3:PutObjectTagging", _object(params, look), {}


def _register(params: Mapping[str, Any], look: Lookup) -> Iterator[Requirement]:
    revision = (look.arn("ecs", f"task-definition/{params['family']}:1"),)
    yield "ecs:RegisterTaskDefinition", revision, {}
    if params.get("tags"):
        yield "ecs:TagResource", revision, {"ecs:createaction": "RegisterTaskDefinition"}


def _register_target(params: Mapping[str, Any], look: Lookup) -> Iterator[Requirement]:
    keys = {
        "application-autoscaling:service-namespace": params["ServiceNamespace"],
        "application-autoscaling:scalable-dimension": params["ScalableDimension"],
    }
    target = look.scalable_target(params["ResourceId"])
    yield "application-autoscaling:RegisterScalableTarget", (target,), keys


_SPECIAL: Final[dict[str, Callable[[Mapping[str, Any], Lookup], Iterator[Requirement]]]] = {
    "s3:GetObject": _get_object,
    "s3:PutObject": _put_object,
    "ecs:RegisterTaskDefinition": _register,
    "application-autoscaling:RegisterScalableTarget": _register_target,
}
