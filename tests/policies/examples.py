"""The packs' own examples, as stacks: what `policies/*/examples.yaml` says, in the place of the small world's things.

`python -m tests.policies.examples` (`make snapshots`) writes the messages of the refused ones anew.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from typing import Any, Literal

import yaml
from pulumi_rehearsal.registration import Registration

from tests.policies import judges, world
from tests.policies.judges import PACKS, Judge, Thing

_MESSAGE = re.compile(r"(?<=\n)  message: .*?\n(?=  accepted:)", re.DOTALL)


def examples(pack: str) -> dict[str, dict[str, Any]]:
    """Policy to its example, in the file's order."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((PACKS[pack] / "examples.yaml").read_text())
    return loaded


def stack(example: dict[str, Any], side: Literal["refused", "accepted"]) -> list[Registration]:
    """The small stack with the example in it; an accepted example without properties is the stack without the resource."""
    things, name, properties = world.things(), example["resource"], example[side]
    if properties is not None and name in things:
        things[name] = things[name].but(**properties)
    elif properties is not None:
        things[name] = Thing(type=example["type"], name=name, inputs=properties)
    return judges.registrations(things.values(), world.provider())


def message(judge: Judge, policy: str, example: dict[str, Any]) -> str:
    """What the policy says of the refused example, without the description that stands before it."""
    found = judge.judge(stack(example, "refused"))
    return next(f.message for f in found if f.policy == policy).split("\n", 1)[-1]


def write() -> None:
    """Write the messages of every pack's examples anew."""
    for pack, folder in PACKS.items():
        with judges.process(pack) as judge:
            said = [message(judge, policy, example) for policy, example in examples(pack).items()]
        file = folder / "examples.yaml"
        parts = _MESSAGE.split(file.read_text())
        file.write_text("".join(itertools.chain.from_iterable(zip(parts, [*map(_block, said), ""], strict=True))))


def _block(said: str) -> str:
    lines = said.split("\n")
    if len(lines) > 1:
        return "  message: |-\n" + textwrap.indent(said, "    ") + "\n"
    wrapped = textwrap.wrap(said, 112, break_long_words=False, break_on_hyphens=False)
    return "  message: >-\n" + "".join(f"    {line}\n" for line in wrapped)


if __name__ == "__main__":
    write()
