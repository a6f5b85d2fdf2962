"""The stacks beside `Pulumi.yaml`, whatever they are by now: these tests hold for any valid ones, the others use none."""

from functools import cache
from itertools import combinations

import pytest
from pulumi_rehearsal import Rehearsal, rehearse
from pulumi_rehearsal.config import load_project

from tests.rehearsed import ROOT, physical_name

SHIPPED = load_project(ROOT).stacks()


@cache
def up(stack: str) -> Rehearsal:
    return rehearse(ROOT, stack, "up")


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_shipped_stack_is_allowed(stack):
    run = up(stack)

    assert run.errors == ()
    assert run.violations == ()


@pytest.mark.parametrize(("one", "other"), list(combinations(SHIPPED, 2)))
def test_shipped_stacks_of_one_account_collide_in_no_name(one, other):
    mine, theirs = (
        {(account(run), *physical_name(r)) for r in run.resources if r.type.startswith("aws:")}
        for run in (up(one), up(other))
    )

    assert mine & theirs == set()


def account(run: Rehearsal) -> str:
    return run.one("pulumi:providers:aws").inputs["allowedAccountIds"]
