"""The tests' stacks' own documents, widened and re-spelled: what grants more is refused, what says the same passes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi_rehearsal.registration import Registration

from tests.policies import judges
from tests.rehearsed import STACKS, rehearsed

IDENTITY = "aws:iam/rolePolicy:RolePolicy"
BOUNDARY = "aws:iam/policy:Policy"
TRUST = "aws:iam/role:Role"
ON_RESOURCES = ("aws:s3/bucketPolicy:BucketPolicy", "aws:sns/topicPolicy:TopicPolicy")
KEYS = {IDENTITY: "policy", BOUNDARY: "policy", TRUST: "assumeRolePolicy", **dict.fromkeys(ON_RESOURCES, "policy")}
FOREIGN = (
    "iam:PassRole", "iam:PutRolePolicy", "sts:AssumeRole", "s3:DeleteObject", "s3:GetObject", "ecs:UpdateService", "ecr:PutImage",
    "ecr:BatchDeleteImage", "codepipeline:PutApprovalResult", "codedeploy:CreateDeployment", "lambda:UpdateFunctionCode",
    "kms:Decrypt", "ec2:RunInstances", "secretsmanager:GetSecretValue", "ssm:GetParameter", "logs:CreateLogGroup",
    "dynamodb:Scan", "sqs:PurgeQueue", "ecs:ExecuteCommand", "elasticloadbalancing:ModifyListener",
)  # fmt: skip
STRANGERS: tuple[Any, ...] = (
    "*", {"AWS": "*"}, {"AWS": "arn:aws:iam::999999999999:root"}, {"AWS": "arn:aws:iam::999999999999:role/x"},
    {"Service": "ec2.amazonaws.com"}, {"Federated": "cognito-identity.amazonaws.com"}, {"AWS": "arn:aws:iam::*:role/x"},
)  # fmt: skip

Statement = dict[str, Any]


@cache
def base(stack: str) -> tuple[Registration, ...]:
    return tuple(judges.of_run(rehearsed(stack)))


@cache
def documents(stack: str) -> tuple[tuple[int, str], ...]:
    """(place, property) of every IAM document of the stack."""
    return tuple((at, KEYS[r.type]) for at, r in enumerate(base(stack)) if r.type in KEYS and KEYS[r.type] in r.outputs)


@pytest.fixture(scope="module")
def pack() -> Iterator[judges.Judge]:
    with judges.in_process("least-privilege") as judge:
        yield judge


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def with_document(stack: str, at: int, key: str, text: str) -> list[Registration]:
    resources = list(base(stack))
    old = resources[at]
    resources[at] = replace(old, inputs={**old.inputs, key: text}, outputs={**old.outputs, key: text})
    return resources


# ---------------------------------------------------------------- widening


def an_action_more(draw: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    action = draw(st.sampled_from(FOREIGN))
    if s["Effect"] != "Allow" or kind == TRUST or action in listed(s["Action"]):
        return False
    s["Action"] = [*listed(s["Action"]), action]
    s["Resource"] = "*" if kind not in ON_RESOURCES else s["Resource"]
    return True


def a_wider_action(draw: Callable[[Any], Any], _: str, s: Statement) -> bool:
    actions = listed(s["Action"])
    at = draw(st.integers(0, len(actions) - 1))
    service, name = actions[at].split(":")
    if s["Effect"] != "Allow":
        return False
    cut = draw(st.integers(0, len(name) - 1))
    actions[at] = draw(
        st.sampled_from([f"{service}:*", f"{service}:{name[:cut]}*", "*", f"{service}:{name[:-1]}?", f"*:{name}"])
    )
    s["Action"] = actions
    return True


def a_wider_resource(draw: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    if s["Effect"] != "Allow" or kind == TRUST or kind in ON_RESOURCES or s["Resource"] == ["*"]:
        return False
    resources = listed(s["Resource"])
    at = draw(st.integers(0, len(resources) - 1))
    arn = resources[at]
    parts = arn.split(":", 5)
    cut = draw(st.integers(len(":".join(parts[:5])) + 1, len(arn) - 1))
    options = [
        "*",
        arn[:cut] + "*",
        ":".join([*parts[:4], "*", parts[5]]),
        arn.replace(parts[4] or "x-", "999999999999", 1),
    ]
    resources[at] = draw(st.sampled_from(options))
    s["Resource"] = resources
    return resources[at] != arn


def no_condition(_: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    return s["Effect"] == "Allow" and s.pop("Condition", None) is not None


def an_optional_condition(_: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    if s["Effect"] != "Allow" or "Condition" not in s:
        return False
    s["Condition"] = {f"{operator}IfExists": keys for operator, keys in s["Condition"].items()}
    return True


def a_condition_on_anything(_: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    if s["Effect"] != "Allow" or "Condition" not in s:
        return False
    s["Condition"] = {"StringLike": {k: "*" for keys in s["Condition"].values() for k in keys}}
    return True


def a_stranger(draw: Callable[[Any], Any], _: str, s: Statement) -> bool:
    if s["Effect"] != "Allow" or "Principal" not in s:
        return False
    s["Principal"] = draw(st.sampled_from(STRANGERS))
    if draw(st.booleans()):
        s.pop("Condition", None)
    return True


def everything_else(draw: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    if s["Effect"] != "Allow":
        return False
    element = draw(
        st.sampled_from(
            ["Action", *(["Resource"] if "Resource" in s else []), *(["Principal"] if "Principal" in s else [])]
        )
    )
    s[f"Not{element}"] = s.pop(element)
    return True


def a_denial_turned(_: Callable[[Any], Any], kind: str, s: Statement) -> bool:
    if s["Effect"] != "Deny":
        return False
    s["Effect"] = "Allow"
    return True


WIDENINGS = (
    an_action_more, a_wider_action, a_wider_resource, no_condition, an_optional_condition, a_condition_on_anything, a_stranger,
    everything_else, a_denial_turned,
)  # fmt: skip


# ---------------------------------------------------------------- re-spelling


def any_case(draw: Callable[[Any], Any], text: str) -> str:
    return draw(st.sampled_from([text, text.lower(), text.upper(), text.swapcase()]))


def respelled(draw: Callable[[Any], Any], value: dict[str, Any]) -> str:
    statements: list[Statement] = []
    for s in listed(value["Statement"]):
        made = dict(s)
        actions = [any_case(draw, a) for a in draw(st.permutations(listed(s["Action"])))]
        made["Action"] = actions[0] if len(actions) == 1 and draw(st.booleans()) else actions
        if "Resource" in s:
            resources = draw(st.permutations(listed(s["Resource"])))
            made["Resource"] = resources[0] if len(resources) == 1 and draw(st.booleans()) else list(resources)
        if "Condition" in s:
            made["Condition"] = {
                operator: {any_case(draw, k): draw(st.sampled_from([v, listed(v)])) for k, v in keys.items()}
                for operator, keys in s["Condition"].items()
            }
        if draw(st.booleans()):
            made.pop("Sid", None)
        if len(actions) > 1 and s["Effect"] == "Allow" and draw(st.booleans()):
            cut = draw(st.integers(1, len(actions) - 1))
            made.pop("Sid", None)
            statements += [{**made, "Action": actions[:cut]}, {**made, "Action": actions[cut:]}]
        else:
            statements.append({k: made[k] for k in draw(st.permutations(list(made)))})
    statements = list(draw(st.permutations(statements)))
    whole = {
        "Statement": statements[0] if len(statements) == 1 and draw(st.booleans()) else statements,
        "Version": value["Version"],
    }
    if draw(st.booleans()):
        whole["Id"] = "respelled"
    return json.dumps(whole, indent=draw(st.sampled_from([None, 2])))


RELAXED = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True,
)  # fmt: skip


@given(data=st.data(), stack=st.sampled_from(STACKS), widen=st.sampled_from(WIDENINGS))
@RELAXED
def test_every_widening_of_a_stacks_document_is_refused(
    data: st.DataObject, stack: str, widen: Any, pack: judges.Judge
):
    at, key = data.draw(st.sampled_from(documents(stack)))
    resource = base(stack)[at]
    value = json.loads(resource.outputs[key])
    statements = copy.deepcopy(value["Statement"])
    place = data.draw(st.integers(0, len(statements) - 1))

    changed = widen(data.draw, resource.type, statements[place])
    text = json.dumps({**value, "Statement": statements})
    found = pack.stack(with_document(stack, at, key, text)) if changed else []

    assert not changed or any(f.level for f in found), (resource.name, widen.__name__, statements[place])


@given(data=st.data(), stack=st.sampled_from(STACKS))
@RELAXED
def test_every_respelling_of_a_stacks_document_passes(data: st.DataObject, stack: str, pack: judges.Judge):
    at, key = data.draw(st.sampled_from(documents(stack)))
    value = json.loads(base(stack)[at].outputs[key])

    text = respelled(data.draw, value)
    found = pack.stack(with_document(stack, at, key, text))

    assert found == [], text
