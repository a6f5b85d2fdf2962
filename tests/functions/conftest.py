import json

import pytest

from functions.gate import images
from functions.guard import scaling_guard
from functions.shared import aws
from tests.functions.emulator import opened
from tests.functions.scaling_world import FREE, SERVICES, Account
from tests.functions.world import World


@pytest.fixture
def emulator():
    with opened() as made:
        yield made


@pytest.fixture
def world(monkeypatch):
    with opened(World) as made:
        monkeypatch.setattr(images, "fetch", made.fetch)
        yield made


@pytest.fixture
def account(monkeypatch):
    """Make an account with the target as it stood; the scaling guard speaks to the one made last."""
    made = []
    monkeypatch.setattr(aws, "client", lambda *_: made[-1])
    monkeypatch.setenv("GUARDED_SERVICES", json.dumps(SERVICES))
    # One after the other, so that the calls can be counted.
    monkeypatch.setattr(scaling_guard, "AT_ONCE", 1)

    def make(before=FREE):
        made.append(Account(before))
        return made[-1]

    return make
