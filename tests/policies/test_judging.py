"""How the packs judge: at preview, with settings, in both of the rehearsal's ways, on whole stacks."""

from __future__ import annotations

import json
import re
import time

import pytest
from least_privilege.settings import Settings as Privilege
from policy_kit import settings
from pulumi_rehearsal import UNKNOWN
from release_safety.settings import Settings as Safety

from tests.policies import judges, world
from tests.policies.judges import Thing
from tests.rehearsed import STACKS, rehearse_stack, rehearsed, services_with, stack_settings

MANDATORY, ADVISORY = 1, 0


def stack(*things: Thing, without: tuple[str, ...] = ()) -> list:
    made = {name: t for name, t in world.things().items() if name not in without} | {t.name: t for t in things}
    return judges.registrations(made.values(), world.provider())


# ---------------------------------------------------------------- whole stacks


@pytest.mark.parametrize("mode", ["preview", "up"])
@pytest.mark.parametrize("name", STACKS)
def test_the_stacks_pass_both_packs_without_exceptions(name, mode):
    run = rehearse_stack(name, mode)

    assert run.errors == ()
    assert run.violations == ()
    assert {p.name for p in run.packs} == set(judges.PACKS)


@pytest.mark.parametrize("pack", judges.PACKS)
def test_a_pack_grows_with_the_stack_and_not_with_its_square(pack):
    def seconds(count: int) -> float:
        services = [{**stack_settings("prod")["services"][0], "name": f"svc{n}"} for n in range(count)]
        resources = judges.of_run(rehearsed("prod", services=services))
        with judges.in_process(pack) as judge:
            judge.stack(resources)  # what is read and imported once
            best = []
            for _ in range(3):
                started = time.process_time()
                judge.stack(resources)
                best.append(time.process_time() - started)
        return min(best)

    small, large = seconds(4), seconds(16)

    assert large < 8 * small


# ---------------------------------------------------------------- at preview


def test_a_document_that_is_unknown_is_told_in_the_policys_own_words(least_privilege):
    made = world.policy("task", "shop-task", UNKNOWN)
    unknown = Thing(type=made.type, name=made.name, inputs=made.inputs, refers={"policy": ["first"]})

    found = least_privilege.stack(stack(unknown))

    assert {(f.policy, f.level) for f in found} == {("iam-documents-are-valid", ADVISORY)}
    assert "task: inline policy task (an IAM document) is computed by the provider" in found[0].message
    assert "judged at the update" in found[0].message


def test_what_is_known_is_refused_beside_what_is_not(least_privilege):
    made = world.policy("task", "shop-task", UNKNOWN)
    unknown = Thing(type=made.type, name=made.name, inputs=made.inputs, refers={"policy": ["first"]})
    broken = world.policy("gate", "shop-gate", "not JSON")

    found = least_privilege.stack(stack(unknown, broken))

    levels = {f.level for f in found if f.policy == "iam-documents-are-valid"}
    assert levels == {MANDATORY, ADVISORY}


def test_a_role_that_is_known_by_reference_alone_is_judged(least_privilege):
    wide = world.document(world.allow("iam:*", "*"))
    by_reference = Thing(
        type="aws:iam/rolePolicy:RolePolicy",
        name="ci",
        inputs={"role": UNKNOWN, "policy": wide},
        refers={"role": ["shop-ci"]},
    )

    found = least_privilege.stack(stack(by_reference))

    assert "ci-can-only-hand-over" in {f.policy for f in found if f.level == MANDATORY}


def test_what_the_provider_computes_by_itself_is_not_taken_for_a_document(least_privilege):
    computed = world.things()["shop-task"].but(managedPolicyArns=UNKNOWN, inlinePolicies=UNKNOWN)

    assert least_privilege.stack(stack(computed)) == []


