"""Each pack works alone, so what both need stands in both; it stays one and the same text."""

from pathlib import Path

import pytest

PACKS = Path(__file__).parents[2] / "policies"


@pytest.mark.parametrize("module", ["adapter.py", "resources.py", "findings.py"])
def test_what_both_packs_need_is_the_same_in_both(module):
    of_privilege = (PACKS / "least-privilege" / "least_privilege" / module).read_text(encoding="utf-8")
    of_safety = (PACKS / "release-safety" / "release_safety" / module).read_text(encoding="utf-8")

    assert of_privilege == of_safety, f"change {module} in both packs"
