"""What a change of each setting does to what runs: every setting has a row, and rows are what the rehearsal says.

The whole table takes minutes; `make prove` makes it anew, and with CHECK=1 compares. Here is one row of each kind.
"""

import pytest

from tools.docs import changes
from tools.docs.changes import PAGE, line, row

SAMPLE = {
    "services[].scaling.cpuPercent": "harmless",
    "services[].desired": "nothing",
    "services[].loadBalancer.port": "refused",
    "services[].loadBalancer.port (retiring)": "harmless",
    "services[].retiring.ports": "documented step",
}


def test_every_setting_has_a_row():
    listed = [text.split("`")[1] for text in PAGE.read_text(encoding="utf-8").splitlines() if text.startswith("| `")]

    assert changes.without_change() == []
    assert listed == [key.partition(" (")[0] for key in changes.keys()]  # noqa: SIM118  (a function)


def test_a_setting_without_a_row_is_seen(monkeypatch):
    without = {key: change for key, change in changes._sample()["changes"].items() if key != "services[].cpu"}
    monkeypatch.setattr(changes, "_sample", lambda: {"changes": without})

    assert changes.without_change() == ["services[].cpu"]


@pytest.mark.parametrize(("key", "verdict"), SAMPLE.items())
def test_a_row_says_what_the_rehearsal_says(key, verdict):
    found = row(key)

    assert found.verdict == verdict
    assert not found.silent
    assert line(found) in PAGE.read_text(encoding="utf-8").splitlines()
