"""What a program asks a provider (`aws.get_caller_identity()` and the like), answered without a provider."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from . import outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .outputs import Place


class Refused(Exception):  # noqa: N818  its text is the whole error
    """The rehearsal cannot answer; the message says what to do."""


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
    if token in answers:
        given = answers[token]
        return dict(given(dict(args)) if callable(given) else given)
    known = _KNOWN.get(token)
    if known is not None:
        return known(args, place)
    found = outputs.looked_up(token, args, place)
    if found is None:
        raise Refused(
            f"the program asks the provider for {token}, which a rehearsal cannot know: pass the value as "
            f"configuration, or give an answer for this token in a file with --answers"
        )
    return found


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


def _policy_document(args: Mapping[str, Any], _: Place) -> dict[str, Any]:
    for key in ("sourcePolicyDocuments", "overridePolicyDocuments", "sourceJson", "overrideJson"):
        if args.get(key):
            raise Refused(
                f"aws.iam.get_policy_document with {key} merges documents as only the provider can: write the "
                "statements out, or build the document as JSON"
            )
    document: dict[str, Any] = {"Version": args.get("version") or "2012-10-17"}
    if args.get("policyId"):
        document["Id"] = args["policyId"]
    document["Statement"] = [_statement(statement) for statement in args.get("statements") or []]
    text = json.dumps(document, indent=2)
    return {
        "id": "rehearsed",
        "json": text,
        "minifiedJson": json.dumps(document, separators=(",", ":")),
        "version": document["Version"],
    }


_STATEMENT_KEYS = frozenset(
    {
        "sid",
        "effect",
        "actions",
        "notActions",
        "resources",
        "notResources",
        "principals",
        "notPrincipals",
        "conditions",
    }
)


def _statement(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(given) - _STATEMENT_KEYS)
    if unknown:
        raise Refused(
            f"a statement of aws.iam.get_policy_document has {unknown[0]!r}, which the provider does not know: "
            "use GetPolicyDocumentStatementArgs, or the provider's own spelling"
        )
    statement: dict[str, Any] = {}
    if given.get("sid"):
        statement["Sid"] = given["sid"]
    statement["Effect"] = given.get("effect") or "Allow"
    for key, element in (
        ("actions", "Action"),
        ("notActions", "NotAction"),
        ("resources", "Resource"),
        ("notResources", "NotResource"),
    ):
        if given.get(key):
            statement[element] = _one_or_sorted(given[key])
    for key, element in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if given.get(key):
            statement[element] = _principals(given[key])
    if given.get("conditions"):
        conditions: dict[str, dict[str, Any]] = {}
        for condition in given["conditions"]:
            values = list(condition["values"])
            conditions.setdefault(condition["test"], {})[condition["variable"]] = (
                values[0] if len(values) == 1 else values
            )
        statement["Condition"] = conditions
    return statement


def _principals(given: list[Mapping[str, Any]]) -> Any:
    if any(p["type"] == "*" for p in given):
        return "*"
    merged: dict[str, list[str]] = {}
    for principal in given:
        merged.setdefault(principal["type"], []).extend(principal["identifiers"])
    return {kind: _one_or_sorted(identifiers) for kind, identifiers in merged.items()}


def _one_or_sorted(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else sorted(values, reverse=True)


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


def _subnets(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    ids = [f"subnet-{_hexadecimal(args, zone)}" for zone in "abc"]
    return {**args, "id": place.region, "ids": ids, "tags": args.get("tags") or {}}


def _route_tables(args: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {**args, "id": place.region, "ids": [f"rtb-{_hexadecimal(args)}"], "tags": args.get("tags") or {}}


def _hexadecimal(args: Mapping[str, Any], salt: str = "") -> str:
    """Seventeen hexadecimal digits, the same for the same question, as an id of EC2 has them."""
    text = json.dumps(args, sort_keys=True, default=str) + salt
    return hashlib.sha256(text.encode()).hexdigest()[:17]


_KNOWN: dict[str, Callable[[Mapping[str, Any], Place], dict[str, Any]]] = {
    "aws:ec2/getRouteTables:getRouteTables": _route_tables,
    "aws:ec2/getSubnets:getSubnets": _subnets,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getServicePrincipal:getServicePrincipal": _service_principal,
}
