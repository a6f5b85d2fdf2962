"""docs/policies.md, made from the policy packs (`make docs`).

Each policy's name, purpose, level, reference and remedy come from the running pack, and its example from the pack's
examples.yaml, whose messages the tests hold against the packs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi_rehearsal.packs import find_packs

from tools.docs.policies import pack_info

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policies.md"
_LEVELS = {0: "advisory", 1: "mandatory", 2: "disabled", 3: "remediate"}
_SEVERITIES = {0: "", 1: "low", 2: "medium", 3: "high", 4: "critical"}

_HEAD = """# What the policy packs demand

Generated from the packs by `make docs`; every example below is executed by the tests, before
the packs' real analyzer processes.

Two packs hold a stack, in `pulumi preview` and `pulumi up` as in `make rehearse`:

{packs}

Both judge any Pulumi program: `pulumi preview --policy-pack DIR --policy-pack-config FILE`, with the pack's folder in a
checkout of this repository and your own tags and names in the file (one file for each pack, or none at all); the README
in each pack's folder shows it. Here `policies/config/PACK.json` is taken by `make rehearse`, `make preview` and
`make up`, and a pack without a file keeps its defaults. The file names policies:

```json
{{
  "all": "mandatory",
  "ci-can-only-hand-over": {{"purposeTag": "acme:role-of", "purposes": {{"builder": "ci"}}}}
}}
```

A level (`advisory`, `mandatory`, `disabled`) may replace the object, or inside it as `enforcementLevel`.

Where a value is not known before the update (another provider's output in a document, say), a policy says so as an
advisory, in its own words, and judges it at the update.

What the program declares is judged as it declares it in this run, whatever the state still holds of an earlier one or
has lost in a refresh. What AWS or somebody else has set and the program leaves unsaid, leaves empty or names in
`ignoreChanges` is judged by what it means: a topic's default policy is its owner's, an inline policy that a resource of
the stack gives is judged there, and a policy that was opened by hand is refused. For this a pack sees each resource's
inputs in its policies over single resources (`no-long-lived-credentials`; `repositories-are-immutable-and-scanned` and
`buckets-block-public-access`): with all of a pack's disabled it has the outputs alone, and after a refresh, which
leaves the contents of files out, it then refuses roles whose reason is in a template. A text asset that is empty
ends every Python pack with "Invalid asset encountered" (the SDK's deserialization, before any policy is asked): leave
such a file out.
"""


def page() -> str:
    """The whole page."""
    parts, packs = [], []
    for folder in find_packs(ROOT):
        info = pack_info(folder)
        packs.append(f"- [`{info.name}`](#{info.name}): {info.description}")
        parts += [f"## {info.name}", info.description, _settings(info)]
        shown = yaml.safe_load((folder / "examples.yaml").read_text(encoding="utf-8"))
        parts += [_policy(policy, shown[policy.name]) for policy in info.policies]
    return "\n\n".join([_HEAD.format(packs="\n".join(packs)).rstrip(), *parts]) + "\n"


def _settings(info: Any) -> str:
    schema: dict[str, Any] = {}
    for policy in info.policies:
        schema.update(json_format.MessageToDict(policy.configSchema.properties))
    rows = ["| setting | type | what it says |", "| --- | --- | --- |"]
    for key in sorted(schema):
        kind = schema[key].get("type", "")
        value = schema[key].get("default")
        default = "" if value in (None, [], {}) else f" Default: `{json.dumps(_whole(value))}`."
        rows.append(f"| `{key}` | {kind} | {schema[key].get('description', '')}{default} |")
    return "Settings, understood by each policy of the pack that takes any:\n\n" + "\n".join(rows)


def _whole(value: Any) -> Any:
    """A number as it was written: every number of a protobuf struct is a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _policy(info: Any, example: dict[str, Any]) -> str:
    facts = [_LEVELS[info.enforcementLevel], f"severity {_SEVERITIES[info.severity]}"]
    if info.framework.reference:
        facts.append(f"{info.framework.name} {info.framework.reference}: {info.framework.specification}")
    lines = [f"### {info.name}", info.description, f"*{'; '.join(facts)}.* {info.remediation_steps}"]
    lines.append(f"Refused:\n\n```yaml\n{_yaml(example['type'], example['refused'])}```")
    lines.append(f"> {example['message']}")
    accepted = example["accepted"]
    if accepted is None:
        lines.append("Accepted: a stack without the resource.")
    else:
        lines.append(f"Accepted:\n\n```yaml\n{_yaml(example['type'], accepted)}```")
    return "\n\n".join(lines)


def _yaml(kind: str, properties: dict[str, Any]) -> str:
    value = {"type": kind, "properties": properties}
    return str(yaml.safe_dump(value, sort_keys=False, default_flow_style=False, width=100))
