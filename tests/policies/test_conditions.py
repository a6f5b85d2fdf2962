"""Which conditions truly restrict."""

from __future__ import annotations

from typing import Any

import pytest
from policy_kit import conditions, documents

KEY = "iam:PassedToService"


def statement(**condition: Any) -> documents.Statement:
    whole = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition}
    return documents.parse({"Statement": whole}).statements[0]


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {KEY: "x"}},
        {"stringequals": {KEY.upper(): ["x"]}},
        {"StringLike": {KEY: "x"}},
        {"ForAnyValue:StringEquals": {KEY: "x"}},
        {"ForAllValues:StringEquals": {KEY: "x"}, "Null": {KEY: "false"}},
        {"StringLike": {KEY: "*"}, "StringEquals": {KEY: "x"}},
        {"StringEquals": {KEY: ["x", "y"]}, "StringLike": {KEY: "x"}},
    ],
    ids=str,
)
def test_a_key_is_held_to_a_value(condition):
    assert conditions.exact_values(statement(**condition), KEY) == {"x"}


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEqualsIfExists": {KEY: "x"}},
        {"ForAllValues:StringEquals": {KEY: "x"}},
        {"ForAllValues:StringEquals": {KEY: "x"}, "Null": {KEY: "true"}},
        {"ForAllValues:StringEquals": {KEY: "x"}, "Null": {"aws:userid": "false"}},
        {"StringNotEquals": {KEY: "x"}},
        {"StringLike": {KEY: "x*"}},
        {"StringLike": {KEY: ["x", "*"]}},
        {"StringEqualsIgnoreCase": {KEY: "x"}},
        {"StringEquals": {"aws:userid": "x"}},
        {"StringEquals": {KEY: "${aws:userid}"}},
        {"Null": {KEY: "false"}},
    ],
    ids=str,
)
def test_a_key_is_not_held(condition):
    assert conditions.exact_values(statement(**condition), KEY) is None


def test_an_exact_operator_takes_a_star_for_itself():
    assert conditions.exact_values(statement(StringEquals={KEY: "x*"}), KEY) == {"x*"}


def test_a_service_acts_for_the_accounts_of_its_sources():
    by_account = statement(StringEquals={"aws:SourceAccount": "111111111111"})
    by_arn = statement(ArnLike={"aws:SourceArn": "arn:aws:s3:eu-west-1:111111111111:*"})
    by_any = statement(ArnLike={"aws:SourceArn": "arn:aws:s3:*:*:*"})

    assert conditions.source_accounts(by_account) == {"111111111111"}
    assert conditions.source_accounts(by_arn) == {"111111111111"}
    assert conditions.source_accounts(by_any) == frozenset()
