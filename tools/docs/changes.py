"""Every setting, and what a following `up` does with a change of it while the last release runs: `docs/changes.md`.

    make prove            regenerates the table
    make prove CHECK=1    exits with 1 where it is not what the rehearsal says

Each change of `changes.yaml` is rehearsed as a second `up` on top of a first one. The released revision is then started
and reached under what the second declares (`rehearsal.emulator.restart`). Nothing here is judged by hand.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pulumi_rehearsal import Rehearsal, rehearse
from pulumi_rehearsal.changes import Step, plan

from contract import tags
from rehearsal.emulator.declared import Declared
from rehearsal.emulator.restart import cannot_start, released
from tools.docs.settings_table import rows as settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "changes.md"
_SAMPLE = Path(__file__).with_name("changes.yaml")
_STACK = ROOT / "tests" / "stacks" / "Pulumi.dev.yaml"
_PREFIX = "ecs-release:"

Verdict = Literal["nothing", "harmless", "documented step", "refused"]

CARRIES = frozenset(
    {
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:codedeploy/deploymentGroup:DeploymentGroup",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ecs/cluster:Cluster",
        "aws:ecs/service:Service",
        "aws:iam/role:Role",
        "aws:lb/listener:Listener",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:lb/targetGroup:TargetGroup",
    }
)
"""Types that running tasks, their traffic or their rights hang at: none is deleted or made anew in silence."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One change, what the update does, and what becomes of what runs."""

    key: str
    change: str
    plans: str
    verdict: Verdict
    said: str
    """What preview says: its refusal, or its warnings."""
    lost: tuple[str, ...]
    """What the released revision loses, sentence by sentence."""

    @property
    def silent(self) -> bool:
        """Whether something is lost without a warning."""
        return bool(self.lost) and not self.said


@cache
def _sample() -> dict[str, Any]:
    sample: dict[str, Any] = yaml.safe_load(_SAMPLE.read_text(encoding="utf-8"))
    return sample


def keys() -> tuple[str, ...]:
    """Keys of the sample's changes, in its order."""
    return tuple(_sample()["changes"])


def without_change() -> list[str]:
    """Settings that no change of the sample is about; an object stands for its keys."""
    sampled = {key.partition(" (")[0] for key in keys()}
    return [key for key, allowed, default, _ in settings() if key not in sampled and not _is_part(allowed, default)]


def _is_part(allowed: str, default: str) -> bool:
    return allowed.startswith(("object", "list of objects")) and default in ("see nested keys", "**required**")


# ---------------------------------------------------------------- one change


def _set(settings: dict[str, Any], changes: Mapping[str, Any]) -> None:
    emptied: list[list[Any]] = []
    for path, value in changes.items():
        *way, last = path.split(".")
        at: Any = settings
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if isinstance(at, list):
            if value is None:
                emptied.append(at)
            elif int(last) == len(at):
                at.append(None)
            at[int(last)] = copy.deepcopy(value)
        elif value is None:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    for items in emptied:
        items[:] = [item for item in items if item is not None]


def _settings(*changes: Mapping[str, Any]) -> dict[str, Any]:
    config = yaml.safe_load(_STACK.read_text(encoding="utf-8"))["config"]
    out = {key.removeprefix(_PREFIX): value for key, value in config.items()}
    for change in (_sample()["given"], *changes):
        _set(out, change)
    return out


def _rehearsed(settings: Mapping[str, Any], previous: Rehearsal | None = None) -> Rehearsal:
    overrides = {f"{_PREFIX}{key}": value for key, value in settings.items()}
    return rehearse(ROOT, "dev", "up", config_file=_STACK, config_overrides=overrides, packs=[], previous=previous)


@cache
def _baseline(changes: str) -> Rehearsal:
    run = _rehearsed(_settings(json.loads(changes)))
    if run.errors:
        raise AssertionError(f"{_SAMPLE.name}: from {changes}: {run.errors[0].message}")
    return run


