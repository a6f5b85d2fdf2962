"""JSON Schema of a stack file, by which editors complete and check `Pulumi.STACK.yaml`.

Limits on text are left to the program: a text may hold `${account}` and the like, which a pattern would refuse.
"""

from __future__ import annotations

import json
from typing import Any

from components import strategies
from components.settings import Settings
from components.settings.values import NAMESPACE
from contract.regions import REGIONS


def schema() -> str:
    """The schema as JSON."""
    model = _without_titles(Settings.model_json_schema())
    model["properties"]["region"]["enum"] = list(REGIONS)
    model["$defs"]["Service"]["properties"]["strategy"]["enum"] = sorted(strategies.ALL)
    keys = {f"{NAMESPACE}:{key}": value for key, value in model["properties"].items()}
    config = {
        "type": "object",
        "properties": keys,
        "required": [f"{NAMESPACE}:{key}" for key in model["required"]],
        "propertyNames": {"anyOf": [{"enum": list(keys)}, {"not": {"pattern": f"^{NAMESPACE}:"}}]},
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "A stack of ecs-release; docs/settings.md has the same as a table.",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": model["$defs"],
    }
    return json.dumps(whole, indent=1) + "\n"


def _without_titles(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_titles(v) for k, v in value.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value
