"""The Pulumi CLI for the conformance check: the one on PATH, else one built once from its Go modules.

Beside the CLI the check needs the SDK's exec script, which runs a Python program under the language host. The
official archive brings it; it also stands in the CLI's SDK module, of the same version.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "3.274.1"
"""What is built where there is no CLI. The only place that names it."""

_MODULES = "github.com/pulumi/pulumi"
_EXEC = "pulumi-language-python-exec"


class Unavailable(Exception):  # noqa: N818  its text is the whole answer
    """There is no CLI here and none can be made; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Cli:
    """A Pulumi CLI and the exec script that goes with it."""

    pulumi: Path
    exec_script: Path
    version: str


def cache_folder() -> Path:
    """Where a CLI that was built is kept, for every clone of the project."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ecs-release" / f"pulumi-{VERSION}"


def found(*, build: bool) -> Cli:
    """The CLI to use.

    Args:
        build: whether to build it where there is none, which takes about six minutes on two cores.

    Raises:
        Unavailable: there is none.
    """
    cache = cache_folder()
    on_path = shutil.which("pulumi")
    pulumi = Path(on_path).resolve() if on_path else cache / "pulumi"
    if not pulumi.is_file():
        if not build:
            raise Unavailable(f"there is no Pulumi CLI on PATH, and none was built into {cache}")
        _build(cache)
    said = subprocess.run([pulumi, "version"], capture_output=True, text=True, check=False)
    # A CLI that was built from its module tells no version of itself.
    version = said.stdout.strip().removeprefix("v") or VERSION
    return Cli(pulumi=pulumi, exec_script=_exec_script(pulumi, version, cache), version=version)


def _build(cache: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise Unavailable("there is neither a Pulumi CLI on PATH nor Go to build one with")
    cache.mkdir(parents=True, exist_ok=True)
    sys.stderr.write(f"building the Pulumi CLI {VERSION} into {cache}, once; about six minutes on two cores\n")
    command = f"{_MODULES}/pkg/v3/cmd/pulumi"
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        module = Path(folder)
        (module / "go.mod").write_text("module conformance\n\ngo 1.24\n", encoding="utf-8")
        (module / "tools.go").write_text(
            f'//go:build tools\n\npackage tools\n\nimport _ "{command}"\n', encoding="utf-8"
        )
        _go(module, "get", f"{_MODULES}/pkg/v3@v{VERSION}")
        _go(module, "mod", "tidy")
        named = f"-X {_MODULES}/sdk/v3/go/common/version.Version=v{VERSION}"
        _go(module, "build", "-ldflags", named, "-o", "built", command)
        (module / "built").replace(cache / "pulumi")  # whole or not at all: two may build at once


def _exec_script(pulumi: Path, version: str, cache: Path) -> Path:
    beside = pulumi.with_name(_EXEC)
    if beside.is_file():
        return beside
    kept = cache / f"{_EXEC}-{version}"
    if not kept.is_file():
        if shutil.which("go") is None:
            raise Unavailable(f"{_EXEC} does not lie beside {pulumi}, and there is no Go to fetch its module with")
        cache.mkdir(parents=True, exist_ok=True)
        told = json.loads(_go(cache, "mod", "download", "-json", f"{_MODULES}/sdk/v3@v{version}"))
        text = (Path(told["Dir"]) / "python" / "cmd" / _EXEC).read_bytes()
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
            file.write(text)
        Path(file.name).replace(kept)
    return kept


def _go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["go", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"go {' '.join(arguments[:2])} failed: {''.join(last)}")
    return done.stdout