def row(key: str) -> Row:
    """The row of one change of the sample."""
    given = _sample()["changes"][key]
    first, second = given.get("from", {}), given["to"]
    before = _baseline(json.dumps(first))
    after = _rehearsed(_settings(first, second), before)
    name, _, case = key.partition(" (")
    words = given.get("words") or case.rstrip(")")
    if after.errors:
        problem = after.errors[0].message.splitlines()
        return Row(key=name, change=words, plans="", verdict="refused", said=_first_problem(problem), lost=())
    steps = [s for s in plan(before, after) if s.op not in ("same", "read") and s.type != "ecs-release:index:Needs"]
    refused = [s.refused for s in steps if s.refused]
    said = "; ".join(d.message for d in after.diagnostics if d.severity == "warning")
    lost = (*_lost(steps), *_cannot(before, after))
    verdict: Verdict = "refused" if refused else "documented step" if said else "harmless" if steps else "nothing"
    return Row(key=name, change=words, plans=_plans(steps), verdict=verdict, said="; ".join(refused) or said, lost=lost)


def _first_problem(lines: Sequence[str]) -> str:
    """The first problem of a list, or the line that stands alone; a traceback is no refusal."""
    if lines[0].startswith("the program failed"):
        raise AssertionError("\n".join(lines))
    return (lines[1] if len(lines) > 1 else lines[0]).strip()


def _lost(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        # CI runs nothing of ours: what it may do is asked for by each settings file anew.
        ours = (step.old.inputs.get("tags") or {}).get(tags.PURPOSE) != tags.CI if step.old else False
        if ours and step.type in CARRIES and step.op in ("delete", "replace") and not step.retained:
            yield f"{step.op} {_kind(step)} {step.name}"


def _cannot(before: Rehearsal, after: Rehearsal) -> Iterator[str]:
    declared = Declared(after)
    for name in Declared(before).services:
        yield from cannot_start(released(before, name), declared)


def _kind(step: Step) -> str:
    return step.type.rpartition(":")[2]


def _plans(steps: Sequence[Step]) -> str:
    counted = Counter((step.op, _kind(step)) for step in steps if step.type.startswith(("aws:", "awsx:")))
    return ", ".join(f"{op} {kind}{f' x {n}' if n > 1 else ''}" for (op, kind), n in counted.items())


# ---------------------------------------------------------------- the page


_HEAD = """# What a change of each setting does to what runs

Each row: a setting changes, `pulumi up` follows, and nothing has been released since. The update is rehearsed on top of
a first one, then the revision that was released before is started and reached under the new roles, rules and
repositories. Made by `make prove` from [changes.yaml](../tools/docs/changes.yaml).

- **nothing**: the update changes nothing.
- **harmless**: running tasks, their traffic and their rights stay; what the template says comes with the next release.
- **documented step**: something happens to running tasks at once, or will; preview says what in a warning, quoted here.
- **refused**: preview ends with the sentence quoted here, and nothing is changed. How to get there all the same:
  [operations.md](operations.md#changing-what-runs).

| setting | what `up` plans | verdict | preview says |
| --- | --- | --- | --- |
"""


def page(found: Sequence[Row]) -> str:
    """The page's text."""
    return _HEAD + "\n".join(line(r) for r in found) + "\n"


def line(found: Row) -> str:
    """One row as Markdown."""
    what = f"`{found.key}`" + (f" ({found.change})" if found.change else "")
    said = found.said.replace("ecs-release:", "").replace("|", "\\|")
    return f"| {what} | {found.plans} | {found.verdict} | {said} |"


def all_rows() -> list[Row]:
    """Every row, rehearsed side by side."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(row, keys(), chunksize=4))


def run(*, check: bool) -> int:
    """Write the page, or compare it; returns 1 where it is stale, or where a change harms what runs in silence."""
    missing = without_change()
    if missing:
        sys.stderr.write("".join(f"no change in {_SAMPLE.name}: {key}\n" for key in missing))
        return 1
    found = all_rows()
    silent = [f"{r.key} ({r.change}): {'; '.join(r.lost)}" for r in found if r.silent]
    if silent:
        sys.stderr.write("".join(f"in silence: {line}\n" for line in silent))
        return 1
    if check:
        if PAGE.read_text(encoding="utf-8") == page(found):
            return 0
        sys.stderr.write(f"{PAGE.name} is stale; make prove regenerates it\n")
        return 1
    PAGE.write_text(page(found), encoding="utf-8")
    return 0
