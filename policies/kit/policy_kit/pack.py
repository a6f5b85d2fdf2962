"""A pack: its rules become policies of the SDK, which report what the rules find.

One pack's policies share its settings, what the program declares, and what the pack makes of a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from .adapter import DeclaredInputs, NotYetKnown, PerStack, declared_resource, resources_of
from .findings import Finding, Verdict
from .resources import Resource, kind_of
from .settings import PackSettings, SettingsError, read, schema

S = TypeVar("S", bound=PackSettings)
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the report and the documentation say of a policy."""

    name: str
    description: str
    remedy: str
    severity: Severity = Severity.HIGH
    framework: PolicyComplianceFramework | None = None


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule, Generic[V]):
    """A policy over the whole stack."""

    judge: Callable[[V], Iterator[Verdict]]


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule, Generic[S]):
    """A policy over each resource of some kinds, judged by its inputs before it is made."""

    kinds: Collection[str]
    judge: Callable[[Resource, S], Iterator[Verdict]]


def security_hub(control: str, title: str) -> PolicyComplianceFramework:
    """The control of AWS Security Hub's standard that a policy answers."""
    return PolicyComplianceFramework(
        name="AWS Foundational Security Best Practices", version="1.0.0", reference=control, specification=title
    )


class Pack(Generic[S, V]):
    """A pack's rules as policies.

    Args:
        settings: the model of each policy's configuration.
        view: what the stack rules judge, made of a stack's resources and the settings.
    """

    def __init__(
        self,
        *,
        settings: type[S],
        view: Callable[[list[Resource], S], V],
        resource_rules: Iterable[ResourceRule[S]],
        stack_rules: Iterable[StackRule[V]],
    ) -> None:
        self._settings_model = settings
        self._schema = PolicyConfigSchema(properties=schema(settings))
        self._declared = DeclaredInputs()
        self._views: PerStack[S, V] = PerStack(
            lambda resources, settings: view(resources_of(resources, self._declared), settings)
        )
        self._resource_rules = tuple(resource_rules)
        self._stack_rules = tuple(stack_rules)

    def policies(self) -> list[Policy]:
        """The pack's policies, in the order of the documentation."""
        return [
            *(
                ResourceValidationPolicy(**self._described(rule), validate=partial(self._judge_resource, rule))
                for rule in self._resource_rules
            ),
            *(
                StackValidationPolicy(**self._described(rule), validate=partial(self._judge_stack, rule))
                for rule in self._stack_rules
            ),
        ]

    def _described(self, rule: Rule) -> dict[str, Any]:
        return {
            "name": rule.name,
            "description": rule.description,
            "enforcement_level": EnforcementLevel.MANDATORY,
            "severity": rule.severity,
            "framework": rule.framework,
            "remediation_steps": rule.remedy,
            "config_schema": self._schema,
        }

    def _judge_resource(self, rule: ResourceRule[S], args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Judge a resource's inputs, and record them for the stack rules: one resource rule is enough for that."""
        self._declared.record(args)
        if kind_of(args.resource_type) in rule.kinds:
            settings = self._settings(args, report, args.urn)
            if settings is not None:
                _report(rule.judge(declared_resource(args), settings), report)

    def _judge_stack(self, rule: StackRule[V], args: StackValidationArgs, report: ReportViolation) -> None:
        settings = self._settings(args, report, None)
        if settings is not None:
            _report(rule.judge(self._views.of(args.resources, settings)), report)

    def _settings(
        self, args: ResourceValidationArgs | StackValidationArgs, report: ReportViolation, urn: str | None
    ) -> S | None:
        try:
            return read(self._settings_model, args.get_config())
        except SettingsError as error:
            report(str(error), urn)
            return None


def _report(verdicts: Iterable[Verdict], report: ReportViolation) -> None:
    """Report what a rule finds; what cannot be known yet ends the policy as unknown, in the rule's own words."""
    unknown: list[str] = []
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            report(verdict.message, verdict.resource.urn)
        else:
            unknown.append(verdict.message)
    if unknown:
        raise NotYetKnown(unknown)
