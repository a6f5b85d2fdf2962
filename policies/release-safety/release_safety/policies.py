"""The pack's policies: each a name, a purpose, a level, a remedy, and the rule that judges.

This module alone knows Pulumi; it gives the rules plain resources and reports what they find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

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

from . import flow, runtime, storage
from .adapter import Later, PerStack, keeping_what_is_declared, plain_of
from .findings import Finding, Verdict
from .releases import Releases
from .resources import UNKNOWN, kind_of
from .settings import SCHEMA, Settings, SettingsError, settings_of

Rule = Callable[[Releases], Iterator[Verdict]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A policy over the whole stack."""

    name: str
    description: str
    rule: Rule
    remedy: str
    severity: Severity = Severity.HIGH
    framework: PolicyComplianceFramework | None = None


@dataclass(frozen=True, kw_only=True)
class ResourceEntry:
    """A policy over each resource of one kind; `problem` and `mended` see its inputs."""

    name: str
    description: str
    kind: str
    problem: Callable[[Mapping[str, Any], Settings], str | None]
    mended: Callable[[Mapping[str, Any], Settings], dict[str, Any] | None]
    why: str
    remedy: str
    severity: Severity = Severity.HIGH
    framework: PolicyComplianceFramework | None = None


def _benchmark(reference: str, specification: str) -> PolicyComplianceFramework:
    return PolicyComplianceFramework(
        name="AWS Foundational Security Best Practices",
        version="1.0.0",
        reference=reference,
        specification=specification,
    )


RESOURCE_POLICIES: Final[tuple[ResourceEntry, ...]] = (
    ResourceEntry(
        name="repositories-are-immutable-and-scanned",
        description="Images are scanned on push, and a tag that was released never moves.",
        kind="ecr.Repository",
        problem=storage.repository_problem,
        mended=storage.repository_mended,
        why="A tag that moves lets somebody change what runs after it was approved.",
        remedy="Set imageTagMutability: IMMUTABLE and imageScanningConfiguration: {scanOnPush: true}; keep build "
        "caches in a repository of their own.",
        framework=_benchmark("ECR.2", "ECR private repositories should have tag immutability configured"),
    ),
    ResourceEntry(
        name="buckets-block-public-access",
        description="A bucket's public access block closes all four ways.",
        kind="s3.BucketPublicAccessBlock",
        problem=lambda props, _: storage.public_access_problem(props),
        mended=lambda props, _: storage.public_access_mended(props),
        why="One way that stays open is enough.",
        remedy="Set blockPublicAcls, blockPublicPolicy, ignorePublicAcls and restrictPublicBuckets to true.",
        framework=_benchmark("S3.8", "S3 general purpose buckets should block public access"),
    ),
)

STACK_POLICIES: Final[tuple[Entry, ...]] = (
    Entry(
        name="production-releases-are-approved",
        description="In production a person approves before anything is deployed; elsewhere nobody is asked.",
        rule=flow.production_releases_are_approved,
        remedy="Set approval: required where production: true, and approval: none elsewhere.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="gate-stands-before-every-deployment",
        description="The release gate checks every hand-off, and a deployment takes what the gate gave out.",
        rule=flow.gate_stands_before_every_deployment,
        remedy="Call the gate before the deployment and give the deployment the gate's artifact only.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="sources-are-never-polled",
        description="A pipeline is started by an event, never by polling its source.",
        rule=flow.sources_are_never_polled,
        remedy='Set PollForSourceChanges to "false" on the source action.',
        severity=Severity.MEDIUM,
    ),
    Entry(
        name="pipelines-start-from-their-own-key",
        description="A pipeline starts from the exact key of its own hand-off, and a rule starts one pipeline.",
        rule=flow.pipelines_start_from_their_own_key,
        remedy="Match the exact bucket and key, filter failed calls, and start one pipeline by each rule.",
    ),
    Entry(
        name="handoff-is-private-and-versioned",
        description="Buckets of hand-offs, templates and artifacts are versioned, private and encrypted.",
        rule=storage.handoff_is_private_and_versioned,
        remedy="Add versioning, a public access block and encryption to the bucket.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="one-trail-sees-the-hand-offs",
        description="A stack has one trail at most, and its log files are validated.",
        rule=flow.one_trail_validated,
        remedy="Keep one trail with enableLogFileValidation: true.",
        severity=Severity.MEDIUM,
        framework=_benchmark("CloudTrail.4", "CloudTrail log file validation should be enabled"),
    ),
    Entry(
        name="deployments-roll-back-by-themselves",
        description="Blue/green has a test listener, alarms, roll-back and, in production, a bake time; rolling has a "
        "circuit breaker.",
        rule=flow.deployments_roll_back_by_themselves,
        remedy="Complete the deployment group, or the service's deploymentCircuitBreaker.",
    ),
    Entry(
        name="appspecs-carry-the-capacity-strategy",
        description="Every AppSpec carries the capacity provider strategy of its service.",
        rule=runtime.appspecs_carry_the_capacity_strategy,
        remedy="Write CapacityProviderStrategy into the AppSpec.",
        severity=Severity.MEDIUM,
    ),
    Entry(
        name="production-keeps-on-demand-capacity",
        description="A production service keeps a base of on-demand tasks.",
        rule=runtime.production_keeps_on_demand_capacity,
        remedy="Give FARGATE a base of 1 or more.",
    ),
    Entry(
        name="containers-are-contained",
        description="No container is privileged, reaches its host, or loses its read-only root.",
        rule=runtime.containers_are_contained,
        remedy="Drop what reaches the host; set readonlyRootFilesystem: true.",
        framework=_benchmark("ECS.4", "ECS containers should run as non-privileged"),
    ),
    Entry(
        name="secrets-are-never-in-plain-environment",
        description="Secrets come from Secrets Manager or SSM, never as plain variables.",
        rule=runtime.secrets_are_never_in_plain_environment,
        remedy="Move the value to Secrets Manager or SSM and name it under secrets.",
        severity=Severity.CRITICAL,
        framework=_benchmark("ECS.8", "Secrets should not be passed as container environment variables"),
    ),
    Entry(
        name="containers-log",
        description="Every container writes a log.",
        rule=runtime.containers_log,
        remedy="Give the container logConfiguration.",
        severity=Severity.MEDIUM,
        framework=_benchmark("ECS.9", "ECS task definitions should have a logging configuration"),
    ),
    Entry(
        name="images-come-from-declared-repositories",
        description="Tasks start from images of declared repositories by tags that stay.",
        rule=runtime.images_come_from_declared_repositories,
        remedy="Take the image from the stack's repositories by its own tag or digest.",
    ),
    Entry(
        name="listeners-speak-tls",
        description="Where a load balancer has a certificate, every listener speaks modern TLS or redirects to it.",
        rule=runtime.listeners_speak_tls,
        remedy="Use HTTPS with TLS 1.2 or 1.3 everywhere, and redirect port 80.",
    ),
    Entry(
        name="log-groups-expire",
        description="Every log group says how long it keeps its logs.",
        rule=runtime.log_groups_expire,
        remedy="Set retentionInDays.",
        severity=Severity.LOW,
    ),
    Entry(
        name="releases-are-not-undone",
        description="What a release changes is ignored by the program's next update.",
        rule=runtime.releases_are_not_undone,
        remedy="Name the properties in ignore_changes.",
    ),
)


