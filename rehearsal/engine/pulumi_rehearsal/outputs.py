"""Well-formed values for what a provider would compute: ARNs, ids, URLs and addresses of the right form.

Used in `up` mode, for what a program reads (`Type.get`), and for components that a plugin constructs. Values
are made from the resource's URN, so that a run repeated gives the same values and two resources never share
one. Forms are those of the AWS service authorization reference (resource types of each service).
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import _types

from .defaults import WRITTEN_BACK
from .loading import imported
from .model import UNKNOWN

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


# -- what a type computes -------------------------------------------------------------------------------------


@functools.cache
def _raw_hints(cls: type) -> dict[str, Any]:
    return dict(_types._raw_return_hints(cls))  # noqa: SLF001  what the SDK itself reads output types from


_classes: dict[str, type] = {}


def resource_class(token: str) -> type | None:
    """The Python class of a type token, among those that the program has imported."""
    found = _classes.get(token)
    if found is not None:
        return found
    waiting: list[type] = [pulumi.CustomResource, pulumi.ComponentResource]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        name = cls.__dict__.get("pulumi_type")
        if isinstance(name, str):
            # Of a deprecated alias and its successor, which share a token, either describes the outputs.
            _classes.setdefault(name, cls)
    return _classes.get(token)


def computed(token: str) -> Mapping[str, Any]:
    """The output properties that a type always has, by the provider's name, with their Python type.

    An output that is not optional is either a required input or computed: where the program did not give it,
    the provider does.
    """
    cls = resource_class(token)
    return {} if cls is None else _required(cls)


@functools.cache
def _required(cls: type) -> dict[str, Any]:
    return {name: hint for name, hint in _raw_hints(cls).items() if not _is_optional(inside_output(hint))}


@functools.cache
def inputs_of(cls: type) -> frozenset[str]:
    """The properties, by the provider's name, that the program could have given a type itself."""
    names = _types.resource_py_to_pulumi_names(cls)
    start: Any = getattr(cls, "_internal_init", None) or cls.__dict__["__init__"]
    return frozenset(names.get(parameter, parameter) for parameter in inspect.signature(start).parameters)


@functools.cache
def required_inputs(cls: type) -> frozenset[str]:
    """The properties, by the provider's name, without which the SDK makes no resource of a type."""
    names = _types.resource_py_to_pulumi_names(cls)
    start: Any = getattr(cls, "_internal_init", None) or cls.__dict__["__init__"]
    said = re.findall(r"Missing required property '(\w+)'", inspect.getsource(start))
    return frozenset(names.get(name, name) for name in said)


def inside_output(hint: Any) -> Any:
    """The type of what an `Output` holds."""
    if typing.get_origin(hint) is pulumi.Output:
        return typing.get_args(hint)[0]
    return hint


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Union and type(None) in typing.get_args(hint)


# -- values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Subject:
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


