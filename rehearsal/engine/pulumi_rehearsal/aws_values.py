"""The forms of AWS's ARNs, ids, URLs and addresses, by resource type and by what a property is called.

The forms are those of the service authorization
reference (https://docs.aws.amazon.com/service-authorization/latest/reference/, resource types of each service).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import sdk_types

DEFAULT_REGION = "us-east-1"
DEFAULT_ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Place:
    """Where a provider makes its resources."""

    region: str = DEFAULT_REGION
    account: str = DEFAULT_ACCOUNT

    @property
    def partition(self) -> str:
        """The ARN partition of the region."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def dns_suffix(self) -> str:
        """The domain of the partition's endpoints."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


def place_of(provider_inputs: Mapping[str, Any], config: Mapping[str, str]) -> Place:
    """The account and region that a provider works in, from its inputs or, where they do not say, from config.

    The account is the first of `allowedAccountIds`, which a provider carries as JSON.
    """
    region = provider_inputs.get("region") or config.get("aws:region") or DEFAULT_REGION
    accounts = provider_inputs.get("allowedAccountIds") or config.get("aws:allowedAccountIds") or "[]"
    if isinstance(accounts, str):
        try:
            accounts = json.loads(accounts)
        except ValueError:
            accounts = []
    account = accounts[0] if isinstance(accounts, list) and accounts else DEFAULT_ACCOUNT
    return Place(region=str(region), account=str(account))


@dataclass(frozen=True)
class Subject:
    """What values are made for: one resource in its place."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    place: Place
    id: str = ""
    revision: int = 1
    """Which of its name this is, where the service counts them."""

    def hex(self, what: str, digits: int) -> str:
        """Digits that are the same in every run and differ between resources and properties."""
        return hashlib.sha256(f"{self.urn}\0{what}".encode()).hexdigest()[:digits]

    def given(self, key: str) -> str:
        """The physical name: the id that was looked up, what the program gave, or a name as the engine makes."""
        if self.id:
            return self.id
        value = self.inputs.get(key)
        if isinstance(value, str) and value:
            return value
        prefix = self.inputs.get(f"{key}Prefix")
        return f"{prefix if isinstance(prefix, str) and prefix else self.name + '-'}{self.hex('name', 7)}"


def text(subject: Subject, key: str, arn: str, identifier: str) -> str:
    """Text of the form that a property's name promises."""
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "arn":
        return arn
    if leaf == "id":
        return identifier
    exact = _BY_NAME.get(leaf)
    if exact is not None:
        return exact(subject, leaf)
    for endings, make in _BY_ENDING:
        if leaf.endswith(endings):
            return make(subject, leaf)
    return f"{subject.name}-{subject.hex(key, 7)}"


def _account(subject: Subject, _: str) -> str:
    return subject.place.account


def _zone(subject: Subject, leaf: str) -> str:
    return "Z" + subject.hex(leaf, 13).upper()


def _date(_: Subject, __: str) -> str:
    return "2026-01-01T00:00:00Z"


def _domain(subject: Subject, leaf: str) -> str:
    host = f"{subject.name.lower()}-{subject.hex(leaf, 9)}"
    return f"{host}.{subject.place.region}.{_service(subject.type)}.{subject.place.dns_suffix}"


def _url(subject: Subject, leaf: str) -> str:
    host = f"{subject.hex(leaf, 12)}.{_service(subject.type)}.{subject.place.region}"
    return f"https://{host}.{subject.place.dns_suffix}"


def _address(subject: Subject, leaf: str) -> str:
    first, second = bytes.fromhex(subject.hex(leaf, 4))
    return f"10.0.{first}.{second}"


def _other_arn(subject: Subject, leaf: str) -> str:
    place = subject.place
    return f"arn:{place.partition}:{_service(subject.type)}:{place.region}:{place.account}:{leaf[:-3]}/{subject.name}"


_TextRule = Callable[[Subject, str], str]

