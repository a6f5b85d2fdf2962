"""A copy of the project, and the real engine run on it: each run gives back the engine's own events and state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc  # type: ignore[import-untyped]
import yaml
from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc
from pulumi_rehearsal.packs import find_packs

from .cli import Unavailable
from .language import LanguageHost
from .provider import ProviderPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from .cli import Cli
    from .provider import Call

_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
_PACKAGE = "aws"


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """One command of the CLI."""

    code: int
    seconds: float
    text: str
    events: tuple[dict[str, Any], ...]
    calls: tuple[Call, ...]

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """The events of a kind, `policyEvent` for example."""
        return (event[kind] for event in self.events if kind in event)


class Workspace:
    """The project's files in a folder of their own, with an engine, a state and the plugins beside them.

    The engine writes into stack files and the check changes settings: the project itself stays as it is.
    """

    def __init__(self, project: Path, cli: Cli, folder: Path, policy_configs: Sequence[Path] = ()) -> None:
        self.policy_configs = tuple(policy_configs)
        self.program = folder / "program"
        self._folder = folder
        self._cli = cli
        copied(project, self.program)
        (folder / "state").mkdir()
        self.plugin = ProviderPlugin(_PACKAGE, _package_version())
        options = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("receive", "send")]
        self._server = grpc.server(ThreadPoolExecutor(max_workers=32), options=options)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self.plugin, self._server)
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(cli.exec_script), self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._runs = 0

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None)

    def settings(self, stack: str) -> dict[str, Any]:
        """What a stack's file says."""
        content: dict[str, Any] = yaml.safe_load(self._file(stack).read_text(encoding="utf-8"))
        return content

    def write_settings(self, stack: str, content: Mapping[str, Any]) -> None:
        """Put something else into the stack's file."""
        self._file(stack).write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")

    def _file(self, stack: str) -> Path:
        return self.program / f"Pulumi.{stack}.yaml"

    def begin(self, stack: str) -> None:
        """Make an empty state for a stack.

        Raises:
            Unavailable: the engine does not.
        """
        done = self._pulumi("stack", "init", stack)
        if done.returncode:
            raise Unavailable(f"pulumi stack init {stack} failed: {done.stdout.strip()[-500:]}")

    def run(self, command: str, stack: str, *options: str, packs: bool = True) -> EngineRun:
        """Run `preview`, `up`, `refresh` or `destroy`."""
        self._runs += 1
        log = self._folder / f"events-{self._runs}.json"
        self.plugin.forget()
        given = ["--stack", stack, "--event-log", str(log), *options]
        if command != "preview":
            given += ["--yes", "--skip-preview"]
        if packs:
            given += [part for pack in find_packs(self.program) for part in ("--policy-pack", str(pack))]
            given += [part for file in self.policy_configs for part in ("--policy-pack-config", str(file))]
        started = time.perf_counter()
        done = self._pulumi(command, *given)
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return EngineRun(
            code=done.returncode,
            seconds=time.perf_counter() - started,
            text=done.stdout,
            events=tuple(json.loads(line) for line in lines),
            calls=tuple(self.plugin.calls),
        )

    def state(self, stack: str) -> list[dict[str, Any]]:
        """The resources of the state, secrets decrypted."""
        done = self._pulumi("stack", "export", "--stack", stack, "--show-secrets")
        if done.returncode:
            raise Unavailable(f"pulumi stack export failed: {done.stdout.strip()[-500:]}")
        found: list[dict[str, Any]] = json.loads(done.stdout)["deployment"].get("resources", [])
        return found

    def unprotect(self, stack: str) -> None:
        """Let everything be destroyed."""
        self._pulumi("state", "unprotect", "--all", "--yes", "--stack", stack)

    def _pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._cli.pulumi), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.program,
            env={**_inherited(), **self._environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": f"file://{self._folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "PULUMI_DEBUG_COMMANDS": "true",  # brings --event-log
            "PULUMI_DEBUG_LANGUAGES": f"python:{self._port}",
            "PULUMI_DEBUG_PROVIDERS": f"{_PACKAGE}:{self._port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_HOME": str(self._folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPYCACHEPREFIX": str(self._folder / "pycache"),
        }


def _inherited() -> dict[str, str]:
    """The environment without what would change a run: a user's own Pulumi settings, and bytecode switched off."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_") and k != "PYTHONDONTWRITEBYTECODE"}


def _package_version() -> str:
    """The version that the SDK asks for, so that the engine takes the plugin for that one."""
    from pulumi_aws import _utilities  # noqa: PLC0415  the SDK takes half a second

    return str(_utilities.get_version())  # type: ignore[no-untyped-call]


_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".uv", ".cache", "__pycache__", ".*_cache", ".hypothesis")


def copied(project: Path, target: Path) -> None:
    """Copy what belongs to the project: what git tracks or would track, or without git everything but caches."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode or not listed.stdout:
        shutil.copytree(project, target, ignore=_NOT_COPIED)
        return
    folders: set[Path] = set()
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = project / name, target / name
        if source.is_file():
            if copy.parent not in folders:
                copy.parent.mkdir(parents=True, exist_ok=True)
                folders.add(copy.parent)
            shutil.copy(source, copy)


def stacks_of(project: Path, wanted: Sequence[str]) -> list[str]:
    """The stacks to run: those wanted, or every one that has a file."""
    found = sorted(p.name.removeprefix("Pulumi.").removesuffix(".yaml") for p in project.glob("Pulumi.*.yaml"))
    return list(wanted) or found
