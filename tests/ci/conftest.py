from __future__ import annotations

import pytest
from ci_stand_ins import Ci, Cloud
from moto import mock_aws


@pytest.fixture
def cloud():
    """The emulated account that CI hands over to."""
    with mock_aws():
        yield Cloud()


@pytest.fixture
def ci(tmp_path, cloud):
    """A machine of a CI that reaches the emulated account."""
    machine = Ci(tmp_path, cloud.credentials)
    machine.cloud = cloud
    cloud.install(machine.bin)
    yield machine
    cloud.close()


@pytest.fixture
def offline_ci(tmp_path):
    """A machine of a CI without aws and docker: whatever calls one of them fails."""
    return Ci(tmp_path, {})
