"""What AWS writes back is judged by its meaning; what the program declares is judged whatever the state has kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pulumi_rehearsal import UNKNOWN, Archive
from pulumi_rehearsal.registration import Registration
from pulumi_rehearsal.wire import wire_from_plain

from tests.policies import judges, world
from tests.policies.judges import Thing
from tests.rehearsed import STACKS, rehearsed

ROLE, TOPIC, BUCKET, OBJECT = (
    "aws:iam/role:Role",
    "aws:sns/topic:Topic",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketObjectv2:BucketObjectv2",
)


def default_policy(arn: str, account: str) -> str:
    """The policy that SNS gives a new topic (Amazon SNS developer guide, "Default policy")."""
    actions = ("Publish", "Subscribe", "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission")
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{a}" for a in actions],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def after_a_refresh(resources: list[Registration]) -> list[Registration]:
    """The same stack with the outputs that a provider's Read gives: what others set, AWS's defaults, no contents."""
    inline: dict[str, list[dict[str, Any]]] = {}
    for r in resources:
        if r.type == "aws:iam/rolePolicy:RolePolicy":
            one = {"name": r.inputs["name"], "policy": r.inputs["policy"]}
            inline.setdefault(str(r.inputs["role"]), []).append(one)
    set_on = {
        str(r.inputs["bucket"]): r.inputs["policy"] for r in resources if r.type == "aws:s3/bucketPolicy:BucketPolicy"
    }
    out = []
    for r in resources:
        changed: dict[str, Any] = {}
        if r.type == TOPIC:
            arn = str(r.outputs["arn"])
            changed["policy"] = default_policy(arn, arn.split(":")[4])
        elif r.type == ROLE:
            changed["inlinePolicies"] = inline.get(str(r.inputs["name"]), [])
        elif r.type == BUCKET:
            changed["policy"] = set_on.get(str(r.inputs["bucket"]), "")
            changed["grants"] = [{"id": "c" * 64, "permissions": ["FULL_CONTROL"], "type": "CanonicalUser"}]
        elif r.type == OBJECT:
            changed = wire_from_plain({"source": Archive(assets={})})
        out.append(replace(r, outputs={**r.outputs, **changed}))
    return out


@pytest.fixture(params=judges.PACKS)
def pack(request: pytest.FixtureRequest) -> judges.Judge:
    judge: judges.Judge = request.getfixturevalue(request.param.replace("-", "_"))
    return judge


@pytest.mark.parametrize("stack", STACKS)
def test_a_clean_stack_stays_clean_after_a_refresh(pack, stack):
    resources = judges.of_run(rehearsed(stack, "up"))

    assert pack.judge(after_a_refresh(resources)) == []


def test_without_what_the_program_declares_a_refreshed_stack_would_be_refused(least_privilege):
    resources = after_a_refresh(judges.of_run(rehearsed("dev", "up")))

    found = {f.policy for f in least_privilege.stack([replace(r, urn=f"{r.urn}-unseen") for r in resources])}

    assert "roles-do-only-what-their-purpose-needs" in found


def widened(document: str) -> str:
    value = json.loads(document)
    value["Statement"].append({"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"})
    return json.dumps(value)


def test_what_is_declared_too_wide_is_refused_though_the_state_still_has_the_narrow_one(least_privilege):
    resources = after_a_refresh(judges.of_run(rehearsed("dev", "up")))
    wide = [
        replace(r, inputs={**r.inputs, "policy": widened(str(r.inputs["policy"]))})
        if r.type == "aws:iam/rolePolicy:RolePolicy" and r.inputs["role"] == "dev-api-gate"
        else r
        for r in resources
    ]

    found = least_privilege.judge(wide)

    assert {f.policy for f in found} >= {"no-privilege-escalation"}


@pytest.mark.parametrize(
    ("inputs", "outputs", "refused"),
    [
        ({}, {"policy": default_policy("ARN", world.ACCOUNT)}, set()),
        ({"policy": default_policy("ARN", world.ACCOUNT)}, {}, {"ci-can-only-hand-over"}),
        (
            {},
            {"policy": default_policy("ARN", "999999999999")},
            {"ci-can-only-hand-over", "external-access-is-declared"},
        ),
        (
            {},
            {"policy": default_policy("ARN", world.ACCOUNT).replace("AWS:SourceOwner", "aws:UserAgent")},
            {"ci-can-only-hand-over", "external-access-is-declared"},
        ),
    ],
    ids=["AWS's default", "the same, declared", "another account's", "opened by hand"],
)
def test_a_topics_policy_is_judged_by_its_meaning(least_privilege, inputs, outputs, refused):
    topic = Thing(type=TOPIC, name="alerts", inputs={"name": "alerts", **inputs})
    resources = judges.registrations([*world.things().values(), topic], world.provider())
    resources = [replace(r, outputs={**r.outputs, **outputs}) if r.name == "alerts" else r for r in resources]

    assert {f.policy for f in least_privilege.judge(resources)} & {
        "ci-can-only-hand-over",
        "external-access-is-declared",
    } == (refused)


def drifted(change: Callable[[Registration], dict[str, Any]], kind: str) -> list[Registration]:
    resources = after_a_refresh(judges.of_run(rehearsed("dev", "up")))
    return [replace(r, outputs={**r.outputs, **change(r)}) if r.type == kind else r for r in resources]


def test_an_inline_policy_that_somebody_else_gave_a_role_is_refused(least_privilege):
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    by_hand = {"name": "by-hand", "policy": text}

    found = least_privilege.judge(drifted(lambda r: {"inlinePolicies": [*r.outputs["inlinePolicies"], by_hand]}, ROLE))

    assert {"ci-can-only-hand-over", "actions-are-listed-by-name"} <= {f.policy for f in found}


WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def policies_of(judge: judges.Judge, thing: Thing, outputs: dict[str, Any]) -> set[str]:
    resources = judges.registrations([*world.things().values(), thing], world.provider())
    changed = [replace(r, outputs={**r.outputs, **outputs}) if r.name == thing.name else r for r in resources]
    return {f.policy for f in judge.judge(changed) if f.level}


def test_a_narrow_policy_that_is_declared_and_ignored_hides_no_wide_one_that_was_imported(least_privilege):
    narrow = world.policy("imported", "shop-ci", world.document(world.allow("ecr:GetAuthorizationToken", "*")))

    assert policies_of(least_privilege, narrow, {"policy": WIDE}) == set()
    assert "ci-can-only-hand-over" in policies_of(
        least_privilege, replace(narrow, ignore=("policy",)), {"policy": WIDE}
    )


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_policy_hides_none_that_stands_on_aws(least_privilege, empty):
    topic = Thing(type=TOPIC, name="alerts", inputs={"name": "alerts", "policy": empty})
    opened = default_policy("ARN", world.ACCOUNT).replace("AWS:SourceOwner", "aws:UserAgent")

    assert "external-access-is-declared" in policies_of(least_privilege, topic, {"policy": opened})
    assert policies_of(least_privilege, topic, {"policy": default_policy("ARN", world.ACCOUNT)}) == set()


def test_an_unknown_that_the_program_declares_is_told_though_it_comes_from_no_resource(least_privilege):
    topic = Thing(type=TOPIC, name="alerts", inputs={"name": "alerts", "policy": UNKNOWN})
    resources = judges.registrations([*world.things().values(), topic], world.provider())

    told = [f.message for f in least_privilege.judge(resources) if f.policy == "external-access-is-declared"]

    assert len(told) == 1
    assert "alerts: its policy (an IAM document) is computed by the provider" in told[0]


def test_a_bucket_that_is_granted_to_everyone_by_hand_is_refused(least_privilege):
    bucket = Thing(type="aws:s3/bucketAcl:BucketAcl", name="list", inputs={"bucket": "b"})
    owner = {"grantee": {"id": "c" * 64, "type": "CanonicalUser"}, "permission": "FULL_CONTROL"}
    everyone = {"grantee": {"uri": ALL_USERS, "type": "Group"}, "permission": "READ"}

    assert policies_of(least_privilege, bucket, {"accessControlPolicy": {"grants": [owner]}}) == set()
    opened = policies_of(least_privilege, bucket, {"accessControlPolicy": {"grants": [owner, everyone]}})
    assert opened == {"external-access-is-declared"}
    read = drifted(lambda _: {"grants": [{"permissions": ["READ"], "type": "Group", "uri": ALL_USERS}]}, BUCKET)
    assert {f.policy for f in least_privilege.judge(read)} == {"external-access-is-declared"}
