"""The engine's own service while a program runs: where it logs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2

if TYPE_CHECKING:
    from .run_status import RunStatus


class EngineLog:
    """The engine's own service as the program sees it: a place to log to."""

    _SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}  # noqa: RUF012

    def __init__(self, status: RunStatus) -> None:
        self._status = status

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802
        """Keep a message; debugging is not shown by the engine either."""
        severity = self._SEVERITIES.get(request.severity)
        if severity is not None:
            self._status.note(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def RequirePulumiVersion(  # noqa: N802
        self, _: engine_pb2.RequirePulumiVersionRequest
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """There is no CLI whose version could be too old."""
        return engine_pb2.RequirePulumiVersionResponse()
