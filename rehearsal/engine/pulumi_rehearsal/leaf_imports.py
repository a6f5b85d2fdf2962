"""Provider SDKs imported by the leaf: `aws.ecs.Cluster` loads the module of clusters, not all of ECS.

A generated SDK loads a whole service at the first use of any of its names: `pulumi_aws/ecs/__init__.py` is
nothing but `from .cluster import *` and so on for every module. While the finder of this module is installed,
such a package instead imports a leaf when one of its names is asked for. The program writes the usual
`import pulumi_aws as aws` and gets the very same objects; whatever is not found at the first guess, or asks for
the whole package (`dir()`, `import *`), loads all of it as ever.
"""

from __future__ import annotations

import builtins
import importlib
import re
import sys
import typing
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

_SERVICE = re.compile(r"pulumi_[a-z0-9_]+\.[a-z0-9_]+")
_STAR = re.compile(r"from \.([A-Za-z0-9_]+) import \*")
_FIXED = frozenset(
    {
        "import builtins as _builtins",
        "from .. import _utilities",
        "import typing",
        "from . import outputs",
    }
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@contextmanager
def leaf_imports() -> Iterator[None]:
    """Let the services of provider SDKs that are loaded from here on be loaded leaf by leaf."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the packages of services, and leaves all else to the others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not _SERVICE.fullmatch(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not spec.submodule_search_locations or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _LeafLoader(fullname, spec.loader.path)
        return spec


class _LeafLoader(SourceFileLoader):
    """Loads a service's package; where it is of another shape than expected, like any other package."""

    def exec_module(self, module: ModuleType) -> None:
        leaves = _leaves(Path(self.path).read_text(encoding="utf-8"))
        if leaves is None:
            super().exec_module(module)
            return
        service = _Service(module, leaves, super().exec_module)
        namespace = module.__dict__
        namespace["_builtins"] = builtins
        namespace["typing"] = typing
        namespace["_utilities"] = importlib.import_module("._utilities", module.__name__.rsplit(".", 1)[0])
        namespace["__getattr__"] = service.get
        namespace["__dir__"] = service.names


class _Service:
    """A service's package whose names are looked up when they are asked for."""

    def __init__(self, module: ModuleType, leaves: frozenset[str], load: Callable[[ModuleType], None]) -> None:
        self._module = module
        self._leaves = leaves
        self._load = load

    def get(self, name: str) -> Any:
        """One name of the package, as `module.__getattr__`."""
        namespace = self._module.__dict__
        if name == "outputs":
            return self._import(name)
        if not name.startswith("__"):
            leaf = name if name in self._leaves else _leaf_of(name, self._leaves)
            if leaf is not None:
                loaded = self._import(leaf)
                # The name of a leaf may be that of a function in it, which then hides it.
                namespace.update({exported: getattr(loaded, exported) for exported in _exported(loaded)})
            if name not in namespace:
                self._load_all()
            if name in namespace:
                return namespace[name]
        elif name == "__all__":  # `import *` asks for it, and then takes what is there
            self._load_all()
        raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r}")

    def names(self) -> list[str]:
        """All names of the package, as `module.__dir__`."""
        self._load_all()
        return sorted(self._module.__dict__)

    def _import(self, leaf: str) -> ModuleType:
        return importlib.import_module(f"{self._module.__name__}.{leaf}")

    def _load_all(self) -> None:
        for hook in ("__getattr__", "__dir__"):
            self._module.__dict__.pop(hook, None)
        self._load(self._module)


def _exported(leaf: ModuleType) -> Sequence[str]:
    names: Sequence[str] = getattr(leaf, "__all__", ())
    return names


def _leaves(source: str) -> frozenset[str] | None:
    """The modules that a package's source imports all names of; None where it does anything else."""
    leaves = set()
    for line in source.splitlines():
        star = _STAR.fullmatch(line)
        if star is not None:
            leaves.add(star[1])
        elif line and not line.startswith("#") and line not in _FIXED:
            return None
    return frozenset(leaves)


def _leaf_of(name: str, leaves: frozenset[str]) -> str | None:
    """The module that by the generator's rules holds a name: `ClusterArgs` stands in `cluster`."""
    snake = _WORD.sub("_", name).lower() if not name.islower() else name
    candidates = [snake]
    candidates += [snake.removesuffix(ending) for ending in ("_args", "_args_dict", "_output", "_result")]
    candidates += [c.removeprefix("awaitable_") for c in candidates]
    found = next((c for c in candidates if c in leaves), None)
    if found is None and name.endswith(("Args", "ArgsDict")) and "_inputs" in leaves:
        return "_inputs"
    return found
