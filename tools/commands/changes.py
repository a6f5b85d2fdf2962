"""`changes`: what a change of each setting does to what runs."""

from __future__ import annotations

import argparse

HELP = "rehearse a change of each setting on a stack that runs, and write docs/changes.md (takes minutes)"
EXIT_CODES = (
    "Exit codes: 0 written, or up to date; 1 stale (--check), or a change harms running tasks without a warning."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the table of changes."""
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where the page is stale")


def run(options: argparse.Namespace) -> int:
    """Rehearse every change."""
    from tools.docs import changes

    return changes.run(check=options.check)
