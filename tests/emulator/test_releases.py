"""Every way that a release of a sample stack can go, and what a rehearsal says when it ends wrong."""

import io
import json
import zipfile
from dataclasses import replace
from functools import cache

import pytest
from pulumi_rehearsal import Asset

from functions.deploy import ecs_deploy
from rehearsal.emulator import strategy
from rehearsal.emulator.accepted_grants import ACCEPTED, accepted, obsolete, unaccepted
from rehearsal.emulator.errors import HandoffFailedError, NotDeclaredError, StepError
from rehearsal.emulator.release import Outcome, rehearse_release
from tests.emulator.changed import changed, not_allowing, policy_of, resource, without
from tests.rehearsed import STACKS, named, rehearse_stack, rehearsed

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
GROUP = "aws:codedeploy/deploymentGroup:DeploymentGroup"


def released(stack="dev", **how) -> Outcome:
    return rehearse_release(rehearsed(stack, "up"), **how)


@cache
def everything(stack) -> dict[str | None, Outcome]:
    """Every way that a release of the stack can go."""
    out = {}
    for step in (None, *strategy.steps()):
        try:
            out[step] = released(stack, step=step)
        except StepError:
            continue
    return out


def of_worker(environment="dev", account="111111111111") -> bytes:
    """A hand-off of the service worker, for releases that are not about CI's script: it takes a third of their time."""
    host = f"{account}.dkr.ecr.ap-northeast-1.amazonaws.com"
    entry = {"name": "worker", "imageUri": f"{host}/{environment}/worker/worker:{environment}-1234567"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("imagedefinitions.json", json.dumps([entry]))
    return buffer.getvalue()


def wrong(outcome: Outcome) -> list[str]:
    return [f"{c.service}: {c.what}: {c.found}" for c in outcome.checks if not c.ok]


def texts(outcome: Outcome, stage: str) -> list[str]:
    return [e.text for e in outcome.entries if e.stage == stage]


# What the issue asks for: every stack, every step, every call.


@pytest.mark.parametrize("stack", STACKS)
def test_every_way_a_release_can_go_ends_right_under_roles_that_allow_it_and_little_else(stack):
    outcomes = everything(stack)

    assert {step: wrong(o) for step, o in outcomes.items() if not o.ok} == {}
    assert {problem for o in outcomes.values() for problem in o.problems} == set()
    used = frozenset().union(*(o.used for o in outcomes.values()))
    granted = outcomes[None].granted
    assert unaccepted(granted - used) == []
    assert obsolete(granted, granted - used) == []
    assert {g.role for g, _ in accepted(granted - used)} <= {entry.role for entry in ACCEPTED}
    approves = {"rejected-approval"} if stack == "prod" else set()
    assert set(outcomes) == {None, *strategy.steps()} - {"rejected-approval"} | approves
    assert {c.service for c in outcomes[None].checks} == {"api", "worker"}


def test_the_time_line_of_a_blue_green_release_is_in_the_order_of_the_flow():
    outcome = released("prod", services=["api"])

    order = [e.stage for e in outcome.entries]
    first = {stage: order.index(stage) for stage in reversed(order)}
    flow = ["CI", "EventBridge", "CodePipeline", "a person", "CodeDeploy", "Hook"]
    assert sorted(flow, key=first.__getitem__) == flow
    shifts = [text for text in texts(outcome, "CodeDeploy") if "% of the traffic" in text]
    assert shifts == [f"{percent} % of the traffic goes to prod-api-green" for percent in range(10, 101, 10)]
    assert outcome.entries[-1].seconds > 60 * 60
    guard = texts(outcome, "Scaling guard")
    assert guard == ["on START: api: remember, suspend, confirm", "on SUCCESS: api: restore, forget"]
    assert all(e.role for e in outcome.entries if e.stage in {"CI", "CodeDeploy", "Hook", "Scaling guard"})


def test_each_channel_is_notified_with_its_own_token():
    outcome = released("prod", services=["worker"], handoff=of_worker("prod", "222222222222"))

    assert {(p.kind, p.room, p.token) for p in outcome.messages} == {
        ("slack", "C0123456789", "stand-in-0"),
        ("chatwork", "123456789", "stand-in-1"),
    }
    waiting = [p.text for p in outcome.messages if "waiting for approval" in p.text]
    assert len(waiting) == 2
    assert all("worker prod-" in text for text in waiting)


@pytest.mark.parametrize("service", ["api", "worker"])
def test_a_first_release_replaces_the_stand_in_and_begins_a_family_of_its_own(service):
    handed = {} if service == "api" else {"handoff": of_worker("dev", "111111111111")}

    outcome = released(services=[service], first_release=True, **handed)

    assert outcome.ok, wrong(outcome)
    assert texts(outcome, "ECS")[0].startswith(f"dev-{service}_stand-in:1 is live")
    [found] = [c.found for c in outcome.checks if c.what == "the new version is live, by digest"]
    assert found.startswith(f"dev-{service}:1")


def test_events_and_jobs_that_come_twice_change_nothing_but_the_number_of_messages():
    once, twice = (
        released("prod", services=["worker"], handoff=of_worker("prod", "222222222222"), twice=t) for t in (0, 1)
    )

    assert twice.ok, wrong(twice)
    assert len(twice.messages) == 2 * len(once.messages)
    assert texts(twice, "ECS") == texts(once, "ECS")


def test_a_scaling_guard_that_hears_everything_twice_restores_what_stood_before():
    outcome = released("dev", services=["api"], step="stop", twice=True)

    assert outcome.ok, wrong(outcome)


def test_a_deployment_that_does_not_ask_whether_its_release_is_the_one_is_seen(monkeypatch):
    monkeypatch.setattr(ecs_deploy, "_refuse_unless_current", lambda *_: None)

    outcome = released("dev", services=["worker"], step="late-job")

    [found] = [c for c in outcome.checks if not c.ok]
    assert found.what == "the new version is live, by digest"
    assert found.found.startswith("dev-worker:4: ")


def test_an_event_of_s3_itself_pins_the_version_that_was_put():
    outcome = rehearse_release(rehearsed("dev", "up", trigger="s3-events"), services=["worker"], handoff=of_worker())

    assert outcome.ok, wrong(outcome)
    assert [t for t in texts(outcome, "CodePipeline") if "(pinned by the event)" in t]


def test_a_person_may_say_no():
    outcome = released(
        "prod", services=["worker"], handoff=of_worker("prod", "222222222222"), approve=lambda _question: False
    )

    assert outcome.ok, wrong(outcome)
    assert "rejects the release" in texts(outcome, "a person")
    assert ("the previous version is live", "prod-worker:1") in [(c.what, c.found) for c in outcome.checks]


def test_a_person_is_asked_with_what_the_gate_saw():
    questions = []

    released(
        "prod",
        services=["worker"],
        handoff=of_worker("prod", "222222222222"),
        approve=lambda question: questions.append(question) or True,
    )

    (question,) = questions
    assert question.pipeline == "prod-worker"
    assert "#{" not in question.text
    assert "2 MEDIUM and 5 LOW" in question.text


def test_an_own_hand_off_of_junk_is_refused_by_the_gate():
    outcome = released(services=["worker"], handoff=b"junk")

    assert not outcome.ok
    assert any("imagedefinitions.json.zip" in text and "fails" in text for text in texts(outcome, "CodePipeline"))


def test_a_step_that_can_happen_to_no_service_is_refused():
    with pytest.raises(StepError, match="its pipeline asks nobody for approval"):
        released(step="rejected-approval")


def test_a_step_that_no_strategy_has_is_refused():
    with pytest.raises(StepError, match="There is no step hurry; a release can be made to fail at bad-image, "):
        released(step="hurry")


def with_contract(run, service, **entries):
    """The run in which a service's release.json says something else."""
    template = next(
        r for r in run.all("aws:s3/bucketObjectv2:BucketObjectv2") if r.inputs["key"] == f"{service}/template.zip"
    )

    def other(inputs):
        text = inputs["source"].assets["release.json"]
        content = json.dumps({**json.loads(text.text), **entries})
        inputs["source"] = replace(
            inputs["source"], assets={**inputs["source"].assets, "release.json": Asset(text=content)}
        )

    return changed(run, template, other)


def test_a_strategy_that_the_emulator_does_not_have_is_one_sentence():
    run = with_contract(rehearsed("dev", "up"), "worker", strategy="all-at-once")

    with pytest.raises(
        NotDeclaredError, match=r"deploys by the strategy all-at-once, .* it knows blue-green, rolling;"
    ):
        rehearse_release(run, services=["worker"])


def test_a_blue_green_service_without_a_deployment_group_is_one_sentence():
    run = with_contract(rehearsed("dev", "up"), "worker", strategy="blue-green")

    with pytest.raises(NotDeclaredError, match="Service worker deploys blue/green and has no deployment group"):
        rehearse_release(run, services=["worker"])


def test_a_template_that_no_release_can_be_made_by_is_one_sentence():
    run = with_contract(rehearsed("dev", "up"), "worker", architecture="MIPS")

    with pytest.raises(
        NotDeclaredError, match=r'worker/template.zip .*"MIPS" at architecture; allowed is ARM64 or X86_64'
    ):
        rehearse_release(run, services=["worker"])


def test_a_service_that_is_not_there_is_refused():
    with pytest.raises(StepError, match="has no service web; it has api, worker"):
        released(services=["web"])


def test_a_service_to_which_a_step_cannot_happen_is_left_out_and_said():
    outcome = released(step="stop")

    assert list(outcome.left_out) == ["worker"]
    assert {c.service for c in outcome.checks} == {"api"}


# What a role is not allowed is found.


@pytest.mark.parametrize(
    ("role", "action", "on"),
    [
        ("dev-worker-deploy", "ecs:UpdateService", "service/dev/dev-worker"),
        ("dev-worker-deploy", "iam:PassRole", "role/dev-worker-task"),
        ("dev-worker-gate", "ecr:DescribeImageScanFindings", "repository/dev/worker/worker"),
        ("dev-worker-ci-github", "s3:PutObject", "dev-ecsdef-111111111111/worker/imagedefinitions.json.zip"),
        ("dev-worker-execution", "logs:CreateLogStream", "log-group:/ecs/dev/worker"),
        ("dev-worker-source-action", "s3:PutObjectTagging", "dev-ecsartifacts-111111111111/dev-worker/"),
        ("dev-worker-trigger", "codepipeline:StartPipelineExecution", "codepipeline"),
    ],
)
def test_a_permission_that_a_role_lacks_is_named_with_role_action_and_resource(role, action, on):
    run = not_allowing(rehearsed("dev", "up"), role, action)

    outcome = rehearse_release(run, services=["worker"], handoff=of_worker())

    assert not outcome.ok
    assert outcome.problems
    assert all(role in p and action in p for p in outcome.problems)
    assert any(on in p and "none of its statements allows it" in p for p in outcome.problems)


def test_an_action_that_is_never_used_on_one_of_its_resources_is_found():
    run, service, revision = rehearsed("dev", "up"), "ecs:UpdateService", "ecs:RegisterTaskDefinition"

    def together(inputs):
        document = json.loads(inputs["policy"])
        merged = [s for s in document["Statement"] if {service, revision} & set(s["Action"])]
        both = {"Sid": "Both", "Effect": "Allow", "Action": [service, revision]}
        both["Resource"] = [resource for s in merged for resource in s["Resource"]]
        for statement in merged:
            statement["Action"] = [a for a in statement["Action"] if a not in {service, revision}] or ["none:Nothing"]
        inputs["policy"] = json.dumps({**document, "Statement": [*document["Statement"], both]})

    outcome = rehearse_release(
        changed(run, policy_of(run, "dev-worker-deploy"), together), services=["worker"], handoff=of_worker()
    )

    assert outcome.ok, outcome.problems
    found = {
        (g.action, g.resource.split(":")[5].split("/")[0]) for g in outcome.granted - outcome.used if g.sid == "Both"
    }
    assert found == {(service, "task-definition"), (revision, "service")}


def test_a_condition_that_the_call_does_not_meet_is_a_call_that_is_not_allowed():
    run = rehearsed("dev", "up")
    policy = next(p for p in run.all("aws:iam/rolePolicy:RolePolicy") if p.inputs["role"] == "dev-scaling-guard")

    def for_rds(inputs):
        inputs["policy"] = inputs["policy"].replace("ecs:service:DesiredCount", "rds:cluster:ReadReplicaCount")

    outcome = rehearse_release(changed(run, policy, for_rds), services=["api"])

    assert len(outcome.problems) == 1
    assert "dev-scaling-guard may not call application-autoscaling:RegisterScalableTarget" in outcome.problems[0]


def test_a_boundary_that_does_not_allow_what_the_role_allows_is_found():
    run = rehearsed("dev", "up")
    boundary = named(run, "aws:iam/policy:Policy", "dev-worker-ci-boundary")

    def no_put(inputs):
        document = json.loads(inputs["policy"])
        document["Statement"] = [s for s in document["Statement"] if "s3:PutObject" not in s["Action"]]
        inputs["policy"] = json.dumps(document)

    outcome = rehearse_release(changed(run, boundary, no_put), services=["worker"])

    (problem,) = outcome.problems
    assert "its permissions boundary does not allow it" in problem


def test_a_role_that_trusts_somebody_else_is_found():
    run = rehearsed("dev", "up")
    role = resource(run, "aws:iam/role:Role", "dev-worker-gate")

    def ec2(inputs):
        inputs["assumeRolePolicy"] = inputs["assumeRolePolicy"].replace("lambda.amazonaws.com", "ec2.amazonaws.com")

    outcome = rehearse_release(changed(run, role, ec2), services=["worker"], handoff=of_worker())

    expected = "The trust document of dev-worker-gate does not let lambda.amazonaws.com assume it."
    assert outcome.problems == [expected]


def test_a_function_that_does_not_admit_its_rule_is_found():
    run = rehearsed("dev", "up")
    (permission,) = [
        p
        for p in run.all("aws:lambda/permission:Permission")
        if p.inputs["sourceArn"].endswith("rule/dev-deployments-guard")
    ]

    outcome = rehearse_release(without(run, permission), services=["api"])

    expected = "The function dev-scaling-guard does not let the rule dev-deployments-guard call it."
    assert outcome.problems == [expected]


# What is declared wrong ends wrong.


def test_a_rule_on_another_key_starts_nothing():
    run = rehearsed("dev", "up")
    rule = named(run, RULE, "dev-worker-handoff")

    def other(inputs):
        inputs["eventPattern"] = inputs["eventPattern"].replace("worker/imagedefinitions", "workers/imagedefinitions")

    outcome = rehearse_release(changed(run, rule, other), services=["worker"], handoff=of_worker())

    assert wrong(outcome) == ["worker: the hand-off starts the pipeline: nothing started"]


def test_a_trail_that_does_not_log_the_hand_off_starts_nothing():
    run = rehearsed("dev", "up")
    (trail,) = run.all("aws:cloudtrail/trail:Trail")

    def elsewhere(inputs):
        (selector,) = inputs["advancedEventSelectors"]
        (where,) = [f for f in selector["fieldSelectors"] if f["field"] == "resources.ARN"]
        where["startsWiths"] = ["arn:aws:s3:::another-bucket/"]

    outcome = rehearse_release(changed(run, trail, elsewhere), services=["worker"], handoff=of_worker())

    assert wrong(outcome) == ["worker: the hand-off starts the pipeline: nothing started"]
    assert "the put makes no event: no trail logs it" in texts(outcome, "EventBridge")


def test_a_trail_of_the_accounts_own_is_taken_to_log_the_hand_off():
    outcome = rehearse_release(rehearsed("dev", "up", trail="reuse"), services=["worker"], handoff=of_worker())

    assert outcome.ok, wrong(outcome)
    assert len(texts(outcome, "CloudTrail")) == 1


def test_a_deployment_group_without_a_way_back_leaves_the_new_version_live():
    run = rehearsed("dev", "up")
    (group,) = run.all(GROUP)

    outcome = rehearse_release(
        changed(run, group, lambda inputs: inputs["autoRollbackConfiguration"].update(enabled=False)),
        services=["api"],
        step="stop",
    )

    found = wrong(outcome)
    assert any("the previous version is live" in line for line in found)
    assert any("nothing is left over: task sets of" in line for line in found)


def test_a_rolling_service_without_a_circuit_breaker_never_ends_well():
    run = rehearsed("dev", "up")
    service = named(run, "aws:ecs/service:Service", "dev-worker")

    outcome = rehearse_release(
        changed(run, service, lambda inputs: inputs["deploymentCircuitBreaker"].update(rollback=False)),
        services=["worker"],
        handoff=of_worker(),
        step="failed-smoke-test",
    )

    assert any("the previous version is live" in line for line in wrong(outcome))


def test_scaling_that_nobody_guards_is_found():
    run = rehearsed("dev", "up")
    target = next(t for t in run.all(TARGET) if t.inputs["rule"] == "dev-deployments-guard")

    outcome = rehearse_release(without(run, target), services=["api"])

    assert wrong(outcome) == ["api: auto scaling was suspended while traffic shifted: it was not"]


def test_people_who_are_not_told_are_named():
    run = rehearsed("prod", "up")
    target = next(t for t in run.all(TARGET) if t.inputs["rule"] == "prod-pipelines-notify")

    outcome = rehearse_release(without(run, target), services=["worker"], handoff=of_worker("prod", "222222222222"))

    (found,) = wrong(outcome)
    assert "missing are slack C0123456789: release started" in found


def test_a_function_that_fails_by_itself_is_found():
    run = rehearsed("dev", "up")
    guard = named(run, "aws:lambda/function:Function", "dev-scaling-guard")

    outcome = rehearse_release(
        changed(run, guard, lambda inputs: inputs["environment"]["variables"].update(GUARDED_SERVICES="[]")),
        services=["api"],
    )

    assert any("no function failed by itself: dev-scaling-guard failed (ValueError" in line for line in wrong(outcome))


def test_what_cis_script_says_is_handed_on():
    run = rehearsed("dev", "up")
    repository = named(run, "aws:ecr/repository:Repository", "dev/worker/worker")

    with pytest.raises(HandoffFailedError, match="handoff: looking up"):
        rehearse_release(without(run, repository), services=["worker"], first_release=True)


SUBNETS = [f"subnet-{n:017x}" for n in range(4)]


def standing_in(*subnets) -> dict:
    """A network of the tests' own VPC with these subnets."""
    return {"existing": {"vpcId": "vpc-0a1b2c3d4e5f60718", "privateSubnetIds": list(subnets)}}


def moves(outcome: Outcome) -> list[str]:
    return [t for t in texts(outcome, "CodeDeploy") if t.startswith("moves the tasks")]


def test_the_release_after_other_subnets_moves_the_tasks_of_a_blue_green_service():
    before = rehearsed("dev", "up", network=standing_in(*SUBNETS[:2]))
    overrides = {"network": standing_in(*SUBNETS[2:])}
    run = rehearse_stack("dev", "up", config_overrides=overrides, packs=[], previous=before)
    group = named(run, "aws:ec2/securityGroup:SecurityGroup", "dev-api-tasks").id

    outcome = rehearse_release(run, services=["api"])

    assert wrong(outcome) == []
    assert moves(outcome) == [
        f"moves the tasks from {SUBNETS[0]}, {SUBNETS[1]}, {group} to {SUBNETS[2]}, {SUBNETS[3]}, {group}"
    ]


def test_a_release_in_the_same_subnets_moves_nothing():
    assert moves(everything("dev")[None]) == []