_BY_NAME: dict[str, _TextRule] = {
    "accountId": _account,
    "availabilityZone": lambda s, _: f"{s.place.region}a",
    "bucket": lambda s, leaf: s.given(leaf),
    "hostedZoneId": _zone,
    "name": lambda s, leaf: s.given(leaf),
    "owner": _account,
    "ownerId": _account,
    "region": lambda s, _: s.place.region,
    "registryId": _account,
    "state": lambda _, __: "available",
    "uniqueId": lambda s, leaf: "AROA" + s.hex(leaf, 17).upper(),
    "vpcId": lambda s, leaf: f"vpc-{s.hex(leaf, 17)}",
    "zoneId": _zone,
}
# The first ending that fits decides.
_BY_ENDING: tuple[tuple[tuple[str, ...], _TextRule], ...] = (
    (("AccountId", "OwnerId"), _account),
    (("Arn", "ARN"), _other_arn),
    (("url", "Url", "URL", "endpoint", "Endpoint"), _url),
    (("dnsName", "DnsName", "domainName", "DomainName", "domain", "Domain"), _domain),
    (("cidrBlock", "CidrBlock"), lambda _, __: "10.0.0.0/16"),
    (("ip", "Ip", "ipAddress", "IpAddress"), _address),
    (("date", "Date", "time", "Time", "createdAt", "CreatedAt"), _date),
    (("Id",), lambda s, leaf: s.hex(leaf, 17)),
)


def _service(token: str) -> str:
    module = token.split(":")[1].split("/", maxsplit=1)[0] if token.count(":") > 1 else ""
    return {"lb": "elasticloadbalancing", "alb": "elasticloadbalancing", "cloudwatch": "monitoring"}.get(module, module)


# ARN forms: partition, region and account come from the place; {} is filled with the name given or made.
# Service authorization reference, https://docs.aws.amazon.com/service-authorization/latest/reference/
_ARNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aws:acm/certificate:Certificate": ("acm:{region}:{account}:certificate/{uuid}", ()),
    "aws:appautoscaling/policy:Policy": (
        "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/{0}/{1}:policyName/{2}",
        ("serviceNamespace", "resourceId", "name"),
    ),
    "aws:appautoscaling/target:Target": (
        "application-autoscaling:{region}:{account}:scalable-target/{hex}",
        (),
    ),
    "aws:cloudtrail/trail:Trail": ("cloudtrail:{region}:{account}:trail/{0}", ("name",)),
    "aws:cloudwatch/dashboard:Dashboard": ("cloudwatch::{account}:dashboard/{0}", ("dashboardName",)),
    "aws:cloudwatch/eventBus:EventBus": ("events:{region}:{account}:event-bus/{0}", ("name",)),
    "aws:cloudwatch/eventRule:EventRule": ("events:{region}:{account}:rule/{0}", ("name",)),
    "aws:cloudwatch/logGroup:LogGroup": ("logs:{region}:{account}:log-group:{0}", ("name",)),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch:{region}:{account}:alarm:{0}", ("name",)),
    "aws:codedeploy/application:Application": ("codedeploy:{region}:{account}:application:{0}", ("name",)),
    "aws:codedeploy/deploymentConfig:DeploymentConfig": (
        "codedeploy:{region}:{account}:deploymentconfig:{0}",
        ("deploymentConfigName",),
    ),
    "aws:codedeploy/deploymentGroup:DeploymentGroup": (
        "codedeploy:{region}:{account}:deploymentgroup:{0}/{1}",
        ("appName", "deploymentGroupName"),
    ),
    "aws:codepipeline/pipeline:Pipeline": ("codepipeline:{region}:{account}:{0}", ("name",)),
    "aws:dynamodb/table:Table": ("dynamodb:{region}:{account}:table/{0}", ("name",)),
    "aws:ec2/securityGroup:SecurityGroup": ("ec2:{region}:{account}:security-group/{id}", ()),
    "aws:ec2/subnet:Subnet": ("ec2:{region}:{account}:subnet/{id}", ()),
    "aws:ec2/vpc:Vpc": ("ec2:{region}:{account}:vpc/{id}", ()),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("ec2:{region}:{account}:vpc-endpoint/{id}", ()),
    "aws:ecr/repository:Repository": ("ecr:{region}:{account}:repository/{0}", ("name",)),
    "aws:ecs/capacityProvider:CapacityProvider": ("ecs:{region}:{account}:capacity-provider/{0}", ("name",)),
    "aws:ecs/cluster:Cluster": ("ecs:{region}:{account}:cluster/{0}", ("name",)),
    "aws:ecs/service:Service": ("ecs:{region}:{account}:service/{cluster}/{0}", ("name",)),
    "aws:ecs/taskDefinition:TaskDefinition": ("ecs:{region}:{account}:task-definition/{0}:{revision}", ("family",)),
    "aws:iam/group:Group": ("iam::{account}:group{path}{0}", ("name",)),
    "aws:iam/instanceProfile:InstanceProfile": ("iam::{account}:instance-profile{path}{0}", ("name",)),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": ("iam::{account}:oidc-provider/{host}", ("url",)),
    "aws:iam/policy:Policy": ("iam::{account}:policy{path}{0}", ("name",)),
    "aws:iam/role:Role": ("iam::{account}:role{path}{0}", ("name",)),
    "aws:iam/user:User": ("iam::{account}:user{path}{0}", ("name",)),
    "aws:kms/alias:Alias": ("kms:{region}:{account}:{0}", ("name",)),
    "aws:kms/key:Key": ("kms:{region}:{account}:key/{uuid}", ()),
    "aws:lambda/function:Function": ("lambda:{region}:{account}:function:{0}", ("name",)),
    "aws:lambda/layerVersion:LayerVersion": ("lambda:{region}:{account}:layer:{0}:1", ("layerName",)),
    "aws:lb/listener:Listener": (
        "elasticloadbalancing:{region}:{account}:listener/app/{0}/{hex}/{hex2}",
        ("name",),
    ),
    "aws:lb/listenerRule:ListenerRule": (
        "elasticloadbalancing:{region}:{account}:listener-rule/app/{0}/{hex}/{hex2}/{hex3}",
        ("name",),
    ),
    "aws:lb/loadBalancer:LoadBalancer": (
        "elasticloadbalancing:{region}:{account}:loadbalancer/app/{0}/{hex}",
        ("name",),
    ),
    "aws:lb/targetGroup:TargetGroup": (
        "elasticloadbalancing:{region}:{account}:targetgroup/{0}/{hex}",
        ("name",),
    ),
    "aws:s3/bucket:Bucket": ("s3:::{0}", ("bucket",)),
    "aws:s3/bucketObject:BucketObject": ("s3:::{0}/{1}", ("bucket", "key")),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("s3:::{0}/{1}", ("bucket", "key")),
    "aws:s3/bucketV2:BucketV2": ("s3:::{0}", ("bucket",)),
    "aws:scheduler/schedule:Schedule": ("scheduler:{region}:{account}:schedule/{group}/{0}", ("name",)),
    "aws:secretsmanager/secret:Secret": ("secretsmanager:{region}:{account}:secret:{0}-{suffix}", ("name",)),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "ec2:{region}:{account}:security-group-rule/{id}",
        (),
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "ec2:{region}:{account}:security-group-rule/{id}",
        (),
    ),
    "aws:sns/topic:Topic": ("sns:{region}:{account}:{0}", ("name",)),
    "aws:sqs/queue:Queue": ("sqs:{region}:{account}:{0}", ("name",)),
    "aws:ssm/parameter:Parameter": ("ssm:{region}:{account}:parameter/{bare}", ("name",)),
}

