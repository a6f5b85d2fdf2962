"""`preview`: rehearse `pulumi preview`."""

from __future__ import annotations

import argparse

from pulumi_rehearsal import cli

HELP = "rehearse pulumi preview of each stack with its policy packs: what would be created, and is it allowed"
EXIT_CODES = cli.EXIT_CODES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a rehearsal."""
    cli.add_common_arguments(parser)
    cli.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Rehearse; what providers compute is unknown."""
    options.mode = "preview"
    return cli.run(options)
