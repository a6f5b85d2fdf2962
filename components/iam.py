"""IAM documents and roles: the one place where either is built.

A document is made of statements whose Sid says why; it is refused here when it is not exact. All its values are
text that is known at preview, so that no policy that reads it can become advisory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pulumi
import pulumi_aws as aws

from contract import tags

Conditions = Mapping[str, Mapping[str, str | list[str]]]

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z]+")
_SID = re.compile(r"[A-Za-z0-9]+")
# Characters, white space apart (IAM user guide, "IAM and AWS STS quotas"); a role here has one inline policy.
_LIMITS = {"trust": 2_048, "inline": 10_240, "managed": 6_144}


class AllResources(str):
    """The resource `*`, with the reason why nothing narrower exists."""

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, *, reason: str) -> Self:
        """`reason`: a sentence for the reader of the code."""
        self = super().__new__(cls, "*")
        self.reason = reason
        return self


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a document.

    Args:
        sid: why it is there, in CamelCase.
        actions: exact actions; a wildcard is refused. A denial may name `s3:*` and the like.
        resources: ARNs, or `AllResources(reason=…)`; none in a trust document.
        principals: principal type (AWS, Service, Federated, or `*` for everybody in a denial) to identifiers.
        conditions: operator to key to values.
        effect: Allow, or Deny.

    Raises:
        ValueError: when an action or a resource is wider than it says.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    principals: Mapping[str, str | list[str]] | Literal["*"] | None = None
    conditions: Conditions = field(default_factory=dict)
    effect: Literal["Allow", "Deny"] = "Allow"

    def __post_init__(self) -> None:
        if not _SID.fullmatch(self.sid):
            raise ValueError(f"statement {self.sid!r}: a Sid has letters and digits only")
        for text in (*self.actions, *self.resources):
            if not isinstance(text, str):
                raise TypeError(f"statement {self.sid}: {type(text).__name__} is not known at preview; use a name")
        if self.effect == "Allow":
            for action in self.actions:
                if not _ACTION.fullmatch(action):
                    raise ValueError(f"statement {self.sid}: {action!r} is not one exact action")
            for resource in self.resources:
                if resource == "*" and not isinstance(resource, AllResources):
                    raise ValueError(f"statement {self.sid}: the resource * needs a reason, AllResources(reason=…)")

    @classmethod
    def of(cls, statement: Mapping[str, Any]) -> Self:
        """A statement as IAM writes it; a single action or resource may come without a list."""
        if unknown := sorted(set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}):
            raise ValueError(f"statement {statement.get('Sid')}: {unknown[0]} is not taken")
        return cls(
            sid=statement.get("Sid", ""),
            actions=_listed(statement.get("Action", ())),
            resources=_listed(statement.get("Resource", ())),
            principals=statement.get("Principal"),
            conditions=statement.get("Condition", {}),
            effect=statement.get("Effect", "Allow"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The statement as IAM reads it."""
        out: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect}
        if self.principals is not None:
            out["Principal"] = self.principals
        out["Action"] = sorted(self.actions)
        if self.resources:
            out["Resource"] = [str(r) for r in self.resources]
        if self.conditions:
            out["Condition"] = self.conditions
        return out


def _listed(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def document(*statements: Statement) -> str:
    """The statements as a policy document's JSON text."""
    sids = [s.sid for s in statements]
    if len(sids) != len(set(sids)):
        raise ValueError(f"duplicate Sid in one document: {sorted(sids)}")
    return json.dumps({"Version": "2012-10-17", "Statement": [s.to_dict() for s in statements]})


def within_length_limit(kind: Literal["trust", "inline", "managed"], text: str, whose: str) -> str:
    """The document, if it is within IAM's limit of its length.

    Raises:
        ValueError: it is too long.
    """
    size, most = len("".join(text.split())), _LIMITS[kind]
    if size > most:
        raise ValueError(
            f"{whose}: its {kind} policy has {size:,} characters, IAM allows {most:,}; give the service fewer "
            "containers, secrets, hooks or permissions, or make a second service of a part of them"
        )
    return text


def service_trust(service: str, conditions: Conditions | None = None) -> Statement:
    """Trust in one AWS service, such as `lambda.amazonaws.com`."""
    return Statement(
        sid="AssumedByTheService",
        actions=("sts:AssumeRole",),
        principals={"Service": service},
        conditions=conditions or {},
    )


def from_source(arn: str, account: str) -> Conditions:
    """Only on behalf of this resource of this account (IAM user guide, "The confused deputy problem")."""
    operator = "ArnLike" if "*" in arn else "ArnEquals"
    return {operator: {"aws:SourceArn": arn}, "StringEquals": {"aws:SourceAccount": account}}


def pass_role(sid: str, roles: tuple[str, ...], service: str) -> Statement:
    """Permission to pass exactly these roles to exactly this service."""
    return Statement(
        sid=sid,
        actions=("iam:PassRole",),
        resources=roles,
        conditions={"StringEquals": {"iam:PassedToService": service}},
    )


def tls_only(action: str, *resources: str) -> Statement:
    """Refusal of every such request to a bucket or topic that is not encrypted on its way."""
    return Statement(
        sid="RefuseWhatIsNotEncryptedInTransit",
        effect="Deny",
        actions=(action,),
        resources=resources,
        principals="*",
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


@dataclass(frozen=True, kw_only=True)
class GrantedRole:
    """A role and the policy without which it may do nothing; whoever uses the role waits for both."""

    role: aws.iam.Role
    policy: aws.iam.RolePolicy | None

    @property
    def arn(self) -> pulumi.Output[str]:
        """The role's ARN."""
        return self.role.arn

    @property
    def ready(self) -> list[pulumi.Resource]:
        """What to depend on."""
        return [self.role] if self.policy is None else [self.role, self.policy]


def role(
    logical_name: str,
    *,
    name: str,
    purpose: tags.Purpose,
    description: str,
    trust: tuple[Statement, ...],
    statements: tuple[Statement, ...] = (),
    service: str | None = None,
    permissions_boundary: pulumi.Input[str] | None = None,
    max_session_minutes: int = 60,
    opts: pulumi.ResourceOptions,
) -> GrantedRole:
    """An IAM role with one inline policy.

    Its tags state its purpose, by which the policy packs know what it may be allowed.
    """
    own_tags: dict[str, str] = {tags.PURPOSE: purpose}
    if service:
        own_tags[tags.SERVICE] = service
    trust_policy = within_length_limit("trust", document(*trust), f"role {name}")
    policy = within_length_limit("inline", document(*statements), f"role {name}")
    out = aws.iam.Role(
        logical_name,
        name=name,
        description=description,
        assume_role_policy=trust_policy,
        permissions_boundary=permissions_boundary,
        max_session_duration=max_session_minutes * 60,
        tags=own_tags,
        opts=opts,
    )
    inline = None
    if statements:
        inline = aws.iam.RolePolicy(
            logical_name,
            name=purpose,
            role=out.name,
            policy=policy,
            opts=pulumi.ResourceOptions(parent=out),
        )
    return GrantedRole(role=out, policy=inline)
