"""`explain`: one identity of a stack, explained to a reviewer."""

from __future__ import annotations

import argparse

from tools.commands import one_stack

HELP = "who can become a role of a stack, what it can do, and which line of the program granted it"
EXIT_CODES = "Exit codes: 0 explained, 1 the program failed, 2 there is no such role, or a usage error."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of an explanation."""
    one_stack.add_arguments(parser)
    parser.add_argument(
        "--role", required=True, metavar="ROLE", help="the role's name, its end, or its words, such as ci-api"
    )


def run(options: argparse.Namespace) -> int:
    """Explain."""
    one_stack.settle(options)
    from tools import explain

    return explain.run(options)
