"""What an application may do with data of its own: exact actions on exact resources, never the release's machinery.

An application's permissions cannot be derived from a stack, so they are judged by kind: an action that works on
data (below), by its name, on a resource of the stack's own account that is no part of the release system.
Source of the actions: Service Authorization Reference, the pages of the services named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policy_kit.patterns import literal, overlaps

from . import lookups

if TYPE_CHECKING:
    from .grants import Excess
    from .inventory import Inventory
    from .roles import Identity

DATA_ACTIONS: Final[dict[str, frozenset[str]]] = {
    service: frozenset(actions.split())
    for service, actions in {
        "aoss": "apiaccessall",
        "cloudwatch": "putmetricdata",
        "cognito-idp": "admingetuser listusers",
        "comprehend": "detectentities detectsentiment detectdominantlanguage",
        "dynamodb": "getitem putitem updateitem deleteitem query scan batchgetitem batchwriteitem conditioncheckitem "
        "describetable getrecords getsharditerator describestream "
        "partiqlselect partiqlinsert partiqlupdate partiqldelete",
        "es": "eshttpget eshttppost eshttpput eshttpdelete eshttphead eshttppatch",
        "elasticache": "connect",
        "events": "putevents",
        "firehose": "putrecord putrecordbatch",
        "kafka-cluster": "connect describetopic readdata writedata describegroup altergroup",
        "kinesis": "getrecords getsharditerator putrecord putrecords describestream describestreamsummary listshards",
        "kms": "decrypt encrypt generatedatakey generatedatakeywithoutplaintext describekey sign verify getpublickey",
        "lambda": "invokefunction",
        "logs": "createlogstream putlogevents",
        "memorydb": "connect",
        "mobiletargeting": "sendmessages",
        "personalize": "getrecommendations",
        "rds-data": "executestatement batchexecutestatement begintransaction committransaction rollbacktransaction",
        "rds-db": "connect",
        "s3": "getobject getobjectversion getobjecttagging getobjectattributes putobject putobjecttagging deleteobject "
        "abortmultipartupload listmultipartuploadparts listbucket listbucketmultipartuploads getbucketlocation",
        "secretsmanager": "getsecretvalue describesecret",
        "ses": "sendemail sendrawemail sendtemplatedemail",
        "sns": "publish",
        "sqs": "sendmessage receivemessage deletemessage changemessagevisibility getqueueattributes getqueueurl",
        "ssm": "getparameter getparameters getparametersbypath",
        "states": "startexecution startsyncexecution describeexecution sendtasksuccess sendtaskfailure",
        "textract": "detectdocumenttext analyzedocument",
        "timestream": "select writerecords",
        "translate": "translatetext",
        "xray": "puttracesegments puttelemetryrecords getsamplingrules getsamplingtargets",
        "bedrock": "invokemodel invokemodelwithresponsestream",
    }.items()
}
"""Service prefix to the actions, in lower case, that work on data and change no access to it."""

WITHOUT_RESOURCE: Final = frozenset(
    {
        "cloudwatch:putmetricdata",
        "xray:puttracesegments",
        "xray:puttelemetryrecords",
        "xray:getsamplingrules",
        "xray:getsamplingtargets",
        "textract:detectdocumenttext",
        "textract:analyzedocument",
        "comprehend:detectdominantlanguage",
        "comprehend:detectsentiment",
    },
)
"""Actions that know no resource (Service Authorization Reference), so that `*` is all that can be said."""

RESOURCE_LEFT_OUT: Final = frozenset({"comprehend:detectentities", "translate:translatetext"})
"""Actions whose resource (an endpoint, a terminology of one's own) a request may leave out: it is then asked on `*`."""

_PARTS = 6
_RANDOM = "-??????"


def intends(excess: Excess, identity: Identity, inventory: Inventory) -> bool:
    """Whether an application may be given this action on this resource."""
    service, _, name = excess.action.partition(":")
    if name not in DATA_ACTIONS.get(service, frozenset()):
        return False
    if excess.resource == "*":
        return excess.action in WITHOUT_RESOURCE | RESOURCE_LEFT_OUT
    return _is_exact(excess.resource, identity, inventory) and not _is_release(excess.resource, identity, inventory)


def _is_exact(resource: str, identity: Identity, inventory: Inventory) -> bool:
    """A whole ARN of the stack's own account; only its end may be `/*` (what is inside), or a secret's random end."""
    if resource.startswith("arn:") and ":secretsmanager:" in resource:
        resource = resource.removesuffix(_RANDOM)
    inside = resource.removesuffix("/*").removesuffix(":*")
    text = literal(inside)
    if text is None:
        return False
    parts = text.split(":", _PARTS - 1)
    if len(parts) < _PARTS or parts[0] != "arn" or not parts[5]:
        return False
    if inside != resource and parts[2] != "s3" and not any(c in parts[5] for c in "/:"):
        return False  # `table/*` is every table, not what is inside of one
    own = {identity.resource.account} if identity.resource.account else inventory.accounts
    if parts[4] and parts[4] not in own:
        return False
    # A bucket's ARN has no account; an ARN such as arn:aws:s3:::/* names none.
    return bool(parts[4]) or (parts[2] in ("s3", "bedrock") and bool(parts[5].strip("/")))


def _is_release(resource: str, identity: Identity, inventory: Inventory) -> bool:
    """Whether the resource overlaps what a release is made of: hand-off, template, artifacts, trail, functions."""
    return any(overlaps(resource, machinery) for machinery in _machinery(identity, inventory))


def _machinery(identity: Identity, inventory: Inventory) -> list[str]:
    known: dict[str, list[str]] = inventory.indexes.setdefault("machinery", {})
    partition = identity.resource.partition
    if partition not in known:
        known[partition] = _release_patterns(partition, inventory)
    return known[partition]


def _release_patterns(partition: str, inventory: Inventory) -> list[str]:
    buckets = {b for b, _ in lookups.handoffs(inventory, "")}
    buckets |= {inventory.bucket_name(o) for o in inventory.of("s3.BucketObject")}
    for pipeline in inventory.pipelines:
        buckets |= {b for s in pipeline.stores if isinstance(b := s.get("location"), str)}
    buckets |= {t.text("s3BucketName") for t in inventory.of("cloudtrail.Trail")}
    out = [f"arn:{partition}:s3:::{bucket}*" for bucket in buckets if bucket]
    if inventory.functions_in_pipelines:
        out += [f"arn:{partition}:lambda:*:*:function:{name}*" for name in inventory.functions_in_pipelines]
    return out
