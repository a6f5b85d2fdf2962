"""Resource policies: the public, other accounts, services on anybody's behalf, plain text, open keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import added, instead, slug
from tests.policies.judges import Thing
from tests.policies.world import arn, document, role_arn

POLICY = "external-access-is-declared"
ROOT = f"arn:aws:iam::{world.ACCOUNT}:root"
FOREIGN = f"arn:aws:iam::{world.OTHER}:root"

WHO: dict[str, Any] = {
    "everyone": {"Principal": "*"},
    "everyone in aws": {"Principal": {"AWS": "*"}},
    "everyone in a list": {"Principal": {"AWS": [ROOT, "*"]}},
    "everyone but one": {"NotPrincipal": {"AWS": ROOT}},
    "another account": {"Principal": {"AWS": FOREIGN}},
    "another account by number": {"Principal": {"AWS": world.OTHER}},
    "another account's role": {"Principal": {"AWS": role_arn("x", world.OTHER)}},
    "roles by a pattern": {"Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:role/*"}},
    "a user": {"Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:user/dev"}},
    "a canonical user": {"Principal": {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}},
    "tokens": {"Principal": {"Federated": "cognito-identity.amazonaws.com"}},
    "a service on anybody's behalf": {"Principal": {"Service": "config.amazonaws.com"}},
    "a service on another account's behalf": {
        "Principal": {"Service": "config.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": world.OTHER}},
    },
    "a service whose account may be absent": {
        "Principal": {"Service": "config.amazonaws.com"}, "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": world.ACCOUNT}},
    },
    "a service of any recorder": {
        "Principal": {"Service": "config.amazonaws.com"}, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:config:*:*:*"}},
    },
    "everyone by a referer": {"Principal": "*", "Condition": {"StringLike": {"aws:Referer": "https://example.com/*"}}},
    "everyone by an address": {"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}},
    "everyone by an agent": {"Principal": "*", "Condition": {"StringEquals": {"aws:UserAgent": "build"}}},
    "everyone of another account": {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": world.OTHER}}},
    "everyone of any account": {"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalAccount": "*"}}},
    "everyone of an organization": {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc123"}}},
    "everyone whose account may be absent": {"Principal": "*", "Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": world.ACCOUNT}}},
}  # fmt: skip
FINE: list[dict[str, Any]] = [
    {"Principal": {"AWS": role_arn("shop-source")}},
    {"Principal": {"Service": "config.amazonaws.com"}, "Condition": {"StringEquals": {"aws:SourceAccount": world.ACCOUNT}}},
    {"Principal": {"Service": "config.amazonaws.com"}, "Condition": {"StringEquals": {"AWS:SourceArn": arn("config", "recorder")}}},
    {"Principal": {"Service": ["config.amazonaws.com"]}, "Condition": {"ArnLike": {"aws:SourceArn": arn("config", "*")}}},
    {"Principal": {"AWS": [role_arn("shop-source"), role_arn("shop-verify")]}},
    {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalArn": role_arn("shop-source")}}},
]  # fmt: skip

HOLDERS = ("bucket", "topic", "queue", "repository", "secret", "key", "bus", "vault")


def holder(kind: str, name: str, statement: dict[str, Any]) -> list[Thing]:  # noqa: PLR0911  a kind a line
    """A resource of one kind whose policy has the statement."""
    whole = {"Effect": "Allow", **statement}
    if kind == "bucket":
        made = world.bucket(name)
        text = document(world.tls_only(name), {**whole, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"})
        return [*made[:-1], made[-1].but(policy=text)]
    if kind == "topic":
        text = document({**whole, "Action": "sns:Publish", "Resource": arn("sns", name)})
        return [
            Thing(type="aws:sns/topicPolicy:TopicPolicy", name=name, inputs={"arn": arn("sns", name), "policy": text})
        ]
    if kind == "queue":
        text = document({**whole, "Action": "sqs:SendMessage", "Resource": arn("sqs", name)})
        return [Thing(type="aws:sqs/queue:Queue", name=name, inputs={"name": name, "policy": text})]
    if kind == "repository":
        text = document({**whole, "Action": "ecr:BatchGetImage"})
        return [
            Thing(
                type="aws:ecr/repositoryPolicy:RepositoryPolicy",
                name=name,
                inputs={"repository": "live/shop/web", "policy": text},
            )
        ]
    if kind == "secret":
        text = document({**whole, "Action": "secretsmanager:GetSecretValue", "Resource": "*"})
        return [Thing(type="aws:secretsmanager/secretPolicy:SecretPolicy", name=name, inputs={"policy": text})]
    if kind == "key":
        own = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
        text = document(own, {**whole, "Action": "kms:Decrypt", "Resource": "*"})
        return [Thing(type="aws:kms/keyPolicy:KeyPolicy", name=name, inputs={"policy": text})]
    if kind == "bus":
        text = document({**whole, "Action": "events:PutEvents", "Resource": arn("events", "event-bus/x")})
        return [Thing(type="aws:cloudwatch/eventBusPolicy:EventBusPolicy", name=name, inputs={"policy": text})]
    # A type that the pack has no entry for is found by the form of its property.
    text = document({**whole, "Action": "backup:CopyIntoBackupVault", "Resource": "*"})
    return [Thing(type="aws:backup/someNewVaultPolicy:SomeNewVaultPolicy", name=name, inputs={"policy": text})]


def cases() -> Iterator[Case]:
    for number, (words, statement) in enumerate(WHO.items()):
        kind = HOLDERS[number % len(HOLDERS)]
        name = slug(words)[:40]
        yield added(
            f"a {kind} lets in {words}", POLICY, holder(kind, f"bad-{name}", statement),
            holder(kind, f"good-{name}", FINE[number % len(FINE)]),
        )  # fmt: skip
    yield from _services()
    yield from _functions()
    yield from _others()
    yield from _plain_text()
    yield from _keys()


def _services() -> Iterator[Case]:
    """What a service does that it does not need, on the stack's own behalf."""
    for number, (service, own, more) in enumerate((
        ("cloudtrail", "s3:PutObject", "s3:DeleteObject"), ("cloudtrail", "s3:GetBucketAcl", "s3:PutBucketPolicy"),
        ("cloudwatch", "sns:Publish", "sns:SetTopicAttributes"), ("codestar-notifications", "sns:Publish", "sns:Subscribe"),
    )):  # fmt: skip
        held = {
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": world.ACCOUNT}},
        }

        def made(name: str, actions: list[str], held: dict[str, Any] = held) -> list[Thing]:
            if actions[0].startswith("s3:"):
                where = f"arn:aws:s3:::{name}" + ("/*" if actions[0] == "s3:PutObject" else "")
                text = document({"Effect": "Allow", **held, "Action": actions, "Resource": where})
                return [
                    Thing(type="aws:s3/bucketPolicy:BucketPolicy", name=name, inputs={"bucket": name, "policy": text})
                ]
            text = document({"Effect": "Allow", **held, "Action": actions, "Resource": arn("sns", name)})
            return [
                Thing(
                    type="aws:sns/topicPolicy:TopicPolicy", name=name, inputs={"arn": arn("sns", name), "policy": text}
                )
            ]

        yield added(
            f"{service} does {more}", POLICY, made(f"bad-{service}-{number}", [own, more]), made(f"good-{service}-{number}", [own]),
        )  # fmt: skip


