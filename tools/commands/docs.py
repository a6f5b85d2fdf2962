"""`docs`: the parts of the documentation that say what the code is."""

from __future__ import annotations

import argparse

HELP = "regenerate the generated parts of README.md and docs/"
EXIT_CODES = "Exit codes: 0 written, or up to date; 1 stale (--check)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of generated documentation."""
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where a page is stale")


def run(options: argparse.Namespace) -> int:
    """Write the pages, or compare them."""
    from tools.docs import generate

    return generate.run(check=options.check)
