"""Auto scaling is suspended while a deployment runs and as before when none does, whatever order events come in."""

import itertools
import json

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.guard import scaling_guard
from functions.guard.scaling_guard import ALL_SUSPENDED, Flags, Record, Step, decide
from tests.functions.scaling_world import (
    BY_HAND,
    ENDS,
    FREE,
    LET_IT_SCALE,
    SERVICES,
    SWEEP,
    event,
    send,
)


@pytest.mark.parametrize("before", BY_HAND)
@pytest.mark.parametrize("end", ENDS)
def test_a_deployment_is_guarded_and_then_everything_is_as_before(account, before, end):
    world = account(before)

    world.deploy("InProgress")
    send(event("START"))
    during = world.api
    world.deploy(ENDS[end])
    send(event(end))

    assert during == ALL_SUSPENDED
    assert world.api == before
    assert world.parameters == {}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("before", BY_HAND)
def test_every_order_repetition_and_loss_of_events_ends_as_before(account, end, before):
    """All orders of any of START, START again, the end, the end again; each START during the deployment or after."""
    events = [("START", 1), ("START", 2), (end, 1), (end, 2)]
    tried = 0
    for length in range(len(events) + 1):
        for order in itertools.permutations(events, length):
            # Where the deployment really ends: an end's event never comes before that.
            first_end = min((place for place, (state, _) in enumerate(order) if state == end), default=length)
            for over_at in range(first_end + 1):
                world = account(before)
                world.deploy("InProgress")
                for place, (state, _) in enumerate(order):
                    if place == over_at:
                        world.deploy(ENDS[end])
                    send(event(state))
                    if place < over_at:
                        assert world.api == ALL_SUSPENDED
                world.deploy(ENDS[end])
                send(SWEEP)
                assert world.api == before, (order, over_at)
                assert world.parameters == {}, (order, over_at)
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("end", ENDS)
def test_without_a_sweep_only_a_lost_end_leaves_anything_to_do(account, end):
    for order in itertools.permutations(["START", "START", end, end]):
        world = account()
        world.deploy(ENDS[end] if order[0] == end else "InProgress")
        for state in order:
            if state == end:
                world.deploy(ENDS[end])
            send(event(state))

        assert world.api == FREE
        assert world.parameters == {}


def test_a_lost_end_is_made_good_by_the_sweep(account):
    world = account()
    world.deploy("InProgress")
    send(event("START"))
    world.deploy("Failed")

    send(SWEEP)

    assert world.api == FREE
    assert world.parameters == {}


def test_a_lost_start_is_made_good_by_the_sweep(account):
    world = account()
    world.deploy("Ready")

    send(SWEEP)

    assert world.api == ALL_SUSPENDED


@pytest.mark.parametrize("status", scaling_guard.RUNNING)
def test_a_sweep_in_the_middle_of_a_deployment_changes_nothing(account, status):
    world = account()
    world.deploy(status)
    send(event("START"))
    updates = len(world.updates)

    send(SWEEP, SWEEP)

    assert world.api == ALL_SUSPENDED
    assert len(world.updates) == updates


def test_a_sweep_with_nothing_to_do_writes_nothing(account):
    world = account(ALL_SUSPENDED)

    send(SWEEP)

    assert world.updates == []
    assert world.parameters == {}


def test_a_roll_back_that_follows_a_failure_stays_guarded_to_its_own_end(account):
    before = BY_HAND[2]
    world = account(before)
    world.deploy("InProgress")
    send(event("START"))

    world.deploy("Failed")
    world.deploy("InProgress", "d-2")
    send(event("FAILURE"))
    between = world.api
    send(event("START", "d-2"))
    world.deploy("Succeeded", "d-2")
    send(event("SUCCESS", "d-2"))

    assert between == ALL_SUSPENDED
    assert world.api == before


