"""Auto scaling is suspended while a deployment runs and as before when none does, whatever order events come in."""

# The fake takes what boto3's clients take.
# ruff: noqa: ARG002, N803

import itertools
import json

import boto3
import pytest
from botocore.exceptions import ClientError

from functions import aws, scaling_guard
from functions.scaling_guard import ALL_SUSPENDED, Flags, Record, Step, decide
from tests.functions.world import context

SERVICES = {
    "services": ["api", "worker"],
    "application": "prod-{service}",
    "group": "prod-{service}",
    "resourceId": "service/prod/prod-{service}",
    "parameter": "/ecs-release/prod/{service}/scaling-guard",
}
FREE = Flags(scale_in=False, scale_out=False, scheduled=False)
BY_HAND = [
    FREE,
    ALL_SUSPENDED,
    Flags(scale_in=True, scale_out=False, scheduled=False),
    Flags(scale_in=False, scale_out=True, scheduled=True),
]
ENDS = {"SUCCESS": "Succeeded", "FAILURE": "Failed", "STOP": "Stopped"}
SWEEP = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def event(state, deployment="d-1", service="api"):
    """A CodeDeploy event as EventBridge delivers it."""
    arn = "arn:aws:codedeploy:ap-northeast-1:123456789012"
    return {
        "version": "0",
        "id": "c071bfbf-83c4-49ca-a6ff-3df053957145",
        "account": "123456789012",
        "region": "ap-northeast-1",
        "time": "2026-11-21T06:00:00Z",
        "source": "aws.codedeploy",
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "resources": [
            f"{arn}:application:prod-{service}",
            f"{arn}:deploymentgroup:prod-{service}/prod-{service}",
        ],
        "detail": {
            "region": "ap-northeast-1",
            "application": f"prod-{service}",
            "deploymentGroup": f"prod-{service}",
            "deploymentId": deployment,
            "instanceGroupId": "9fd2fbef-2157-40d8-91e7-6845af69e2d2",
            "state": state,
        },
    }


class NoSuchParameterError(ClientError):
    """ssm's ParameterNotFound."""


class ParameterThereError(ClientError):
    """ssm's ParameterAlreadyExists."""


class Account:
    """The three services that the guard speaks to, in memory, so that every order of everything can be tried.

    `on_call` runs before the call of that number: a fault, or another invocation in between.
    """

    class exceptions:  # noqa: N801  (named as a botocore client's)
        ParameterNotFound = NoSuchParameterError
        ParameterAlreadyExists = ParameterThereError

    def __init__(self, before=FREE):
        self.flags = {"service/prod/prod-api": before, "service/prod/prod-worker": FREE}
        self.parameters = {}
        self.deployments = {}
        self.number = 0
        self.on_call = {}
        self.updates = []

    def _call(self):
        self.number += 1
        if hook := self.on_call.pop(self.number, None):
            hook()

    def describe_scalable_targets(self, *, ServiceNamespace, ResourceIds, ScalableDimension):
        self._call()
        assert (ServiceNamespace, ScalableDimension) == ("ecs", "ecs:service:DesiredCount")
        found = [name for name in ResourceIds if name in self.flags]
        return {"ScalableTargets": [{"SuspendedState": self.flags[name].state()} for name in found]}

    def register_scalable_target(self, *, ServiceNamespace, ResourceId, ScalableDimension, SuspendedState):
        self._call()
        assert ResourceId in self.flags
        self.flags[ResourceId] = Flags.of(SuspendedState)
        self.updates.append(ResourceId)

    def get_paginator(self, operation):
        assert operation == "list_deployments"
        return self

    def paginate(self, *, applicationName, deploymentGroupName, includeOnlyStatuses):
        self._call()
        assert applicationName == deploymentGroupName
        running = [
            name
            for name, (application, status, listed) in self.deployments.items()
            if application == applicationName and status in includeOnlyStatuses and listed
        ]
        # An empty page may come before a full one.
        return [{}, {"deployments": running}]

    def get_deployment(self, *, deploymentId):
        self._call()
        return {"deploymentInfo": {"status": self.deployments[deploymentId][1]}}

    def get_parameter(self, *, Name):
        self._call()
        if Name not in self.parameters:
            raise NoSuchParameterError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.parameters[Name]}}

    def put_parameter(self, *, Name, Description, Value, Type, Overwrite):
        self._call()
        if Name in self.parameters and not Overwrite:
            raise ParameterThereError({"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter")
        self.parameters[Name] = Value

    def delete_parameter(self, *, Name):
        self._call()
        if Name not in self.parameters:
            raise NoSuchParameterError({"Error": {"Code": "ParameterNotFound"}}, "DeleteParameter")
        del self.parameters[Name]

    @property
    def api(self):
        return self.flags["service/prod/prod-api"]

    @api.setter
    def api(self, flags):
        self.flags["service/prod/prod-api"] = flags

    def deploy(self, status="InProgress", deployment="d-1", service="api", *, listed=True):
        self.deployments[deployment] = (f"prod-{service}", status, listed)


@pytest.fixture(autouse=True)
def _services(monkeypatch):
    monkeypatch.setenv("GUARDED_SERVICES", json.dumps(SERVICES))
    # One after the other, so that the calls can be counted.
    monkeypatch.setattr(scaling_guard, "AT_ONCE", 1)


@pytest.fixture
def account(monkeypatch):
    """Make an account with the target as it stood; the guard speaks to the one made last."""
    made = []
    monkeypatch.setattr(aws, "client", lambda *_: made[-1])

    def make(before=FREE):
        made.append(Account(before))
        return made[-1]

    return make


def send(*events):
    for one in events:
        scaling_guard.handler(one, context())


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


def test_what_a_person_resumes_during_a_deployment_stays_resumed(account):
    world = account(ALL_SUSPENDED)
    world.deploy("InProgress")
    send(event("START"))

    world.api = FREE
    send(event("START"), SWEEP)
    during = world.api
    world.deploy("Succeeded")
    send(event("SUCCESS"))

    assert during == FREE
    assert world.api == FREE


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
    for moment, number in itertools.product(["START", "SUCCESS"], range(1, 40)):
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


@pytest.mark.parametrize("inner", ["START", "SUCCESS", "sweep", "next"])
@pytest.mark.parametrize("outer", ["START", "SUCCESS", "sweep"])
@pytest.mark.parametrize("before", [FREE, BY_HAND[2]])
def test_another_invocation_between_any_two_calls_leaves_nothing_behind(account, before, inner, outer):
    for number in range(1, 26):
        world = account(before)
        world.deploy("InProgress")
        if outer != "START":
            send(event("START"))
        if outer == "SUCCESS":
            world.deploy("Succeeded")

        def between(world=world):
            if inner == "SUCCESS":
                world.deploy("Succeeded")
            if inner == "next":
                world.deploy("Succeeded")
                world.deploy("InProgress", "d-2")
            send({"sweep": SWEEP, "next": event("START", "d-2")}.get(inner) or event(inner))

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
