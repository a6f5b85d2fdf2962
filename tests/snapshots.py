"""What each of the tests' stacks is, on paper: `python -m tests.snapshots` writes it anew, a test compares, CI never updates.

`tests/snapshots/<stack>/` holds

- `inventory.txt`: type, name and parent of every resource, a line each, sorted (the order of registration is the
  event loop's, not the program's);
- `documents.json`: every policy document, by resource and input;
- `event-patterns.json`: what each EventBridge rule waits for;
- `<service>/taskdef.json`, `appspec.yaml`, `release.json`: the template that a release is made of.

`tests/snapshots/package.json` is the schema of the component package, which other programs depend on.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from pulumi.provider.experimental.component import ComponentProvider
from pulumi_rehearsal import Rehearsal

from components import package
from tests.rehearsed import ROOT, STACKS, documents, rehearsed, stack_settings, template

FOLDER = Path(__file__).with_suffix("")
COMMAND = "make snapshots"
PACKAGE = FOLDER / "package.json"

RULE = "aws:cloudwatch/eventRule:EventRule"


def taken(stack: str) -> dict[str, str]:
    """The stack's snapshot as it is now: path below `tests/snapshots/<stack>/` to text."""
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
    """A line for every resource: its type, its name, and the type and name of its parent."""
    by_urn = {r.urn: r for r in run.resources}
    lines = []
    for resource in run.resources[1:]:
        parent = by_urn[resource.parent] if resource.parent else run.root
        lines.append(f"{resource.type}  {resource.name}  under {parent.type}  {parent.name}")
    return "\n".join(sorted(lines)) + "\n"


def pretty(value: dict[str, object]) -> str:
    """JSON for people, its outermost keys sorted; a document keeps its own order."""
    return json.dumps(dict(sorted(value.items())), indent=2) + "\n"


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
