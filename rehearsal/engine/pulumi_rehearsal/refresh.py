"""A refresh: the state as the engine reads it back from AWS, after an `up` and before the next run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .model import Archive, Asset, Secret, unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .model import Rehearsal, Resource


def refreshed(run: Rehearsal) -> Rehearsal:
    """What an `up` left, after `pulumi refresh`.

    The engine asks providers to read without the contents of files (`ElideAssetContents` in
    `sdk/go/common/resource/plugin/provider_plugin.go`): what an output held of them is gone from the state. And a
    resource is read with what others have set on it since it was made: a role with its policies, a topic with its
    policy, a security group with its rules.
    """
    others = set_by_others(run)
    resources = tuple(
        replace(r, outputs={**_without_contents(r.outputs), **others.get(r.urn, {})}) if r.custom and not r.read else r
        for r in run.resources
    )
    return replace(run, resources=resources)


def _without_contents(value: Any) -> Any:
    if isinstance(value, Asset):
        return Asset()
    if isinstance(value, Archive):
        return Archive(assets={})
    if isinstance(value, Secret):
        return Secret(_without_contents(value.value))
    if isinstance(value, dict):
        return {key: _without_contents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_contents(item) for item in value]
    return value


# -- what one resource sets on another ------------------------------------------------------------------------


def set_by_others(run: Rehearsal) -> dict[str, dict[str, Any]]:
    """URN to the outputs that other resources of the stack give it."""
    found: dict[str, dict[str, Any]] = {}
    for setter_type, (key, target_type, identity, output, value_of) in _SETTERS.items():
        setters: dict[Any, list[Resource]] = {}
        for setter in run.all(setter_type):
            if isinstance(name := unwrapped(setter.inputs.get(key)), str):
                setters.setdefault(name, []).append(setter)
        for target in run.all(target_type) if setters else ():
            mine = setters.get(unwrapped(target.outputs.get(identity)), [])
            # What the program says on the resource itself is its own business, and the provider's.
            if mine and output not in target.inputs:
                found.setdefault(target.urn, {})[output] = value_of(mine)
    return found


def _policy(setters: list[Resource]) -> Any:
    return setters[-1].inputs.get("policy")


def _inline_policies(setters: list[Resource]) -> Any:
    return [{"name": s.outputs.get("name"), "policy": s.inputs.get("policy")} for s in setters]


def _attached(setters: list[Resource]) -> Any:
    return [s.inputs.get("policyArn") for s in setters]


def _versioning(setters: list[Resource]) -> Any:
    configuration = setters[-1].inputs.get("versioningConfiguration") or {}
    return {
        "enabled": configuration.get("status") == "Enabled",
        "mfaDelete": configuration.get("mfaDelete") == "Enabled",
    }


def _rules(setters: list[Resource]) -> Any:
    return [_rule(s.inputs) for s in setters]


def _rule(given: Mapping[str, Any]) -> dict[str, Any]:
    def listed(key: str) -> list[Any]:
        return [given[key]] if given.get(key) is not None else []

    # With every protocol, EC2 knows no ports and the provider reads zero.
    return {
        "cidrBlocks": listed("cidrIpv4"),
        "description": given.get("description", ""),
        "fromPort": given.get("fromPort", 0),
        "ipv6CidrBlocks": listed("cidrIpv6"),
        "prefixListIds": listed("prefixListId"),
        "protocol": given.get("ipProtocol"),
        "securityGroups": listed("referencedSecurityGroupId"),
        "self": False,
        "toPort": given.get("toPort", 0),
    }


#: Setter's type to (its input that names the target, the target's type and output of that name, the output that the
#: target is read with, how it is made of all setters). Each is Optional and Computed in terraform-provider-aws and
#: set by the target's Read: `internal/service/iam/role.go`, `sns/topic.go`, `s3/bucket.go`,
#: `ec2/vpc_security_group.go`, `sqs/queue.go`, `secretsmanager/secret.go`, `kms/key.go`.
_SETTERS: dict[str, tuple[str, str, str, str, Callable[[list[Resource]], Any]]] = {
    "aws:iam/rolePolicy:RolePolicy": ("role", "aws:iam/role:Role", "name", "inlinePolicies", _inline_policies),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (
        "role", "aws:iam/role:Role", "name", "managedPolicyArns", _attached,
    ),
    "aws:kms/keyPolicy:KeyPolicy": ("keyId", "aws:kms/key:Key", "keyId", "policy", _policy),
    "aws:s3/bucketPolicy:BucketPolicy": ("bucket", "aws:s3/bucket:Bucket", "bucket", "policy", _policy),
    "aws:s3/bucketVersioning:BucketVersioning": ("bucket", "aws:s3/bucket:Bucket", "bucket", "versioning", _versioning),
    "aws:secretsmanager/secretPolicy:SecretPolicy": (
        "secretArn", "aws:secretsmanager/secret:Secret", "arn", "policy", _policy,
    ),
    "aws:sns/topicPolicy:TopicPolicy": ("arn", "aws:sns/topic:Topic", "arn", "policy", _policy),
    "aws:sqs/queuePolicy:QueuePolicy": ("queueUrl", "aws:sqs/queue:Queue", "url", "policy", _policy),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "securityGroupId", "aws:ec2/securityGroup:SecurityGroup", "id", "egress", _rules,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "securityGroupId", "aws:ec2/securityGroup:SecurityGroup", "id", "ingress", _rules,
    ),
}  # fmt: skip


# -- what runs changes on AWS ---------------------------------------------------------------------------------


def released(run: Rehearsal) -> Rehearsal:
    """What an `up` left, after releases of every service, scaling in between, and a refresh.

    Traffic has moved to the other target group, services run another revision and as many tasks as scaling may start.
    """
    return refreshed(_drifted(run, _swapped(run)))


def rolled_back(run: Rehearsal) -> Rehearsal:
    """What an `up` left, after a release of every service that failed and was rolled back, and a refresh.

    The traffic is where it was; the services are scaled, and rolling ones run a later revision than the stack's own.
    """
    return refreshed(_drifted(run, None))


def deploying(run: Rehearsal) -> Rehearsal:
    """What an `up` left, read while CodeDeploy shifts traffic: both groups are forwarded to, scaling is suspended."""
    drifted = _drifted(run, _shared(run))
    suspended = {"suspendedState": dict.fromkeys(_SUSPENDED, True)}
    return refreshed(
        replace(drifted, resources=tuple(_set(r, suspended if r.type == _TARGET else {}) for r in drifted.resources))
    )


def _drifted(run: Rehearsal, listeners: Mapping[str, Any] | None) -> Rehearsal:
    """Scaled and released; `listeners` has the default actions of those that CodeDeploy moved, by URN."""
    others = {} if listeners is None else _other_groups(run)
    most = {r.inputs.get("resourceId"): r.inputs.get("maxCapacity") for r in run.all(_TARGET)}
    found: dict[str, dict[str, Any]] = {urn: {"defaultActions": actions} for urn, actions in (listeners or {}).items()}
    for service in run.all(_SERVICE):
        cluster = str(service.inputs.get("cluster", "default")).rsplit("/", 1)[-1]
        own = found.setdefault(service.urn, {})
        if (tasks := most.get(f"service/{cluster}/{service.outputs.get('name')}")) is not None:
            own["desiredCount"] = tasks
        by_codedeploy = (service.inputs.get("deploymentController") or {}).get("type") == "CODE_DEPLOY"
        revision = service.inputs.get("taskDefinition")
        if isinstance(revision, str) and (listeners is not None or not by_codedeploy):
            own["taskDefinition"] = _next_revision(revision)
        if "loadBalancers" in service.inputs:
            own["loadBalancers"] = [
                {**one, "targetGroupArn": others.get(one.get("targetGroupArn"), one.get("targetGroupArn"))}
                for one in service.inputs["loadBalancers"]
            ]
    return replace(run, resources=tuple(_set(r, found.get(r.urn, {})) for r in run.resources))


def _swapped(run: Rehearsal) -> dict[str, Any]:
    """URN of each listener that CodeDeploy owns to its actions once all traffic has moved."""
    others = _other_groups(run)
    return {
        urn: [{**action, "targetGroupArn": others[action["targetGroupArn"]]}]
        for urn, action in _forwards(run)
        if action["targetGroupArn"] in others
    }


def _shared(run: Rehearsal) -> dict[str, Any]:
    """URN of each listener that CodeDeploy owns to its actions while a tenth of the traffic has moved."""
    others = _other_groups(run)
    return {
        urn: [
            {
                **{key: value for key, value in action.items() if key != "targetGroupArn"},
                "forward": {"targetGroups": [{"arn": here, "weight": 90}, {"arn": others[here], "weight": 10}]},
            }
        ]
        for urn, action in _forwards(run)
        if (here := action["targetGroupArn"]) in others
    }


def _forwards(run: Rehearsal) -> Iterator[tuple[str, dict[str, Any]]]:
    for listener in run.all(_LISTENER):
        actions = listener.inputs.get("defaultActions") or []
        if len(actions) == 1 and isinstance(actions[0].get("targetGroupArn"), str):
            yield listener.urn, actions[0]


def _set(resource: Resource, values: Mapping[str, Any]) -> Resource:
    """A resource as it is read: outputs, and of the inputs those that the program gave."""
    if not values:
        return resource
    given = {key: value for key, value in values.items() if key in resource.inputs}
    return replace(resource, inputs={**resource.inputs, **given}, outputs={**resource.outputs, **values})


_SERVICE = "aws:ecs/service:Service"
_LISTENER = "aws:lb/listener:Listener"
_TARGET = "aws:appautoscaling/target:Target"
_SUSPENDED = ("dynamicScalingInSuspended", "dynamicScalingOutSuspended", "scheduledScalingSuspended")


def _next_revision(revision: str) -> str:
    name, colon, number = revision.rpartition(":")
    return f"{name}:{int(number) + 1}" if colon and number.isdigit() else f"{revision}:2"


def _other_groups(run: Rehearsal) -> dict[str, str]:
    """ARN of each target group to the one that CodeDeploy moves its traffic to."""
    arns = {r.outputs.get("name"): r.outputs.get("arn") for r in run.all("aws:lb/targetGroup:TargetGroup")}
    others: dict[str, str] = {}
    for group in run.all("aws:codedeploy/deploymentGroup:DeploymentGroup"):
        pair = ((group.inputs.get("loadBalancerInfo") or {}).get("targetGroupPairInfo") or {}).get("targetGroups") or []
        names = [arns.get(one.get("name")) for one in pair]
        if len(names) == 2 and all(isinstance(name, str) for name in names):  # noqa: PLR2004  a pair
            others |= {str(names[0]): str(names[1]), str(names[1]): str(names[0])}
    return others


def after(moment: str, run: Rehearsal) -> Rehearsal:
    """The state that a run starts from when it comes after `up`, `refresh`, a `release` and so on."""
    return MOMENTS[moment](run)


def _as_it_is(run: Rehearsal) -> Rehearsal:
    return run


MOMENTS: dict[str, Callable[[Rehearsal], Rehearsal]] = {
    "up": _as_it_is,
    "refresh": refreshed,
    "release": released,
    "failed-release": rolled_back,
    "deployment": deploying,
}
