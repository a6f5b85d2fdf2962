"""The options of a command that works on one stack: the same as those of a rehearsal of many."""

from __future__ import annotations

import argparse

from pulumi_rehearsal.cli import add_common_arguments, pairs
from pulumi_rehearsal.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which project, stack and configuration, and how to print."""
    add_common_arguments(parser, stack="the stack, as in Pulumi.STACK.yaml")


def settle(options: argparse.Namespace) -> None:
    """Make `stack` the one stack that was named, and `config` its overrides by key.

    Raises:
        UsageError: none was named or several, or an override is no KEY=VALUE.
    """
    if options.stack is None or len(options.stack) != 1:
        has = ", ".join(sorted(file.name.split(".")[1] for file in options.project.glob("Pulumi.*.yaml")))
        raise UsageError(f"name one stack: --stack NAME; {options.project.resolve()} has {has or 'none'}")
    (options.stack,) = options.stack
    options.config = pairs(options.config, "--config")
