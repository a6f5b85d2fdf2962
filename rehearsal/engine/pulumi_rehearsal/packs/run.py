"""The policy packs of a run: asked in the engine's order, answered in plain data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2

from pulumi_rehearsal.errors import PolicyPackError
from pulumi_rehearsal.model import NotApplicable, Pack, Remediation, Violation
from pulumi_rehearsal.registration import STACK_TYPE

from .configuration import configuration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_rehearsal.registration import Registration

    from .analyzer import Analyzer, RunSettings

_LEVEL_NAMES: dict[int, Literal["advisory", "mandatory", "remediate", "disabled"]] = {
    analyzer_pb2.ADVISORY: "advisory",
    analyzer_pb2.MANDATORY: "mandatory",
    # After a remediation that did not fix it, the engine takes a violation as mandatory.
    analyzer_pb2.REMEDIATE: "mandatory",
    analyzer_pb2.DISABLED: "disabled",
}
_SEVERITIES = {
    analyzer_pb2.POLICY_SEVERITY_LOW: "low",
    analyzer_pb2.POLICY_SEVERITY_MEDIUM: "medium",
    analyzer_pb2.POLICY_SEVERITY_HIGH: "high",
    analyzer_pb2.POLICY_SEVERITY_CRITICAL: "critical",
}


class PolicyRun:
    """All packs of one run."""

    def __init__(self, analyzers: Sequence[Analyzer]) -> None:
        self._analyzers = list(analyzers)
        self._info: dict[int, analyzer_pb2.AnalyzerInfo] = {}
        self._policy_info: dict[tuple[str, str], analyzer_pb2.PolicyInfo] = {}
        self.violations: list[Violation] = []
        self.remediations: list[Remediation] = []
        self.not_applicable: list[NotApplicable] = []
        self.seconds = 0.0
        """Wall seconds spent with the packs, their start apart."""
        self.judging = 0.0
        """Those of them that were spent while the program ran."""

    def start(self, settings: RunSettings, configs: Sequence[tuple[Mapping[str, Any], str]]) -> None:
        """Start and configure every pack; `configs` has one entry (content, file) per pack, or none at all.

        Raises:
            PolicyPackError: a pack does not start.
            UsageError: its configuration is wrong.
        """
        for index, analyzer in enumerate(self._analyzers):
            info = analyzer.start(settings)
            given, source = configs[index] if configs else ({}, "the policy configuration")
            analyzer.configure(configuration(info, given, source))
            self._info[index] = info
            for policy in info.policies:
                self._policy_info[info.name, policy.name] = policy

    def packs(self) -> tuple[Pack, ...]:
        """What packs take part."""
        return tuple(
            Pack(
                name=info.name,
                version=self._analyzers[index].folder.version or info.version,
                path=str(self._analyzers[index].folder.path),
                policies=tuple(sorted(policy.name for policy in info.policies)),
            )
            for index, info in self._info.items()
        )

    def judge(self, registration: Registration) -> bool:
        """Remediate, then analyze; changes the registration's inputs where a pack remedied them.

        Returns:
            Whether no mandatory policy was violated.
        """
        started = time.perf_counter()
        try:
            for analyzer in self._analyzers:
                self._remediate(analyzer, registration)
            allowed = True
            for analyzer in self._analyzers:
                response = _asked(analyzer, registration, analyzer.analyze)
                for diagnostic in response.diagnostics:
                    violation = self._violation(analyzer, diagnostic, registration.urn)
                    self.violations.append(violation)
                    allowed = allowed and violation.level != "mandatory"
                self._note(analyzer, response.not_applicable, registration.urn)
            return allowed
        finally:
            spent = time.perf_counter() - started
            self.seconds += spent
            self.judging += spent

    def judge_stack(self, registrations: Sequence[Registration]) -> None:
        """Let every pack look at the whole stack, once."""
        started = time.perf_counter()
        urns = {registration.urn for registration in registrations}
        root = next((r.urn for r in registrations if r.type == STACK_TYPE), "")
        for analyzer in self._analyzers:
            response = _asked(analyzer, None, lambda _, a=analyzer: a.analyze_stack(registrations))
            for diagnostic in response.diagnostics:
                # A URN that is not one of the stack's resources is the stack's own, as the engine has it.
                urn = diagnostic.urn if diagnostic.urn in urns else root
                self.violations.append(self._violation(analyzer, diagnostic, urn))
            self._note(analyzer, response.not_applicable, root)
        self.seconds += time.perf_counter() - started

    def put_in_order(self, registrations: Sequence[Registration]) -> None:
        """Put what was said by resource, as the SDK registered them, in the order of the resources."""
        order = {registration.urn: index for index, registration in enumerate(registrations)}
        for said in (self.violations, self.remediations, self.not_applicable):
            said.sort(key=lambda item: order.get(item.urn, len(order)))

    def close(self) -> None:
        """End every pack."""
        for analyzer in self._analyzers:
            analyzer.close()

    def _remediate(self, analyzer: Analyzer, registration: Registration) -> None:
        response = _asked(analyzer, registration, analyzer.remediate)
        for item in response.remediations:
            version = analyzer.folder.version or item.policyPackVersion
            if item.diagnostic:
                self.violations.append(
                    Violation(
                        policy=item.policyName,
                        pack=item.policyPackName,
                        pack_version=version,
                        level="advisory",
                        message=item.diagnostic,
                        description=item.description,
                        urn=registration.urn,
                        **self._described(item.policyPackName, item.policyName),
                    )
                )
            elif item.HasField("properties"):
                registration.inputs = json_format.MessageToDict(item.properties)
                self.remediations.append(
                    Remediation(
                        policy=item.policyName,
                        pack=item.policyPackName,
                        pack_version=version,
                        description=item.description,
                        urn=registration.urn,
                    )
                )
        self._note(analyzer, response.not_applicable, registration.urn)

    def _violation(self, analyzer: Analyzer, diagnostic: analyzer_pb2.AnalyzeDiagnostic, urn: str) -> Violation:
        return Violation(
            policy=diagnostic.policyName,
            pack=diagnostic.policyPackName,
            pack_version=analyzer.folder.version or diagnostic.policyPackVersion,
            level=_LEVEL_NAMES[diagnostic.enforcementLevel],
            message=diagnostic.message,
            description=diagnostic.description,
            urn=urn,
            severity=self._severity(diagnostic),
            **self._described(diagnostic.policyPackName, diagnostic.policyName),
        )

    def _severity(self, diagnostic: analyzer_pb2.AnalyzeDiagnostic) -> str:
        """How severe the finding is; where it does not say, as severe as its policy, as the engine has it."""
        if diagnostic.severity in _SEVERITIES:
            return _SEVERITIES[diagnostic.severity]
        info = self._policy_info.get((diagnostic.policyPackName, diagnostic.policyName))
        return "" if info is None else _SEVERITIES.get(info.severity, "")

    def _described(self, pack: str, policy: str) -> dict[str, str]:
        info = self._policy_info.get((pack, policy))
        return {} if info is None else {"remediation_steps": info.remediation_steps, "url": info.url}

    def _note(self, analyzer: Analyzer, items: Sequence[analyzer_pb2.PolicyNotApplicable], urn: str) -> None:
        if items:
            name = self._info[self._analyzers.index(analyzer)].name
            self.not_applicable.extend(
                NotApplicable(policy=item.policy_name, pack=name, reason=item.reason, urn=urn) for item in items
            )


def _asked(analyzer: Analyzer, registration: Registration | None, call: Any) -> Any:
    try:
        return call(registration)
    except PolicyPackError as problem:
        where = f" for {registration.urn}" if registration is not None else ""
        raise PolicyPackError(f"policy pack {analyzer.folder.path.name} broke{where}: {problem}") from problem
