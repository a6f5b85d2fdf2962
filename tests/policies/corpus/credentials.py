"""Credentials that do not expire, identities without purpose, policies of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import DATA, a_role, added, slug
from tests.policies.judges import Thing
from tests.policies.world import document

LASTING = {
    "User": {"name": "dev"},
    "AccessKey": {"user": "dev"},
    "UserLoginProfile": {"user": "dev"},
    "UserPolicy": {"user": "dev", "policy": document(DATA)},
    "UserPolicyAttachment": {"user": "dev", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    "UserGroupMembership": {"user": "dev", "groups": ["people"]},
    "GroupMembership": {"group": "people", "users": ["dev"]},
    "Group": {"name": "people"},
    "GroupPolicy": {"group": "people", "policy": document(DATA)},
    "GroupPolicyAttachment": {"group": "people", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    "SshKey": {"username": "dev"},
    "SigningCertificate": {"userName": "dev"},
    "ServiceSpecificCredential": {"userName": "dev", "serviceName": "codecommit.amazonaws.com"},
    "VirtualMfaDevice": {"virtualMfaDeviceName": "dev"},
}
ELSEWHERE = {
    "aws:iam/instanceProfile:InstanceProfile": {"role": "shop-task"},
    "aws:ssoadmin/permissionSet:PermissionSet": {"name": "x"},
    "aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment": {"roles": {"unauthenticated": "x"}},
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": {"roleArn": "x"},
    "aws:rolesanywhere/profile:Profile": {"name": "x"},
    "aws:iam/samlProvider:SamlProvider": {"name": "x"},
    "aws-native:iam:Role": {"roleName": "x"},
    "aws:cloudformation/stack:Stack": {"name": "x", "capabilities": ["CAPABILITY_NAMED_IAM"]},
}
MANAGED = (
    "AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "ReadOnlyAccess", "AmazonS3FullAccess", "AWSCodeDeployRoleForECS",
    "job-function/SystemAdministrator", "service-role/AmazonEC2RoleforSSM",
)  # fmt: skip


def cases() -> Iterator[Case]:
    for kind, inputs in LASTING.items():
        made = Thing(type=f"aws:iam/{kind[0].lower()}{kind[1:]}:{kind}", name=f"bad-{kind.lower()}", inputs=inputs)
        yield added(f"credentials {kind}", "no-long-lived-credentials", [made], a_role(f"good-{kind.lower()}", "task"))
    for number, (token, inputs) in enumerate(ELSEWHERE.items()):
        made = Thing(type=token, name=f"bad-elsewhere-{number}", inputs=inputs)
        yield added(
            f"identity elsewhere {token}",
            "every-identity-has-a-purpose",
            [made],
            a_role(f"good-elsewhere-{number}", "function"),
        )
    yield from _purposes()
    yield from _managed()


def _purposes() -> Iterator[Case]:
    policy = "every-identity-has-a-purpose"
    tags: dict[str, Any] = {
        "no tags": {},
        "an empty purpose": {"ecs-release:purpose": ""},
        "a purpose that nobody knows": {"ecs-release:purpose": "admin"},
        "a purpose in another case": {"ecs-release:purpose": "CI"},
        "a purpose under another tag": {"purpose": "task"},
    }
    for words, found in tags.items():
        name = slug(words)
        bad = a_role(f"bad-{name}", "task")[0].but(tags=found)
        yield added(f"a role with {words}", policy, [bad], a_role(f"good-{name}", "task"))
    yield added(
        "a policy on a role of another stack", policy,
        [world.policy("bad-orphan", "role-of-another-stack", document(DATA))],
        [*a_role("good-orphan", "task"), world.policy("good-orphan-policy", "good-orphan", document(DATA))],
    )  # fmt: skip
    attached = {"role": "role-of-another-stack", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    yield added(
        "a managed policy on a role of another stack", policy,
        [Thing(type="aws:iam/rolePolicyAttachment:RolePolicyAttachment", name="bad-orphan-attached", inputs=attached)],
        a_role("good-orphan-attached", "task"),
    )  # fmt: skip


def _managed() -> Iterator[Case]:
    policy = "managed-policies-are-declared"
    for number, managed in enumerate(MANAGED):
        name = f"of-{slug(managed)}"
        where = f"arn:aws:iam::aws:policy/{managed}"
        purpose = ("task", "function", "deployment", "pipeline")[number % 4]
        made = Thing(
            type="aws:iam/rolePolicyAttachment:RolePolicyAttachment", name=f"bad-{name}-attached",
            inputs={"role": f"bad-{name}", "policyArn": where},
        )  # fmt: skip
        yield added(
            f"a role has {managed}", policy, [*a_role(f"bad-{name}", purpose), made], a_role(f"good-{name}", purpose)
        )
    kind = "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration"
    denied = {"guardrailPolicyArns": ["arn:aws:iam::aws:policy/AWSDenyAll"]}
    for words, limits in {"no guardrails": {}, "a guardrail of administrators": {"guardrailPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}}.items():  # fmt: skip
        yield added(
            f"a channel with {words}", policy, [Thing(type=kind, name=f"bad-{slug(words)}", inputs=limits)],
            [Thing(type=kind, name=f"good-{slug(words)}", inputs=denied)],
        )  # fmt: skip
    for words, more in {
        "in its own list": {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
        "of another account": {"managedPolicyArns": [f"arn:aws:iam::{world.OTHER}:policy/theirs"]},
        "of its account that the stack does not hold": {
            "managedPolicyArns": [f"arn:aws:iam::{world.ACCOUNT}:policy/unknown"]
        },
    }.items():
        name = slug(words)
        yield added(
            f"a role has a policy {words}",
            policy,
            a_role(f"bad-{name}", "task", **more),
            a_role(f"good-{name}", "task", DATA),
        )