def _functions() -> Iterator[Case]:
    rule = arn("events", "rule/shop-handoff")

    def permission(name: str, **inputs: Any) -> list[Thing]:
        made = {"action": "lambda:InvokeFunction", "function": "shop-gate", **inputs}
        return [Thing(type="aws:lambda/permission:Permission", name=name, inputs=made)]

    fine = {"principal": "events.amazonaws.com", "sourceArn": rule}
    for words, inputs in {
        "everyone": {"principal": "*"},
        "another account": {"principal": world.OTHER},
        "another account's root": {"principal": FOREIGN},
        "another account's role": {"principal": role_arn("x", world.OTHER)},
        "a service on anybody's behalf": {"principal": "events.amazonaws.com"},
        "buckets of another account": {
            "principal": "s3.amazonaws.com",
            "sourceArn": "arn:aws:s3:::b",
            "sourceAccount": world.OTHER,
        },
        "rules of another account": {
            "principal": "events.amazonaws.com",
            "sourceArn": arn("events", "rule/x", account=world.OTHER),
        },
        "everyone by its url": {"principal": world.ACCOUNT, "functionUrlAuthType": "NONE"},
        "an organization": {"principal": "*", "principalOrgId": "o-abc123"},
    }.items():
        name = slug(words)
        yield added(
            f"a function lets in {words}",
            POLICY,
            permission(f"bad-may-{name}", **inputs),
            permission(f"good-may-{name}", **fine),
        )
    url = "aws:lambda/functionUrl:FunctionUrl"
    yield added(
        "a function has an open url", POLICY,
        [Thing(type=url, name="bad-url", inputs={"functionName": "shop-gate", "authorizationType": "NONE"})],
        [Thing(type=url, name="good-url", inputs={"functionName": "shop-gate", "authorizationType": "AWS_IAM"})],
    )  # fmt: skip


