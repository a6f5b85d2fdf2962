"""Whatever meets the guard, a shifting deployment is suspended and what stood before is back afterwards.

The story is the longest that CodeDeploy tells: a deployment fails and its rollback follows. Into it come a crash at
any call, with Lambda's next attempt or without, an update of the stack, and another invocation.
"""

from __future__ import annotations

import contextlib
import itertools

import pytest

from functions.guard.scaling_guard import ALL_SUSPENDED, RUNNING
from tests.functions.scaling_world import BY_HAND, FREE, SWEEP, event, send


class Crash(BaseException):
    """The process is gone: no handler of the function sees it."""


def crash():
    raise Crash


#: What CodeDeploy says from then on, and what the guard is told.
STORY = [
    ({"d-1": "InProgress"}, event("START", "d-1")),
    ({}, SWEEP),
    ({"d-1": "Failed", "d-2": "InProgress"}, event("FAILURE", "d-1")),
    ({}, event("START", "d-2")),
    ({}, SWEEP),
    ({"d-2": "Succeeded"}, event("SUCCESS", "d-2")),
    ({}, SWEEP),
]


def running(world):
    return any(status in RUNNING for _, status, _ in world.deployments.values())


def play(world, *, crash_in=None, crash_at=None, again=False, up_before=None, up_in=None, up_at=None):
    """Tell the story; say whether the crash came, and whether the guard's last look was a whole one."""

    def up():
        world.api = FREE

    crashed = False
    for place, (said, told) in enumerate(STORY):
        for deployment, status in said.items():
            world.deploy(status, deployment)
        if place == up_before:
            up()
        world.number = 0
        world.on_call = {}
        if place == up_in:
            world.on_call[up_at] = up
        if place == crash_in:
            world.on_call[crash_at] = crash
        try:
            send(told)
        except Crash:
            crashed = True
            if not again:
                continue
            world.on_call = {}
            send(told)
        disturbed = place == up_in and world.number >= up_at
        world.on_call = {}
        if running(world) and not disturbed:
            assert world.api == ALL_SUSPENDED, place
    return crashed


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("before", [FREE, BY_HAND[2]])
def test_a_crash_between_any_two_calls_and_an_update_of_the_stack_anywhere(account, before, again):
    crashes = 0
    for crash_in, up_before in itertools.product(range(len(STORY)), [None, 1, 3, 5]):
        for crash_at in itertools.count(1):
            world = account(before)
            crashed = play(world, crash_in=crash_in, crash_at=crash_at, again=again, up_before=up_before)
            if crash_in == len(STORY) - 1 and not again:
                send(SWEEP)
            assert world.api == before or (up_before is not None and world.api == FREE)
            assert world.parameters == {}
            crashes += crashed
            if not crashed:
                break
    assert crashes > 200


@pytest.mark.parametrize("before", [FREE, BY_HAND[2], ALL_SUSPENDED])
def test_an_update_of_the_stack_between_any_two_calls(account, before):
    tried = 0
    for up_in in range(len(STORY)):
        for up_at in itertools.count(1):
            world = account(before)
            play(world, up_in=up_in, up_at=up_at)
            assert world.api in (before, FREE)
            assert world.parameters == {}
            tried += 1
            if up_at > 40:
                break
    assert tried > 200


def meet(world, outer, inner, met_at, crash_after):
    """Tell the story up to `outer`, in whose call `met_at` another one looks; `outer` crashes so many calls later."""

    def between():
        if inner == "the next":
            world.deploy("Succeeded", "d-2")
            world.deploy("InProgress", "d-3")
        send(SWEEP if inner == "sweep" else event("START", "d-3"))
        world.on_call = {world.number + crash_after: crash}

    for place, (said, told) in enumerate(STORY[: outer + 1]):
        for deployment, status in said.items():
            world.deploy(status, deployment)
        world.number, world.on_call = 0, ({met_at: between} if place == outer else {})
        with contextlib.suppress(Crash):
            send(told)
    world.on_call = {}


@pytest.mark.parametrize("inner", ["sweep", "the next"])
@pytest.mark.parametrize("outer", range(len(STORY)))
def test_a_crash_after_two_invocations_met_is_made_good_or_told(account, capsys, outer, inner):
    for met_at, crash_after in itertools.product(range(1, 30), range(1, 4)):
        world = account(FREE)
        meet(world, outer, inner, met_at, crash_after)

        send(SWEEP)
        if running(world):
            assert world.api == ALL_SUSPENDED
        for deployment in world.deployments:
            world.deploy("Succeeded", deployment)
        capsys.readouterr()
        send(SWEEP)

        assert world.api == FREE or '"services": ["api"]' in capsys.readouterr().out
        assert world.parameters == {}