def test_a_bucket_whose_name_is_unknown_is_followed_by_reference(release_safety):
    versions = world.things()[f"{world.HANDOFF}-versions"]
    block = world.things()[f"{world.HANDOFF}-block"]

    referred = release_safety.stack(stack(versions.but(bucket=UNKNOWN), block.but(bucket=UNKNOWN)))
    suspended = versions.but(bucket=UNKNOWN, versioningConfiguration={"status": "Suspended"})
    refused = release_safety.stack(stack(suspended))

    assert referred == []
    assert {f.policy for f in refused} == {"handoff-is-private-and-versioned"}


@pytest.mark.parametrize(
    ("overrides", "policy"),
    [
        ({"approval": "none"}, "production-releases-are-approved"),
        ({"deployment": {"bakeTimeMinutes": 0}}, "deployments-have-automatic-rollback"),
    ],
    ids=["no approval", "no bake time"],
)
def test_a_wrong_setting_of_production_is_refused_at_preview(overrides, policy):
    run = rehearse_stack("prod", config_overrides=overrides)

    assert policy in {v.policy for v in run.mandatory}
    assert all(v.remediation_steps for v in run.mandatory)


def test_an_approval_outside_production_is_refused():
    run = rehearse_stack("dev", config_overrides={"approval": "required"})

    assert {v.policy for v in run.mandatory} == {"production-releases-are-approved"}


def test_taking_the_mark_of_production_away_does_not_take_the_approval_away():
    run = rehearse_stack("prod", config_overrides={"production": False, "approval": "none"})

    assert "production-releases-are-approved" in {v.policy for v in run.mandatory}


def test_an_application_that_asks_for_the_releases_own_is_refused():
    greedy = [
        {
            "sid": "Deploy",
            "actions": ["ecs:UpdateService"],
            "resources": ["arn:aws:ecs:ap-northeast-1:222222222222:service/prod/prod-api"],
        }
    ]

    run = rehearse_stack("prod", config_overrides={"services": services_with("prod", "api", permissions=greedy)})

    assert {"roles-do-only-what-their-purpose-needs", "no-privilege-escalation"} <= {v.policy for v in run.mandatory}


# ---------------------------------------------------------------- both ways of running a pack


@pytest.mark.parametrize("pack", judges.PACKS)
def test_both_ways_of_running_a_pack_say_the_same(pack):
    broken = stack(
        world.policy("ci", "shop-ci", world.document(world.allow("*", "*"))),
        world.things()["group"].but(alarmConfiguration=None),
        world.things()["live/shop/web"].but(imageTagMutability="MUTABLE"),
    )

    with judges.process(pack) as real, judges.in_process(pack) as fast:
        assert real.judge(broken) == fast.judge(broken) != []


# ---------------------------------------------------------------- settings


def test_what_the_owner_declares_by_name_is_allowed(least_privilege):
    extra = world.document(world.allow("sqs:PurgeQueue", world.arn("sqs", "orders")))
    resources = stack(world.policy("task", "shop-task", extra))

    before = least_privilege.stack(resources)
    least_privilege.everywhere(
        allowed={"task": [{"actions": ["sqs:PurgeQueue"], "resources": [world.arn("sqs", "orders")]}]}
    )
    after = least_privilege.stack(resources)

    assert {f.policy for f in before} == {"roles-do-only-what-their-purpose-needs"}
    assert after == []


def test_a_declared_managed_policy_is_allowed_for_its_purpose_alone(least_privilege):
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    least_privilege.everywhere(managedPolicies={"function": [basic]})

    on_gate = least_privilege.stack(stack(world.things()["shop-gate"].but(managedPolicyArns=[basic])))
    on_task = least_privilege.stack(stack(world.things()["shop-task"].but(managedPolicyArns=[basic])))

    assert on_gate == []
    assert {f.policy for f in on_task} == {"managed-policies-are-declared"}


def test_a_declared_third_party_must_send_an_external_id(least_privilege):
    partner = world.role_arn("partner", world.OTHER)
    trust = {"Effect": "Allow", "Principal": {"AWS": partner}, "Action": "sts:AssumeRole"}
    held = {**trust, "Condition": {"StringEquals": {"sts:ExternalId": "acme-1"}}}
    least_privilege.everywhere(externalPrincipals=[partner], thirdParties=[partner])

    without = least_privilege.stack(stack(world.role("partner-reads", "cross-account", world.document(trust))))
    with_it = least_privilege.stack(stack(world.role("partner-reads", "cross-account", world.document(held))))

    assert {f.policy for f in without} == {"roles-are-trusted-exactly"}
    assert "ExternalId" in without[0].message
    assert with_it == []