def test_a_late_end_of_an_earlier_deployment_does_not_end_the_guard_of_the_next(account):
    world = account()
    world.deploy("Succeeded", "d-1")
    world.deploy("InProgress", "d-2")
    send(event("START", "d-2"))

    send(event("SUCCESS", "d-1"), event("START", "d-1"))

    assert world.api == ALL_SUSPENDED


def test_an_end_is_believed_though_codedeploy_still_lists_the_deployment(account):
    world = account()
    world.deploy("InProgress")
    send(event("START"))

    send(event("SUCCESS"))

    assert world.api == FREE


def test_a_start_is_believed_though_codedeploy_does_not_list_the_deployment_yet(account):
    world = account()
    world.deploy("Created", listed=False)

    send(event("START"))

    assert world.api == ALL_SUSPENDED


def test_deployments_of_two_services_do_not_touch_each_other(account):
    world = account(BY_HAND[3])
    world.deploy("InProgress", "d-1", "api")
    world.deploy("InProgress", "d-2", "worker")
    send(event("START", "d-1", "api"), event("START", "d-2", "worker"))

    world.deploy("Succeeded", "d-2", "worker")
    send(event("SUCCESS", "d-2", "worker"))

    assert world.api == ALL_SUSPENDED
    assert world.flags["service/prod/prod-worker"] == FREE
    assert list(world.parameters) == ["/ecs-release/prod/api/scaling-guard"]


def test_what_is_resumed_during_a_deployment_is_suspended_again_and_stays_resumed_after_it(account):
    world = account(ALL_SUSPENDED)
    world.deploy("InProgress")
    send(event("START"))

    world.api = FREE
    send(SWEEP)
    during = world.api
    world.deploy("Succeeded")
    send(event("SUCCESS"))

    assert during == ALL_SUSPENDED
    assert world.api == FREE
    assert world.parameters == {}


def test_a_person_lets_one_deployment_scale_and_no_other(account):
    before = BY_HAND[2]
    world = account(before)
    world.deploy("InProgress")
    send(event("START"))

    world.parameters[LET_IT_SCALE] = "d-1\n"
    send(SWEEP)
    during = world.api
    world.deploy("Failed")
    world.deploy("InProgress", "d-2")
    send(event("FAILURE"), event("START", "d-2"))

    assert during == before
    assert world.api == ALL_SUSPENDED


def test_a_sweep_does_not_suspend_for_a_deployment_that_is_over_and_still_listed(account):
    world = account()
    world.deploy("InProgress")
    send(event("START"))
    world.deploy("Succeeded")
    send(event("SUCCESS"))

    world.still_listed.add("d-1")
    send(SWEEP)

    assert world.api == FREE
    assert world.parameters == {}


