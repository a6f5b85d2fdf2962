"""The subcommands of `python -m tools`, a module each. What takes long to import is imported in `run`."""

from __future__ import annotations

import argparse
from typing import Protocol


class Command(Protocol):
    """What a module of a subcommand has."""

    HELP: str
    """What it does, in one line."""
    EXIT_CODES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its options to a parser."""

    def run(self, options: argparse.Namespace) -> int:
        """Do its work and return the exit code.

        Raises:
            UsageError: the command or the project is not what it must be.
        """
