"""`release.json` on both sides of its boundary: what the component writes is what the gate and the rehearsal read."""

import json
from pathlib import Path

import pytest

from contract.release import Contract, InvalidReleaseError

WRITTEN = sorted((Path(__file__).parents[1] / "snapshots").glob("*/*/release.json"))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_what_a_stack_writes_is_read_and_written_the_same(path):
    document = json.loads(path.read_text())

    assert Contract.parse(document).dump() == document


def test_the_snapshots_are_found():
    assert WRITTEN


def test_a_contract_that_nobody_could_read_cannot_be_made():
    document = json.loads(WRITTEN[0].read_text())
    good = vars(Contract.parse(document))

    with pytest.raises(InvalidReleaseError, match="at strategy; allowed is a text like") as refused:
        Contract(**{**good, "strategy": "Blue Green"})

    assert (refused.value.key, refused.value.found) == ("strategy", "Blue Green")
