import pytest

from tests.functions.world import opened


@pytest.fixture
def world():
    with opened() as made:
        yield made
