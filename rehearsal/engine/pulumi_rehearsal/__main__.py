"""`python -m pulumi_rehearsal`, and what the console script `pulumi-rehearsal` starts: the command as a process."""

from __future__ import annotations

import gc
import os
import sys

from .cli import main


def start() -> None:
    """Run the command, and end the process with its exit code."""
    gc.disable()  # a rehearsal builds up what it keeps, and ends
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written and no file is open: ending here saves the third of a second that taking the
    # interpreter apart would cost.
    os._exit(code)


if __name__ == "__main__":
    start()
