"""The command: rehearse the stacks of a Pulumi project and report what was found.

`main` is the command `pulumi-rehearsal preview|up`. A command line of your own takes its options over with
`add_common_arguments` and `add_arguments`, sets `mode`, and hands what was parsed to `run`.

Exit codes: 0 where every stack is allowed, 1 after a mandatory violation, an error in the program or a change that
was not expected, 2 where the command, the project's files or the configuration are not what they must be.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .model import Rehearsal

ALLOWED, FORBIDDEN, USAGE = 0, 1, 2
EXIT_CODES = (
    "Exit codes: 0 allowed, 1 a mandatory violation, an error in the program or a change that was not expected, "
    "2 a usage error."
)
_STARTED = time.perf_counter()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `pulumi-rehearsal` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="pulumi-rehearsal",
        description="Run a Pulumi Python program and its policy packs without cloud, account or Pulumi CLI.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "mode",
        choices=("preview", "up"),
        help="preview: what providers compute is unknown; up: it is filled with well-formed values",
    )
    add_common_arguments(parser)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Rehearse and report as the options say, and return the exit code.

    Args:
        options: what a parser with `add_common_arguments` and `add_arguments` made, and `mode`: preview or up.
    """
    if options.expect_no_changes and options.after is None:
        sys.stderr.write("error: --expect-no-changes needs --after: name the state to start from, as in --after up\n")
        return USAGE
    # What is imported from here on costs time that --help and a mistyped option need not spend.
    from . import report  # noqa: PLC0415
    from .changes import changing  # noqa: PLC0415
    from .config import load_project  # noqa: PLC0415
    from .engine import rehearse  # noqa: PLC0415
    from .errors import UsageError  # noqa: PLC0415
    from .packs import find_packs  # noqa: PLC0415
    from .terminal import Paint  # noqa: PLC0415

    loaded = time.perf_counter()
    try:
        project = load_project(options.project)
        stacks = options.stack or project.stacks()
        packs = options.policy_pack or ([] if options.no_policies else find_packs(project.root))
        runs = [_rehearse(rehearse, options, stack, packs) for stack in stacks]
        if not runs:
            sys.stderr.write(f"error: {options.project} has no Pulumi.<stack>.yaml; make one for the stack\n")
            return USAGE
    except UsageError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return USAGE
    if options.json:
        sys.stdout.write(report.for_machines(runs))
    else:
        paint = Paint.for_stdout(options.color)
        for result in runs:
            sys.stdout.write(report.for_people(result, paint) + "\n")
        sys.stdout.write(report.summary(runs, paint, "".join(f" --policy-pack {_relative(p)}" for p in packs)))
    if options.timings:
        phases = {"imports": loaded - _STARTED, "total": time.perf_counter() - _STARTED}
        for result in runs:
            phases.update({phase: phases.get(phase, 0.0) + spent for phase, spent in result.phases.items()})
        options.timings.write_text(json.dumps(phases), encoding="utf-8")
    unexpected = [step for result in runs for step in changing(result.steps)] if options.expect_no_changes else []
    if unexpected:
        sys.stderr.write(f"error: {len(unexpected)} changes are planned and none was expected; see Changes above\n")
    unseen = [resource for result in runs for resource in result.unseen] if options.fail_on_unseen else []
    if unseen:
        sys.stderr.write(
            f"error: {len(unseen)} components were not seen (--fail-on-unseen): their resources are not judged\n"
        )
    return ALLOWED if all(result.ok for result in runs) and not unexpected and not unseen else FORBIDDEN


def _rehearse(
    rehearse: Callable[..., Rehearsal], options: argparse.Namespace, stack: str, packs: Sequence[Path]
) -> Rehearsal:
    answers = _answers(options.answers)
    progress = sys.stderr.isatty()
    if progress:
        sys.stderr.write(f"rehearsing {stack} …\r")
        sys.stderr.flush()
    given: dict[str, Any] = {
        "config_overrides": pairs(options.config, "--config"),
        "secrets": {**_secrets(options.secrets), **pairs(options.secret, "--secret")},
        "config_file": options.config_file,
        "answers": answers.get("invokes"),
        "stack_outputs": answers.get("stacks"),
        "given_outputs": answers.get("outputs"),
    }
    try:
        return rehearse(
            options.project,
            stack,
            options.mode,
            packs=packs,
            policy_configs=options.policy_config,
            real_analyzers=options.real_analyzers,
            previous=_before(rehearse, options, stack, given),
            **given,
        )
    finally:
        if progress:
            sys.stderr.write("\x1b[2K")