def _others() -> Iterator[Case]:
    acl = "aws:s3/bucketAcl:BucketAcl"
    for canned in ("public-read", "public-read-write", "authenticated-read", "aws-exec-read"):
        yield added(
            f"a bucket's list is {canned}", POLICY,
            [Thing(type=acl, name=f"bad-{canned}", inputs={"bucket": "x", "acl": canned})],
            [Thing(type=acl, name=f"good-{canned}", inputs={"bucket": "x", "acl": "private"})],
        )  # fmt: skip
    event = "aws:cloudwatch/eventPermission:EventPermission"
    for words, who in {"everyone": "*", "another account": world.OTHER}.items():
        yield added(
            f"a bus lets in {words} by its permission", POLICY,
            [Thing(type=event, name=f"bad-bus-{slug(words)}", inputs={"principal": who, "statementId": "x"})],
            [Thing(type=event, name=f"good-bus-{slug(words)}", inputs={"principal": world.ACCOUNT, "statementId": "x"})],
        )  # fmt: skip
    share = "aws:ram/principalAssociation:PrincipalAssociation"
    yield added(
        "a share with another account", POLICY, [Thing(type=share, name="bad-share", inputs={"principal": world.OTHER})],
        [Thing(type=share, name="good-share", inputs={"principal": world.ACCOUNT})],
    )  # fmt: skip


def _plain_text() -> Iterator[Case]:
    policy = "buckets-require-tls"
    name = world.ARTIFACTS
    good = world.tls_only(name)
    variants: dict[str, Any] = {
        "nothing": None,
        "a denial of reading alone": {**good, "Action": "s3:GetObject"},
        "a denial on its objects alone": {**good, "Resource": f"arn:aws:s3:::{name}/*"},
        "a denial on itself alone": {**good, "Resource": f"arn:aws:s3:::{name}"},
        "a denial on another bucket": {**good, "Resource": ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]},
        "a denial where it is secure": {**good, "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        "a denial to one account": {**good, "Principal": {"AWS": ROOT}},
        "an allowance where it is secure": {
            **good, "Effect": "Allow", "Principal": {"AWS": role_arn("shop-source")}, "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
        "a denial with another condition": {
            **good, "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:SourceVpc": "vpc-1"}},
        },
        "a denial for all of no values": {**good, "Condition": {"ForAnyValue:Bool": {"aws:SecureTransport": "false"}}},
    }  # fmt: skip
    spelled: list[dict[str, Any]] = [
        good,
        {**good, "Action": ["S3:*"]},
        {**good, "Principal": {"AWS": "*"}},
        {**good, "Action": "*", "Resource": "*"},
        {**good, "Condition": {"Bool": {"AWS:SecureTransport": False}}},
        {**good, "Resource": f"arn:aws:s3:::{name}*"},
        {**good, "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}},
    ]
    for number, (words, statement) in enumerate(variants.items()):
        refused = [] if statement is None else [_bucket_policy(name, statement)]
        if statement is None:
            refused = [Thing(type="aws:s3/bucket:Bucket", name="bare", inputs={"bucket": "bare"})]
        clean = [_bucket_policy(name, spelled[number % len(spelled)])]
        yield instead(f"a bucket with {words}", policy, refused, clean)


def _bucket_policy(bucket: str, statement: dict[str, Any]) -> Thing:
    return Thing(
        type="aws:s3/bucketPolicy:BucketPolicy",
        name=f"{bucket}-policy",
        inputs={"bucket": bucket, "policy": document(statement)},
        refers={"bucket": [bucket]},
    )


def _keys() -> Iterator[Case]:
    policy = "kms-keys-are-not-open"
    own = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    role = {"AWS": role_arn("shop-gate")}

    def key(name: str, *statements: dict[str, Any]) -> list[Thing]:
        return [
            Thing(
                type="aws:kms/key:Key",
                name=name,
                inputs={"policy": json.dumps({"Version": "2012-10-17", "Statement": list(statements)})},
            )
        ]

    def of(principal: Any, action: Any, **more: Any) -> dict[str, Any]:
        return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}

    fine = [
        of(role, ["kms:Decrypt", "kms:GenerateDataKey"]),
        of(role, "kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        of(
            "*",
            "kms:Decrypt",
            Condition={
                "StringEquals": {
                    "kms:CallerAccount": world.ACCOUNT,
                    "kms:ViaService": f"secretsmanager.{world.REGION}.amazonaws.com",
                }
            },
        ),
    ]
    for number, (words, statement) in enumerate({
        "lets everyone decrypt": of("*", "kms:Decrypt"),
        "lets everyone do everything": of({"AWS": "*"}, "kms:*"),
        "lets everyone of the account do everything": of("*", "kms:*", Condition={"StringEquals": {"aws:PrincipalAccount": world.ACCOUNT}}),
        "lets a role administer": of(role, "kms:*"),
        "lets a role change its policy": of(role, ["kms:Decrypt", "kms:PutKeyPolicy"]),
        "lets a role put anything": of(role, "kms:Put*"),
        "lets a role grant": of(role, "kms:CreateGrant"),
        "lets a role delete": of(role, "kms:ScheduleKeyDeletion"),
    }.items()):  # fmt: skip
        name = slug(words)
        # The clean ones name no CI role and stay within what other rules allow.
        clean = key(f"good-{name}", own, fine[number % 2])
        yield added(f"a key {words}", policy, key(f"bad-{name}", own, statement), clean)