def told(capsys):
    """The metrics that CloudWatch would read from what was printed."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    for line in lines:
        [directive] = line["_aws"]["CloudWatchMetrics"]
        assert directive["Dimensions"] == [["Environment"]]
        assert [metric["Name"] for metric in directive["Metrics"]] == ["SuspendedWithoutDeployment"]
    return [(line["SuspendedWithoutDeployment"], line["services"]) for line in lines]


def test_a_target_that_is_suspended_for_no_known_reason_is_told(account, capsys):
    world = account(ALL_SUSPENDED)

    send(SWEEP)

    assert told(capsys) == [(1, ["api"])]
    assert world.api == ALL_SUSPENDED


def test_nothing_is_told_of_a_deployment_or_of_what_a_person_suspended_in_part(account, capsys):
    world = account(BY_HAND[2])
    send(SWEEP)
    world.deploy("InProgress")
    send(event("START"), SWEEP)

    assert told(capsys) == [(0, []), (0, [])]


def test_a_target_that_is_not_there_is_not_made(account):
    world = account()
    world.flags = {}
    world.deploy("InProgress")

    send(event("START"), SWEEP, event("FAILURE"))

    assert world.flags == {}
    assert world.parameters == {}


def test_an_application_of_somebody_else_is_passed_over(account):
    world = account()

    send(event("START", service="other"))

    assert world.number == 0


def test_a_fault_at_any_call_is_made_good_by_the_next_sweep(account):
    """Every call of a START and of an end fails once in turn, with the event lost for good."""
    before = BY_HAND[3]

    def fault():
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "AnyCall")

    faults = 0
    for moment, number in itertools.product(["START", "SUCCESS"], range(1, 60)):
        world = account(before)
        world.deploy("InProgress")
        for state in ("START", "SUCCESS"):
            if state == "SUCCESS":
                world.deploy("Succeeded")
            world.number = 0
            world.on_call = {number: fault} if state == moment else {}
            try:
                send(event(state))
            except RuntimeError as error:
                faults += str(error).startswith("api: AWS could not answer AnyCall now (ThrottlingException)")
            world.on_call = {}
            if state == "START":
                send(SWEEP)
                assert world.api == ALL_SUSPENDED
        send(SWEEP)
        assert world.api == before
        assert world.parameters == {}
    assert faults > 15


@pytest.mark.parametrize("inner", ["START", "SUCCESS", "sweep", "next", "the end and the next", "the end"])
@pytest.mark.parametrize("outer", ["START", "SUCCESS", "sweep"])
@pytest.mark.parametrize("before", [FREE, BY_HAND[2]])
def test_another_invocation_between_any_two_calls_leaves_nothing_behind(account, before, inner, outer):
    for number in range(1, 60):
        world = account(before)
        world.deploy("InProgress")
        if outer != "START":
            send(event("START"))
        if outer == "SUCCESS":
            world.deploy("Succeeded")

        def between(world=world):
            if inner == "SUCCESS":
                world.deploy("Succeeded")
            if inner.startswith("the end"):
                world.deploy("Succeeded")
                send(event("SUCCESS"))
            if "next" in inner or inner == "the end":
                world.deploy("Succeeded")
                world.deploy("InProgress", "d-2")
            if inner != "the end":
                send(SWEEP if inner == "sweep" else event("START", "d-2") if "next" in inner else event(inner))

        world.number = 0
        world.on_call = {number: between}
        send(SWEEP if outer == "sweep" else event(outer))
        world.on_call = {}

        running = [name for name, (_, status, _) in world.deployments.items() if status in scaling_guard.RUNNING]
        send(SWEEP)
        assert world.api == (ALL_SUSPENDED if running else before), (number, running)
        for name in running:
            world.deploy("Stopped", name)
        send(SWEEP)
        assert world.api == before, number
        assert world.parameters == {}


def test_a_fault_of_one_service_does_not_keep_the_sweep_from_the_others(account):
    world = account()
    world.deploy("InProgress", "d-2", "worker")
    send(event("START", "d-2", "worker"))
    world.deploy("Stopped", "d-2", "worker")
    world.parameters["/ecs-release/prod/api/scaling-guard"] = "what?"

    with pytest.raises(RuntimeError, match="which the guard did not write; set the suspended state of"):
        send(SWEEP)

    assert world.flags["service/prod/prod-worker"] == FREE


@pytest.mark.parametrize(
    "flags", [Flags(scale_in=a, scale_out=b, scheduled=c) for a, b, c in itertools.product([True, False], repeat=3)]
)
@pytest.mark.parametrize("deploying", [True, False])
@pytest.mark.parametrize("applied", [True, False])
def test_nobody_is_ever_suspended_without_a_record(flags, deploying, applied):
    record = Record(before=flags, applied=applied)

    assert decide(flags, None, deploying=deploying) is (Step.REMEMBER if deploying else Step.NOTHING)
    assert decide(flags, record, deploying=False) is Step.FORGET


def test_a_sweep_over_many_services_side_by_side_restores_each(account, monkeypatch):
    names = [f"service-{number:03}" for number in range(120)]
    monkeypatch.setenv("GUARDED_SERVICES", json.dumps({**SERVICES, "services": names}))
    monkeypatch.setattr(scaling_guard, "AT_ONCE", 8)
    world = account()
    world.flags = {f"service/prod/prod-{name}": FREE for name in names}
    for name in names:
        world.deploy("InProgress", f"d-{name}", name)
    send(SWEEP)
    during = set(world.flags.values())
    for name in names:
        world.deploy("Failed", f"d-{name}", name)

    send(SWEEP)

    assert during == {ALL_SUSPENDED}
    assert set(world.flags.values()) == {FREE}
    assert world.parameters == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be JSON with services"),
        ("[]", "must be JSON with services"),
        (json.dumps({**SERVICES, "services": None}), "must be JSON with services"),
        (json.dumps({key: SERVICES[key] for key in SERVICES if key != "group"}), "'group'"),
        (json.dumps({**SERVICES, "parameter": "/guard"}), "'/guard' as parameter of 2 services"),
    ],
)
def test_wrong_settings_are_named(monkeypatch, text, says):
    monkeypatch.setenv("GUARDED_SERVICES", text)

    with pytest.raises(ValueError, match=says):
        send(SWEEP)


def test_an_event_of_another_kind_is_an_error(account):
    account()

    with pytest.raises(ValueError, match="it knows 'CodeDeploy Deployment"):
        send({"detail-type": "ECS Task State Change"})


class TestOnTheEmulator:
    """The same against the real shapes of the three APIs."""

    @pytest.fixture
    def target(self, world):
        world.ecs.register_task_definition(
            family="prod-api", containerDefinitions=[{"name": "app", "image": "x", "memory": 64}]
        )
        world.ecs.create_service(cluster="prod", serviceName="prod-api", taskDefinition="prod-api", desiredCount=1)
        self.scaling = boto3.client("application-autoscaling")
        self.name = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/prod/prod-api",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        self.scaling.register_scalable_target(**self.name, MinCapacity=2, MaxCapacity=6)
        codedeploy = boto3.client("codedeploy")
        codedeploy.create_application(applicationName="prod-api", computePlatform="ECS")
        codedeploy.create_deployment_group(
            applicationName="prod-api",
            deploymentGroupName="prod-api",
            serviceRoleArn="arn:aws:iam::123456789012:role/x",
        )
        return world

    def state(self):
        (found,) = self.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        return Flags.of(found.get("SuspendedState", {})), found["MinCapacity"], found["MaxCapacity"]

    def test_start_and_end(self, target, monkeypatch):
        monkeypatch.setenv("GUARDED_SERVICES", json.dumps({**SERVICES, "services": ["api"]}))
        target.reply("codedeploy", "ListDeployments", 200, {"deployments": ["d-1"]})
        target.reply("codedeploy", "GetDeployment", 200, {"deploymentInfo": {"status": "InProgress"}})
        send(event("START"))
        during = self.state()
        kept = boto3.client("ssm").get_parameter(Name="/ecs-release/prod/api/scaling-guard")["Parameter"]
        target.reply("codedeploy", "ListDeployments", 200, {"deployments": []})
        send(event("SUCCESS"), SWEEP)

        assert during == (ALL_SUSPENDED, 2, 6)
        assert json.loads(kept["Value"])["applied"] is True
        assert self.state() == (FREE, 2, 6)
        assert boto3.client("ssm").describe_parameters()["Parameters"] == []

    def test_a_late_start_asks_codedeploy_for_the_deployment(self, target, monkeypatch):
        monkeypatch.setenv("GUARDED_SERVICES", json.dumps({**SERVICES, "services": ["api"]}))
        deployment = boto3.client("codedeploy").create_deployment(
            applicationName="prod-api", deploymentGroupName="prod-api"
        )["deploymentId"]
        target.reply("codedeploy", "ListDeployments", 200, {"deployments": []})
        target.reply("codedeploy", "GetDeployment", 200, {"deploymentInfo": {"status": "Succeeded"}})

        send(event("START", deployment))

        assert self.state() == (FREE, 2, 6)
        assert "codedeploy:GetDeployment" in target.calls
