"""The packs' own examples, as stacks: what `policies/*/examples.yaml` says, in the place of the small world's things."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pulumi_rehearsal.registration import Registration

from tests.policies import judges, world
from tests.policies.judges import PACKS, Thing


def examples(pack: str) -> dict[str, dict[str, Any]]:
    """Policy to its example, in the file's order."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((PACKS[pack] / "examples.yaml").read_text())
    return loaded


def stack(example: dict[str, Any], side: Literal["refused", "accepted"]) -> list[Registration]:
    """The small stack with the example in it; an accepted example without properties is the stack without the resource."""
    things = world.things()
    properties = example[side]
    if properties is not None and "type" in example:
        things[example["resource"]] = Thing(type=example["type"], name=example["resource"], inputs=properties)
    elif properties is not None:
        things[example["resource"]] = things[example["resource"]].but(**properties)
    return judges.registrations(things.values(), world.provider())
