"""The table of what calls ask of their callers: each row speaks of what AWS has, says where it stands, and since when."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import pytest

from authorization.callers import CALLERS, of
from authorization.reference import reference


@pytest.mark.parametrize("row", CALLERS, ids=lambda row: row.call)
def test_a_row_speaks_of_what_aws_has(row):
    if not row.call.startswith("codepipeline:Source/"):
        assert str(reference().action(row.call)) == row.call
    assert row.needs
    for need in row.needs:
        action = reference().action(need.action)
        assert str(action) == need.action
        assert (need.on == "*") == (not action.kinds)
        assert bool(need.passed_to) == (need.action == "iam:PassRole")
        assert need.passed_to == "" or need.passed_to.endswith(".amazonaws.com")


@pytest.mark.parametrize("row", CALLERS, ids=lambda row: row.call)
def test_a_row_has_its_source_and_the_day_on_which_it_was_read(row):
    assert urlsplit(row.source).hostname == "docs.aws.amazon.com"
    assert date.fromisoformat(row.read) >= date(2026, 11, 25)
    assert row.refusal


def test_each_call_has_one_row():
    calls = [row.call for row in CALLERS]

    assert sorted(calls) == sorted(set(calls))
    assert [row.call for row in of("ecs:UpdateService")] == ["ecs:UpdateService"]
    assert list(of("ecs:DescribeServices")) == []


def test_what_the_reference_says_of_dependent_actions_is_in_the_table():
    for row in CALLERS:
        action = reference().action(row.call)
        named = {need.action for need in row.needs}
        assert action is None or {a for a in action.dependent if a == "iam:PassRole"} <= named, row.call
