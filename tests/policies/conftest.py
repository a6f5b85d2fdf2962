from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policies import judges


@pytest.fixture(scope="session")
def _least_privilege_process() -> Iterator[judges.Judge]:
    with judges.process("least-privilege") as judge:
        yield judge


@pytest.fixture(scope="session")
def _release_safety_process() -> Iterator[judges.Judge]:
    with judges.process("release-safety") as judge:
        yield judge


@pytest.fixture
def least_privilege(_least_privilege_process: judges.Judge) -> judges.Judge:
    """The pack's real process, without configuration."""
    _least_privilege_process.configure({})
    return _least_privilege_process


@pytest.fixture
def release_safety(_release_safety_process: judges.Judge) -> judges.Judge:
    """The pack's real process, without configuration."""
    _release_safety_process.configure({})
    return _release_safety_process
