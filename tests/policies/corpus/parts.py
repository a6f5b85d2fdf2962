"""Cases from statements: a role of some purpose with one document."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.judges import Thing
from tests.policies.world import allow, arn, document

TRUST = {
    "ci": document(world.GITHUB_TRUST),
    "task": world.service_trust("ecs-tasks.amazonaws.com"),
    "task-execution": world.service_trust("ecs-tasks.amazonaws.com"),
    "function": world.service_trust("lambda.amazonaws.com"),
    "pipeline": world.service_trust("codepipeline.amazonaws.com"),
    "deployment": world.service_trust("codedeploy.amazonaws.com"),
    "event-rule": world.service_trust("events.amazonaws.com"),
}
BOUNDARY = f"arn:aws:iam::{world.ACCOUNT}:policy/shop-ci-boundary"
DATA = allow(["dynamodb:GetItem", "dynamodb:PutItem"], arn("dynamodb", "table/orders"))


def text(value: Any) -> Any:
    """A document of statements, a whole document, or text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and ("Statement" in value or "Version" in value):
        return json.dumps(value)
    return document(*(value if isinstance(value, list) else [value]))


def slug(words: str) -> str:
    """Words as part of a resource's name."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def a_role(name: str, purpose: str, value: Any = None, **more: Any) -> list[Thing]:
    """A role of that purpose, with an inline policy where a document is given."""
    if purpose == "ci":
        more.setdefault("permissionsBoundary", BOUNDARY)
    trust = more.pop("trust", TRUST.get(purpose))
    out = [world.role(name, purpose, trust, **more)]
    if value is not None:
        out.append(world.policy(f"{name}-policy", name, text(value)))
    return out


def on_role(words: str, policy: str, purpose: str, refused: Any, clean: Any) -> Case:
    """A document on a role of its own."""
    name = slug(words)
    return Case(
        id=words,
        policy=policy,
        refused=a_role(f"bad-{name}"[:60], purpose, refused),
        clean=a_role(f"good-{name}"[:60], purpose, clean),
    )


def trusted(words: str, policy: str, purpose: str, refused: Any, clean: Any) -> Case:
    """A trust policy on a role of its own."""
    name = slug(words)
    return Case(
        id=words,
        policy=policy,
        refused=a_role(f"bad-{name}"[:60], purpose, trust=text(refused)),
        clean=a_role(f"good-{name}"[:60], purpose, trust=text(clean)),
    )


def instead(words: str, policy: str, refused: list[Thing], clean: list[Thing], *, production: bool = True) -> Case:
    """Things in the place of the world's own."""
    return Case(id=words, policy=policy, refused=refused, clean=clean, replaces=True, production=production)


def added(words: str, policy: str, refused: list[Thing], clean: list[Thing]) -> Case:
    """Things beside the world's own."""
    return Case(id=words, policy=policy, refused=refused, clean=clean)
