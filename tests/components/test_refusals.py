"""What an update may not take from revisions that may still be started: the comparison alone, over plain data."""

import copy
import json

import pytest

from components import settings, strategies
from components.needs import of_stack
from components.refusals import NeededError, refusals, warnings
from tests.rehearsed import stack_settings

TABLE = "arn:aws:dynamodb:ap-northeast-1:111111111111:table/dev-orders"
HOOK = "arn:aws:lambda:ap-northeast-1:111111111111:function:look-first"
OTHER_HOOK = "arn:aws:lambda:ap-northeast-1:111111111111:function:look-better"
CERTIFICATE = "arn:aws:acm:ap-northeast-1:111111111111:certificate/7c1f0e52-93b4-4d0a-8a6e-5f2b1c9d3e47"


def before():
    """Settings of a stack with one of everything that can retire."""
    stack = stack_settings("dev")
    stack["services"][0]["hooks"] = {"beforeInstall": HOOK}
    return stack


def needs(stack):
    """As the state keeps it: through JSON."""
    return json.loads(json.dumps(of_stack(settings.load(stack, strategies.ALL), strategies.ALL)))


def after(change):
    stack = copy.deepcopy(before())
    change(stack, *stack["services"])
    return needs(stack)


def refused(change, *earlier):
    old = needs(before())
    for one in earlier:
        old = after(one)
    return refusals(old, after(change))


def both(*changes):
    def change(stack, api, worker):
        for one in changes:
            one(stack, api, worker)

    return change


def container(api, name):
    return next(c for c in api["containers"] if c["name"] == name)


# ---------------------------------------------------------------- what retires


def secret_leaves(_, api, __):
    del container(api, "app")["secrets"]["DATABASE_URL"]


def secret_moves(_, api, __):
    container(api, "app")["secrets"]["DATABASE_URL"] = {"ssm": "/dev/api/database"}


def secret_is_called_otherwise(_, api, __):
    secrets = container(api, "app")["secrets"]
    secrets["DB"] = secrets.pop("DATABASE_URL")


def container_leaves(_, api, __):
    container(api, "nginx")["secrets"] = container(api, "app")["secrets"]
    api["containers"] = [c for c in api["containers"] if c["name"] != "app"]


def container_is_called_otherwise(_, api, __):
    container(api, "app")["name"] = "php"


def port_moves(_, api, __):
    container(api, "nginx")["ports"], api["loadBalancer"]["port"] = [8081], 8081


def second_port(_, api, __):
    container(api, "nginx")["ports"] = [8080, 8081]


def hook_leaves(_, api, __):
    del api["hooks"]


def hook_is_another(_, api, __):
    api["hooks"] = {"beforeInstall": OTHER_HOOK}


def permission_leaves(_, api, __):
    api["permissions"][0]["actions"] = ["dynamodb:GetItem"]


def permission_is_called_otherwise(_, api, __):
    api["permissions"][0]["sid"] = "Orders"


def retiring(**parts):
    def change(_, api, __):
        api["retiring"] = parts

    return change


SECRET = {"secrets": [{"ssm": "/dev/api/database-url"}]}
RIGHTS = {"permissions": [{"sid": "Orders", "actions": ["dynamodb:PutItem", "dynamodb:Query"], "resources": [TABLE]}]}

LEAVING = [
    (secret_leaves, SECRET, 'retiring: {secrets: [{ssm: "/dev/api/database-url"}]}'),
    (secret_moves, SECRET, 'retiring: {secrets: [{ssm: "/dev/api/database-url"}]}'),
    (container_leaves, {"containers": ["app"]}, "retiring: {containers: [app]}"),
    (container_is_called_otherwise, {"containers": ["app"]}, "retiring: {containers: [app]}"),
    (port_moves, {"ports": [8080]}, "retiring: {ports: [8080]}"),
    (hook_leaves, {"hooks": [HOOK]}, f"retiring: {{hooks: [{HOOK}]}}"),
    (hook_is_another, {"hooks": [HOOK]}, f"retiring: {{hooks: [{HOOK}]}}"),
    (
        permission_leaves,
        RIGHTS,
        f'{{sid: Why, actions: ["dynamodb:PutItem", "dynamodb:Query"], resources: ["{TABLE}"]}}',
    ),
]
BY_NAME = [change.__name__ for change, _, _ in LEAVING]


@pytest.mark.parametrize(("change", "stays", "written"), LEAVING, ids=BY_NAME)
def test_what_leaves_without_retiring_is_refused_in_one_sentence_that_says_what_to_write(change, stays, written):
    [sentence] = refused(change)

    assert sentence.startswith("ecs-release:services[api]: the ")
    assert written in sentence


@pytest.mark.parametrize(("change", "stays", "written"), LEAVING, ids=BY_NAME)
def test_what_retires_may_leave_and_goes_for_good_with_a_warning(change, stays, written):
    kept = both(change, retiring(**stays))

    assert refused(kept) == []
    assert refused(change, kept) == []
    [sentence] = warnings(after(kept), after(change))
    assert sentence.startswith(f"ecs-release:services[api].retiring.{next(iter(stays))}: ")


@pytest.mark.parametrize(
    "change", [secret_is_called_otherwise, second_port, permission_is_called_otherwise, lambda *_: None]
)
def test_what_takes_nothing_away_is_let_through(change):
    assert refused(change) == []
    assert warnings(needs(before()), after(change)) == []


