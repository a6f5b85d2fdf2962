"""Rules on resource policies: whom buckets, keys, repositories, topics, queues and functions let in.

Sources: IAM user guide, "Resource-based policies", "Principal element", "Global condition keys"; AWS Foundational
Security Best Practices (S3.5 TLS only); KMS developer guide, "Default key policy".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_kit.conditions import exact_values, restrictions, source_accounts
from policy_kit.documents import Document
from policy_kit.findings import Finding, Unknown, Verdict
from policy_kit.patterns import covers, literal, overlaps
from policy_kit.resources import objects_in

from .grants import actions_of
from .trust import assumers

if TYPE_CHECKING:
    from policy_kit.documents import Statement
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity, Source

_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?")
_ARN = re.compile(r"arn:aws[a-z-]*:(iam|sts)::(\d{12}):(.+)")
_SOURCE_KEYS: Final = ("aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID")
_OWN_KEYS: Final = ("aws:PrincipalAccount", "aws:SourceAccount", "kms:CallerAccount", "aws:SourceOwner")
_ARN_KEYS: Final = (
    "aws:SourceArn",
    "aws:PrincipalArn",
    "kms:EncryptionContext:aws:logs:arn",
    "kms:EncryptionContext:aws:cloudtrail:arn",
)
_ORGANIZATION_KEYS: Final = ("aws:PrincipalOrgID", "aws:SourceOrgID")
# Services that act on behalf of nobody's resource or whose calls carry no source: (service, why).
_SOURCELESS: Final = {
    "logdelivery.elasticloadbalancing.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "logging.s3.amazonaws.com",
}
# What services do in the buckets, topics and queues of a stack like this one, by their own pages in the AWS guides.
_OF_SERVICES: Final = {
    "cloudtrail.amazonaws.com": (
        "s3:getbucketacl",
        "s3:putobject",
        "sns:publish",
        "kms:generatedatakey",
        "kms:describekey",
    ),
    "cloudwatch.amazonaws.com": ("sns:publish", "kms:decrypt", "kms:generatedatakey"),
    "events.amazonaws.com": (
        "sns:publish",
        "sqs:sendmessage",
        "lambda:invokefunction",
        "logs:createlogstream",
        "logs:putlogevents",
    ),
    "codestar-notifications.amazonaws.com": ("sns:publish",),
    "s3.amazonaws.com": ("sns:publish", "sqs:sendmessage", "s3:putobject"),
    "sns.amazonaws.com": ("sqs:sendmessage",),
    "delivery.logs.amazonaws.com": ("s3:getbucketacl", "s3:putobject", "logs:createlogstream", "logs:putlogevents"),
    "logdelivery.elasticloadbalancing.amazonaws.com": ("s3:putobject",),
}
_KINDS_WITH_TARGET: Final = {"ecr.RepositoryPolicy": ("ecr", "repository/", "repository")}


def _everyone(statement: Statement) -> bool:
    return statement.principals is None or statement.principals.everyone


def _accounts(statement: Statement) -> frozenset[str] | None:
    """Accounts to which conditions hold the caller, whoever the statement names; None when they do not."""
    for key in _OWN_KEYS:
        values = exact_values(statement, key)
        if values:
            return values
    for key in _ARN_KEYS:
        for patterns in restrictions(statement, key):
            found = [_account_of(p) for p in patterns]
            if all(found):
                return frozenset(a for a in found if a)
    return None


def _callers_held(statement: Statement) -> bool:
    """Whether a condition on the caller itself, not on its source, holds the statement to an account."""
    return any(exact_values(statement, k) for k in ("aws:PrincipalAccount", "kms:CallerAccount", "aws:PrincipalArn"))


def _account_of(arn: str) -> str | None:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and re.fullmatch(r"\d{12}", parts[4]) else None  # noqa: PLR2004 an ARN's parts


def external_access_is_declared(inventory: Inventory) -> Iterator[Verdict]:
    """Resource policies, function permissions and the like that let in the public or an undeclared account."""
    for source in inventory.resource_policies:
        if source.unknown:
            yield Unknown(resource=source.resource, what=f"{source.via} (an IAM document)")
            continue
        for statement in source.allows:
            for problem in _statement_problems(statement, source.resource, inventory):
                yield _outsider(source.resource, f"{source.via} {problem}")
    for resource in inventory.of("lambda.Permission"):
        yield from _permission_problems(resource, inventory)
    for resource in inventory.of("lambda.FunctionUrl"):
        if resource.get("authorizationType") != "AWS_IAM":
            yield _outsider(resource, "it gives a function a URL that asks nobody who they are")
    yield from _shared(inventory)
    yield from _listed(inventory)


# Source: S3 user guide, "Access control list (ACL) overview", "Amazon S3 predefined groups".
_GROUPS: Final = {
    "http://acs.amazonaws.com/groups/global/AllUsers": "everyone",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": "everyone in every AWS account",
}


def _listed(inventory: Inventory) -> Iterator[Verdict]:
    """Access control lists of buckets and objects that let others in."""
    for resource in inventory.of("s3.BucketAcl", "s3.Bucket", "s3.BucketObject"):
        acl = resource.text("acl")
        if acl and acl not in ("private", "bucket-owner-full-control", "bucket-owner-read", "log-delivery-write"):
            yield _outsider(resource, f"its access control list is {acl}")
        for group in dict.fromkeys(_granted_groups(resource)):
            yield _outsider(resource, f"its access control list grants something to {group}")


def _granted_groups(resource: Resource) -> Iterator[str]:
    """Groups of outsiders in an access control list; the owner alone is what AWS gives a bucket by itself."""
    lists = [resource.objects("grants")]
    lists += [objects_in(one.get("grants")) for one in resource.objects("accessControlPolicy")]
    for grant in (grant for grants in lists for grant in grants):
        for grantee in (grant, *objects_in(grant.get("grantee"))):
            if (group := _GROUPS.get(str(grantee.get("uri")))) is not None:
                yield group


def _shared(inventory: Inventory) -> Iterator[Verdict]:
    """What is shared by a property of its own, without a document."""
    declared = inventory.settings.external_principals
    for resource in inventory.of("cloudwatch.EventPermission"):
        principal = resource.text("principal")
        condition = resource.objects("condition")
        organization = condition[0].get("value") if condition else None
        if principal == "*" and organization not in declared:
            yield _outsider(resource, "it lets every AWS account put events")
        elif principal != "*" and not _known_account(principal, resource, inventory):
            yield _outsider(resource, f"it lets the account {principal} put events")
    for resource in inventory.of(
        "ec2.AmiLaunchPermission",
        "ec2.SnapshotCreateVolumePermission",
        "ram.PrincipalAssociation",
    ):
        who = resource.text("accountId") or resource.text("principal") or resource.text("group") or "someone"
        if who not in declared and not _known_account(who, resource, inventory):
            yield _outsider(resource, f"it shares with {who}")


def _outsider(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="Access from outside the stack's account has to be declared.",
        remedy="Name exact roles of the stack's own account, hold a service to its source by aws:SourceArn or "
        "aws:SourceAccount, or declare the principal in the pack's setting externalPrincipals.",
    )


def _known_account(account: str, resource: Resource, inventory: Inventory) -> bool:
    own = {resource.account} if resource.account else inventory.accounts
    return account in own or account in inventory.settings.external_principals


def _statement_problems(
    statement: Statement,
    resource: Resource,
    inventory: Inventory,
) -> Iterator[str]:
    name = f"statement {statement.sid}" if statement.sid else "a statement"
    if statement.not_principals is not None:
        yield f"has {name} with NotPrincipal, which lets in everyone else"
        return
    accounts = _accounts(statement)
    declared = inventory.settings.external_principals
    organization = any((v := exact_values(statement, k)) and v <= set(declared) for k in _ORGANIZATION_KEYS)
    held = organization or (accounts is not None and all(_known_account(a, resource, inventory) for a in accounts))
    for assumer in assumers(statement):
        if assumer.kind == "Service":
            yield from _service_problems(assumer.name, statement, name, held=held)
        elif assumer.kind == "Federated":
            yield f"lets in tokens of {assumer.name} in {name}"
        elif assumer.kind == "CanonicalUser":
            if assumer.name not in declared:
                yield f"lets in the account with the canonical id {assumer.name} in {name}"
        elif assumer.name == "*" and not held:
            yield f"lets in everyone, in every AWS account, in {name}"
        elif assumer.name == "*":
            if source_accounts(statement) and not organization and not _callers_held(statement):
                yield f"names everyone in {name} where it means a service that acts for a source: name the service"
        else:
            problem = _principal_problem(assumer.name, resource, inventory)
            yield from [f"lets in {assumer.name} in {name}: {problem}"] if problem else []


def _service_problems(service: str, statement: Statement, name: str, *, held: bool) -> Iterator[str]:
    intended = _OF_SERVICES.get(service)
    extra = [a for a in actions_of(statement) if intended is not None and not covers(intended, a)]
    if extra:
        yield f"lets {service} do {', '.join(extra)} in {name}, which that service does not need"
    if not held and service not in _SOURCELESS:
        yield (
            f"lets in {service} on anybody's behalf in {name}: no condition holds aws:SourceArn or SourceAccount to "
            "the stack's account"
        )


def _principal_problem(  # noqa: PLR0911  a verdict a line
    name: str,
    resource: Resource,
    inventory: Inventory,
) -> str | None:
    declared = inventory.settings.external_principals
    if name in declared:
        return None
    account = _ACCOUNT.fullmatch(name)
    if account:
        return None if _known_account(account.group(1), resource, inventory) else "an account that is not declared"
    arn = _ARN.fullmatch(name)
    if not arn:
        return "neither an account nor an exact ARN"
    if literal(name) is None:
        return "a wildcard is no exact principal"
    if not _known_account(arn.group(2), resource, inventory):
        return "a principal of an account that is not declared"
    if arn.group(3).startswith("user/"):
        return "an IAM user"
    return None


def _permission_problems(resource: Resource, inventory: Inventory) -> Iterator[Verdict]:
    principal = resource.text("principal")
    if resource.unknown("principal"):
        yield Unknown(resource=resource, what="the principal")
        return
    if resource.text("functionUrlAuthType") == "NONE":
        yield _outsider(resource, "it lets anyone call a function by its URL")
    if principal.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        sources = [resource.props.get(key) for key in ("sourceArn", "sourceAccount", "principalOrgId")]
        if not any(sources):
            yield _outsider(resource, f"it lets {principal} call a function on anybody's behalf, without sourceArn")
            return
        source = resource.text("sourceArn")
        account = resource.text("sourceAccount") or _account_of(source) or ""
        if account and not _known_account(account, resource, inventory):
            yield _outsider(resource, f"it lets {principal} call a function on behalf of the account {account}")
        if source and not account and not source.startswith("arn:aws:s3:::"):
            yield _outsider(resource, f"its sourceArn {source} is of no exact account")
        return
    if principal == "*" and resource.text("principalOrgId") in inventory.settings.external_principals:
        return
    problem = "everyone" if principal == "*" else _principal_problem(principal, resource, inventory)
    if problem:
        yield _outsider(resource, f"it lets {principal} call a function ({problem})")


def naming(identity: Identity, inventory: Inventory) -> Iterator[tuple[Source, Statement, tuple[str, ...] | None]]:
    """Statements of resource policies that let this role in, with the resource that each belongs to.

    A statement that names the account alone grants nothing by itself: the role's own policies still decide.
    Source: IAM user guide, "Policy evaluation logic within one account".
    """
    for source in inventory.resource_policies:
        for statement in source.allows:
            if _lets_in(statement, identity):
                yield source, statement, _target(source.resource)


def _lets_in(statement: Statement, identity: Identity) -> bool:
    if statement.not_principals is not None:
        return True
    for values in restrictions(statement, "aws:PrincipalArn"):
        if not any(overlaps(value, identity.arn) for value in values):
            return False
    for assumer in assumers(statement):
        if assumer.kind == "AWS" and assumer.name == "*":
            if any(restrictions(statement, key) for key in _SOURCE_KEYS):
                continue
            accounts = exact_values(statement, "aws:PrincipalAccount")
            if accounts is None or identity.resource.account in accounts:
                return True
        elif (
            assumer.kind == "AWS"
            and (overlaps(assumer.name, identity.arn) or f":assumed-role/{identity.name}/" in assumer.name)
        ) or (assumer.kind == "Federated" and identity.trust is not None):
            return True
    return False


def _target(resource: Resource) -> tuple[str, ...] | None:
    found = _KINDS_WITH_TARGET.get(resource.kind)
    if not found:
        return None
    service, prefix, key = found
    name = resource.text(key) or next((r.text("name") for r in resource.refers.get(key, ())), "")
    return (f"arn:{resource.partition}:{service}:{resource.region}:{resource.account}:{prefix}{name}",)


def buckets_require_tls(inventory: Inventory) -> Iterator[Verdict]:
    """Buckets without a refusal of every request that is not encrypted on its way."""
    refused: set[str] = set()
    unknown: set[str] = set()
    for source in inventory.resource_policies:
        if source.resource.kind not in ("s3.BucketPolicy", "s3.Bucket"):
            continue
        holder = inventory.bucket_name(source.resource) or _referred(source.resource)
        if source.unknown:
            unknown.add(holder)
        elif _refuses_plain_text(source, holder):
            refused.add(holder)
    for bucket in inventory.of("s3.Bucket"):
        name = bucket.text("bucket") or bucket.urn
        if name in refused:
            continue
        if name in unknown:
            yield Unknown(resource=bucket, what="the bucket's policy")
            continue
        yield Finding(
            resource=bucket,
            found=f"the bucket {bucket.text('bucket') or bucket.name} accepts requests without TLS",
            why="A release that travels unencrypted can be read and changed on the way.",
            remedy="Add a BucketPolicy with a statement that denies s3:* to * on the bucket and its objects where "
            "aws:SecureTransport is false.",
        )


def _referred(resource: Resource) -> str:
    return next((r.urn for r in resource.refers.get("bucket", ()) if r.kind == "s3.Bucket"), resource.urn)


def _refuses_plain_text(source: Source, bucket: str) -> bool:
    if not isinstance(source.parsed, Document):
        return False
    arn = f"arn:{source.resource.partition}:s3:::{bucket}"
    for statement in source.parsed.statements:
        if (
            statement.effect == "Deny"
            and statement.principals is not None
            and statement.principals.everyone
            and covers(statement.actions or (), "s3:*")
            and covers(statement.resources or (), arn)
            and covers(statement.resources or (), f"{arn}/*")
            and len(statement.conditions) == 1
            and _is_plain_text(statement)
        ):
            return True
    return False


def _is_plain_text(statement: Statement) -> bool:
    condition = statement.conditions[0]
    if condition.qualifier:
        return False
    if condition.key == "aws:securetransport":
        return condition.operator in ("Bool", "StringEquals") and {v.lower() for v in condition.values} == {"false"}
    return False


def kms_keys_are_not_open(inventory: Inventory) -> Iterator[Verdict]:
    """Customer keys whose policy lets in more than the account and exact principals, and keys that never turn."""
    for source in inventory.resource_policies:
        if not source.resource.kind.startswith("kms."):
            continue
        for statement in source.allows:
            problem = _key_problem(statement)
            if problem:
                yield Finding(
                    resource=source.resource,
                    found=f"its policy {problem}",
                    why="Who may use a key may read what it guards; who may change its policy may do anything.",
                    remedy="Let the account administer the key (root, kms:*) and name exact roles and actions besides.",
                )


_ADMINISTRATION: Final = ("kms:putkeypolicy", "kms:creategrant", "kms:schedulekeydeletion", "kms:disablekey")


def _key_problem(statement: Statement) -> str | None:
    name = f"statement {statement.sid}" if statement.sid else "a statement"
    if _everyone(statement):
        held = exact_values(statement, "kms:CallerAccount") or exact_values(statement, "aws:PrincipalAccount")
        arns = exact_values(statement, "aws:PrincipalArn")
        service = exact_values(statement, "kms:ViaService")
        if not arns and not (held and service):
            return f"lets in everyone in {name}"
    roots = all(a.kind == "AWS" and _ACCOUNT.fullmatch(a.name) for a in assumers(statement))
    if roots:
        return None
    actions = statement.actions or ("kms:*",)
    power = [a for a in actions if a in ("*", "kms:*") or any(overlaps(a, p) for p in _ADMINISTRATION)]
    granted = [
        a for a in power if not (a == "kms:creategrant" and exact_values(statement, "kms:GrantIsForAWSResource"))
    ]
    if granted:
        return f"gives {', '.join(granted)} to others than the account in {name}"
    return None
