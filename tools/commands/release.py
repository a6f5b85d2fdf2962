"""`release`: a release of a stack from CI's hand-off to its end, with no account."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_rehearsal.errors import UsageError
from pulumi_rehearsal.terminal import Paint

from rehearsal.emulator import strategy
from rehearsal.emulator.errors import StepError
from rehearsal.emulator.steps import REJECTED_APPROVAL
from tools.commands import one_stack

if TYPE_CHECKING:
    from pulumi_rehearsal import Rehearsal

    from rehearsal.emulator.executions import Question
    from rehearsal.emulator.release import Outcome
    from rehearsal.emulator.timeline import Entry

HELP = "rehearse a whole release of a stack against an emulator of AWS: no cloud, no account, loopback only"
EXIT_CODES = (
    "Exit codes: 0 every check passed (those of a rollback that was asked for too), 1 a check failed or a role may not "
    "do what it did, 2 a usage error."
)
PASSED, FAILED = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a release."""
    one_stack.add_arguments(parser)
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="release this service only, may be repeated"
    )
    parser.add_argument(
        "--handoff", type=Path, metavar="FILE", help="hand over this imagedefinitions.json.zip in place of CI's script"
    )
    parser.add_argument(
        "--fail-at",
        choices=strategy.steps(),
        metavar="STEP",
        help="make it fail: " + "; ".join(f"{step.name} ({step.text})" for step in strategy.steps().values()),
    )
    parser.add_argument("--first-release", action="store_true", help="nothing was ever released before")
    parser.add_argument("--twice", action="store_true", help="every event and job reaches its function a second time")
    parser.add_argument("--yes", action="store_true", help="approve without asking")
    parser.add_argument(
        "--permissions",
        action="store_true",
        help="rehearse every way a release can go, and list the grants that no role ever used",
    )


def run(options: argparse.Namespace) -> int:
    """Rehearse a release, or every way that one can go."""
    try:
        return _run(options)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; nothing is left behind\n")
        return FAILED


def _run(options: argparse.Namespace) -> int:
    from pulumi_rehearsal import rehearse

    from rehearsal.emulator.declared import Declared

    started = time.perf_counter()
    one_stack.settle(options)
    if options.handoff is not None and len(options.service) != 1:
        raise UsageError("--handoff is one service's; name it by --service NAME")
    if options.permissions and (options.service or options.handoff or options.fail_at):
        raise UsageError("--permissions goes through every service and step; leave --service, --handoff, --fail-at out")
    try:
        handoff = options.handoff.read_bytes() if options.handoff is not None else None
    except OSError as error:
        raise UsageError(f"--handoff {options.handoff} cannot be read ({error.strerror})") from None
    made = rehearse(
        options.project,
        options.stack,
        "up",
        config_file=options.config_file,
        config_overrides=options.config,
        packs=[],
    )
    if made.errors:
        said = "; ".join(diagnostic.message.splitlines()[0] for diagnostic in made.errors)
        raise UsageError(f"stack {options.stack} cannot be rehearsed ({said}); correct what make rehearse reports")
    answered = options.yes or options.permissions or options.fail_at == REJECTED_APPROVAL.name or sys.stdin.isatty()
    if not answered and any(s.pipeline.approves() for s in Declared(made).services.values()):
        raise UsageError(f"stack {options.stack} asks for approval: run it on a terminal, or approve by --yes")
    return _release(options, made, handoff, started)


def _release(options: argparse.Namespace, made: Rehearsal, handoff: bytes | None, started: float) -> int:
    from rehearsal.emulator import report
    from rehearsal.emulator.accepted_grants import obsolete, unaccepted
    from rehearsal.emulator.errors import HandoffFailedError

    paint = Paint.for_stdout(options.color)
    try:
        outcomes = _outcomes(options, made, handoff, _printer(options, paint))
    except HandoffFailedError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    passed, unused = all(o.ok for o in outcomes), None
    if options.permissions:
        unused = outcomes[0].granted - frozenset().union(*(o.used for o in outcomes))
        passed = passed and not unaccepted(unused) and not obsolete(outcomes[0].granted, unused)
    if options.json:
        sys.stdout.write(report.for_machines(outcomes, unused))
        return PASSED if passed else FAILED
    for outcome in outcomes:
        if options.permissions:
            sys.stdout.write(paint(f"\n{outcome.step or 'a release that succeeds'}\n", "bold"))
        sys.stdout.write(report.checks(outcome, paint))
    if unused is not None:
        sys.stdout.write("\n" + report.grants(outcomes[0].granted, unused, paint))
    spent = f"{time.perf_counter() - started:.1f} s"
    verdict = paint("All checks passed.", "green") if passed else paint("Some checks failed.", "red")
    sys.stdout.write(f"\n{verdict} {paint(spent, 'dim')}\n")
    return PASSED if passed else FAILED


def _outcomes(
    options: argparse.Namespace, made: Rehearsal, handoff: bytes | None, on_entry: Callable[[Entry], None] | None
) -> list[Outcome]:
    from rehearsal.emulator.release import rehearse_release

    approve = _yes if options.yes or options.permissions else _asked
    if not options.permissions:
        outcome = rehearse_release(
            made,
            services=options.service,
            handoff=handoff,
            step=options.fail_at,
            first_release=options.first_release,
            twice=options.twice,
            approve=approve,
            on_entry=on_entry,
        )
        return [outcome]
    out = []
    for step in (None, *strategy.steps()):
        try:
            out.append(rehearse_release(made, step=step, approve=approve))
        except StepError:
            continue  # this stack has nothing that could fail so
    return out


def _printer(options: argparse.Namespace, paint: Paint) -> Callable[[Entry], None] | None:
    """Prints each entry as it happens, a heading before each service's first."""
    from rehearsal.emulator import report

    if options.json or options.permissions:
        return None
    last, out = "", sys.stdout

    def print_entry(entry: Entry) -> None:
        nonlocal last
        if entry.service != last:
            last = entry.service
            out.write(paint(f"\n{options.stack}: a release of {last}\n", "bold"))
        out.write(report.line(entry, paint) + "\n")
        out.flush()

    return print_entry


def _yes(_question: Question) -> bool:
    return True


def _asked(question: Question) -> bool:
    """Ask the person at the terminal; anything but yes is a no."""
    sys.stderr.write(f"\n  {question.text}\n  {question.link}\n  Approve the release of {question.pipeline}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
