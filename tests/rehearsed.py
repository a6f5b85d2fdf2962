"""Stacks rehearsed for the tests: each configuration once per process, as plain data that nobody changes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pulumi_rehearsal import Archive, Rehearsal, Resource, rehearse

ROOT = Path(__file__).parents[1]
STACK_FILES = ROOT / "tests" / "stacks"
"""The tests' own stacks: those beside `Pulumi.yaml` are for whoever uses this project to change."""
STACKS = ("dev", "stg", "prod")
ACCOUNTS = {"dev": "111111111111", "stg": "111111111111", "prod": "222222222222"}
REGION = "ap-northeast-1"

Mode = Literal["preview", "up"]

ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"


def stack_file(stack: str) -> Path:
    """Where the configuration of one of the tests' stacks stands."""
    return STACK_FILES / f"Pulumi.{stack}.yaml"


def rehearse_stack(stack: str, mode: Mode = "preview", **options: Any) -> Rehearsal:
    """One of the tests' stacks, rehearsed anew; options as those of `rehearse`, without them under both packs."""
    return rehearse(ROOT, stack, mode, config_file=stack_file(stack), **options)


def rehearsed(stack: str, mode: Mode = "preview", **overrides: Any) -> Rehearsal:
    """One of the tests' stacks as this working tree declares it, without policy packs.

    `overrides` are config values by key, in place of the stack file's; None takes a key away.

    Raises:
        AssertionError: the program failed.
    """
    run = _rehearsed(stack, mode, json.dumps(overrides, sort_keys=True))
    assert not run.errors, "\n".join(d.message + d.traceback for d in run.errors)
    return run


@cache
def _rehearsed(stack: str, mode: Mode, overrides: str) -> Rehearsal:
    return rehearse_stack(stack, mode, config_overrides=json.loads(overrides), packs=[])


def stack_settings(stack: str) -> dict[str, Any]:
    """A copy of what the stack's file says, to make overrides of; keys without the project's name."""
    return {key.removeprefix("ecs-release:"): value for key, value in copy.deepcopy(_stack_file(stack)).items()}