def test_a_port_that_got_the_traffic_last_may_not_close_before_it_retired():
    def moved(_, api, __):
        second_port(_, api, __)
        api["loadBalancer"]["port"] = 8081

    assert refused(moved, second_port) == []
    [sentence] = refusals(after(moved), after(port_moves))
    assert "the port 8080 is missing" in sentence


# ---------------------------------------------------------------- what cannot be changed in place


def exposure(stack, *_):
    stack["loadBalancer"] = {"exposure": "internet-facing", "testCidrs": ["203.0.113.0/28"]}


def strategy(_, api, __):
    api["strategy"] = "rolling"
    del api["hooks"]


def network(**kinds):
    def change(stack, *_):
        stack["network"] = kinds

    return change


EXISTING = {
    "vpcId": "vpc-0a1b2c3d4e5f60718",
    "privateSubnetIds": ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"],
}


@pytest.mark.parametrize(
    ("change", "earlier", "key"),
    [
        (lambda stack, *_: stack.update(environment="dev2"), None, "environment"),
        (lambda stack, api, _: (stack.update(region="us-east-1"), api.pop("hooks")), None, "region"),
        (lambda stack, api, _: (stack.update(account="333333333333"), api.pop("hooks")), None, "account"),
        (exposure, None, "loadBalancer.exposure"),
        (strategy, None, "services[api].strategy"),
        (network(create={}), None, "network"),
        (network(existing={**EXISTING, "vpcId": "vpc-00000000"}), network(existing=EXISTING), "network.existing.vpcId"),
        (network(create={"cidr": "10.1.0.0/16"}), network(create={}), "network.create.cidr"),
        (network(create={"zones": 3}), network(create={}), "network.create.zones"),
        (network(create={"egress": "nat"}), network(create={"egress": "endpoints"}), "network.create.egress"),
    ],
)
def test_what_would_make_a_service_anew_is_refused_and_said_once(change, earlier, key):
    if "egress" in key:
        earlier = both(earlier, lambda stack, *_: stack.update(standInImage=OWN_IMAGE))
        change = both(change, lambda stack, *_: stack.update(standInImage=OWN_IMAGE))

    problems = refused(change, *([earlier] if earlier else []))

    assert [p.split(": found")[0] for p in problems] == [f"ecs-release:{key}"]


OWN_IMAGE = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/python:3.13"


def test_a_load_balancer_does_not_leave_a_running_service():
    def balanced(_, __, worker):
        worker["containers"][0]["ports"] = [8080]
        worker["loadBalancer"] = {"container": "worker", "port": 8080}

    [sentence] = refused(lambda *_: None, balanced)

    assert sentence.startswith("ecs-release:services[worker].loadBalancer: found none")


def test_a_rolling_service_s_load_balancer_goes_only_to_where_the_running_revision_listens():
    def listening(_, __, worker):
        worker["containers"][0]["ports"] = [8080]

    def balanced(_, __, worker):
        listening(_, __, worker)
        worker["loadBalancer"] = {"container": "worker", "port": 8080}

    [sentence] = refused(balanced)

    assert sentence.startswith("ecs-release:services[worker].loadBalancer: found worker:8080; allowed: where")
    assert refused(balanced, listening) == []


# ---------------------------------------------------------------- HTTP to HTTPS


def secure(traffic=None):
    def change(stack, api, _):
        stack["loadBalancer"] = {"certificateArn": CERTIFICATE}
        api["loadBalancer"] |= {"hostName": "api.example.com"} | ({"traffic": traffic} if traffic else {})

    return change


def test_a_certificate_for_a_running_service_asks_which_target_group_has_the_traffic():
    [sentence] = refused(secure())

    assert sentence.startswith("ecs-release:services[api].loadBalancer.traffic: found nothing")
    assert refused(secure("green")) == []


def test_a_certificate_does_not_leave():
    [sentence] = refused(lambda *_: None, secure("blue"))

    assert sentence.startswith("ecs-release:loadBalancer.certificateArn: found nothing")


# ---------------------------------------------------------------- what is said and done


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda stack, *_: stack["services"].pop(), "services[worker] is removed: this update deletes the service"),
        (
            lambda _, api, __: api.update(max=1),
            "services[api].max: after this update auto scaling stops tasks beyond 1",
        ),
        (
            lambda stack, *_: stack.update(loadBalancer={"allowedCidrs": ["10.1.0.0/16"]}),
            "closes the load balancers to 10.0.0.0/8",
        ),
        (network(existing=EXISTING), "network: load balancers change their subnets"),
        (
            lambda _, api, __: api["loadBalancer"].update(healthCheck={"path": "/up"}),
            "checks running tasks by /up -> 200-299",
        ),
        (
            lambda _, __, worker: worker.update(capacity=[{"provider": "FARGATE", "weight": 1}]),
            "services[worker]: Amazon ECS replaces its tasks one after another",
        ),
        (lambda stack, *_: stack.update(standInImage="python:3.13"), "standInImage: a service without a release keeps"),
    ],
)
def test_what_an_update_does_to_running_tasks_at_once_is_said_and_let_through(change, words):
    old, new = needs(before()), after(change)

    assert refusals(old, new) == []
    [sentence] = warnings(old, new)
    assert words in sentence


def test_a_state_from_before_there_was_anything_to_compare_refuses_nothing():
    assert refusals({}, needs(before())) == []
    assert warnings({}, needs(before())) == []


def test_all_problems_are_told_together():
    problems = refused(both(secret_leaves, port_moves))

    assert str(NeededError(problems)).splitlines() == [
        "this update would break running revisions; nothing was changed:",
        *(f"  {p}" for p in problems),
    ]
    assert len(problems) == 2
