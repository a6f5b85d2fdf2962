"""The directory of a policy pack: where it is found, and what its `PulumiPolicy.yaml` says."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal.config import read_yaml
from pulumi_rehearsal.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PACK_FILE = "PulumiPolicy.yaml"


@dataclass(frozen=True, kw_only=True)
class PackFolder:
    """A directory with a `PulumiPolicy.yaml`, whose runtime is Python."""

    path: Path
    program: Path
    """The directory that holds `__main__.py`."""
    version: str
    """As the file gives it; empty where it does not, and the pack's own then stands."""
    python: Path
    """The interpreter that the engine would start it with."""

    @property
    def shares_interpreter(self) -> bool:
        """Whether it would run with the very environment that the rehearsal runs in."""
        # The directory's links are followed, the interpreter's own is not: it points at the system's.
        return self.python.parent.resolve() == Path(sys.executable).parent.resolve()


def find_packs(project_root: Path) -> list[Path]:
    """The packs of a run that names none: each `PulumiPolicy.yaml` up to two directories below the project, sorted.

    Hidden directories, such as a virtual environment's, are left out.
    """
    found = [*project_root.glob(f"*/{PACK_FILE}"), *project_root.glob(f"*/*/{PACK_FILE}")]
    return sorted(f.parent for f in found if not any(p.startswith(".") for p in f.relative_to(project_root).parts))


def load_folder(path: Path) -> PackFolder:
    """Read the `PulumiPolicy.yaml` of a directory.

    Raises:
        UsageError: there is none, or it is not a Python pack that can be run.
    """
    file = path / PACK_FILE
    if not file.is_file():
        raise UsageError(f"{path} has no {PACK_FILE}; give a policy pack's directory with --policy-pack")
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise UsageError(f"{file} must be a map with a runtime")
    runtime = content.get("runtime")
    options = (runtime.get("options") or {}) if isinstance(runtime, dict) else {}
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        raise UsageError(f"{file}: runtime is {name!r}; the rehearsal runs python packs only")
    program = (path / str(content.get("main") or ".")).resolve()
    if not (program / "__main__.py").is_file():
        raise UsageError(f"{program} has no __main__.py; a Python policy pack begins there")
    version = content.get("version")
    return PackFolder(
        path=path.resolve(),
        program=program,
        version="" if version is None else str(version),
        python=_python(path.resolve(), options, file),
    )


def _python(path: Path, options: Mapping[str, Any], file: Path) -> Path:
    """The interpreter: the virtual environment that is named, or uv's beside the nearest uv.lock above."""
    named = options.get("virtualenv")
    if named:
        environment = (path / str(named)).absolute()
        if not (environment / "bin" / "python").exists():
            raise UsageError(f"{file}: the environment {environment} has no bin/python; make it with `uv sync`")
    elif options.get("toolchain") == "uv":
        above = next((p for p in (path, *path.parents) if (p / "uv.lock").is_file()), path)
        environment = above / os.environ.get("UV_PROJECT_ENVIRONMENT", ".venv")
    else:
        return Path(sys.executable)
    python = environment / "bin" / "python"
    return python if python.exists() else Path(sys.executable)
