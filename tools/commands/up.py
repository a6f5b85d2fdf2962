"""`up`: rehearse `pulumi up`."""

from __future__ import annotations

import argparse

from pulumi_rehearsal import cli

from tools.commands import preview

HELP = "the same of pulumi up, with well-formed values for what providers compute"
EXIT_CODES = cli.EXIT_CODES
add_arguments = preview.add_arguments


def run(options: argparse.Namespace) -> int:
    """Rehearse; what providers compute is filled in."""
    options.mode = "up"
    return cli.run(options)