@pytest.mark.parametrize(
    ("model", "config", "sentence"),
    [
        (Privilege, {"purposTag": "x"}, "The pack has no setting purposTag; it knows environmentTag, "),
        (Privilege, {"purpose_tag": "x"}, "The pack has no setting purpose_tag"),
        (Privilege, {"purposes": {"builder": "deployer"}}, "The setting purposes.builder must be 'ci', "),
        (Privilege, {"allowed": {"deployer": []}}, "The setting allowed.deployer must be 'ci', "),
        (Privilege, {"accounts": "1"}, "The setting accounts must be a valid array; found '1'."),
        (Privilege, {"accounts": [1.0]}, "The setting accounts.0 must be a valid string; found 1.0."),
        (Privilege, {"purposeTag": ""}, "The setting purposeTag must have at least 1 character; found ''."),
        (Privilege, {"requireBoundary": "yes"}, "The setting requireBoundary must be a valid boolean; found 'yes'."),
        (Privilege, {"allowed": {"task": [{"actions": ["a:B"]}]}}, "The setting allowed.task.0 must have resources."),
        (Privilege, {"issuers": {"x": {"audiences": [], "subjects": [], "keys": []}}}, "The setting issuers.x has no key keys."),
        (Safety, {"minimumBakeMinutes": 0.0}, "The setting minimumBakeMinutes must be greater than or equal to 1; found 0"),
        (Safety, {"minimumBakeMinutes": True}, "The setting minimumBakeMinutes must be a valid integer; found True."),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_sentence(model, config, sentence):
    with pytest.raises(settings.SettingsError, match=re.escape(sentence)):
        settings.read(model, config)


def test_a_setting_that_the_pack_does_not_know_is_a_violation_and_no_crash(least_privilege):
    least_privilege.configure({"ci-can-only-hand-over": {"purposTag": "x"}})

    (found,) = least_privilege.stack(stack())

    assert (found.policy, found.level) == ("ci-can-only-hand-over", MANDATORY)
    assert "The pack has no setting purposTag" in found.message


def test_a_number_of_the_configuration_is_a_float_as_pulumi_sends_it():
    assert settings.read(Safety, {"minimumBakeMinutes": 15.0}).minimum_bake_minutes == 15


@pytest.mark.parametrize("model", [Privilege, Safety], ids=["least-privilege", "release-safety"])
def test_a_schema_says_each_key_once_and_refers_to_nothing_outside(model):
    keys = settings.schema(model)

    assert model.model_validate_json(json.dumps({k: v["default"] for k, v in keys.items()}), by_name=False) == model()
    assert all(v["description"] for v in keys.values())
    assert "$ref" not in json.dumps(keys)


# ---------------------------------------------------------------- resource policies


def test_what_decides_is_unknown_and_what_is_known_is_judged_all_the_same(release_safety):
    repository = world.things()["live/shop/web"].but(imageTagMutability="MUTABLE", imageScanningConfiguration=UNKNOWN)
    _, resource = judges.registrations([repository], world.provider())

    found = release_safety.resource(resource)

    assert {(f.policy, f.level) for f in found} == {
        ("repositories-are-immutable-and-scanned", MANDATORY), ("repositories-are-immutable-and-scanned", ADVISORY),
    }  # fmt: skip


def test_an_unknown_value_that_decides_nothing_is_no_excuse(release_safety):
    block = world.things()[f"{world.HANDOFF}-block"].but(blockPublicPolicy=False, bucket=UNKNOWN)
    _, resource = judges.registrations([block], world.provider())

    assert [(f.policy, f.level) for f in release_safety.resource(resource)] == [
        ("buckets-block-public-access", MANDATORY)
    ]
