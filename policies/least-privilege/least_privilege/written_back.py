"""What a resource carries though the program declares nothing there: AWS's default, or what another resource sets.

The provider reads such a policy back right after it made the resource, or at a refresh. It is judged by what it means:
AWS's default is the owner's account alone, what another resource of the stack sets is judged there, and what is neither
was written by somebody else and is judged like everything declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policy_kit.conditions import exact_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from policy_kit.documents import Document
    from policy_kit.resources import Resource

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


def set_by_another(resource: Resource, of: Callable[[str], Iterable[Resource]]) -> bool:
    """Whether a resource of the stack sets this one's policy."""
    kind, key = _SET_BY.get(resource.kind, ("", ""))
    own = {name for name in map(resource.text, _NAMES) if name}
    return any(resource in other.refers.get(key, ()) or other.text(key) in own for other in of(kind) if kind)


def is_aws_default(resource: Resource, document: Document) -> bool:
    """Whether it is the policy that AWS gives a topic by itself, which lets its owner's account in and nobody else.

    Source: Amazon SNS developer guide, "Default policy": every statement is held to `AWS:SourceOwner`, the account.
    """
    return resource.kind == "sns.Topic" and all(
        resource.account and exact_values(s, "aws:SourceOwner") == frozenset({resource.account})
        for s in document.allows
    )
