"""How a program and policy packs are loaded: each finds its own modules, and leaves none behind.

Only this module, `bytecode` and `leaf_imports` reach into Python's import system (`sys.path`, `sys.modules`, `runpy`,
`importlib`).
"""

from __future__ import annotations

import os
import runpy
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

_OWN = f"{Path(__file__).parent}/"


def is_programs(file: str, program: Path) -> bool:
    """Whether a source file lies in the program's directory, and is neither a library's nor the rehearsal's.

    The rehearsal may lie inside the project that it rehearses, as may its virtual environment.
    """
    return file.startswith(f"{program}/") and "/site-packages/" not in file and not is_own(file)


def is_own(file: str) -> bool:
    """Whether a source file is the rehearsal's."""
    return file.startswith(_OWN)


def run_main(directory: Path) -> None:
    """Run a directory's `__main__.py` as Python runs a directory."""
    runpy.run_path(str(directory), run_name="__main__")


def imported(name: str) -> ModuleType | None:
    """A module that is imported already, or None."""
    return sys.modules.get(name)


@contextmanager
def inside(program: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The program's directory as working directory, its arguments, environment, path and modules.

    Modules of the program's directory that were imported before are set aside, and those that the program
    imports are forgotten afterwards: each run starts with fresh module state, and two projects may have modules
    of the same name. The rehearsal's own modules stay, also where they lie inside the project.
    """
    directory = Path.cwd()
    argv, path = list(sys.argv), list(sys.path)
    variables = dict(os.environ)
    own = __name__.split(".", 1)[0]

    def of_program() -> dict[str, Any]:
        found = _modules_under(program)
        return {name: module for name, module in found.items() if name != "__main__" and name.split(".", 1)[0] != own}

    aside = of_program()
    for name in aside:
        del sys.modules[name]
    os.chdir(program)
    os.environ.update(environment)
    sys.argv[:] = [str(program)]
    try:
        yield
    finally:
        for name in _modules_of(program):
            sys.modules.pop(name, None)
        sys.modules.update(aside)
        sys.argv[:] = argv
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(directory)


def _modules_of(program: Path) -> dict[str, Any]:
    own = __name__.split(".", 1)[0]
    found = _modules_under(program)
    return {name: found[name] for name in found if name != "__main__" and name.split(".", 1)[0] != own}


@contextmanager
def pack_modules(directory: Path, modules: dict[str, Any]) -> Iterator[None]:
    """A pack's directory on the path and its modules by their names, and nobody else's; `modules` keeps them.

    A pack may be an installed package as well, which others have imported by the time that it is loaded: it gets
    modules of its own, and they keep theirs.
    """
    hidden = {name: sys.modules.pop(name) for name in (modules or _imported_by_name(directory)) if name in sys.modules}
    sys.modules.update(modules)
    sys.path.insert(0, str(directory))
    count = len(sys.modules)
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        if len(sys.modules) != count:
            modules.update(_modules_under(directory))
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _imported_by_name(directory: Path) -> list[str]:
    """The imported modules that have the names of the directory's, wherever they come from."""
    own = {path.stem for path in directory.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return [name for name in sys.modules if name.partition(".")[0] in own - {"__main__"}]


def _modules_under(directory: Path) -> dict[str, Any]:
    """The imported modules whose source lies in a directory, but not in a virtual environment inside it."""
    prefix = f"{directory}/"
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (file := _file_of(module)).startswith(prefix) and "/site-packages/" not in file
    }


def _file_of(module: Any) -> str:
    file = getattr(module, "__file__", None)
    if file:
        return str(file)
    try:
        return f"{next(iter(module.__path__))}/"  # a namespace package
    except (AttributeError, TypeError, StopIteration):
        return ""
