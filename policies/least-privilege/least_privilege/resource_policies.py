"""The policies of a stack's resources, which name who may use them.

Which properties hold one: the resources' pages in the Pulumi registry (aws). A property that somebody else set is
judged by what it means: AWS's default is the owner's account alone, what another resource of the stack sets is judged
there, and what is neither was written by somebody else and is judged like everything declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_kit.conditions import exact_values
from policy_kit.documents import Document, DocumentError
from policy_kit.resources import UNKNOWN, decoded

from .roles import Source

if TYPE_CHECKING:
    from policy_kit.resources import Resource
    from policy_kit.stack import Stack

_PROPERTIES: Final = (
    "policy",
    "policyDocument",
    "resourcePolicy",
    "accessPolicy",
    "accessPolicies",
    "repositoryPolicy",
)
_OTHER_PROPERTIES: Final[Mapping[str, str]] = {"organizations.ResourcePolicy": "content"}
_INSIDE: Final[Mapping[str, str]] = {"s3control.MultiRegionAccessPointPolicy": "details"}
"""Kind to the property whose objects hold the document as their `policy`."""
_NOT_ACCESS: Final = frozenset(
    {
        "iam.Policy", "iam.RolePolicy", "iam.UserPolicy", "iam.GroupPolicy",  # of identities, judged with them
        "ec2.VpcEndpoint", "ec2.VpcEndpointPolicy",  # narrow what identities may do, and so do a session's:
        "eks.PodIdentityAssociation", "transfer.Access", "transfer.User",
        "cloudwatch.LogAccountPolicy", "cloudwatch.LogDataProtectionPolicy", "sns.DataProtectionPolicy",  # mask data
    },
)  # fmt: skip

# The resource that sets another one's policy, and the property by which it names it (Pulumi registry, aws).
_SET_BY: Final[Mapping[str, tuple[str, str]]] = {
    "s3.Bucket": ("s3.BucketPolicy", "bucket"),
    "sns.Topic": ("sns.TopicPolicy", "arn"),
    "sqs.Queue": ("sqs.QueuePolicy", "queueUrl"),
    "kms.Key": ("kms.KeyPolicy", "keyId"),
    "secretsmanager.Secret": ("secretsmanager.SecretPolicy", "secretArn"),
    "opensearch.Domain": ("opensearch.DomainPolicy", "domainName"),
    "elasticsearch.Domain": ("elasticsearch.DomainPolicy", "domainName"),
    "apigateway.RestApi": ("apigateway.RestApiPolicy", "restApiId"),
}
_NAMES: Final = ("arn", "id", "name", "bucket", "url", "keyId", "domainName")


def resource_policies(stack: Stack) -> list[Source]:
    """Every policy of a resource of the stack that names principals."""
    out: list[Source] = []
    for resource in stack.resources:
        if resource.kind in _NOT_ACCESS or not resource.type.startswith("aws"):
            continue
        for key, value in _values(resource):
            source = Source(resource=resource, via=f"its {key}", value=value, principals=True)
            if _is_document(value) and not _set_elsewhere(source, key, stack):
                out.append(source)
    return out


def _values(resource: Resource) -> Iterator[tuple[str, Any]]:
    for key in (*_PROPERTIES, _OTHER_PROPERTIES.get(resource.kind, "")):
        if key in resource.props:
            yield key, resource.props[key]
    key = _INSIDE.get(resource.kind, "")
    for one in resource.objects(key):
        yield key, one.get("policy")


def _is_document(value: Any) -> bool:
    """Whether it is a policy document, or may be one: it is unknown, or an object in JSON that is broken."""
    if value is UNKNOWN:
        return True
    read = decoded(value)
    if isinstance(read, Mapping):
        return any(str(key).lower() == "statement" for key in read)
    return isinstance(read, str) and read.lstrip().startswith("{")


def _set_elsewhere(source: Source, key: str, stack: Stack) -> bool:
    """Whether a policy that the program did not declare there is AWS's default, or judged where it is set."""
    resource = source.resource
    if resource.declared is not None and not resource.written_back(key):
        return False
    if _set_by_another(resource, stack):
        return True
    return not isinstance(source.parsed, DocumentError) and _is_aws_default(resource, source.parsed)


def _set_by_another(resource: Resource, stack: Stack) -> bool:
    kind, key = _SET_BY.get(resource.kind, ("", ""))
    own = {name for name in map(resource.text, _NAMES) if name}
    return any(resource in other.refers.get(key, ()) or other.text(key) in own for other in stack.of(kind))


def _is_aws_default(resource: Resource, document: Document) -> bool:
    """Whether it is the policy that AWS gives a topic by itself, which lets its owner's account in and nobody else.

    Source: Amazon SNS developer guide, "Default policy": every statement is held to `AWS:SourceOwner`, the account.
    """
    return resource.kind == "sns.Topic" and all(
        resource.account and exact_values(s, "aws:SourceOwner") == frozenset({resource.account})
        for s in document.allows
    )
