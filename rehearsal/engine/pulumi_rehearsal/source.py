"""Which files are the program's own: what a trace and a traceback show, and what is loaded anew for each run."""

from __future__ import annotations

from pathlib import Path

_OWN = f"{Path(__file__).parent}/"


def is_programs(file: str, program: Path) -> bool:
    """Whether a source file lies in the program's directory, and is neither a library's nor the rehearsal's.

    The rehearsal may lie inside the project that it rehearses, as may its virtual environment.
    """
    return file.startswith(f"{program}/") and "/site-packages/" not in file and not is_own(file)


def is_own(file: str) -> bool:
    """Whether a source file is the rehearsal's."""
    return file.startswith(_OWN)
