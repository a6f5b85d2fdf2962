"""The kit by itself: the pack of its README, as somebody would write it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policies import judges
from tests.policies.judges import Thing

README = Path(__file__).parents[2] / "policies" / "kit" / "README.md"
PROVIDER = Thing(type="pulumi:providers:aws", name="aws", inputs={"region": "eu-west-1"})


@pytest.fixture(scope="module")
def queues(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queues")
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (folder / "__main__.py").write_text(re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1])
    with judges.process(folder) as judge:
        yield judge


def said(judge: judges.Judge, **inputs) -> list[str]:
    queue = Thing(type="aws:sqs/queue:Queue", name="orders", inputs={"name": "orders", **inputs})
    return [found.message.rpartition("\n")[2] for found in judge.judge(judges.registrations([queue], PROVIDER))]


def test_the_pack_of_the_readme_judges(queues):
    queues.configure({})

    assert said(queues, redrivePolicy="{}") == []
    (message,) = said(queues)
    assert message.startswith("orders: it has no dead-letter queue. A message that fails")


def test_the_pack_of_the_readme_takes_its_setting(queues):
    queues.everywhere(exempt=["orders"])

    assert said(queues) == []
