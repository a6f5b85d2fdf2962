"""What a program asks a provider (`aws.get_caller_identity()` and the like), answered without a provider."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from . import aws_values, outputs, sdk_types
from .aws_values import Subject
from .documents import policy_document
from .errors import Refused
from .model import UNKNOWN, unknown_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .aws_values import Place


Answer = Any
"""What a function gives back: a dictionary, or a function of the arguments that makes one."""


def answered(token: str, args: Mapping[str, Any], place: Place, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """The result of a provider function.

    Args:
        token: the function's token, `aws:index/getCallerIdentity:getCallerIdentity`.
        args: plain arguments.
        place: the account and region of the provider that is asked.
        answers: by token, what the user gave.

    Raises:
        Refused: nobody gave an answer and it cannot be known without the provider.
    """
    if unknown_paths(dict(args)) and token not in _OF_PARTS:
        return _unknown(token, args, answers.get(token))
    if token in answers:
        given = answers[token]
        return dict(given(dict(args)) if callable(given) else given)
    known = _KNOWN.get(token)
    if known is not None:
        return known(args, place)
    found = _looked_up(token, args, place)
    if found is None:
        raise Refused(_NOT_KNOWN.format(token))
    return found


_NOT_KNOWN = (
    "the program asks the provider for {}, which a rehearsal cannot know: pass the value as configuration, or give an "
    "answer for this token in a file with --answers"
)


_OF_PARTS = frozenset({"aws:iam/getPolicyDocument:getPolicyDocument"})
"""Functions whose answer is put together of their arguments: what is known of it can be given."""


def _unknown(token: str, args: Mapping[str, Any], given: Answer) -> dict[str, Any]:
    """What a function says when an argument is not known yet: that no text of its answer is, either.

    Anything but text is left out: a program that asks plainly, not for an output, cannot be handed it as unknown.
    """
    hints = sdk_types.results(token)
    keys = (
        [key for key, hint in hints.items() if hint is str] if hints else list(given if isinstance(given, dict) else ())
    )
    if not keys and given is None and token not in _KNOWN:
        raise Refused(_NOT_KNOWN.format(token))
    return {**{k: v for k, v in args.items() if not unknown_paths(v)}, **dict.fromkeys(keys or ("id",), UNKNOWN)}


def _caller_identity(_: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "accountId": place.account,
        "arn": f"arn:{place.partition}:iam::{place.account}:user/rehearsal",
        "id": place.account,
        "userId": "AIDAREHEARSAL00000000",
    }


def _region(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    region = str(args.get("region") or args.get("name") or place.region)
    return {
        "description": region,
        "endpoint": f"ec2.{region}.{place.dns_suffix}",
        "id": region,
        "name": region,
        "region": region,
    }


def _partition(_: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "dnsSuffix": place.dns_suffix,
        "id": place.partition,
        "partition": place.partition,
        "reverseDnsPrefix": ".".join(reversed(place.dns_suffix.split("."))),
    }


def _availability_zones(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    excluded = set(args.get("excludeNames") or ())
    names = [f"{place.region}{letter}" for letter in "abc"]
    kept = [name for name in names if name not in excluded]
    return {
        "groupNames": [place.region],
        "id": place.region,
        "names": kept,
        "region": place.region,
        "zoneIds": [f"{place.region.replace('-', '')}-az{names.index(name) + 1}" for name in kept],
    }


def _service_principal(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    name = f"{args['serviceName']}.{place.dns_suffix}"
    return {
        "id": f"{args['serviceName']}.{place.region}.{place.dns_suffix}",
        "name": name,
        "region": place.region,
        "serviceName": args["serviceName"],
        "suffix": place.dns_suffix,
    }


def _vpc(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    vpc = str(args.get("id") or f"vpc-{_hexadecimal(args)}")
    return {
        **args,
        "arn": f"arn:{place.partition}:ec2:{place.region}:{place.account}:vpc/{vpc}",
        "cidrBlock": "10.0.0.0/16",
        "default": False,
        "id": vpc,
        "ownerId": place.account,
        "state": "available",
        "tags": args.get("tags") or {},
    }


def _listed(prefix: str, count: int) -> Callable[[Mapping[str, Any], Place], dict[str, Any]]:
    """A function that lists the ids of several things."""

    def ids(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
        found = [f"{prefix}-{_hexadecimal(args, zone)}" for zone in "abc"[:count]]
        return {**args, "id": place.region, "ids": found, "region": place.region, "tags": args.get("tags") or {}}

    return ids


def _hexadecimal(args: Mapping[str, Any], salt: str = "") -> str:
    """Seventeen hexadecimal digits, the same for the same question, as an id of EC2 has them."""
    text = json.dumps(args, sort_keys=True, default=str) + salt
    return hashlib.sha256(text.encode()).hexdigest()[:17]


_KNOWN: dict[str, Callable[[Mapping[str, Any], Place], dict[str, Any]]] = {
    "aws:ec2/getRouteTables:getRouteTables": _listed("rtb", 1),
    "aws:ec2/getSecurityGroups:getSecurityGroups": _listed("sg", 3),
    "aws:ec2/getSubnets:getSubnets": _listed("subnet", 3),
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getVpcs:getVpcs": _listed("vpc", 3),
    "aws:iam/getPolicyDocument:getPolicyDocument": policy_document,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getServicePrincipal:getServicePrincipal": _service_principal,
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
_IDENTITIES = ("id", "arn", "name", "bucket", "loadBalancerArn", "keyId")


def _looked_up(token: str, args: Mapping[str, Any], place: Place) -> dict[str, Any] | None:
    """What a function finds that looks up existing things, or None where it is not such a function.

    The same arguments find the same thing.
    """
    found = _FINDS.get(token)
    if found is None:
        return None
    given = next((args[key] for key in _IDENTITIES if args.get(key)), "")
    name = str(given or found.rsplit(":", 1)[-1].lower())
    subject = Subject(found, name, f"{token}{json.dumps(args, sort_keys=True, default=str)}", args, place, str(given))
    arn = str(given) if str(given).startswith("arn:") else aws_values.arn(subject)
    identifier = str(args.get("id") or aws_values.identifier(subject, arn))
    hints = sdk_types.raw_hints(cls) if (cls := sdk_types.result_class(token)) is not None else {}
    made = {
        key: outputs.made(subject, key, hint, arn, identifier)
        for key, hint in hints.items()
        if not sdk_types.is_optional(hint)
    }
    # A program that asks plainly cannot be handed an unknown list or map: it finds nothing there.
    made = {key: value for key, value in made.items() if value is not UNKNOWN}
    known = {key: value for key, value in args.items() if value is not None}
    return {**made, "arn": arn, "id": identifier, **known}
