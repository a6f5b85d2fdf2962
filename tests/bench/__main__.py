"""`python -m tests.bench`: how long a rehearsal takes, against the same program under the SDK's plain mocks.

Whole processes, each new, interleaved, with what they import compiled before: the rehearsal (program and every
policy of the packs) and, with no policies, the program under the mocks that come with the SDK. Medians of wall
time, CPU time and peak memory. The stacks with more services are made from one of the project's by repeating
what its list of services holds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal import UsageError
from pulumi_rehearsal.config import load_project, load_stack, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi_rehearsal.config import Project

REHEARSED, PLAIN = "rehearsal", "plain mocks"
_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of a process, or the medians of several."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, user and system."""
    peak: float
    """Largest resident set, MB."""
    phases: dict[str, float]
    """Wall seconds by phase; `exit` is what was left after the last of them, and before the first."""


def services_config(project: Project, file: Path, count: int) -> dict[str, Any]:
    """A stack file's content whose list of services has `count` entries, named apart by a number.

    Raises:
        UsageError: the stack has no list of services with names.
    """
    content = read_yaml(file) or {}
    config = dict(content.get("config") or {})
    full = next((name for name in ("services", f"{project.name}:services") if name in config), None)
    entries = config.get(full) if full is not None else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "name" in e for e in entries):
        raise UsageError(f"{file.name} has no list of services with names")
    repeated = []
    for index in range(count):
        entry = dict(entries[index % len(entries)])
        if index >= len(entries):
            entry["name"] = f"{entry['name']}{index // len(entries) + 1}"
        repeated.append(entry)
    return {**content, "config": {**config, full: repeated}}


def run(options: argparse.Namespace) -> int:
    """Measure, print the results, and return 0, or 1 where a target is missed and --check was given.

    Args:
        options: what a parser with `add_arguments` made.
    """
    try:
        project = load_project(options.project)
        with tempfile.TemporaryDirectory() as directory:
            results = _measure(options, project, Path(directory))
    except UsageError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 2
    missed = _missed(results)
    if options.json:
        measured = [{"services": n, "program": kind, **asdict(result)} for (n, kind), result in results.items()]
        sys.stdout.write(json.dumps({"results": measured, "missed": missed}, indent=2) + "\n")
    else:
        sys.stdout.write(_table(results) + "".join(f"missed: {line}\n" for line in missed))
    return 1 if missed and options.check else 0


Results = dict[tuple[int, str], Measured]


def _measure(options: argparse.Namespace, project: Project, directory: Path) -> Results:
    runs: dict[tuple[int, str], list[Measured]] = {}
    files = {}
    for count in options.services:
        file = directory / f"Pulumi.bench{count}.yaml"
        file.write_text(
            json.dumps(services_config(project, project.stack_file(options.stack), count)),
            encoding="utf-8",
        )
        files[count] = file
    for kind in (REHEARSED, PLAIN):  # compiles what it imports, as the first run of a program does
        _run(kind, project, options.stack, files[min(files)], directory)
    for repeat in range(options.repeat):
        for count, file in files.items():
            for kind in (REHEARSED, PLAIN) if repeat % 2 == 0 else (PLAIN, REHEARSED):
                if sys.stderr.isatty():
                    sys.stderr.write(f"\x1b[2Kround {repeat + 1} of {options.repeat}: {count} services, {kind}\r")
                runs.setdefault((count, kind), []).append(_run(kind, project, options.stack, file, directory))
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[2K")
    return {key: _median(measured) for key, measured in runs.items()}


def _run(kind: str, project: Project, stack: str, file: Path, directory: Path) -> Measured:
    timings = directory / "timings.json"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if kind == REHEARSED:
        command = [
            sys.executable,
            "-m",
            "pulumi_rehearsal",
            "preview",
            "--project",
            str(project.root),
            "--stack",
            stack,
        ]
        command += ["--config-file", str(file), "--timings", str(timings)]
    else:
        config = load_stack(project, stack, file=file)
        environment["PULUMI_CONFIG"] = json.dumps(dict(config.values))
        script = Path(__file__).with_name("plain_mocks.py")
        command = [sys.executable, "-P", str(script), str(project.program), project.name, stack]
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        env=environment,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        _, errors = process.stderr, b"" if process.stderr is None else process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise UsageError(
            f"the {kind} of {file.stem} ended with exit code {process.returncode}, so there is nothing to compare; "
            f"run {' '.join(command)} to see why: {errors.decode(errors='replace').strip()[-400:]}"
        )
    phases = {}
    if kind == REHEARSED:
        phases = json.loads(timings.read_text(encoding="utf-8"))
        total = phases.pop("total")
        phases["report"] = max(0.0, total - sum(phases.values()))
        phases["start and exit"] = wall - total
    return Measured(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / _KIB, phases=phases)


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak=statistics.median(run.peak for run in runs),
        phases={name: statistics.median(run.phases[name] for run in runs) for name in runs[0].phases},
    )


