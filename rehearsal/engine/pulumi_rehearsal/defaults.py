"""What AWS writes into what a program left out, as a provider reads it back right after it made a resource.

A provider's Create ends with a Read: what the program did not say is then what AWS has chosen. The rows are what AWS's
services are known to choose; none was read off an account, so a difference there is a fault of a row here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Subject(Protocol):
    """The resource that a value is for."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What the program gave."""

    @property
    def place(self) -> Any:
        """Account, region and partition."""

    def hex(self, what: str, digits: int) -> str:
        """Digits of its own."""

    def given(self, key: str) -> str:
        """Its physical name."""


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _: json.loads(json.dumps(value))  # a value of its own for each resource


def _iam(resource: str) -> Callable[[Subject], str]:
    return lambda s: f"arn:{s.place.partition}:iam::{s.place.account}:{resource}"


def _topic_policy(s: Subject) -> str:
    """Amazon SNS developer guide, "Default policy" of CreateTopic: everybody of the own account, by a condition."""
    arn = f"arn:{s.place.partition}:sns:{s.place.region}:{s.place.account}:{s.given('name')}"
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe "
        "ListSubscriptionsByTopic Publish"
    )
    return _document(
        "2008-10-17",
        {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [f"SNS:{action}" for action in actions.split()],
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": s.place.account}},
        },
        "__default_policy_ID",
    )


def _key_policy(s: Subject) -> str:
    """AWS KMS developer guide, "Default key policy" of CreateKey: the account's root, that is, its IAM policies."""
    root = f"arn:{s.place.partition}:iam::{s.place.account}:root"
    return _document(
        "2012-10-17",
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": "kms:*",
            "Resource": "*",
        },
        "key-default-1",
    )


def _document(version: str, statement: dict[str, Any], identifier: str) -> str:
    return json.dumps({"Version": version, "Id": identifier, "Statement": [statement]}, separators=(",", ":"))


