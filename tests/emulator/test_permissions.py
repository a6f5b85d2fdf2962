"""Calls held against documents: actions, resources, conditions, denials, boundaries, trust."""

import json
from types import SimpleNamespace

import pytest

from rehearsal.emulator import requests
from rehearsal.emulator.accepted_grants import ACCEPTED, obsolete, unaccepted
from rehearsal.emulator.codedeploy import steps
from rehearsal.emulator.declared import Role
from rehearsal.emulator.permissions import Call, Grant, Permissions

ARN = "arn:aws:iam::111111111111:role/dev-api-gate"
QUEUE = "arn:aws:sqs:ap-northeast-1:111111111111:dev-orders"
OTHER = f"{QUEUE}-other"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(action="sqs:SendMessage", resource=QUEUE, effect="Allow", sid="Say", **more):
    return {"Sid": sid, "Effect": effect, "Action": [action], "Resource": [resource], **more}


def judged(*statements, boundary=None, trust="{}"):
    role = Role(
        arn=ARN,
        name="dev-api-gate",
        purpose="function",
        label="gate",
        trust=trust,
        documents=(document(*statements),),
        boundary=boundary,
    )
    return Permissions(SimpleNamespace(roles={ARN: role}, pipelines={}))


def problems(permissions, action="sqs:SendMessage", resource=QUEUE, **keys):
    permissions.call(Call(role=ARN, action=action, resources=(resource,), context=keys))
    return permissions.problems


@pytest.mark.parametrize(
    "allowing",
    [
        statement(),
        statement(action="sqs:sendmessage"),
        statement(action="sqs:Send*"),
        statement(resource="*"),
        statement(resource="arn:aws:sqs:*:111111111111:dev-*"),
        statement(Condition={"StringEquals": {"aws:SourceAccount": "111111111111"}}),
        statement(Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:events:*"}}),
        statement(Condition={"StringEqualsIfExists": {"aws:PrincipalTag/team": "a"}}),
    ],
)
def test_a_call_that_a_statement_covers_is_allowed(allowing):
    keys = {"aws:sourceaccount": "111111111111", "aws:sourcearn": "arn:aws:events:x"}

    assert problems(judged(allowing), **keys) == []


@pytest.mark.parametrize(
    "lacking",
    [
        statement(action="sqs:ReceiveMessage"),
        statement(resource=f"{QUEUE}-other"),
        statement(resource="arn:aws:sqs:*:222222222222:*"),
        statement(Condition={"StringEquals": {"aws:SourceAccount": "222222222222"}}),
        statement(Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}),
    ],
)
def test_a_call_that_no_statement_covers_is_not(lacking):
    (problem,) = problems(judged(lacking), **{"aws:sourceaccount": "111111111111"})

    assert problem.startswith(f"The role dev-api-gate may not call sqs:SendMessage on {QUEUE}")
    assert problem.endswith("none of its statements allows it.")


def test_a_denial_wins():
    (problem,) = problems(judged(statement(), statement(effect="Deny", sid="Never")))

    assert problem.endswith("a statement of its own denies it.")


def test_a_boundary_limits_what_is_allowed():
    narrow = document(statement(resource=f"{QUEUE}-other"))

    (problem,) = problems(judged(statement(), boundary=narrow))

    assert problem.endswith("its permissions boundary does not allow it.")


def test_a_condition_that_cannot_be_judged_is_said():
    odd = statement(Condition={"NumericLessThan": {"sqs:Size": "3"}})

    (problem,) = problems(judged(odd), **{"sqs:size": "1"})

    assert "cannot be judged" in problem
    assert "NumericLessThan" in problem


def test_the_same_problem_is_said_once():
    permissions = judged(statement(action="sqs:ReceiveMessage"))

    problems(permissions)

    assert len(problems(permissions)) == 1


def test_a_role_that_nobody_declared_is_said():
    permissions = judged(statement())

    permissions.call(Call(role="arn:aws:iam::111111111111:role/other", action="sqs:SendMessage"))

    assert permissions.problems == [
        "arn:aws:iam::111111111111:role/other calls sqs:SendMessage and is not declared.",
    ]


def test_what_was_never_used_is_granted_less_used_each_action_on_each_resource():
    both = {**statement(sid="Talk"), "Action": ["sqs:ReceiveMessage", "sqs:SendMessage"], "Resource": [QUEUE, OTHER]}
    permissions = judged(both)

    problems(permissions, action="sqs:SendMessage", resource=QUEUE)
    problems(permissions, action="sqs:ReceiveMessage", resource=OTHER)

    assert permissions.granted() - permissions.used == {
        Grant(role="function/gate", sid="Talk", action="sqs:ReceiveMessage", resource=QUEUE),
        Grant(role="function/gate", sid="Talk", action="sqs:SendMessage", resource=OTHER),
    }


@pytest.mark.parametrize(
    ("principal", "keys", "expected"),
    [
        (("Service", "lambda.amazonaws.com"), {"aws:sourceaccount": "111111111111"}, True),
        (("Service", "lambda.amazonaws.com"), {"aws:sourceaccount": "222222222222"}, False),
        (("Service", "lambda.amazonaws.com"), {}, False),
        (("Service", "ec2.amazonaws.com"), {"aws:sourceaccount": "111111111111"}, False),
    ],
)
def test_a_role_is_taken_on_by_whom_it_trusts(principal, keys, expected):
    trusting = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}},
    }
    permissions = judged(statement(), trust=document(trusting))

    permissions.assume(ARN, principal, keys)

    assert (permissions.problems == []) is expected


def test_an_accepted_grant_is_about_its_own_grants_only():
    of_the_task = Grant(role="task/task", sid="Anything", action="sqs:SendMessage", resource=QUEUE)
    other = Grant(role="function/gate", sid="ReadItsImages", action="ecr:BatchGetImage", resource="*")

    assert unaccepted([of_the_task, other]) == [other]
    assert [entry.role for entry in obsolete([of_the_task, other], [other])] == ["task/task"]
    assert obsolete([other], []) == []
    assert all(entry.why for entry in ACCEPTED)


def test_a_call_that_the_rehearsal_has_not_met_is_named():
    with pytest.raises(NotImplementedError, match="ecs:StopTask"):
        list(requests.required("ecs", "StopTask", {}, SimpleNamespace()))


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("CodeDeployDefault.ECSAllAtOnce", [(100, 0)]),
        ("CodeDeployDefault.ECSCanary10Percent5Minutes", [(10, 5), (100, 0)]),
        ("CodeDeployDefault.ECSLinear50PercentEvery3Minutes", [(50, 3), (100, 0)]),
        ("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", [*((n, 1) for n in range(10, 100, 10)), (100, 0)]),
        ("somebody's own", [(100, 0)]),
    ],
)
def test_traffic_is_shifted_in_the_steps_of_the_configuration(configuration, expected):
    assert list(steps(configuration)) == expected
