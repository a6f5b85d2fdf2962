"""The Python language host that the engine attaches to: programs and packs run in this very interpreter.

It does of the real host (`pulumi-language-python`) what a run needs: start the program under the SDK's own exec
script, start a policy pack as an analyzer. It installs nothing and knows no toolchain.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_USER_WAS_TOLD = 32
"""Exit code of the exec script that has shown the user what is wrong."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves one run of the engine at a time."""

    def __init__(self, exec_script: Path) -> None:
        self._exec_script = exec_script
        self._engine = ""

    def Handshake(  # noqa: N802
        self, request: language_pb2.LanguageHandshakeRequest, _: Any
    ) -> language_pb2.LanguageHandshakeResponse:
        """Learn where the engine that attaches listens."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _: Any, __: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        """Any version will do."""
        return plugin_pb2.PluginInfo(version="0.0.1")

    def GetRequiredPackages(self, _: Any, __: Any) -> language_pb2.GetRequiredPackagesResponse:  # noqa: N802
        """Nothing has to be installed: the plugins run already."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, _: Any, __: Any) -> language_pb2.GetProgramDependenciesResponse:  # noqa: N802
        """Only shown by `pulumi about`."""
        return language_pb2.GetProgramDependenciesResponse()

    def RuntimeOptionsPrompts(self, _: Any, __: Any) -> language_pb2.RuntimeOptionsResponse:  # noqa: N802
        """Nothing is asked."""
        return language_pb2.RuntimeOptionsResponse()

    def About(self, _: Any, __: Any) -> language_pb2.AboutResponse:  # noqa: N802
        """This interpreter."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def InstallDependencies(self, _: Any, __: Any) -> Iterator[Any]:  # noqa: N802
        """They are installed."""
        return iter(())

    def Cancel(self, _: Any, __: Any) -> empty_pb2.Empty:  # noqa: N802
        """The engine ends what it started."""
        return empty_pb2.Empty()

    def Run(self, request: language_pb2.RunRequest, context: Any) -> language_pb2.RunResponse:  # noqa: N802
        """Run the program to its end, or to that of an engine that stops before: it would wait for it for ever."""
        options = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "parallel": str(request.parallel),
            "organization": request.organization,
            **({"dry_run": "true"} if request.dryRun else {}),
        }
        command = [sys.executable, "-u", str(self._exec_script)]
        command += [part for name, value in options.items() for part in (f"--{name}", value)]
        command += [request.program or request.info.entry_point, *request.args]
        environment = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        child = subprocess.Popen(
            command,
            cwd=request.pwd or None,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        context.add_callback(child.kill)
        status = child.wait()
        if status == _USER_WAS_TOLD:
            return language_pb2.RunResponse(bail=True)
        if status:
            return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {status}")
        return language_pb2.RunResponse()

    def RunPlugin(  # noqa: N802
        self, request: language_pb2.RunPluginRequest, context: Any
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a policy pack until the engine has had enough, and pass on what it prints."""
        where = request.info.program_directory
        child = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, where],
            cwd=request.pwd or where,
            env={**os.environ, **dict(pair.split("=", 1) for pair in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(child.kill)
        said: queue.SimpleQueue[language_pb2.RunPluginResponse | None] = queue.SimpleQueue()

        def passed_on(stream: IO[bytes], response: Callable[[bytes], language_pb2.RunPluginResponse]) -> None:
            while chunk := os.read(stream.fileno(), 1 << 16):
                said.put(response(chunk))
            said.put(None)

        readers = []
        for stream, response in ((child.stdout, _printed), (child.stderr, _complained)):
            if stream is not None:
                readers.append(threading.Thread(target=passed_on, args=(stream, response), daemon=True))
        for reader in readers:
            reader.start()
        ended = 0
        while ended < len(readers):
            part = said.get()
            if part is None:
                ended += 1
            else:
                yield part
        yield language_pb2.RunPluginResponse(exitcode=child.wait() & 0xFF)


def _printed(chunk: bytes) -> language_pb2.RunPluginResponse:
    return language_pb2.RunPluginResponse(stdout=chunk)


def _complained(chunk: bytes) -> language_pb2.RunPluginResponse:
    return language_pb2.RunPluginResponse(stderr=chunk)
