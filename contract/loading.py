"""Imports modules by a name that is data, the only place of the project that does.

Everywhere else `importlib`, `runpy` and `sys.path` are banned (pyproject.toml, `banned-api`): an import that the linter
cannot read is a dependency that nobody reviews.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def module(name: str) -> ModuleType:
    """The module of that dotted name."""
    return importlib.import_module(name)


def modules_of(package: str) -> list[ModuleType]:
    """Every module that lies directly in the folder of the package of that dotted name."""
    return [module(f"{package}.{found.name}") for found in pkgutil.iter_modules(module(package).__path__)]
