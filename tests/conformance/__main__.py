"""`python -m tests.conformance`: run stacks under the real Pulumi engine and compare with the rehearsal.

Exit codes: 0 where both say the same (or the check was skipped, which it says loudly), 1 where they differ without a
named reason, 2 where the check could not run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal.errors import UsageError

from . import cli, computed, known, seeds
from .cases import Life
from .workspace import Workspace, stacks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .compare import Difference

SAME, DIFFERENT, USAGE = 0, 1, 2
_SHOWN = 300


def run(options: argparse.Namespace) -> int:
    """Run the check as the options say and return its exit code.

    Args:
        options: what a parser with `add_arguments` made.
    """
    started = time.perf_counter()
    try:
        found = cli.found(build=not options.no_build)
        if options.build_only:
            sys.stdout.write(f"Pulumi CLI {found.version}: {found.pulumi}\n")
            return SAME
        result = _checked(options, found)
    except cli.Unavailable as reason:
        if options.required:
            sys.stderr.write(f"error: {reason}\n")
            return USAGE
        return _skipped(str(reason), as_json=options.json)
    except UsageError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return USAGE
    result["seconds"] = round(time.perf_counter() - started, 1)
    if options.json:
        json.dump(result, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _show(result)
    return SAME if result["result"] == "same" else DIFFERENT


def _skipped(reason: str, *, as_json: bool) -> int:
    rule = "!" * 78
    sys.stderr.write(f"{rule}\n!! make engine SKIPPED, nothing was compared: {reason}\n{rule}\n")
    if as_json:
        sys.stdout.write(json.dumps({"result": "skipped", "reason": reason}) + "\n")
    return SAME


def _checked(options: argparse.Namespace, found: Any) -> dict[str, Any]:
    project = options.project.resolve()
    stacks = stacks_of(project, options.stack)
    for stack in stacks:
        if not (project / f"Pulumi.{stack}.yaml").is_file():
            raise UsageError(f"there is no Pulumi.{stack}.yaml in {project}; make it, or name another --stack")
    configs = [file.resolve() for file in options.policy_config]
    differences: list[Difference] = []
    unfound: list[str] = []
    for index, stack in enumerate(stacks):
        with (
            tempfile.TemporaryDirectory(prefix="engine-") as folder,
            Workspace(project, found, Path(folder), configs) as space,
        ):
            life = Life(workspace=space, stack=stack, say=_say)
            life.lived(deviations=index == 0)
            differences += life.differences
            if index == 0:
                unfound = seeds.unfound(life.pairs)
    rows = [_as_row(d, known.reason(d)) for d in differences]
    if options.computed is not None:
        rows += [_as_row(d, why) for d, why in computed.compared(computed.read(options.computed))]
    stale = [] if options.stack else [f"{k.what} of {k.type}: {k.reason}" for k in known.stale(differences)]
    wrong = any(not row["reason"] for row in rows) or stale or unfound
    return {
        "result": "different" if wrong else "same",
        "cli": found.version,
        "stacks": stacks,
        "differences": rows,
        "stale": stale,
        "seeds": {"planted": len(seeds.SEEDS), "unfound": unfound},
    }


def _as_row(difference: Difference, reason: str) -> dict[str, str]:
    return {
        "stack": difference.stack,
        "step": difference.step,
        "type": difference.type,
        "urn": difference.urn,
        "what": difference.what,
        "engine": difference.engine,
        "rehearsal": difference.rehearsal,
        "reason": reason,
    }


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show(result: dict[str, Any]) -> None:
    """The table for people: what is not explained in full, what is explained by reason."""
    explained: dict[str, int] = {}
    for row in result["differences"]:
        if row["reason"]:
            explained[row["reason"]] = explained.get(row["reason"], 0) + 1
            continue
        name = row["urn"].rsplit("::", 1)[-1]
        where = " ".join(part for part in (row["stack"], row["step"], row["type"], name) if part)
        sys.stdout.write(f"DIFFERENT {where}: {row['what']}\n")
        for side in ("engine", "rehearsal"):
            sys.stdout.write(f"    {side:10} {row[side][:_SHOWN]}\n")
    for reason, count in explained.items():
        sys.stdout.write(f"explained {count:5}  {reason}\n")
    for entry in result["stale"]:
        sys.stdout.write(f"STALE, take it out of known.py: {entry}\n")
    for name in result["seeds"]["unfound"]:
        sys.stdout.write(f"NOT FOUND, though planted: {name}\n")
    planted = result["seeds"]["planted"]
    unnamed = sum(not row["reason"] for row in result["differences"])
    sys.stdout.write(
        f"{', '.join(result['stacks'])} under Pulumi {result['cli']}: {unnamed} unexplained differences, "
        f"{planted - len(result['seeds']['unfound'])} of {planted} planted ones found, {result['seconds']:.0f} s\n"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the check."""
    parser.add_argument(
        "-s",
        "--stack",
        action="append",
        default=[],
        metavar="STACK",
        help="a stack to run, may be repeated (default: every Pulumi.<stack>.yaml)",
    )
    parser.add_argument(
        "-C", "--project", type=Path, default=Path(), metavar="DIR", help="the project's directory (default: here)"
    )
    parser.add_argument(
        "--computed",
        type=Path,
        metavar="FILE",
        help="compare the model's computed properties with a table as well, JSON: {token: {property: kind}}",
    )
    parser.add_argument(
        "--policy-config",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a pack's configuration, JSON; one for each pack, in order",
    )
    parser.add_argument("--no-build", action="store_true", help="skip rather than build the CLI where there is none")
    parser.add_argument("--build-only", action="store_true", help="only see to the CLI, and say where it is")
    parser.add_argument("--required", action="store_true", help="where the check cannot run, fail in place of skipping")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Run stacks under the real Pulumi engine, with the rehearsal's model as the provider, and compare.",
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
