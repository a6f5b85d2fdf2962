"""Colours for reports on a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass

_RESET = "\x1b[0m"
_STYLES = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "magenta": "\x1b[35m",
}


@dataclass(frozen=True)
class Paint:
    """Puts text in colours, or leaves it as it is."""

    on: bool

    @classmethod
    def for_stdout(cls, wanted: bool | None) -> Paint:
        """As `--color` or `--no-color` says; where neither was given, colours where standard output is a terminal."""
        return cls(sys.stdout.isatty() if wanted is None else wanted)

    def __call__(self, text: str, *styles: str) -> str:
        """The text in these styles: bold, dim, red, green, yellow, magenta."""
        if not self.on or not text:
            return text
        return "".join(_STYLES[style] for style in styles) + text + _RESET