# -- the table ------------------------------------------------------------------------------------------------

TARGET_RATIO = 0.6
TARGET_RATIO_AT = (1, 50)
TARGET_GROWTH = 2.2
TARGET_PEAK_MB = 450
_GROWTH_FROM, _GROWTH_TO = 50, 100


def _table(results: Results) -> str:
    counts = sorted({count for count, _ in results})
    lines = [
        "               wall, s                    CPU, s                     peak, MB",
        "services  rehearsal  plain   ratio   rehearsal  plain   ratio   rehearsal  plain   ratio",
    ]
    for count in counts:
        ours, plain = results[count, REHEARSED], results[count, PLAIN]
        cells = "   ".join(
            f"{mine:>9.{digits}f}  {theirs:>5.{digits}f}  {mine / theirs:>6.2f}"
            for mine, theirs, digits in (
                (ours.wall, plain.wall, 2),
                (ours.cpu, plain.cpu, 2),
                (ours.peak, plain.peak, 0),
            )
        )
        lines.append(f"{count:>8}  {cells}")
    phases = list(results[counts[0], REHEARSED].phases)
    lines += ["", "where the rehearsal's wall time goes, s", "services  " + "  ".join(f"{p:>8}" for p in phases)]
    for count in counts:
        ours = results[count, REHEARSED]
        lines.append(f"{count:>8}  " + "  ".join(f"{ours.phases[p]:>{max(8, len(p))}.2f}" for p in phases))
    lines += ["", "growth of the wall time"]
    for fewer, more in itertools.pairwise(counts):
        growth = {kind: results[more, kind].wall / results[fewer, kind].wall for kind in (REHEARSED, PLAIN)}
        lines.append(
            f"{fewer:>3} to {more:>3} services: rehearsal {growth[REHEARSED]:.2f}, plain mocks {growth[PLAIN]:.2f}"
        )
    return "\n".join(lines) + "\n"


def _missed(results: Results) -> list[str]:
    """The targets that these results miss, of those that they can tell of."""
    missed = []
    for count in TARGET_RATIO_AT:
        if (count, PLAIN) in results:
            ratio = results[count, REHEARSED].wall / results[count, PLAIN].wall
            if ratio > TARGET_RATIO:
                missed.append(f"{ratio:.2f} times the plain mocks at {count} services; the target is {TARGET_RATIO}")
    if (_GROWTH_TO, REHEARSED) in results:
        last = results[_GROWTH_TO, REHEARSED]
        if last.peak > TARGET_PEAK_MB:
            missed.append(f"{last.peak:.0f} MB at {_GROWTH_TO} services; the target is {TARGET_PEAK_MB}")
        if (_GROWTH_FROM, REHEARSED) in results:
            growth = last.wall / results[_GROWTH_FROM, REHEARSED].wall
            if growth > TARGET_GROWTH:
                missed.append(
                    f"{growth:.2f} times as long for {_GROWTH_TO} as for {_GROWTH_FROM} services; "
                    f"the target is {TARGET_GROWTH}"
                )
    return missed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the measurement."""
    parser.add_argument("-C", "--project", type=Path, default=Path(), metavar="DIR", help="the project's directory")
    parser.add_argument("-s", "--stack", default="dev", help="the stack to make larger ones from (default: dev)")
    parser.add_argument(
        "--services", type=int, nargs="+", default=[1, 10, 50, 100], metavar="N", help="(default: 1 10 50 100)"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each, of which medians are taken (default: 5)")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Time a rehearsal against the same program under the SDK's plain mocks, by number of services.",
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