# Ids of EC2's own form: a prefix and seventeen hexadecimal digits.
_EC2_PREFIXES = {
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/instance:Instance": "i",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/networkAcl:NetworkAcl": "acl",
    "aws:ec2/networkInterface:NetworkInterface": "eni",
    "aws:ec2/route:Route": "r",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
}

# The inputs by which a provider names these types; their id is that name.
_ID_IS = {
    "aws:cloudtrail/trail:Trail": "arn",
    "aws:cloudwatch/eventRule:EventRule": "name",
    "aws:cloudwatch/logGroup:LogGroup": "name",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "name",
    "aws:codepipeline/pipeline:Pipeline": "name",
    "aws:dynamodb/table:Table": "name",
    "aws:ecr/repository:Repository": "name",
    "aws:ecs/taskDefinition:TaskDefinition": "family",
    "aws:iam/group:Group": "name",
    "aws:iam/instanceProfile:InstanceProfile": "name",
    "aws:iam/role:Role": "name",
    "aws:iam/user:User": "name",
    "aws:kms/alias:Alias": "name",
    "aws:lambda/function:Function": "name",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketObject:BucketObject": "key",
    "aws:s3/bucketObjectv2:BucketObjectv2": "key",
    "aws:s3/bucketV2:BucketV2": "bucket",
    "aws:ssm/parameter:Parameter": "name",
}


#: Type to (input with the ARN that stands above, what it says there, what is said below it).
_BELOW = {
    "aws:lb/listener:Listener": ("loadBalancerArn", ":loadbalancer/", ":listener/"),
    "aws:lb/listenerRule:ListenerRule": ("listenerArn", ":listener/", ":listener-rule/"),
}