def _owner_grant(s: Subject) -> list[dict[str, Any]]:
    """Amazon S3 user guide, "Access control list overview": a new bucket grants its owner full control."""
    owner = (s.hex("canonical", 32) + s.hex("user", 32))[:64]
    return [{"id": owner, "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}]


def _encryption(_: Subject) -> dict[str, Any]:
    """Amazon S3 user guide, "Setting default server-side encryption": SSE-S3 for every bucket since January 2023."""
    return {
        "rule": {
            "applyServerSideEncryptionByDefault": {"kmsMasterKeyId": "", "sseAlgorithm": "AES256"},
            "bucketKeyEnabled": False,
        }
    }


def _alarms_of_tracking(s: Subject) -> list[str]:
    """Application Auto Scaling user guide, "Target tracking scaling policies": two alarms for each policy."""
    if s.inputs.get("policyType") != "TargetTrackingScaling":
        return []
    at = f"arn:{s.place.partition}:cloudwatch:{s.place.region}:{s.place.account}:alarm"
    name = f"TargetTracking-{s.inputs.get('resourceId')}"
    return [f"{at}:{name}-{side}-{s.hex(side, 12)}" for side in ("AlarmHigh", "AlarmLow")]


def _health_check(s: Subject) -> dict[str, Any]:
    """Elastic Load Balancing user guide for Application Load Balancers, "Health checks": the settings' defaults."""
    check = {"enabled": True, "healthyThreshold": 5, "interval": 30, "port": "traffic-port", "timeout": 5}
    if s.inputs.get("protocol") in ("HTTP", "HTTPS"):
        return {**check, "matcher": "200", "path": "/", "protocol": "HTTP", "unhealthyThreshold": 2}
    return {**check, "matcher": "", "path": "", "protocol": "TCP", "timeout": 10, "unhealthyThreshold": 2}


def _mappings(s: Subject) -> list[dict[str, Any]]:
    subnets = s.inputs.get("subnets")
    return [{"subnetId": subnet, "outpostId": ""} for subnet in subnets] if isinstance(subnets, list) else []


def _platform(s: Subject) -> str:
    return "ECS" if s.inputs.get("ecsService") or s.inputs.get("ecsServices") else "Server"


_BUCKET = "aws:s3/bucket:Bucket"
_FUNCTION = "aws:lambda/function:Function"
_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
_ROLE = "aws:iam/role:Role"
_SERVICE = "aws:ecs/service:Service"
_TARGETS = "aws:lb/targetGroup:TargetGroup"
_TOPIC = "aws:sns/topic:Topic"

WRITTEN_BACK: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("aws:appautoscaling/policy:Policy", "alarmArns"): _alarms_of_tracking,
    ("aws:appautoscaling/target:Target", "roleArn"): _iam(
        "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    ("aws:cloudtrail/trail:Trail", "homeRegion"): lambda s: s.place.region,
    ("aws:cloudtrail/trail:Trail", "snsTopicArn"): _always(""),
    ("aws:cloudwatch/dashboard:Dashboard", "dashboardArn"): lambda s: (
        f"arn:{s.place.partition}:cloudwatch::{s.place.account}:dashboard/{s.given('dashboardName')}"
    ),
    ("aws:cloudwatch/logGroup:LogGroup", "logGroupClass"): _always("STANDARD"),
    ("aws:codedeploy/application:Application", "githubAccountName"): _always(""),
    ("aws:codedeploy/deploymentGroup:DeploymentGroup", "computePlatform"): _platform,
    ("aws:codepipeline/pipeline:Pipeline", "triggerAlls"): _always([]),
    # A new group lets everything out; the provider takes that rule away, so that what it declares is all there is.
    (_GROUP, "egress"): _always([]),
    (_GROUP, "ingress"): _always([]),
    (_SERVICE, "deploymentConfiguration"): _always(None),
    (_SERVICE, "triggers"): _always(None),
    (_SERVICE, "iamRole"): _iam("role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
    ("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "thumbprintLists"): lambda s: [s.hex("thumbprint", 40)],
    (_ROLE, "inlinePolicies"): _always([]),
    (_ROLE, "managedPolicyArns"): _always([]),
    ("aws:kms/key:Key", "policy"): _key_policy,
    (_FUNCTION, "ephemeralStorage"): _always({"size": 512}),
    (_FUNCTION, "loggingConfig"): lambda s: {"logFormat": "Text", "logGroup": f"/aws/lambda/{s.given('name')}"},
    (_FUNCTION, "tracingConfig"): _always({"mode": "PassThrough"}),
    (_FUNCTION, "lastModified"): _always("2026-01-01T00:00:00.000+0000"),
    (_FUNCTION, "signingJobArn"): _always(""),
    (_FUNCTION, "signingProfileVersionArn"): _always(""),
    ("aws:lb/listener:Listener", "mutualAuthentication"): lambda s: (
        {"mode": "off"} if s.inputs.get("protocol") == "HTTPS" else None
    ),
    ("aws:lb/loadBalancer:LoadBalancer", "ipAddressType"): _always("ipv4"),
    ("aws:lb/loadBalancer:LoadBalancer", "subnetMappings"): _mappings,
    (_TARGETS, "healthCheck"): _health_check,
    (_TARGETS, "ipAddressType"): _always("ipv4"),
    (_TARGETS, "loadBalancerArns"): _always([]),
    (_TARGETS, "loadBalancingAlgorithmType"): _always("round_robin"),
    (_TARGETS, "loadBalancingCrossZoneEnabled"): _always("use_load_balancer_configuration"),
    (_TARGETS, "protocolVersion"): lambda s: "HTTP1" if s.inputs.get("protocol") in ("HTTP", "HTTPS") else "",
    (_TARGETS, "stickiness"): _always(
        {"cookieDuration": 86400, "cookieName": "", "enabled": False, "type": "lb_cookie"}
    ),
    (_TARGETS, "targetGroupHealth"): _always(
        {
            "dnsFailover": {"minimumHealthyTargetsCount": "1", "minimumHealthyTargetsPercentage": "off"},
            "unhealthyStateRouting": {"minimumHealthyTargetsCount": 1, "minimumHealthyTargetsPercentage": "off"},
        }
    ),
    (_TARGETS, "targetFailovers"): _always([]),
    (_TARGETS, "targetHealthStates"): _always([]),
    (_BUCKET, "bucketRegion"): lambda s: s.place.region,
    (_BUCKET, "corsRules"): _always([]),
    (_BUCKET, "grants"): _owner_grant,
    (_BUCKET, "lifecycleRules"): _always([]),
    (_BUCKET, "requestPayer"): _always("BucketOwner"),
    (_BUCKET, "serverSideEncryptionConfiguration"): _encryption,
    (_BUCKET, "versioning"): _always({"enabled": False, "mfaDelete": False}),
    **{
        (_BUCKET, nothing): _always(None)
        for nothing in ("logging", "objectLockConfiguration", "replicationConfiguration")
    },
    (_BUCKET, "website"): _always(None),
    (_BUCKET, "websiteDomain"): _always(""),
    (_BUCKET, "websiteEndpoint"): _always(""),
    **{(_OBJECT, f"checksum{kind}"): _always("") for kind in ("Crc32", "Crc32c", "Crc64nvme", "Sha1", "Sha256")},
    (_OBJECT, "etag"): lambda s: s.hex("etag", 32),
    (_OBJECT, "serverSideEncryption"): _always("AES256"),
    (_OBJECT, "storageClass"): _always("STANDARD"),
    (_TOPIC, "beginningArchiveTime"): _always(""),
    (_TOPIC, "policy"): _topic_policy,
    (_TOPIC, "tracingConfig"): _always("PassThrough"),
}
"""(Type, property) to what it is where the program gave nothing; None where it is not there then."""
