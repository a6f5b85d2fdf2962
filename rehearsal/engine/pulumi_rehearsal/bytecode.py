"""The program's own modules, never from bytecode of an earlier text.

Python takes compiled bytecode for a module's where the source's size is the same and its time, in whole seconds, too
(PEP 3147, `importlib._bootstrap_external.SourceLoader`). Two texts of one size within one second, as a test writes
them, would run the first one twice. Here bytecode counts only if it was written in a later second than its source.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from .loading import is_programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType


@contextmanager
def never_stale(program: Path) -> Iterator[None]:
    """Let what is imported from the program's directory be what stands in its files now."""

    def finder(path: str) -> FileFinder:
        if not is_programs(f"{path}/", program):
            raise ImportError
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (_SourceLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    sys.path_hooks.insert(0, finder)
    _forget_finders(program)
    try:
        yield
    finally:
        sys.path_hooks.remove(finder)
        _forget_finders(program)


def _forget_finders(program: Path) -> None:
    for path in [p for p in sys.path_importer_cache if is_programs(f"{p}/", program)]:
        del sys.path_importer_cache[path]


class _SourceLoader(SourceFileLoader):
    """Compiles anew where the bytecode may be of an earlier text, as git reads anew what is as young as its index."""

    def get_code(self, fullname: str) -> CodeType | None:
        bytecode = Path(cache_from_source(self.path))
        try:
            trusted = int(bytecode.stat().st_mtime) > int(Path(self.path).stat().st_mtime)
        except OSError:
            return super().get_code(fullname)
        if trusted:
            return super().get_code(fullname)
        with suppress(OSError):
            bytecode.unlink()
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code