def arn(subject: Subject) -> str:
    """The ARN of a resource."""
    if subject.type == "aws:sns/topicSubscription:TopicSubscription":
        return f"{subject.inputs.get('topic')}:{uuid(subject)}"
    if subject.type in _BELOW:
        key, above, below = _BELOW[subject.type]
        if isinstance(parent := subject.inputs.get(key), str) and above in parent:
            return f"{parent.replace(above, below)}/{subject.hex('arn', 16)}"
    form, keys = _ARNS.get(subject.type, (f"{_service(subject.type)}:{{region}}:{{account}}:{{kind}}/{{0}}", ("name",)))
    kind = subject.type.rsplit(":", 1)[-1]
    names = [subject.given(key) for key in keys]
    path = subject.inputs.get("path")
    cluster = str(subject.inputs.get("cluster") or "default")
    body = form.format(
        *names,
        region=subject.place.region,
        account=subject.place.account,
        kind=kind[:1].lower() + kind[1:],
        id=ec2_id(subject),
        uuid=uuid(subject),
        hex=subject.hex("arn", 16),
        hex2=subject.hex("arn2", 16),
        hex3=subject.hex("arn3", 16),
        suffix=subject.hex("suffix", 6),
        revision=subject.revision,
        path=path if isinstance(path, str) and path else "/",
        cluster=cluster.rsplit("/", 1)[-1],
        group=subject.inputs.get("groupName") or "default",
        host=names[0].removeprefix("https://") if names else "",
        bare=names[0].removeprefix("/") if names else "",
    )
    return f"arn:{subject.place.partition}:{body}"


def uuid(subject: Subject) -> str:
    """A UUID that is the resource's own."""
    digits = subject.hex("uuid", 32)
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))


def ec2_id(subject: Subject) -> str:
    """An id as EC2 gives it."""
    prefix = _EC2_PREFIXES.get(subject.type)
    if subject.id:
        return subject.id
    return f"{prefix}-{subject.hex('id', 17)}" if prefix else subject.hex("id", 17)


def _queue_url(subject: Subject) -> str:
    place = subject.place
    return f"https://sqs.{place.region}.{place.dns_suffix}/{place.account}/{subject.given('name')}"


def identifier(subject: Subject, arn: str) -> str:
    """The physical id, as the provider chooses it for the type."""
    if subject.type.startswith("pulumi:providers:") or subject.type == "aws:kms/key:Key":
        return uuid(subject)
    if subject.type in _EC2_PREFIXES:
        return ec2_id(subject)
    if subject.type == "aws:sqs/queue:Queue":
        return _queue_url(subject)
    key = _ID_IS.get(subject.type)
    if key is not None and key != "arn":
        return subject.given(key)
    if key == "arn" or "arn" in sdk_types.computed(subject.type):
        return arn
    return f"{subject.name}-{subject.hex('id', 7)}"


def _load_balancer_name(subject: Subject) -> str:
    return f"{subject.given('name')}-{subject.hex('dns', 9)}.{subject.place.region}.elb.{subject.place.dns_suffix}"


SPECIAL: dict[tuple[str, str], Any] = {
    ("aws:ecr/repository:Repository", "repositoryUrl"): lambda s: (
        f"{s.place.account}.dkr.ecr.{s.place.region}.{s.place.dns_suffix}/{s.given('name')}"
    ),
    ("aws:ecs/taskDefinition:TaskDefinition", "revision"): lambda s: s.revision,
    ("aws:ecs/taskDefinition:TaskDefinition", "arnWithoutRevision"): lambda s: arn(s).rsplit(":", 1)[0],
    ("aws:kms/key:Key", "keyId"): uuid,
    ("aws:lambda/function:Function", "version"): lambda _: "$LATEST",
    ("aws:lambda/function:Function", "invokeArn"): lambda s: (
        f"arn:{s.place.partition}:apigateway:{s.place.region}:lambda:path/2015-03-31/functions/{arn(s)}/invocations"
    ),
    ("aws:lambda/function:Function", "qualifiedArn"): lambda s: f"{arn(s)}:$LATEST",
    ("aws:lb/loadBalancer:LoadBalancer", "arnSuffix"): lambda s: arn(s).split(":loadbalancer/", 1)[1],
    ("aws:lb/loadBalancer:LoadBalancer", "dnsName"): _load_balancer_name,
    ("aws:lb/targetGroup:TargetGroup", "arnSuffix"): lambda s: arn(s).rsplit(":", 1)[1],
    ("aws:s3/bucket:Bucket", "bucketDomainName"): lambda s: f"{s.given('bucket')}.s3.{s.place.dns_suffix}",
    ("aws:s3/bucket:Bucket", "bucketRegionalDomainName"): lambda s: (
        f"{s.given('bucket')}.s3.{s.place.region}.{s.place.dns_suffix}"
    ),
    ("aws:sqs/queue:Queue", "url"): _queue_url,
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "securityGroupRuleId"): ec2_id,
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "securityGroupRuleId"): ec2_id,
}
