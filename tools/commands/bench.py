"""`bench`: how long a rehearsal takes."""

from __future__ import annotations

import argparse

HELP = "time a rehearsal against the same program under the SDK's plain mocks, by number of services"
EXIT_CODES = "Exit codes: 0 measured, 1 a target is missed (--check), 2 a usage error."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the measurement."""
    from tools import bench  # noqa: PLC0415

    bench.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure."""
    from tools import bench  # noqa: PLC0415

    return bench.run(options)