def policies() -> list[Policy]:
    """The pack's policies, in the order of the documentation."""
    schema = PolicyConfigSchema(properties=dict(SCHEMA))
    out: list[Policy] = [
        ResourceValidationPolicy(
            name=entry.name,
            description=entry.description,
            enforcement_level=EnforcementLevel.MANDATORY,
            severity=entry.severity,
            framework=entry.framework,
            remediation_steps=entry.remedy,
            config_schema=schema,
            validate=keeping_what_is_declared(partial(_judge_resource, entry)),
            remediate=cast("Any", partial(_mend, entry)),  # the SDK takes plain values, its annotation does not
        )
        for entry in RESOURCE_POLICIES
    ]
    out += [
        StackValidationPolicy(
            name=entry.name,
            description=entry.description,
            enforcement_level=EnforcementLevel.MANDATORY,
            severity=entry.severity,
            framework=entry.framework,
            remediation_steps=entry.remedy,
            config_schema=schema,
            validate=partial(_judge, entry.rule),
        )
        for entry in STACK_POLICIES
    ]
    return out


def _judge_resource(entry: ResourceEntry, args: ResourceValidationArgs, report: ReportViolation) -> None:
    if kind_of(args.resource_type) != entry.kind:
        return
    try:
        settings = settings_of(args.get_config())
    except SettingsError as error:
        report(str(error), args.urn)
        return
    props = plain_of(args.props)
    problem = entry.problem(props, settings)
    if problem and UNKNOWN in props.values():
        raise Later([f"{args.name}: {problem} as far as it is known now"])
    if problem:
        report(f"{args.name}: {problem}. {entry.why} {entry.remedy}", args.urn)


def _mend(entry: ResourceEntry, args: ResourceValidationArgs) -> Mapping[str, Any] | None:
    """Add what is missing, where the level of the policy is set to remediate; nothing that was said is changed."""
    if kind_of(args.resource_type) != entry.kind:
        return None
    mended = entry.mended(args.props, settings_of(args.get_config()))
    return None if mended is None else {k: args.props.get(k, v) if k in args.props else v for k, v in mended.items()}


_RELEASES: Final[PerStack[Settings, Releases]] = PerStack(Releases)


def _judge(rule: Rule, args: StackValidationArgs, report: ReportViolation) -> None:
    """Report what a rule finds; what cannot be known yet ends the policy as unknown, in the rule's own words."""
    try:
        settings = settings_of(args.get_config())
    except SettingsError as error:
        report(str(error), None)
        return
    unknown: list[str] = []
    for verdict in rule(_RELEASES.of(args.resources, settings)):
        if isinstance(verdict, Finding):
            report(verdict.message, verdict.resource.urn)
        else:
            unknown.append(verdict.message)
    if unknown:
        raise Later(unknown)
