import pytest

from functions import images
from tests.functions.emulator import opened
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
