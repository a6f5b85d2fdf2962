"""`python -m tools COMMAND`: what this project does with its stacks, and what makes the generated documentation."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pulumi_rehearsal.errors import UsageError

from tools.commands import Command, changes, docs, explain, preview, regions, release, up

COMMANDS: dict[str, Command] = {
    "preview": preview,
    "up": up,
    "release": release,
    "explain": explain,
    "docs": docs,
    "changes": changes,
    "regions": regions,
}
USAGE = 2
_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m tools",
        description="Rehearse this project's stacks and their releases, explain them, and generate documentation.",
        epilog="python -m tools COMMAND --help lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.HELP, description=command.HELP, epilog=command.EXIT_CODES)
        if given[:1] == [name]:  # the options of the others cost time that nobody needs to spend
            command.add_arguments(own)
    options = parser.parse_args(given)
    try:
        return COMMANDS[options.command].run(options)
    except UsageError as error:
        sys.stderr.write(f"error: {str(error).rstrip('.')}.\n")
        return USAGE


def _version() -> str:
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    return f"{project['name']} {project['version']}"


def start() -> None:
    """Run the command as a process of its own, and end it."""
    if sys.argv[1:2] != ["changes"]:  # which rehearses some hundred times; everything else builds up what it keeps
        gc.disable()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no file is open and no server up: taking the interpreter apart would only take time


if __name__ == "__main__":
    start()
