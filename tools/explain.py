"""One identity of a rehearsed stack, explained to a reviewer.

Who can assume it, what it can do in plain words, and which line of the program granted it. The reading of documents is
the policy pack's own (`policies/least-privilege`), so that what is explained is what is judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import policy_kit.resources as plain
from least_privilege import explain as reading
from least_privilege.inventory import Inventory
from least_privilege.settings import Settings
from pulumi_rehearsal import rehearse
from pulumi_rehearsal.model import UNKNOWN, Archive, Asset, Rehearsal, Resource, Secret

FOUND, FAILED, USAGE = 0, 1, 2


def run(options: argparse.Namespace) -> int:
    """Explain one role and return the exit code: 0, 1 when the program failed, 2 when the question was wrong.

    Args:
        options: `project`, `stack`, `config_file`, `config` (overrides by key), `role`, `json`.
    """
    rehearsal = rehearse(
        options.project, options.stack, config_file=options.config_file, config_overrides=options.config, packs=[]
    )
    if rehearsal.errors:
        sys.stderr.writelines(f"error: {d.message}\n" for d in rehearsal.errors)
        return FAILED
    inventory, sources = inventory_of(rehearsal)
    found = reading.find(inventory, options.role)
    if not found:
        names = ", ".join(sorted(i.name for i in inventory.identities))
        sys.stderr.write(f"error: the stack {options.stack} has no role {options.role}; it has {names}\n")
        return USAGE
    explanations = [reading.explain(identity, inventory) for identity in found]
    lines = _Lines(sources, options.project.resolve())
    if options.json:
        sys.stdout.write(json.dumps([_as_data(e, lines) for e in explanations], indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_as_text(e, lines) for e in explanations))
    return FOUND


def inventory_of(run: Rehearsal) -> tuple[Inventory, dict[str, Resource]]:
    """What the pack reads of a rehearsed stack, and the rehearsed resources by URN."""
    known = {r.urn: r for r in run.resources}

    def provider(resource: Resource) -> Mapping[str, Any]:
        found: Mapping[str, Any] = _read(known[resource.provider].inputs) if resource.provider in known else {}
        return found

    made = {
        r.urn: plain.Resource(
            type=r.type,
            name=r.name,
            urn=r.urn,
            read=lambda r=r: _read(r.outputs),  # type: ignore[misc]
            read_provider=lambda r=r: provider(r),  # type: ignore[misc]
            ignored=r.options.ignore_changes,
        )
        for r in run.resources
    }
    for r in run.resources:
        made[r.urn].refers = {
            key: [made[urn] for urn in urns if urn in made] for key, urns in r.property_dependencies.items()
        }
    return Inventory(made.values(), Settings()), known


def _read(value: Any) -> Any:
    """A rehearsed value as the pack's rules read it."""
    if value is UNKNOWN:
        return plain.UNKNOWN
    if isinstance(value, Secret):
        return _read(value.value)
    if isinstance(value, dict):
        return {key: _read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, Archive):
        return {"assets": _read(dict(value.assets or {}))}
    return {"text": value.text} if isinstance(value, Asset) and value.text is not None else value


class _Lines:
    """Where in the program a resource was made."""

    def __init__(self, known: Mapping[str, Resource], project: Path) -> None:
        self._known = known
        self._project = project

    def of(self, urn: str) -> list[str]:
        """`components/iam.py:173`, then who called that, out to `__main__.py`; empty where it is not known."""
        source = self._known[urn].source if urn in self._known else ()
        return [f"{self._relative(Path(s.file))}:{s.line}" for s in source]

    def _relative(self, path: Path) -> Path:
        inside = path.is_absolute() and path.is_relative_to(self._project)
        return path.relative_to(self._project) if inside else path


def _as_text(explained: reading.Explanation, lines: _Lines) -> str:
    facts = [explained.purpose, explained.environment, "production" if explained.production else ""]
    out = [
        f"{explained.name} ({', '.join(fact for fact in facts if fact)})",
        explained.arn,
        "",
    ]
    out += ["Who can assume it", *_shown(explained.assumed_by, lines), ""]
    out += ["What it can do", *_shown(explained.may, lines), ""]
    if explained.boundary is not None:
        out += ["Permissions boundary", *_shown((explained.boundary,), lines), ""]
    if explained.named_by:
        out += ["Resource policies that name it", *_shown(explained.named_by, lines), ""]
    if explained.unread:
        out += ["What cannot be read", *_shown(explained.unread, lines), ""]
    return "\n".join(out) + "\n"


def _shown(items: Sequence[reading.Line], lines: _Lines) -> list[str]:
    if not items:
        return ["  nothing"]
    out = []
    for item in items:
        way = " < ".join(lines.of(item.resource.urn)) or item.resource.urn
        out.append(f"  {item.text}\n      {item.via}, {way}")
    return out


def _as_data(explained: reading.Explanation, lines: _Lines) -> dict[str, Any]:
    def listed(items: Sequence[reading.Line]) -> list[dict[str, Any]]:
        return [{"text": i.text, "via": i.via, "urn": i.resource.urn, "lines": lines.of(i.resource.urn)} for i in items]

    return {
        "name": explained.name,
        "arn": explained.arn,
        "purpose": explained.purpose,
        "environment": explained.environment,
        "production": explained.production,
        "assumedBy": listed(explained.assumed_by),
        "may": listed(explained.may),
        "boundary": listed((explained.boundary,))[0] if explained.boundary is not None else None,
        "namedBy": listed(explained.named_by),
        "unread": listed(explained.unread),
    }
