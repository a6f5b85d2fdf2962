"""`python -m rehearsal.emulator`: a release of a stack from CI's hand-off to its end, with no account.

Exit codes: 0 where the release, or the roll-back that was asked for, ended right; 1 where anything is wrong or a role
would not have been allowed what it did; 2 where the command or the project is not what it must be.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import strategy
from .errors import NotDeclaredError, StepError
from .steps import REJECTED_APPROVAL

if TYPE_CHECKING:
    from pulumi_rehearsal import Rehearsal

    from .executions import Question
    from .release import Outcome
    from .timeline import Entry

RIGHT, WRONG, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    started = time.perf_counter()
    # What is imported from here on costs time that --help and a mistyped option need not spend.
    from pulumi_rehearsal import UsageError  # noqa: PLC0415

    try:
        return _run(options, started)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; nothing is left behind\n")
        return WRONG
    except (UsageError, NotDeclaredError, StepError) as error:
        sys.stderr.write(f"error: {str(error).rstrip('.')}.\n")
        return USAGE


def _run(options: argparse.Namespace, started: float) -> int:
    from pulumi_rehearsal import UsageError, rehearse  # noqa: PLC0415

    from .declared import Declared  # noqa: PLC0415

    if options.stack is None:
        has = ", ".join(sorted(p.name.split(".")[1] for p in options.project.glob("Pulumi.*.yaml")))
        raise UsageError(f"say which stack: --stack NAME; there is {has or 'none'}")
    if options.handoff is not None and len(options.service) != 1:
        raise UsageError("--handoff is one service's; say which by --service NAME")
    if options.permissions and (options.service or options.handoff or options.fail_at):
        raise UsageError("--permissions goes through every service and step; leave --service, --handoff, --fail-at out")
    overrides = dict(_pair(text) for text in options.config)
    try:
        handoff = options.handoff.read_bytes() if options.handoff is not None else None
    except OSError as error:
        raise UsageError(f"--handoff {options.handoff} cannot be read ({error.strerror})") from None
    run = rehearse(options.project, options.stack, "up", config_overrides=overrides, packs=[])
    if run.errors:
        said = "; ".join(diagnostic.message.splitlines()[0] for diagnostic in run.errors)
        raise UsageError(f"stack {options.stack} cannot be rehearsed ({said}); mend it with make rehearse first")
    answered = options.yes or options.permissions or options.fail_at == REJECTED_APPROVAL.name or sys.stdin.isatty()
    if not answered and any(s.pipeline.approves() for s in Declared(run).services.values()):
        raise UsageError(f"stack {options.stack} asks for approval: run it on a terminal, or approve by --yes")
    return _release(options, run, handoff, started)


def _pair(text: str) -> tuple[str, str]:
    from pulumi_rehearsal import UsageError  # noqa: PLC0415

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--config {text!r} is not KEY=VALUE")
    return key, value


def _release(options: argparse.Namespace, run: Rehearsal, handoff: bytes | None, started: float) -> int:
    from . import report  # noqa: PLC0415
    from .accepted_grants import stale, unexplained  # noqa: PLC0415
    from .errors import HandoffFailedError  # noqa: PLC0415

    paint = report.Paint(on=sys.stdout.isatty() if options.color is None else options.color)
    try:
        outcomes = list(_outcomes(options, run, handoff, _teller(options, paint)))
    except HandoffFailedError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    unused = None
    if options.permissions:
        used = frozenset().union(*(o.used for o in outcomes))
        unused = outcomes[0].granted - used
    right = all(o.ok for o in outcomes)
    if unused is not None:
        right = right and not unexplained(unused) and not stale(outcomes[0].granted, unused)
    if options.json:
        sys.stdout.write(report.for_machines(outcomes, unused))
        return RIGHT if right else WRONG
    for outcome in outcomes:
        if options.permissions:
            sys.stdout.write(paint.bold(f"\n{outcome.step or 'a release that goes well'}\n"))
        sys.stdout.write(report.ending(outcome, paint))
    if unused is not None:
        sys.stdout.write("\n" + report.grants(outcomes[0].granted, unused, paint))
    spent = f"{time.perf_counter() - started:.1f} s"
    verdict = paint.good("Everything is as it must be.") if right else paint.bad("Something is wrong.")
    sys.stdout.write(f"\n{verdict} {paint.dim(spent)}\n")
    return RIGHT if right else WRONG


def _outcomes(
    options: argparse.Namespace, run: Rehearsal, handoff: bytes | None, tell: Callable[[Entry], None] | None
) -> list[Outcome]:
    from .release import rehearse_release  # noqa: PLC0415

    approve = _yes if options.yes or options.permissions else _asked
    if not options.permissions:
        outcome = rehearse_release(
            run,
            services=options.service,
            handoff=handoff,
            step=options.fail_at,
            first_release=options.first_release,
            twice=options.twice,
            approve=approve,
            tell=tell,
        )
        return [outcome]
    out = []
    for step in (None, *strategy.steps()):
        try:
            out.append(rehearse_release(run, step=step, approve=approve))
        except StepError:
            continue  # this stack has nothing that could fail so
    return out


def _teller(options: argparse.Namespace, paint: object) -> Callable[[Entry], None] | None:
    """Prints each entry as it happens, a heading before each service's first."""
    from . import report  # noqa: PLC0415

    if options.json or options.permissions or not isinstance(paint, report.Paint):
        return None
    colours, out = paint, sys.stdout
    last = ""

    def tell(entry: Entry) -> None:
        nonlocal last
        if entry.service != last:
            last = entry.service
            out.write(colours.bold(f"\n{options.stack}: a release of {last}\n"))
        out.write(report.line(entry, colours) + "\n")
        out.flush()

    return tell


def _yes(_question: Question) -> bool:
    return True


def _asked(question: Question) -> bool:
    """Ask the person at the terminal; anything but yes is a no."""
    sys.stderr.write(f"\n  {question.text}\n  {question.link}\n  Approve the release of {question.pipeline}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal.emulator",
        description="Rehearse a whole release of a stack in this process: no cloud, no account, loopback only.",
        epilog="Exit codes: 0 ended right (a roll-back that was asked for too), 1 something is wrong, 2 a usage error.",
    )
    parser.add_argument("-s", "--stack", metavar="STACK", help="the stack, as in Pulumi.STACK.yaml")
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="release this service only, may be repeated"
    )
    parser.add_argument(
        "--handoff", type=Path, metavar="FILE", help="hand over this imagedefinitions.json.zip in place of CI's script"
    )
    parser.add_argument(
        "--fail-at", choices=strategy.steps(), metavar="STEP", help=f"make it fail: {', '.join(strategy.steps())}"
    )
    parser.add_argument("--first-release", action="store_true", help="nothing was ever released before")
    parser.add_argument("--twice", action="store_true", help="every event and job reaches its function a second time")
    parser.add_argument("--yes", action="store_true", help="approve without asking")
    parser.add_argument(
        "--permissions",
        action="store_true",
        help="rehearse every way a release can go, and list what the roles are allowed and never did",
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a configuration value that stands over the stack's file, may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--color", action=argparse.BooleanOptionalAction, default=None, help="colours (default: on a terminal)"
    )
    parser.add_argument(
        "-C", "--project", type=Path, default=Path(), metavar="DIR", help="the project's directory (default: here)"
    )
    return parser


if __name__ == "__main__":
    gc.disable()  # a rehearsal builds up what it keeps, and ends
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no file is open and no server up: taking the interpreter apart would only take time
