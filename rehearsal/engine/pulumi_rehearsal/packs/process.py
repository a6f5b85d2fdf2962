"""A policy pack as its real analyzer process, started and asked as the Pulumi engine does it.

The command, the working directory and the environment are those of the engine's Python language host; the
conversation is gRPC, in the engine's order: Handshake and ConfigureStack where the pack serves them,
GetAnalyzerInfo, Configure, then Remediate and Analyze by resource and AnalyzeStack at the end.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import (
    analyzer_pb2,
    analyzer_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
)

from pulumi_rehearsal.errors import PolicyPackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulumi_rehearsal.registration import Registration

    from .analyzer import RunSettings
    from .folder import PackFolder

T = TypeVar("T")

_START_SECONDS = 60.0
_MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
]


class EngineServer:
    """The engine's own service, which a pack may log to: its address is what a pack is started with."""

    def __init__(self, log: Callable[[engine_pb2.LogRequest], None]) -> None:
        self._server = grpc.server(ThreadPoolExecutor(max_workers=2), options=_CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(_EngineServicer(log), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(grace=None)


class _EngineServicer(engine_pb2_grpc.EngineServicer):
    def __init__(self, log: Callable[[engine_pb2.LogRequest], None]) -> None:
        self._log = log

    def Log(self, request: engine_pb2.LogRequest, _context: Any) -> empty_pb2.Empty:  # noqa: N802
        self._log(request)
        return empty_pb2.Empty()


class ProcessAnalyzer:
    """A pack in its own process."""

    def __init__(self, folder: PackFolder, engine_address: str) -> None:
        self.folder = folder
        self._engine_address = engine_address
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None
        self._stub: Any = None

    def start(self, settings: RunSettings) -> analyzer_pb2.AnalyzerInfo:
        """Bring the pack up, tell it of the stack, and ask what policies it has."""
        port = self._start_process(settings)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_CHANNEL_OPTIONS)
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        directory = str(self.folder.path)
        self._optional(
            lambda: self._stub.Handshake(
                analyzer_pb2.AnalyzerHandshakeRequest(
                    engine_address=self._engine_address, root_directory=directory, program_directory=directory
                ),
                wait_for_ready=True,
                timeout=_START_SECONDS,
            )
        )
        self._optional(lambda: self._stub.ConfigureStack(settings.configure_request()))
        info: analyzer_pb2.AnalyzerInfo = self._ask(lambda: self._stub.GetAnalyzerInfo(empty_pb2.Empty()))
        return info

    def configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest) -> None:
        """Give it its configuration."""
        self._ask(lambda: self._stub.Configure(request))

    def remediate(self, registration: Registration) -> analyzer_pb2.RemediateResponse:
        """Let it change a resource's inputs."""
        response = self._optional(lambda: self._stub.Remediate(registration.request(internal=True)))
        return response or analyzer_pb2.RemediateResponse()

    def analyze(self, registration: Registration) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at a resource's inputs."""
        response: analyzer_pb2.AnalyzeResponse = self._ask(
            lambda: self._stub.Analyze(registration.request(internal=False))
        )
        return response

    def analyze_stack(self, registrations: Sequence[Registration]) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at all resources' outputs."""
        request = analyzer_pb2.AnalyzeStackRequest(resources=[r.stack_resource() for r in registrations])
        return self._optional(lambda: self._stub.AnalyzeStack(request)) or analyzer_pb2.AnalyzeResponse()

    def close(self) -> None:
        """End it."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def _start_process(self, settings: RunSettings) -> str:
        command = [
            str(self.folder.python),
            "-u",
            "-m",
            "pulumi.policy",
            self._engine_address,
            str(self.folder.program),
        ]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder.path,
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr is sys.__stderr__ else subprocess.DEVNULL,
        )
        line = self._first_line(self._process)
        if line.isdigit():
            threading.Thread(target=_drain, args=(self._process.stdout,), daemon=True).start()
            return line
        code = self._process.poll()
        ended = f"it ended with exit code {code}" if code is not None else f"it first printed {line!r}"
        raise PolicyPackError(
            f"policy pack {self.folder.path.name} failed to start: {ended} instead of its port; "
            f"see its own message above, or run {' '.join(command)}"
        )

    def _first_line(self, process: subprocess.Popen[bytes]) -> str:
        stream = process.stdout
        if stream is None:  # pragma: no cover  it was opened as a pipe
            return ""
        deadline = time.monotonic() + _START_SECONDS
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in text:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    break
                read = os.read(stream.fileno(), 4096)
                if not read:
                    process.wait()
                    break
                text += read
        return text.split(b"\n", 1)[0].decode(errors="replace").strip()

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except grpc.RpcError as problem:
            raise PolicyPackError(_details(problem)) from problem

    def _optional(self, call: Callable[[], T]) -> T | None:
        """What a call answers, or None where the pack does not serve it, as the engine takes it."""
        try:
            return call()
        except grpc.RpcError as problem:
            if isinstance(problem, grpc.Call) and problem.code() == grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise PolicyPackError(_details(problem)) from problem


def _drain(stream: IO[bytes]) -> None:
    """Pass on what a pack prints after its port, so that it never waits for a reader."""
    try:
        for line in stream:
            sys.stderr.write(line.decode(errors="replace"))
    except (OSError, ValueError):
        return  # the pack was ended


def _details(problem: grpc.RpcError) -> str:
    if isinstance(problem, grpc.Call):
        return problem.details() or str(problem.code())
    return str(problem)