@cache
def _stack_file(stack: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(stack_file(stack).read_text())["config"]
    return config


def services_with(stack: str, service: str, **changes: Any) -> list[dict[str, Any]]:
    """The stack's services, one of them with other values; None takes a key away."""
    services: list[dict[str, Any]] = stack_settings(stack)["services"]
    for one in services:
        if one["name"] == service:
            one.update(changes)
            for key in [k for k, v in one.items() if v is None]:
                del one[key]
    return services


def named(run: Rehearsal, type_: str, physical: str, key: str = "name") -> Resource:
    """The resource of a type by its physical name, as a person sees it in the account."""
    found = [r for r in run.all(type_) if r.inputs.get(key) == physical]
    assert len(found) == 1, f"{type_} {physical}: found {found} among {[r.inputs.get(key) for r in run.all(type_)]}"
    return found[0]


def role(run: Rehearsal, physical: str) -> Resource:
    """The IAM role of that physical name."""
    return named(run, ROLE, physical)


def trust(run: Rehearsal, physical: str) -> list[dict[str, Any]]:
    """The statements of a role's trust document."""
    return statements(role(run, physical).inputs["assumeRolePolicy"])


def granted(run: Rehearsal, physical: str) -> dict[str, dict[str, Any]]:
    """Everything a role's policies allow or deny: Sid to statement."""
    found = [p for p in run.all(ROLE_POLICY) if p.inputs["role"] == physical]
    assert found, f"{physical} has no policy"
    return {s["Sid"]: s for p in found for s in statements(p.inputs["policy"])}


def statements(document: str) -> list[dict[str, Any]]:
    """The statements of a policy document's text."""
    found: list[dict[str, Any]] = json.loads(document)["Statement"]
    return found


def actions(allowed: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The actions of `granted()`."""
    return {action for statement in allowed.values() for action in statement["Action"]}


def depends_on(run: Rehearsal, resource: Resource, type_: str) -> list[Resource]:
    """What of a type the engine finishes before it begins with the resource, directly or through others."""
    seen: set[str] = set()
    waiting = list(resource.dependencies)
    while waiting:
        urn = waiting.pop()
        if urn not in seen:
            seen.add(urn)
            other = run.get(urn)
            waiting.extend(other.dependencies if other is not None else ())
    return [r for r in run.resources if r.urn in seen and r.type == type_]


def members(archive: Archive) -> dict[str, str]:
    """The texts of an archive that the program put together, by name."""
    return {name: asset.text or "" for name, asset in (archive.assets or {}).items()}  # type: ignore[union-attr]


def template(run: Rehearsal, service: str) -> dict[str, str]:
    """The members of a service's template zip."""
    stored = named(run, "aws:s3/bucketObjectv2:BucketObjectv2", f"{service}/template.zip", key="key")
    return members(stored.inputs["source"])


NO_DOCUMENT = {"sslPolicy", "targetTrackingScalingPolicyConfiguration", "permissionsBoundary"}
"""Inputs that are called policies and are no documents: a TLS policy, auto scaling, a document's ARN."""


def documents(run: Rehearsal) -> Iterator[tuple[Resource, str, Any]]:
    """Every policy document of a run, as (resource, input, value): by the input's name, or by what its text says."""
    for resource in run.resources:
        for key, value in resource.inputs.items():
            if key in NO_DOCUMENT or isinstance(value, bool) or resource.type.startswith("pulumi:"):
                continue
            if re.search(r"policy(?!arns?$|type$)", key, re.IGNORECASE) or '"Statement"' in str(value):
                yield resource, key, value


NO_NAME_OF_ITS_OWN = {
    "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration": ("configurationName",),
    "aws:cloudwatch/dashboard:Dashboard": ("dashboardName",),
    "aws:cloudwatch/eventTarget:EventTarget": ("rule", "targetId"),
    "aws:codedeploy/deploymentGroup:DeploymentGroup": ("appName", "deploymentGroupName"),
    "aws:appautoscaling/policy:Policy": ("resourceId", "name"),
    "aws:appautoscaling/target:Target": ("resourceId", "scalableDimension"),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": ("repository",),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": ("clusterName",),
    "aws:ecs/taskDefinition:TaskDefinition": ("family",),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": ("url",),
    "aws:iam/rolePolicy:RolePolicy": ("role", "name"),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": ("functionName",),
    "aws:lambda/permission:Permission": ("function", "statementId"),
    "aws:lb/listener:Listener": ("loadBalancerArn", "port"),
    "aws:s3/bucket:Bucket": ("bucket",),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ("bucket",),
    "aws:s3/bucketNotification:BucketNotification": ("bucket",),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("bucket", "key"),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ("bucket",),
    "aws:s3/bucketPolicy:BucketPolicy": ("bucket",),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("bucket",),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ("bucket",),
    "aws:s3/bucketVersioning:BucketVersioning": ("bucket",),
    "aws:sns/topicPolicy:TopicPolicy": ("arn",),
    "aws:sqs/queuePolicy:QueuePolicy": ("queueUrl",),
    "aws:sns/topicSubscription:TopicSubscription": ("topic", "protocol", "endpoint"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "referencedSecurityGroupId",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "referencedSecurityGroupId",
    ),
}  # fmt: skip
"""Types that AWS does not tell apart by `name`, to the inputs by which it does."""


def physical_name(resource: Resource) -> tuple[str, ...]:
    """What AWS tells this resource from its like by, within account and region; of a run in `up` mode.

    Raises:
        AssertionError: the resource has no name, so that the provider would make one up.
    """
    keys = NO_NAME_OF_ITS_OWN.get(resource.type, ("name",))
    values = [resource.inputs.get(key) for key in keys]
    assert values[0] is not None, f"{resource.type} {resource.name} has no {keys[0]}: give it a name that preview knows"
    return (resource.type, *map(str, values))
