"""CI beyond handing over, in every spelling and through every attachment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import BOUNDARY, a_role, added, on_role, slug
from tests.policies.judges import Thing
from tests.policies.world import CI_STATEMENTS, HANDOFF, KEY, PUSH, REPOSITORIES, allow, arn, document

POLICY = "ci-can-only-hand-over"
OBJECT = f"arn:aws:s3:::{HANDOFF}/{KEY}"
LOG_IN, PUSHES, PUT = CI_STATEMENTS

BEYOND: dict[str, Any] = {
    "reads its hand-off": allow("s3:GetObject", OBJECT),
    "deletes its hand-off": allow("s3:DeleteObject", OBJECT),
    "deletes a version of its hand-off": allow("s3:DeleteObjectVersion", OBJECT),
    "opens its hand-off": allow("s3:PutObjectAcl", OBJECT),
    "holds its hand-off": allow("s3:PutObjectLegalHold", OBJECT),
    "tags its hand-off": allow("s3:PutObjectTagging", OBJECT),
    "lists the hand-offs": allow("s3:ListBucket", f"arn:aws:s3:::{HANDOFF}"),
    "puts any hand-off": allow("s3:PutObject", f"arn:aws:s3:::{HANDOFF}/*"),
    "puts another service's hand-off": allow("s3:PutObject", f"arn:aws:s3:::{HANDOFF}/other/imagedefinitions.json.zip"),
    "puts a hand-off by a longer key": allow("s3:PutObject", f"{OBJECT}*"),
    "puts a hand-off by one more character": allow("s3:PutObject", f"{OBJECT}?"),
    "puts a hand-off by a shorter pattern": allow(
        "s3:PutObject", f"arn:aws:s3:::{HANDOFF}/sh?p/imagedefinitions.json.zip"
    ),
    "puts into any bucket": allow("s3:PutObject", "*"),
    "puts into buckets of every environment": allow("s3:PutObject", f"arn:aws:s3:::*-handoff-333/{KEY}"),
    "puts the template": allow("s3:PutObject", f"arn:aws:s3:::{world.TEMPLATES}/shop/template.zip"),
    "puts artifacts": allow("s3:PutObject", f"arn:aws:s3:::{world.ARTIFACTS}/*"),
    "puts under its own name": allow(
        "s3:PutObject", f"arn:aws:s3:::{HANDOFF}/${{aws:PrincipalTag/service}}/imagedefinitions.json.zip"
    ),
    "puts by a user variable": allow("s3:PutObject", f"arn:aws:s3:::{HANDOFF}/${{aws:userid}}"),
    "puts in another partition": allow("s3:PutObject", f"arn:aws-cn:s3:::{HANDOFF}/{KEY}"),
    "every put action": allow("s3:Put*", OBJECT),
    "put objects by a pattern": allow("s3:PutObjec?", OBJECT),
    "put and its kin": allow("s3:PutObject*", OBJECT),
    "s3 in capitals": allow("S3:GETOBJECT", OBJECT),
    "all of s3": allow("s3:*", OBJECT),
    "pushes to another repository": allow(PUSH, arn("ecr", "repository/live/other/web")),
    "pushes to every repository": allow(PUSH, arn("ecr", "repository/*")),
    "pushes to repositories of its environment": allow(PUSH, arn("ecr", "repository/live/*")),
    "pushes to any repository of its service": allow(PUSH, arn("ecr", "repository/live/shop/*")),
    "pushes to a repository that looks alike": allow(PUSH, arn("ecr", "repository/live/shop/we?")),
    "pushes to another account": allow(PUSH, arn("ecr", "repository/live/shop/web", account=world.OTHER)),
    "pushes to any account": allow(PUSH, f"arn:aws:ecr:{world.REGION}:*:repository/live/shop/web"),
    "pushes to any region": allow(PUSH, f"arn:aws:ecr:*:{world.ACCOUNT}:repository/live/shop/web"),
    "deletes images": allow("ecr:BatchDeleteImage", REPOSITORIES),
    "deletes its repository": allow("ecr:DeleteRepository", REPOSITORIES),
    "makes tags movable": allow("ecr:PutImageTagMutability", REPOSITORIES),
    "switches scanning off": allow("ecr:PutImageScanningConfiguration", REPOSITORIES),
    "lets images expire": allow("ecr:PutLifecyclePolicy", REPOSITORIES),
    "reads findings": allow("ecr:DescribeImageScanFindings", REPOSITORIES),
    "lists images": allow("ecr:ListImages", REPOSITORIES),
    "makes repositories": allow("ecr:CreateRepository", "*"),
    "all of ecr": allow("ecr:*", REPOSITORIES),
    "ecr by a pattern": allow("ecr:PutImage*", REPOSITORIES),
    "ecr by a question mark": allow("ecr:?utImage", REPOSITORIES),
    "a public registry": allow("ecr-public:GetAuthorizationToken", "*"),
    "everything": allow("*", "*"),
    "everything spelled with a colon": allow("*:*", "*"),
    "everything but iam": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    "everything but nothing": {"Effect": "Allow", "NotAction": ["nothing:Here"], "Resource": REPOSITORIES},
    "every resource but one": {
        "Effect": "Allow",
        "Action": PUSH,
        "NotResource": arn("ecr", "repository/live/other/web"),
    },
    "reads the pipeline": allow("codepipeline:GetPipelineState", arn("codepipeline", "shop")),
    "sees services": allow("ecs:DescribeServices", arn("ecs", "service/live/shop")),
    "reads its identity": allow("sts:GetCallerIdentity", "*"),
    "reads a parameter": allow("ssm:GetParameter", arn("ssm", "parameter/live/shop/database")),
    "reads a secret": allow("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:live/shop-??????")),
    "decrypts": allow("kms:Decrypt", arn("kms", "key/1")),
    "uses any key": allow("kms:GenerateDataKey", "*"),
    "invokes the gate": allow("lambda:InvokeFunction", arn("lambda", "function:shop-gate")),
    "tells the approvers": allow("sns:Publish", arn("sns", "approvals")),
    "puts events": allow("events:PutEvents", arn("events", "event-bus/default")),
    "writes logs": allow("logs:PutLogEvents", arn("logs", "log-group:/ecs/live/shop:*")),
    "a condition that does not hold": allow("s3:GetObject", "*", StringLike={"aws:PrincipalTag/team": "*"}),
    "a condition that lets absence pass": allow("s3:GetObject", "*", StringEqualsIfExists={"aws:SourceVpc": "vpc-1"}),
    "a denial beside a wide permission": allow("s3:*", "*"),
}
CLEAN: list[Any] = [
    CI_STATEMENTS,
    [PUT, LOG_IN, PUSHES],
    [LOG_IN, PUT, *(allow([a], r) for a in PUSH for r in REPOSITORIES)],
    [LOG_IN, PUT, allow([a.upper() for a in PUSH], REPOSITORIES)],
    [LOG_IN, PUT, allow([a.lower() for a in PUSH], list(reversed(REPOSITORIES)))],
    [LOG_IN, PUT, allow(PUSH[:3], REPOSITORIES[:1])],
    [LOG_IN],
    [allow(["ecr:GetAuthorizationToken"], ["*"]), PUSHES, PUT],
    [*CI_STATEMENTS, {"Effect": "Deny", "Action": "s3:*", "NotResource": OBJECT}],
    [
        *CI_STATEMENTS,
        {"Effect": "Deny", "NotAction": [*PUSH, "s3:PutObject", "ecr:GetAuthorizationToken"], "Resource": "*"},
    ],
    [LOG_IN, PUSHES, allow("s3:PutObject", OBJECT, Bool={"aws:SecureTransport": "true"})],
    [LOG_IN, PUSHES, allow("s3:PutObject", OBJECT, IpAddress={"aws:SourceIp": ["192.0.2.0/24"]})],
    [LOG_IN, allow(PUSH, REPOSITORIES, StringEqualsIfExists={"aws:RequestedRegion": world.REGION}), PUT],
    {"Version": "2008-10-17", "Id": "handover", "Statement": CI_STATEMENTS},
    {"Statement": {"Sid": "LogIn", "Effect": "Allow", "Action": "ECR:getauthorizationtoken", "Resource": "*"}},
]


def cases() -> Iterator[Case]:
    for number, (words, statement) in enumerate(BEYOND.items()):
        clean = CLEAN[number % len(CLEAN)]
        extra = {"Effect": "Deny", "NotAction": PUSH, "Resource": "*"}
        refused = [*CI_STATEMENTS, statement, *([extra] if "denial" in words else [])]
        yield on_role(f"ci {words}", POLICY, "ci", refused, clean)
    yield from _attached()
    yield from _named_in_resource_policies()
    yield from _boundaries()


READ_ALL = document(allow("s3:GetObject", "arn:aws:s3:::any/*"))


def _attached() -> Iterator[Case]:  # noqa: C901  one attachment after the other
    def attachment(kind: str, name: str, **inputs: Any) -> Thing:
        return Thing(type=f"aws:iam/{kind[0].lower()}{kind[1:]}:{kind}", name=name, inputs=inputs)

    def customer(name: str, text: str) -> Thing:
        return Thing(type="aws:iam/policy:Policy", name=name, inputs={"name": name, "policy": text})

    own, wide = document(*CI_STATEMENTS), READ_ALL

    def both(words: str, build: Any) -> Case:
        name = slug(words)
        return added(words, POLICY, build(f"bad-{name}", wide), build(f"good-{name}", own))

    def inline_property(name: str, text: str) -> list[Thing]:
        return a_role(name, "ci", inlinePolicies=[{"name": "more", "policy": text}])

    def managed_property(name: str, text: str) -> list[Thing]:
        arns = [f"arn:aws:iam::{world.ACCOUNT}:policy/{name}-more"]
        return [*a_role(name, "ci", managedPolicyArns=arns), customer(f"{name}-more", text)]

    def by_role_attachment(name: str, text: str) -> list[Thing]:
        where = f"arn:aws:iam::{world.ACCOUNT}:policy/{name}-more"
        made = attachment("RolePolicyAttachment", f"{name}-attached", role=name, policyArn=where)
        return [*a_role(name, "ci"), customer(f"{name}-more", text), made]

    def by_policy_attachment(name: str, text: str) -> list[Thing]:
        where = f"arn:aws:iam::{world.ACCOUNT}:policy/{name}-more"
        made = attachment("PolicyAttachment", f"{name}-attached", roles=[name], policyArn=where)
        return [*a_role(name, "ci"), customer(f"{name}-more", text), made]

    def exclusively(name: str, text: str) -> list[Thing]:
        where = f"arn:aws:iam::{world.ACCOUNT}:policy/{name}-more"
        made = attachment("RolePolicyAttachmentsExclusive", f"{name}-attached", roleName=name, policyArns=[where])
        return [*a_role(name, "ci"), customer(f"{name}-more", text), made]

    def below_a_path(name: str, text: str) -> list[Thing]:
        where = f"arn:aws:iam::{world.ACCOUNT}:policy/team/{name}-more"
        made = attachment("RolePolicyAttachment", f"{name}-attached", role=name, policyArn=where)
        return [*a_role(name, "ci"), customer(f"{name}-more", text).but(path="/team/"), made]

    def second_inline(name: str, text: str) -> list[Thing]:
        return [*a_role(name, "ci", CI_STATEMENTS), world.policy(f"{name}-second", name, text)]

    yield both("ci has more in its inline policies", inline_property)
    yield both("ci has more in its managed policies", managed_property)
    yield both("ci has more by a role policy attachment", by_role_attachment)
    yield both("ci has more by a policy attachment", by_policy_attachment)
    yield both("ci has more by exclusive attachments", exclusively)
    yield both("ci has more below a path", below_a_path)
    yield both("ci has more in a second inline policy", second_inline)
    for managed in ("AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "AmazonEC2ContainerRegistryPowerUser"):
        name = slug(managed)
        where = f"arn:aws:iam::aws:policy/{managed}"
        made = attachment("RolePolicyAttachment", f"bad-{name}-attached", role=f"bad-{name}", policyArn=where)
        yield added(f"ci has {managed}", POLICY, [*a_role(f"bad-{name}", "ci"), made], a_role(f"good-{name}", "ci"))


def _named_in_resource_policies() -> Iterator[Case]:
    ci = world.role_arn("shop-ci")
    bucket = "arn:aws:s3:::live-templates-333"
    grants = {
        "by its arn": {"Principal": {"AWS": ci}, "Action": "s3:GetObject", "Resource": f"{bucket}/*"},
        "by a list": {
            "Principal": {"AWS": [world.role_arn("shop-source"), ci]},
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
        },
        "by its session": {
            "Principal": {"AWS": f"arn:aws:sts::{world.ACCOUNT}:assumed-role/shop-ci/build"},
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
        },
        "by a condition on everyone": {
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
            "Condition": {"StringEquals": {"aws:PrincipalArn": ci}},
        },
        "by a pattern on everyone": {
            "Principal": {"AWS": "*"},
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
            "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{world.ACCOUNT}:role/shop-*"}},
        },
        "with everyone of the account": {
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"{bucket}/*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": world.ACCOUNT}},
        },
    }
    for words, statement in grants.items():

        def made(statement: dict[str, Any] | None) -> list[Thing]:
            statements = [world.tls_only(world.TEMPLATES), *([{"Effect": "Allow", **statement}] if statement else [])]
            return [
                Thing(
                    type="aws:s3/bucketPolicy:BucketPolicy",
                    name=f"{world.TEMPLATES}-policy",
                    inputs={"bucket": world.TEMPLATES, "policy": document(*statements)},
                    refers={"bucket": [world.TEMPLATES]},
                ),
            ]

        reader = {
            "Principal": {"AWS": world.role_arn("shop-source")}, "Action": "s3:GetObject", "Resource": f"{bucket}/*",
        }  # fmt: skip
        yield Case(
            id=f"a bucket names ci {words}", policy=POLICY, refused=made(statement), clean=made(reader), replaces=True
        )

    def on_repository(actions: Any, who: str = ci) -> list[Thing]:
        text = document({"Effect": "Allow", "Principal": {"AWS": who}, "Action": actions})
        return [
            Thing(
                type="aws:ecr/repositoryPolicy:RepositoryPolicy",
                name="repository-policy",
                inputs={"repository": "live/shop/web", "policy": text},
            ),
        ]

    yield Case(
        id="a repository lets ci delete", policy=POLICY,
        refused=on_repository([*PUSH, "ecr:BatchDeleteImage"]), clean=on_repository(PUSH), replaces=True,
    )  # fmt: skip
    yield Case(
        id="a repository lets ci do everything", policy=POLICY,
        refused=on_repository("ecr:*"), clean=on_repository("ecr:BatchGetImage", world.role_arn("shop-gate")), replaces=True,
    )  # fmt: skip

    def on_key(who: str) -> list[Thing]:
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:Decrypt", "Resource": "*"},
        ]
        return [Thing(type="aws:kms/key:Key", name="a-key", inputs={"policy": document(*statements)})]

    yield Case(
        id="a key lets ci decrypt", policy=POLICY, refused=on_key(ci), clean=on_key(world.role_arn("shop-gate")), replaces=True,
    )  # fmt: skip

    def on_topic(who: str) -> list[Thing]:
        text = document(
            {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sns:Publish", "Resource": arn("sns", "t")}
        )
        return [
            Thing(
                type="aws:sns/topicPolicy:TopicPolicy",
                name="topic-policy",
                inputs={"arn": arn("sns", "t"), "policy": text},
            )
        ]

    yield Case(
        id="a topic lets ci speak", policy=POLICY, refused=on_topic(ci), clean=on_topic(world.role_arn("shop-pipeline")), replaces=True,
    )  # fmt: skip


def _boundaries() -> Iterator[Case]:
    policy = "ci-has-a-permissions-boundary"
    for words, boundary in {
        "no boundary": None,
        "administrator as boundary": "arn:aws:iam::aws:policy/AdministratorAccess",
        "power user as boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
    }.items():
        name = slug(words)
        bad = a_role(f"bad-{name}", "ci", CI_STATEMENTS)
        yield added(
            f"ci with {words}", policy, [bad[0].but(permissionsBoundary=boundary), *bad[1:]],
            a_role(f"good-{name}", "ci", CI_STATEMENTS),
        )  # fmt: skip

    def bounded(name: str, text: str) -> list[Thing]:
        where = f"arn:aws:iam::{world.ACCOUNT}:policy/{name}-cap"
        cap = Thing(type="aws:iam/policy:Policy", name=f"{name}-cap", inputs={"name": f"{name}-cap", "policy": text})
        return [*a_role(name, "ci", CI_STATEMENTS, permissionsBoundary=where), cap]

    wide = {
        "a boundary that allows everything": allow("*", "*"),
        "a boundary that allows reading": allow("s3:Get*", "*"),
        "a boundary that allows all but iam": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        "a boundary with one action more": allow("ecr:BatchDeleteImage", REPOSITORIES),
    }
    for words, statement in wide.items():
        name = slug(words)
        yield added(
            f"ci with {words}", policy, bounded(f"bad-{name}", document(*CI_STATEMENTS, statement)),
            bounded(f"good-{name}", document(*CI_STATEMENTS)),
        )  # fmt: skip


__all__ = ["BOUNDARY", "cases"]
