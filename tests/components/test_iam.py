"""A document that is not exact is refused where it is built."""

import asyncio
import json

import pulumi
import pytest

from components import iam


def statement(**changes):
    exact = {"sid": "ReadIt", "actions": ("s3:GetObject",), "resources": ("arn:aws:s3:::b/k",)}
    return iam.Statement(**(exact | changes))


@pytest.mark.parametrize("action", ["*", "s3:*", "s3:Get*", "GetObject", "s3:Get Object"])
def test_an_action_that_is_not_one_action_is_refused(action):
    with pytest.raises(ValueError, match="not one exact action"):
        statement(actions=(action,))


def test_the_resource_star_is_refused_without_a_reason():
    with pytest.raises(ValueError, match="needs a reason"):
        statement(resources=("*",))


def test_the_resource_star_with_a_reason_reads_as_a_star():
    text = iam.document(statement(resources=(iam.AllResources(reason="nothing narrower exists"),)))

    assert json.loads(text)["Statement"][0]["Resource"] == ["*"]


def test_a_value_that_only_the_provider_knows_is_refused():
    async def with_an_output():  # an output needs a running event loop
        statement(resources=(pulumi.Output.from_input("arn"),))

    with pytest.raises(TypeError, match="not known at preview"):
        asyncio.run(with_an_output())


def test_a_sid_stands_once_in_a_document():
    with pytest.raises(ValueError, match="duplicate Sid"):
        iam.document(statement(), statement())


def test_a_role_is_passed_to_one_service_only():
    passed = iam.pass_role("GiveIt", ("arn:aws:iam::111111111111:role/r",), "ecs-tasks.amazonaws.com").to_dict()

    assert passed["Action"] == ["iam:PassRole"]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_a_denial_may_be_wide():
    refusal = iam.tls_only("s3:*", "arn:aws:s3:::b", "arn:aws:s3:::b/*").to_dict()

    assert refusal["Effect"] == "Deny"
    assert refusal["Resource"] == ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]


@pytest.mark.parametrize(("kind", "most"), [("trust", 2_048), ("inline", 10_240), ("managed", 6_144)])
def test_a_document_is_as_long_as_iam_allows_white_space_apart_and_no_longer(kind, most):
    text = "x" * (most - 10) + " " * 500 + "x" * 10

    assert iam.within_length_limit(kind, text, "role r") == text
    with pytest.raises(
        ValueError, match=rf"^role r: its {kind} policy has {most + 1:,} characters, IAM allows {most:,}; "
    ):
        iam.within_length_limit(kind, text + "x", "role r")


def test_a_statement_that_iam_would_read_is_held_to_the_same_rules():
    written = {"Sid": "ReadIt", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}

    assert iam.Statement.of(written).to_dict() == written | {
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::b/*"],
    }
    assert iam.Statement.of(statement().to_dict()) == statement()
    for wider, said in {"Action": "is not one exact action", "Resource": "needs a reason"}.items():
        with pytest.raises(ValueError, match=said):
            iam.Statement.of(written | {wider: "*"})
    with pytest.raises(ValueError, match="NotAction is not taken"):
        iam.Statement.of(written | {"NotAction": "s3:*"})
