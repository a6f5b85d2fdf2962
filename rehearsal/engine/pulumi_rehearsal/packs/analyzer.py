"""What the engine says to a policy pack, however the pack is run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pulumi.runtime.proto import analyzer_pb2

if TYPE_CHECKING:
    from pulumi_rehearsal.registration import Registration

    from .folder import PackFolder


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What the engine tells a pack of the run it judges."""

    project: str
    stack: str
    organization: str
    dry_run: bool
    config: Mapping[str, str]
    secret_keys: Sequence[str]

    def environment(self) -> dict[str, str]:
        """The variables that the engine adds to a pack's environment."""
        variables = {
            "PULUMI_ORGANIZATION": self.organization,
            "PULUMI_PROJECT": self.project,
            "PULUMI_STACK": self.stack,
            "PULUMI_DRY_RUN": "true" if self.dry_run else "false",
        }
        if self.config:
            variables["PULUMI_CONFIG"] = json.dumps(dict(self.config))
        return variables

    def configure_request(self) -> analyzer_pb2.AnalyzerStackConfigureRequest:
        """The same as the ConfigureStack call carries it."""
        return analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=self.stack,
            project=self.project,
            organization=self.organization,
            dry_run=self.dry_run,
            config=self.config,
            config_secret_keys=self.secret_keys,
        )


class Analyzer(Protocol):
    """A policy pack, however it is run."""

    folder: PackFolder

    def start(self, settings: RunSettings) -> analyzer_pb2.AnalyzerInfo:
        """Bring the pack up, tell it of the stack, and ask what policies it has."""

    def configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest) -> None:
        """Give it its configuration."""

    def remediate(self, registration: Registration) -> analyzer_pb2.RemediateResponse:
        """Let it change a resource's inputs."""

    def analyze(self, registration: Registration) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at a resource's inputs."""

    def analyze_stack(self, registrations: Sequence[Registration]) -> analyzer_pb2.AnalyzeResponse:
        """Let it look at all resources' outputs."""

    def close(self) -> None:
        """End it."""