def filled(
    token: str,
    name: str,
    urn: str,
    inputs: Mapping[str, Any],
    place: Place,
    *,
    looked_up: str = "",
    instead_of: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The physical id and the outputs of a resource after its creation.

    Args:
        token: type token, `aws:s3/bucket:Bucket`.
        name: logical name.
        urn: URN; every made value depends on it.
        inputs: plain inputs (secrets opened).
        place: account and region.
        looked_up: the physical id, where the program reads or imports what is already there.
        instead_of: the outputs of what stood under this URN before, where it is made anew: no made value is
            one of those again.

    Returns:
        The id and the outputs: the inputs, and for every computed property what AWS writes back, or a value of its
        form; lists, maps and objects that nobody can make up are unknown.
    """
    revision = 1
    if instead_of is not None:
        urn = f"{urn}\0{instead_of.get('id')}\0{instead_of.get('arn')}"
        former = instead_of.get("revision")
        revision += former if isinstance(former, int) else 0
    subject = _Subject(token, name, urn, inputs, place, looked_up, revision)
    outputs = dict(inputs)
    arn = looked_up if looked_up.startswith("arn:") else _arn(subject)
    identifier = looked_up or _identifier(subject, arn)
    cls = resource_class(token)
    could_give = inputs_of(cls) if cls is not None else frozenset()
    for key, hint in computed(token).items():
        if key in outputs:
            continue
        written = WRITTEN_BACK.get((token, key))
        value = _made(subject, key, inside_output(hint), arn, identifier) if written is None else written(subject)
        if written is None and key in could_give and key not in _MADE_WHEN_LEFT_OUT and (token, key) not in _SPECIAL:
            # What a program may leave out comes back empty, not invented: nobody wrote that policy.
            value = _empty(value)
        if value is not None:
            outputs[key] = value
    return identifier, outputs


_MADE_WHEN_LEFT_OUT = frozenset(
    {"arn", "bucket", "name", "region", "url", "vpcId", "subnetId", "availabilityZone", "ipAddress", "privateIp"}
)
_EMPTY: dict[type, Any] = {str: "", bool: False, int: 0}


def _empty(value: Any) -> Any:
    return _EMPTY.get(type(value), value)


def _made(subject: _Subject, key: str, hint: Any, arn: str, identifier: str) -> Any:
    special = _SPECIAL.get((subject.type, key))
    if special is not None:
        return special(subject)
    if typing.get_origin(hint) is typing.Union:
        options = typing.get_args(hint)
        return None if type(None) in options else _made(subject, key, options[0], arn, identifier)
    kind = typing.get_origin(hint) or hint
    if kind in _NOT_MADE or (isinstance(hint, type) and _types.is_output_type(hint)):
        # How many there are, and under which keys, nobody can make up.
        return UNKNOWN
    plain = next((make for kinds, make in _PLAIN if kind in kinds), None)
    return _text(subject, key, arn, identifier) if plain is None else plain()


_PLAIN: tuple[tuple[tuple[Any, ...], Callable[[], Any]], ...] = (
    ((bool,), bool),
    ((int, float), int),
)
_NOT_MADE = (list, Sequence, dict, Mapping)


def _text(subject: _Subject, key: str, arn: str, identifier: str) -> str:
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


def _account(subject: _Subject, _: str) -> str:
    return subject.place.account


def _zone(subject: _Subject, leaf: str) -> str:
    return "Z" + subject.hex(leaf, 13).upper()


def _date(_: _Subject, __: str) -> str:
    return "2026-01-01T00:00:00Z"


def _domain(subject: _Subject, leaf: str) -> str:
    host = f"{subject.name.lower()}-{subject.hex(leaf, 9)}"
    return f"{host}.{subject.place.region}.{_service(subject.type)}.{subject.place.dns_suffix}"


def _url(subject: _Subject, leaf: str) -> str:
    host = f"{subject.hex(leaf, 12)}.{_service(subject.type)}.{subject.place.region}"
    return f"https://{host}.{subject.place.dns_suffix}"


def _address(subject: _Subject, leaf: str) -> str:
    first, second = bytes.fromhex(subject.hex(leaf, 4))
    return f"10.0.{first}.{second}"


def _other_arn(subject: _Subject, leaf: str) -> str:
    place = subject.place
    return f"arn:{place.partition}:{_service(subject.type)}:{place.region}:{place.account}:{leaf[:-3]}/{subject.name}"


_TextRule = Callable[[_Subject, str], str]

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
        "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/ecs/{0}:policyName/{1}",
        ("resourceId", "name"),
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


def _arn(subject: _Subject) -> str:
    if subject.type == "aws:sns/topicSubscription:TopicSubscription":
        return f"{subject.inputs.get('topic')}:{_uuid(subject)}"
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
        id=_ec2_id(subject),
        uuid=_uuid(subject),
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


def _uuid(subject: _Subject) -> str:
    digits = subject.hex("uuid", 32)
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))


def _ec2_id(subject: _Subject) -> str:
    prefix = _EC2_PREFIXES.get(subject.type)
    if subject.id:
        return subject.id
    return f"{prefix}-{subject.hex('id', 17)}" if prefix else subject.hex("id", 17)


def _queue_url(subject: _Subject) -> str:
    place = subject.place
    return f"https://sqs.{place.region}.{place.dns_suffix}/{place.account}/{subject.given('name')}"


def _identifier(subject: _Subject, arn: str) -> str:
    if subject.type.startswith("pulumi:providers:") or subject.type == "aws:kms/key:Key":
        return _uuid(subject)
    if subject.type in _EC2_PREFIXES:
        return _ec2_id(subject)
    if subject.type == "aws:sqs/queue:Queue":
        return _queue_url(subject)
    key = _ID_IS.get(subject.type)
    if key is not None and key != "arn":
        return subject.given(key)
    if key == "arn" or "arn" in computed(subject.type):
        return arn
    return f"{subject.name}-{subject.hex('id', 7)}"


def _load_balancer_name(subject: _Subject) -> str:
    return f"{subject.given('name')}-{subject.hex('dns', 9)}.{subject.place.region}.elb.{subject.place.dns_suffix}"


_SPECIAL: dict[tuple[str, str], Any] = {
    ("aws:ecr/repository:Repository", "repositoryUrl"): lambda s: (
        f"{s.place.account}.dkr.ecr.{s.place.region}.{s.place.dns_suffix}/{s.given('name')}"
    ),
    ("aws:ecs/taskDefinition:TaskDefinition", "revision"): lambda s: s.revision,
    ("aws:ecs/taskDefinition:TaskDefinition", "arnWithoutRevision"): lambda s: _arn(s).rsplit(":", 1)[0],
    ("aws:kms/key:Key", "keyId"): _uuid,
    ("aws:lambda/function:Function", "version"): lambda _: "$LATEST",
    ("aws:lambda/function:Function", "invokeArn"): lambda s: (
        f"arn:{s.place.partition}:apigateway:{s.place.region}:lambda:path/2015-03-31/functions/{_arn(s)}/invocations"
    ),
    ("aws:lambda/function:Function", "qualifiedArn"): lambda s: f"{_arn(s)}:$LATEST",
    ("aws:lb/loadBalancer:LoadBalancer", "arnSuffix"): lambda s: _arn(s).split(":loadbalancer/", 1)[1],
    ("aws:lb/loadBalancer:LoadBalancer", "dnsName"): _load_balancer_name,
    ("aws:lb/targetGroup:TargetGroup", "arnSuffix"): lambda s: _arn(s).rsplit(":", 1)[1],
    ("aws:s3/bucket:Bucket", "bucketDomainName"): lambda s: f"{s.given('bucket')}.s3.{s.place.dns_suffix}",
    ("aws:s3/bucket:Bucket", "bucketRegionalDomainName"): lambda s: (
        f"{s.given('bucket')}.s3.{s.place.region}.{s.place.dns_suffix}"
    ),
    ("aws:sqs/queue:Queue", "url"): _queue_url,
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "securityGroupRuleId"): _ec2_id,
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "securityGroupRuleId"): _ec2_id,
}


# Functions that look up one existing thing, by the type of what they find.
_FINDS = {
    "aws:acm/getCertificate:getCertificate": "aws:acm/certificate:Certificate",
    "aws:cloudwatch/getEventBus:getEventBus": "aws:cloudwatch/eventBus:EventBus",
    "aws:cloudwatch/getLogGroup:getLogGroup": "aws:cloudwatch/logGroup:LogGroup",
    "aws:dynamodb/getTable:getTable": "aws:dynamodb/table:Table",
    "aws:ec2/getInternetGateway:getInternetGateway": "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/getRouteTable:getRouteTable": "aws:ec2/routeTable:RouteTable",
    "aws:ec2/getSecurityGroup:getSecurityGroup": "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/getSubnet:getSubnet": "aws:ec2/subnet:Subnet",
    "aws:ec2/getVpc:getVpc": "aws:ec2/vpc:Vpc",
    "aws:ecr/getRepository:getRepository": "aws:ecr/repository:Repository",
    "aws:ecs/getCluster:getCluster": "aws:ecs/cluster:Cluster",
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws:iam/getPolicy:getPolicy": "aws:iam/policy:Policy",
    "aws:iam/getRole:getRole": "aws:iam/role:Role",
    "aws:kms/getAlias:getAlias": "aws:kms/alias:Alias",
    "aws:kms/getKey:getKey": "aws:kms/key:Key",
    "aws:lambda/getFunction:getFunction": "aws:lambda/function:Function",
    "aws:lb/getLoadBalancer:getLoadBalancer": "aws:lb/loadBalancer:LoadBalancer",
    "aws:lb/getTargetGroup:getTargetGroup": "aws:lb/targetGroup:TargetGroup",
    "aws:route53/getZone:getZone": "aws:route53/zone:Zone",
    "aws:s3/getBucket:getBucket": "aws:s3/bucket:Bucket",
    "aws:secretsmanager/getSecret:getSecret": "aws:secretsmanager/secret:Secret",
    "aws:sns/getTopic:getTopic": "aws:sns/topic:Topic",
    "aws:sqs/getQueue:getQueue": "aws:sqs/queue:Queue",
}
# Functions that look up several, by the prefix of the ids that they list.
_LISTS = {
    "aws:ec2/getRouteTables:getRouteTables": "rtb",
    "aws:ec2/getSecurityGroups:getSecurityGroups": "sg",
    "aws:ec2/getSubnets:getSubnets": "subnet",
    "aws:ec2/getVpcs:getVpcs": "vpc",
}
_LISTED = 3
_IDENTITIES = ("id", "arn", "name", "bucket", "loadBalancerArn", "keyId")


def looked_up(token: str, args: Mapping[str, Any], place: Place) -> dict[str, Any] | None:
    """What a function finds that looks up existing things, or None where it is not such a function.

    The same arguments find the same thing; a list has three entries.
    """
    identity = json.dumps(args, sort_keys=True, default=str)
    prefix = _LISTS.get(token)
    if prefix is not None:
        subject = _Subject(token, "", f"{token}{identity}", args, place)
        ids = [f"{prefix}-{subject.hex(str(index), 17)}" for index in range(_LISTED)]
        return {**args, "id": place.region, "ids": ids, "region": place.region}
    found = _FINDS.get(token)
    if found is None:
        return None
    given = next((args[key] for key in _IDENTITIES if args.get(key)), "")
    name = str(given or found.rsplit(":", 1)[-1].lower())
    subject = _Subject(found, name, f"{token}{identity}", args, place, str(given))
    arn = str(given) if str(given).startswith("arn:") else _arn(subject)
    identifier = str(args.get("id") or _identifier(subject, arn))
    hints = _raw_hints(cls) if (cls := _result_class(token)) is not None else {}
    made = {key: _made(subject, key, hint, arn, identifier) for key, hint in hints.items() if not _is_optional(hint)}
    # A program that asks plainly cannot be handed an unknown list or map: it finds nothing there.
    made = {key: value for key, value in made.items() if value is not UNKNOWN}
    known = {key: value for key, value in args.items() if value is not None}
    return {**made, "arn": arn, "id": identifier, **known}


def results(token: str) -> Mapping[str, Any]:
    """Every property of what a function gives back, by the provider's name, with its Python type."""
    cls = _result_class(token)
    return {} if cls is None else {key: needed(hint) for key, hint in _raw_hints(cls).items()}


def needed(hint: Any) -> Any:
    """A type without the None that it may be instead."""
    inner = [one for one in typing.get_args(hint) if one is not type(None)] if _is_optional(hint) else []
    return inner[0] if len(inner) == 1 else hint


def _result_class(token: str) -> type | None:
    """The class of a function's result: `aws:ec2/getVpc:getVpc` is `pulumi_aws.ec2.get_vpc.GetVpcResult`."""
    package, module, function = token.split(":")
    file = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    found = imported(f"pulumi_{package}.{module.split('/')[0]}.{file}")
    cls = getattr(found, f"{function[:1].upper()}{function[1:]}Result", None)
    return cls if isinstance(cls, type) else None


def all_outputs(token: str) -> Mapping[str, Any]:
    """Every output property of a type, by the provider's name, with its Python type."""
    cls = resource_class(token)
    return {} if cls is None else _all(cls)


@functools.cache
def _all(cls: type) -> dict[str, Any]:
    return {name: inside_output(hint) for name, hint in _raw_hints(cls).items()}


def fields(hint: Any) -> Mapping[str, Any]:
    """The properties of an output type, with their types; nothing for any other type."""
    return _raw_hints(hint) if isinstance(hint, type) and _types.is_output_type(hint) else {}


def element(hint: Any) -> Any:
    """The type of a list's elements; None for any other type."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) in (list, Sequence) and typing.get_args(hint) else None


# -- components that a plugin constructs ----------------------------------------------------------------------


def remote_outputs(token: str, name: str, urn: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The outputs of a component that a provider plugin would construct, for which no children are made.

    What is no text and no list of ids is unknown: resources in it, and whatever is computed of them. Lists of ids
    get as many entries as there are availability zones asked for (three where it is not said).
    """
    subject = _Subject(token, name, urn, inputs, place)
    cls = resource_class(token)
    zones = inputs.get("numberOfAvailabilityZones")
    count = int(zones) if isinstance(zones, int | float) else 3
    result: dict[str, Any] = {}
    for key, hint in (_raw_hints(cls) if cls is not None else {}).items():
        kind = inside_output(hint)
        result[key] = _remote_value(subject, key, kind, count)
    return result


_REMOTE_PREFIXES = {"vpc": "vpc", "subnet": "subnet", "securitygroup": "sg", "natgateway": "nat"}


def _remote_value(subject: _Subject, key: str, hint: Any, count: int) -> Any:
    lower = key.lower()
    prefix = next((p for word, p in _REMOTE_PREFIXES.items() if lower.startswith(word) or word in lower), None)
    if lower.endswith("ids") and typing.get_origin(hint) in (list, Sequence):
        return [f"{prefix or 'id'}-{subject.hex(f'{key}{i}', 17)}" for i in range(count)]
    if hint is str and lower.endswith("id"):
        return f"{prefix or 'id'}-{subject.hex(key, 17)}"
    if hint is str:
        return _text(subject, key, _arn(subject), _ec2_id(subject))
    return UNKNOWN


def forget_classes() -> None:
    """Forget the classes that a program defined, so that the next run finds its own."""
    for token, cls in list(_classes.items()):
        if getattr(imported(cls.__module__), cls.__name__, None) is not cls:
            del _classes[token]
