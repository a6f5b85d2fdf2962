"""`regions`: the regions that settings accept."""

from __future__ import annotations

import argparse

HELP = "regenerate contract/regions.py from the regions that botocore knows"
EXIT_CODES = "Exit codes: 0 written."


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_options: argparse.Namespace) -> int:
    """Write the file."""
    from tools import regions

    regions.write()
    return 0