def _before(
    rehearse: Callable[..., Rehearsal], options: argparse.Namespace, stack: str, given: Mapping[str, Any]
) -> Rehearsal | None:
    """The state that `--after` asks for: an `up` of the same program, and what happened to it since."""
    from .errors import UsageError  # noqa: PLC0415
    from .refresh import after  # noqa: PLC0415

    if options.after is None:
        return None
    made = rehearse(options.project, stack, "up", packs=[], **given)
    if made.errors:
        said = made.errors[0].message.splitlines()[0]
        raise UsageError(f"--after {options.after}: the first up of {stack} fails ({said}); fix that first")
    return after(options.after, made)


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """What an option that may be repeated gives, each time as KEY=VALUE."""
    from .errors import UsageError  # noqa: PLC0415

    found = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {pair!r} is not KEY=VALUE")
        found[key] = value
    return found


def _secrets(file: Path | None) -> dict[str, str]:
    from .config import read_yaml  # noqa: PLC0415
    from .errors import UsageError  # noqa: PLC0415

    if file is None:
        return {}
    content = read_yaml(file) or {}
    if not isinstance(content, dict):
        raise UsageError(f"{file} must be a map of configuration keys to plain values")
    return {str(key): str(value) for key, value in content.items()}


def _answers(file: Path | None) -> Mapping[str, Any]:
    from .config import read_yaml  # noqa: PLC0415
    from .errors import UsageError  # noqa: PLC0415

    if file is None:
        return {}
    content = read_yaml(file) or {}
    if not isinstance(content, dict) or set(content) - {"invokes", "outputs", "stacks"}:
        raise UsageError(f"{file} must be a map with invokes:, stacks: and outputs:")
    return content


def _relative(path: Path) -> str:
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def add_common_arguments(
    parser: argparse.ArgumentParser,
    stack: str = "a stack to rehearse, may be repeated (default: every Pulumi.<stack>.yaml)",
) -> None:
    """Which project, stack and configuration, and how to print: what every command on a stack has.

    Args:
        parser: gets the options.
        stack: the help of `--stack`, which gives a list, or None.
    """
    parser.add_argument("-s", "--stack", action="append", metavar="STACK", help=stack)
    parser.add_argument(
        "-C", "--project", type=Path, default=Path(), metavar="DIR", help="the project's directory (default: here)"
    )
    parser.add_argument(
        "--config-file", type=Path, metavar="FILE", help="a stack file to read in place of Pulumi.<stack>.yaml"
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a configuration value that overrides the stack's file, may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--color",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="colours (default: on a terminal)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a rehearsal that only it has."""
    parser.add_argument(
        "--policy-pack",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="a policy pack, may be repeated (default: every pack up to two directories below the project)",
    )
    parser.add_argument(
        "--policy-config",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a pack's configuration, JSON or YAML; one for each pack, in order",
    )
    parser.add_argument("--no-policies", action="store_true", help="run without the project's own policy packs")
    parser.add_argument(
        "--real-analyzers", action="store_true", help="start each pack as its own process, as the engine does"
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a plain stand-in for an encrypted value, by key or path (app:db.password), may be repeated",
    )
    parser.add_argument(
        "--secrets", type=Path, metavar="FILE", help="plain stand-ins for encrypted values, YAML or JSON"
    )
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what provider functions (invokes:, by token), other stacks' outputs (stacks:, by name) and what "
        "up cannot make up (outputs:, by type or URN) is",
    )
    parser.add_argument(
        "--after",
        choices=("up", "refresh", "release", "failed-release", "deployment"),
        help="run up first, let this happen to it, and run again: what would be changed, and is it still allowed",
    )
    parser.add_argument(
        "--expect-no-changes", action="store_true", help="with --after: exit 1 where anything would be changed"
    )
    parser.add_argument(
        "--fail-on-unseen",
        action="store_true",
        help="exit 1 where a plugin makes components (awsx, eks …), since what is in them was not judged",
    )
    parser.add_argument(
        "--timings", type=Path, metavar="FILE", help="write the wall seconds of each phase to FILE, as JSON"
    )
