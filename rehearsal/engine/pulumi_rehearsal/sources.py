"""Where in the program a resource was made, from the stack trace that the SDK sends along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from .loading import is_own, is_programs
from .model import SourceLine
from .tuning import ORDER_URI

if TYPE_CHECKING:
    from pathlib import Path


class Sources:
    """Reads the traces of one program."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._files: dict[str, str] = {}

    def order(self, trace: Any, registered: int) -> tuple[int, int]:
        """The place of a resource among all, by the program's order; `registered` came before it."""
        if trace.frames and trace.frames[-1].pc.uri == ORDER_URI:
            return trace.frames[-1].pc.line, 0
        return registered, 0

    def lines(self, trace: Any) -> tuple[SourceLine, ...]:
        """The program's lines, innermost first."""
        lines = []
        for frame in trace.frames:
            file = self._file(frame.pc.uri)
            if is_own(file):  # what called the rehearsal is no part of the program
                break
            if is_programs(file, self._program):
                lines.append(SourceLine(file, frame.pc.line))
        return tuple(lines)

    def _file(self, uri: str) -> str:
        found = self._files.get(uri)
        if found is None:
            found = self._files[uri] = unquote(urlparse(uri).path)
        return found
