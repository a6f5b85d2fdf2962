"""What each of the tests' stacks is, on paper: `python -m tests.snapshots` writes it anew, a test compares, CI never updates.

`tests/snapshots/<stack>/` holds

- `inventory.txt`: type, name and parent of every resource, its options and its inputs, sorted (the order of registration
  is the event loop's, not the program's); what has a file of its own is left out;
- `documents.json`: every policy document, by resource and input;
- `event-patterns.json`: what each EventBridge rule waits for;
- `<service>/taskdef.json`, `appspec.yaml`, `release.json`: the template that a release is made of.

stg is dev under another name but for a few settings: its folder holds what differs, and nothing else.

`tests/snapshots/package.json` is the schema of the component package, which other programs depend on.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.provider.experimental.component import ComponentProvider
from pulumi_rehearsal import UNKNOWN, Archive, Asset, Rehearsal

from components import package
from tests.rehearsed import ROOT, STACKS, documents, rehearsed, stack_settings, template

FOLDER = Path(__file__).with_suffix("")
COMMAND = "make snapshots"
PACKAGE = FOLDER / "package.json"

RULE = "aws:cloudwatch/eventRule:EventRule"


LIKE = {"stg": "dev"}
"""A stack that differs from another in its name and in some settings, to that other one."""


def taken(stack: str) -> dict[str, str]:
    """The stack's snapshot as it is now: path below `tests/snapshots/<stack>/` to text."""
    if stack not in LIKE:
        return whole(stack)
    before, now = whole(LIKE[stack]), whole(stack)
    return {f"{LIKE[stack]}.diff": "".join(difference(before, now, stack))}


def difference(before: dict[str, str], now: dict[str, str], stack: str) -> Iterator[str]:
    """Unified diff of two snapshots, names of the second stack written as the first's; without line numbers."""
    for name in sorted(before.keys() | now.keys()):
        renamed = re.sub(rf"\b{stack}\b", LIKE[stack], now.get(name, ""))
        lines = (before.get(name, "").splitlines(keepends=True), renamed.splitlines(keepends=True))
        for line in difflib.unified_diff(*lines, name, name, n=2):
            yield "@@\n" if line.startswith("@@") else line


def whole(stack: str) -> dict[str, str]:
    """Everything that a snapshot of the stack has, by path."""
    run = rehearsed(stack)
    files = {
        "inventory.txt": inventory(run),
        "documents.json": pretty({f"{r.type} {r.name} {key}": json.loads(value) for r, key, value in documents(run)}),
        "event-patterns.json": pretty(
            {r.name: json.loads(r.inputs["eventPattern"]) for r in run.all(RULE) if "eventPattern" in r.inputs}
        ),
    }
    for service in stack_settings(stack)["services"]:
        files |= {f"{service['name']}/{name}": text for name, text in template(run, service["name"]).items()}
    return files


def kept(stack: str) -> dict[str, str]:
    """The stack's snapshot as it was committed."""
    folder = FOLDER / stack
    return {str(f.relative_to(folder)): f.read_text() for f in sorted(folder.rglob("*")) if f.is_file()}


def package_schema() -> str:
    """The component package's schema, as Pulumi's own analyzer has it."""
    schema = json.loads(ComponentProvider(list(package.PUBLIC), package.NAME).schema)
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def inventory(run: Rehearsal) -> str:
    """Every resource: a line of its type, its name and its parent, and a line for each option and input."""
    by_urn = {r.urn: r for r in run.resources}
    elsewhere = {(r.urn, key) for r, key, _ in documents(run)} | {(r.urn, "eventPattern") for r in run.all(RULE)}
    out = []
    for resource in run.resources[1:]:
        parent = by_urn[resource.parent] if resource.parent else run.root
        said = {f"({key})": value for key, value in vars(resource.options).items() if key in OPTIONS and value}
        said |= {k: v for k, v in resource.inputs.items() if k != "tagsAll" and (resource.urn, k) not in elsewhere}
        lines = [
            f"  {key}: {textwrap.indent(_written(_plain(value)), '  ').strip()}\n"
            for key, value in sorted(said.items())
        ]
        out.append(f"{resource.type}  {resource.name}  under {parent.type}  {parent.name}\n{''.join(lines)}")
    return "".join(sorted(out))


LINE = 160
OPTIONS = ("protect", "ignore_changes", "delete_before_replace", "replace_on_changes", "retain_on_delete", "hooks")


def _written(value: Any) -> str:
    """JSON for people: what is longer than a line has a line for each item."""
    line = json.dumps(value)
    if len(line) <= LINE or not isinstance(value, dict | list):
        return line
    items = (
        [f"{json.dumps(k)}: {_written(v)}" for k, v in value.items()]
        if isinstance(value, dict)
        else map(_written, value)
    )
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    below = textwrap.indent(",\n".join(items), "  ")
    return f"{opening}\n{below}\n{closing}"


def _plain(value: Any) -> Any:
    """JSON of an input: what only the provider can tell is `<computed>`, text of JSON is read."""
    if value is UNKNOWN:
        return "<computed>"
    if isinstance(value, Asset | Archive):
        return f"<{type(value).__name__.lower()}>"
    if isinstance(value, str) and value[:1] in ("{", "["):
        return _plain(json.loads(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def pretty(value: dict[str, object]) -> str:
    """JSON for people, its outermost keys sorted; a document keeps its own order."""
    return _written(dict(sorted(value.items()))) + "\n"


def write() -> None:
    """Write every stack's snapshot, and remove what is no part of it any more."""
    for stack in STACKS:
        shutil.rmtree(FOLDER / stack, ignore_errors=True)
        for name, text in taken(stack).items():
            file = FOLDER / stack / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    PACKAGE.write_text(package_schema())
    sys.stdout.write(f"wrote {(FOLDER).relative_to(ROOT)}; git diff shows what changed\n")


if __name__ == "__main__":
    write()
