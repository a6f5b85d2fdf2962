"""What people and machines see of a rehearsal: a tree as `pulumi preview` lays it out, and JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .changes import changing
from .model import UNKNOWN, Archive, Asset, Secret
from .registration import PROVIDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .changes import Step
    from .model import Diagnostic, Rehearsal, Resource, Violation
    from .terminal import Paint

_INDENT = "    "


# -- for people -----------------------------------------------------------------------------------------------


def for_people(run: Rehearsal, paint: Paint) -> str:
    """One stack's whole report, ending with a line break."""
    verb = "Previewing update" if run.mode == "preview" else "Updating"
    sections = [
        [paint(f"{verb} ({run.stack}), rehearsed", "bold")],
        list(_tree(run, paint)),
        list(_plan(run, paint)),
        list(_diagnostics(run, paint)),
        list(_policies(run, paint)),
        list(_exports(run, paint)),
        list(_counts(run, paint)),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def summary(runs: Sequence[Rehearsal], paint: Paint, pack_options: str) -> str:
    """After all stacks: which are allowed, and what to do next."""
    width = max(len(run.stack) for run in runs)
    lines = []
    for run in runs:
        verdict = paint("allowed", "green") if run.ok else paint("not allowed", "red", "bold")
        if run.ok and run.unseen:
            verdict += paint(f", but {_count(len(run.unseen), 'component')} not seen", "yellow")
        policies = sum(len(pack.policies) for pack in run.packs)
        lines.append(
            f"{run.stack:<{width}}  {verdict}  {_count(len(shown(run)), 'resource')}, "
            f"{_count(policies, 'policy', 'policies')} of {_count(len(run.packs), 'pack')}, "
            f"{len(run.mandatory)} mandatory and {len(run.violations) - len(run.mandatory)} advisory, "
            f"{_count(len(run.errors), 'error')}"
        )
    if all(run.ok for run in runs):
        stack = runs[0].stack
        lines += ["", f"Next: pulumi up --stack {stack}{pack_options}, with the Pulumi CLI and credentials."]
    else:
        lines += ["", "Next: fix the errors above, then run the same command again."]
    return "\n".join(lines) + "\n"


def shown(run: Rehearsal) -> list[Resource]:
    """The resources that the CLI lists: all but the providers that the engine makes by itself."""
    return [r for r in run.resources if not is_default_provider(r)]


def is_default_provider(resource: Resource) -> bool:
    """Whether the engine made this provider, because a resource named none."""
    return (
        resource.type.startswith(PROVIDER_PREFIX)
        and not resource.parent
        and (resource.name == "default" or resource.name.startswith("default_"))
    )


def short_type(token: str) -> str:
    """A type token as the CLI shows it: `aws:s3/bucket:Bucket` is `aws:s3:Bucket`."""
    parts = token.split(":")
    if len(parts) != 3 or "/" not in parts[1]:  # noqa: PLR2004  package, module, name
        return token
    module, file = parts[1].split("/", 1)
    name = parts[2]
    return f"{parts[0]}:{module}:{name}" if file.lower() == name.lower() else token


def _tree(run: Rehearsal, paint: Paint) -> Iterator[str]:
    rows: list[tuple[str, Resource]] = []
    listed = shown(run)
    if run.steps:
        listed = _concerned(run, listed)
    urns = {resource.urn for resource in listed}
    children: dict[str, list[Resource]] = {}
    for resource in listed:
        children.setdefault(resource.parent if resource.parent in urns else "", []).append(resource)

    def walk(parent: str, prefix: str, *, top: bool) -> None:
        below = children.get(parent, [])
        for index, resource in enumerate(below):
            last = index == len(below) - 1
            branch = "" if top else prefix + ("└─ " if last else "├─ ")
            rows.append((branch, resource))
            walk(resource.urn, "" if top else prefix + ("   " if last else "│  "), top=False)

    walk("", "", top=True)
    if not rows:
        return
    violations = Counter(violation.urn for violation in run.violations if violation.level == "mandatory")
    steps = {step.urn: step.op for step in run.steps}
    types = [branch + short_type(resource.type) for branch, resource in rows]
    type_width = max(len("Type"), *(len(text) for text in types))
    name_width = max(len("Name"), *(len(resource.name) for _, resource in rows))
    yield paint(f"     {'Type':<{type_width}}  {'Name':<{name_width}}  Plan", "bold")
    for text, (_, resource) in zip(types, rows, strict=True):
        plan = steps.get(resource.urn, "read" if resource.read else "create")
        mark, style = _MARKS[plan]
        shown_plan = "" if plan == "same" else plan
        found = violations.get(resource.urn, 0)
        info = paint(f"  {_count(found, 'mandatory violation')}", "red") if found else ""
        yield (
            f"{paint(f' {mark:<2}', style)}  {text:<{type_width}}  {resource.name:<{name_width}}  "
            f"{paint(shown_plan, style)}{info}"
        ).rstrip()


_MARKS = {
    "same": ("", "dim"),
    "create": ("+", "green"),
    "import": ("=", "green"),
    "update": ("~", "yellow"),
    "replace": ("+-", "magenta"),
    "delete": ("-", "red"),
    "read": (">", "green"),
}


def _plan(run: Rehearsal, paint: Paint) -> Iterator[str]:
    """What would be done to a stack that stands, in words."""
    if not run.steps:
        return
    yield paint("Changes:", "bold")
    planned = changing(run.steps)
    if not planned:
        yield f"{_INDENT}none: everything is as the program says"
    for step in planned:
        mark, style = _MARKS[step.op]
        yield f"{_INDENT}{paint(f'{mark:<2}', style)} {_step(step)}"
        for change in step.changes:
            old, new = _short(change.old), _short(change.new)
            because = "  (replaces)" if change.replaces else ""
            yield f"{_INDENT * 2}{change.path}: {old} => {new}{because}"


def _step(step: Step) -> str:
    words = f"{step.op} {short_type(step.type)} {step.name}"
    if step.op == "replace":
        words += ": the old one is deleted first" if step.delete_first else ": the old one is deleted last"
        if step.because_of:
            words += f", with {_where(step.because_of)}"
    if step.retained:
        words += "; what is on AWS stays there"
    if step.assumed:
        words += "; nobody looked up what replaces this type, so a replacement may not be seen"
    return words + ("; refused: see Diagnostics" if step.refused else "")


_SHOWN = 80


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = "[unknown]" if value is UNKNOWN else json.dumps(for_json(value), ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _concerned(run: Rehearsal, listed: Sequence[Resource]) -> list[Resource]:
    """What changes or is objected to, with everything above it, as the CLI leaves the unchanged out."""
    kept = {step.urn for step in changing(run.steps)} | {v.urn for v in run.violations if v.level == "mandatory"}
    for urn in list(kept):
        resource = run.get(urn)
        while resource is not None:
            kept.add(resource.urn)
            resource = run.get(resource.parent)
    return [resource for resource in listed if resource.urn in kept]


def _diagnostics(run: Rehearsal, paint: Paint) -> Iterator[str]:
    if not run.diagnostics:
        return
    yield paint("Diagnostics:", "bold")
    styles = {"error": "red", "warning": "yellow", "info": "dim"}
    for diagnostic in run.diagnostics:
        where = f" {_where(diagnostic.urn)}:" if diagnostic.urn else ""
        first, *rest = diagnostic.message.splitlines() or [""]
        yield f"{_INDENT}{paint(f'{diagnostic.severity}:', styles[diagnostic.severity])}{where} {first}"
        for line in (*rest, *_traceback(diagnostic)):
            yield f"{_INDENT}  {line}".rstrip()


def _traceback(diagnostic: Diagnostic) -> Iterable[str]:
    return diagnostic.traceback.splitlines()


def _policies(run: Rehearsal, paint: Paint) -> Iterator[str]:
    if not run.packs and not run.unseen:
        return
    yield paint("Policies:", "bold")
    for pack in run.packs:
        mine = [v for v in run.violations if v.pack == pack.name]
        mandatory = [v for v in mine if v.level == "mandatory"]
        advisory = [v for v in mine if v.level != "mandatory"]
        unsaid = not mine and bool(run.errors)  # the stack is not whole: nothing was said of what is missing
        mark = paint("✗", "red", "bold") if mandatory or unsaid else paint("✓", "green")
        version = f"@v{pack.version.removeprefix('v')}" if pack.version else ""
        said = (
            f"{len(mandatory)} mandatory, {len(advisory)} advisory"
            if mine
            else "not judged: the program failed"
            if unsaid
            else f"{_count(len(pack.policies), 'policy', 'policies')} passed"
        )
        if run.unseen and not unsaid:
            said += f", {_count(len(run.unseen), 'component')} not seen"
            mark = mark if mandatory else paint("?", "yellow")
        yield f"{_INDENT}{mark} {pack.name}{version}  {said}"
        for remediation in run.remediations:
            if remediation.pack == pack.name:
                label = paint("[remediated]", "magenta")
                yield f"{_INDENT * 2}{label} {remediation.policy}  {_where(remediation.urn)}"
        for violation in (*mandatory, *advisory):
            yield from _violation(violation, paint)
    for component in run.unseen:
        label = paint("[not seen]", "yellow")
        yield f"{_INDENT}{label} {short_type(component.type)} {component.name}: a plugin makes its resources, and they"
        yield f"{_INDENT * 2}are not in this rehearsal; the verdict is without them. `pulumi preview` judges them."


def _violation(violation: Violation, paint: Paint) -> Iterator[str]:
    style = "red" if violation.level == "mandatory" else "yellow"
    severity = f" ({violation.severity})" if violation.severity else ""
    yield f"{_INDENT * 2}{paint(f'[{violation.level}]', style)} {violation.policy}{severity}"
    deeper = _INDENT * 3
    yield f"{deeper}{paint(violation.urn, 'dim')}"
    for line in violation.message.splitlines():
        yield f"{deeper}{line}".rstrip()
    if violation.remediation_steps:
        for index, line in enumerate(violation.remediation_steps.splitlines()):
            yield f"{deeper}{'Remedy: ' if index == 0 else '        '}{line}".rstrip()
    if violation.url:
        yield f"{deeper}See {violation.url}"


def _exports(run: Rehearsal, paint: Paint) -> Iterator[str]:
    if not run.exports:
        return
    yield paint("Outputs:", "bold")
    width = max(len(name) for name in run.exports)
    for name in sorted(run.exports):
        text = _value(run.exports[name])
        first, *rest = text.splitlines() or [""]
        yield f"{_INDENT}{name:<{width}}: {first}"
        for line in rest:
            yield f"{_INDENT}{'':<{width}}  {line}"


def _counts(run: Rehearsal, paint: Paint) -> Iterator[str]:
    listed = shown(run)
    if not listed:
        return
    if run.steps:
        tally = Counter(step.op for step in run.steps if step.new is None or not is_default_provider(step.new))
        words = [f"{tally[op]} to {op}" for op in ("create", "import", "update", "replace", "delete") if tally[op]]
        yield paint("Resources:", "bold") + " " + ", ".join([*words, f"{tally['same']} unchanged"])
        return
    made = sum(not resource.read for resource in listed)
    yield (
        paint("Resources:", "bold")
        + f" {made} to create"
        + (f", {len(listed) - made} to read" if made != len(listed) else "")
    )
    counts = Counter(short_type(resource.type) for resource in listed)
    width = len(str(max(counts.values())))
    for token, count in sorted(counts.items()):
        yield f"{_INDENT}{count:>{width}}  {token}"


def _where(urn: str) -> str:
    """A URN's type and name, for a line that is read."""
    parts = urn.split("::")
    return f"{short_type(parts[2].rsplit('$', 1)[-1])} {parts[3]}" if len(parts) == 4 else urn  # noqa: PLR2004


def _value(value: Any) -> str:
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(for_json(value), indent=2, ensure_ascii=False)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


# -- for machines ---------------------------------------------------------------------------------------------


def for_machines(runs: Sequence[Rehearsal]) -> str:
    """All stacks as one JSON document, ending with a line break.

    Unknown values are the text `[unknown]`, secrets `[secret]`, as the CLI shows them.
    """
    document = {"ok": all(run.ok for run in runs), "stacks": [_stack(run) for run in runs]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stack(run: Rehearsal) -> dict[str, Any]:
    return {
        "project": run.project,
        "stack": run.stack,
        "mode": run.mode,
        "ok": run.ok,
        "resources": [_resource(resource) for resource in run.resources],
        "counts": dict(sorted(Counter(r.type for r in shown(run)).items())),
        "exports": {name: for_json(run.exports[name]) for name in sorted(run.exports)},
        "packs": [asdict(pack) for pack in run.packs],
        "unseen": [resource.urn for resource in run.unseen],
        "violations": [asdict(violation) for violation in run.violations],
        "remediations": [asdict(remediation) for remediation in run.remediations],
        "notApplicable": [asdict(item) for item in run.not_applicable],
        "steps": [_step_json(step) for step in changing(run.steps)],
        "diagnostics": [asdict(diagnostic) for diagnostic in run.diagnostics],
        "seconds": {phase: round(seconds, 3) for phase, seconds in run.phases.items()},
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "op": step.op,
        "urn": step.urn,
        "changes": [
            {"path": c.path, "old": for_json(c.old), "new": for_json(c.new), "replaces": c.replaces}
            for c in step.changes
        ],
        "deleteFirst": step.delete_first,
        "retained": step.retained,
        "refused": step.refused,
        "becauseOf": step.because_of,
        "assumed": step.assumed,
    }


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "urn": resource.urn,
        "type": resource.type,
        "name": resource.name,
        "parent": resource.parent,
        "custom": resource.custom,
        "read": resource.read,
        "id": for_json(resource.id),
        "provider": resource.provider,
        "inputs": for_json(resource.inputs),
        "outputs": for_json(resource.outputs),
        "options": asdict(resource.options),
        "dependencies": list(resource.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in resource.property_dependencies.items() if urns},
        "source": [f"{line.file}:{line.line}" for line in resource.source],
    }


def for_json(value: Any) -> Any:
    """A plain value of a rehearsal as JSON can hold it."""
    if value is UNKNOWN:
        return "[unknown]"
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, Asset | Archive):
        content = (
            asdict(value)
            if isinstance(value, Asset)
            else {
                "path": value.path,
                "uri": value.uri,
                "assets": None if value.assets is None else {k: for_json(v) for k, v in value.assets.items()},
            }
        )
        return {type(value).__name__.lower(): {k: v for k, v in content.items() if v is not None}}
    if isinstance(value, dict):
        return {key: for_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(item) for item in value]
    return value
