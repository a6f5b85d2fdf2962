"""The end of the program: every output is waited for, and what failed is told."""

import pytest
from pulumi_rehearsal import rehearse

from tests.rehearsed import ROOT

PROGRAM = """
import asyncio
import pulumi
from components import outputs

async def late(value):
    await asyncio.sleep(0.01)
    {then}
    return value

value = pulumi.Output.from_input("early").apply(late).apply(lambda v: pulumi.Output.from_input(v).apply(late))
pulumi.export("value", value)

async def settled():
    await outputs.settled()
    print("pending", len([o for o in outputs.SETTINGS.outputs if not o.done()]))

pulumi.run(settled)
"""


@pytest.fixture
def ending(tmp_path):
    def run(then, tuned):
        (tmp_path / "Pulumi.yaml").write_text("name: ending\nruntime: python\n")
        (tmp_path / "components").symlink_to(ROOT / "components")
        (tmp_path / "__main__.py").write_text(PROGRAM.format(then=then))
        return rehearse(tmp_path, "dev", on_disk=False, packs=[], tuned=tuned)

    return run


@pytest.mark.parametrize("tuned", [True, False])
def test_nothing_is_pending_once_all_is_settled(ending, tuned):
    run = ending("pass", tuned)

    assert run.errors == ()
    assert run.exports == {"value": "early"}
    assert [d.message for d in run.diagnostics] == ["pending 0"]


@pytest.mark.parametrize("tuned", [True, False])
def test_what_failed_is_told(ending, tuned):
    run = ending("raise ValueError('no value')", tuned)

    assert ["no value" in d.message for d in run.errors] == [True]
