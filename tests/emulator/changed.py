"""Rehearsed stacks with one resource changed, as if the program had declared it so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pulumi_rehearsal import Rehearsal, Resource

Change = Callable[[dict[str, Any]], Any]


def changed(run: Rehearsal, resource: Resource, change: Change) -> Rehearsal:
    """The run with other inputs of one resource."""
    inputs = copy.deepcopy(resource.inputs)
    change(inputs)
    resources = tuple(replace(r, inputs=inputs) if r is resource else r for r in run.resources)
    return replace(run, resources=resources)


def without(run: Rehearsal, resource: Resource) -> Rehearsal:
    """The run without one resource."""
    return replace(run, resources=tuple(r for r in run.resources if r is not resource))


def policy_of(run: Rehearsal, role: str) -> Resource:
    """The policy of the role of that name."""
    return next(r for r in run.all("aws:iam/rolePolicy:RolePolicy") if r.inputs["role"] == role)


def resource(run: Rehearsal, type_: str, name: str) -> Resource:
    """The resource of that type and physical name."""
    return next(r for r in run.all(type_) if r.inputs.get("name") == name)


def not_allowing(run: Rehearsal, role: str, action: str) -> Rehearsal:
    """The run in which this role's document lacks one action."""
    return changed(run, policy_of(run, role), lambda inputs: _take(inputs, action))


def _take(inputs: dict[str, Any], action: str) -> None:
    document = json.loads(inputs["policy"])
    found = [s for s in document["Statement"] if action in s["Action"]]
    assert found, f"{action} is not there to be taken away"
    for statement in found:
        statement["Action"] = [a for a in statement["Action"] if a != action] or ["none:Nothing"]
    inputs["policy"] = json.dumps(document)
