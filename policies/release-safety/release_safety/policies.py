"""The pack's policies: each a name, a purpose, a severity, a remedy, and the rule that judges."""

from __future__ import annotations

from typing import Final

from policy_kit.pack import Pack, ResourceRule, StackRule, security_hub
from pulumi_policy import Severity

from . import capacity, containers, pipelines, rollback, services, storage
from .releases import Releases
from .settings import Settings

RESOURCE_RULES: Final[tuple[ResourceRule[Settings], ...]] = (
    ResourceRule(
        name="repositories-are-immutable-and-scanned",
        description="Images are scanned on push, and a tag that was released never moves.",
        kinds=("ecr.Repository",),
        judge=storage.repositories_are_immutable_and_scanned,
        remedy=storage.REPOSITORY_REMEDY,
        framework=security_hub("ECR.2", "ECR private repositories should have tag immutability configured"),
    ),
    ResourceRule(
        name="buckets-block-public-access",
        description="A bucket's public access block closes all four ways.",
        kinds=("s3.BucketPublicAccessBlock",),
        judge=storage.buckets_block_public_access,
        remedy=storage.BLOCK_REMEDY,
        framework=security_hub("S3.8", "S3 general purpose buckets should block public access"),
    ),
)

STACK_RULES: Final[tuple[StackRule[Releases], ...]] = (
    StackRule(
        name="production-releases-are-approved",
        description="In production a person approves before anything is deployed; elsewhere no approval is required.",
        judge=pipelines.production_releases_are_approved,
        remedy="Set approval: required where production: true, and approval: none elsewhere.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="every-deployment-passes-the-gate",
        description="The release gate checks every hand-off, and a deployment takes the gate's output artifact.",
        judge=pipelines.every_deployment_passes_the_gate,
        remedy="Call the gate before the deployment and give the deployment the gate's artifact only.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="sources-are-never-polled",
        description="A pipeline is started by an event, never by polling its source.",
        judge=pipelines.sources_are_never_polled,
        remedy='Set PollForSourceChanges to "false" on the source action.',
        severity=Severity.MEDIUM,
    ),
    StackRule(
        name="pipelines-start-from-their-own-key",
        description="A pipeline starts from the exact key of its own hand-off, and a rule starts one pipeline.",
        judge=pipelines.pipelines_start_from_their_own_key,
        remedy="Match the exact bucket and key, filter failed calls, and start one pipeline by each rule.",
    ),
    StackRule(
        name="handoff-is-private-and-versioned",
        description="Buckets of hand-offs, templates and artifacts are versioned, private and encrypted.",
        judge=storage.handoff_is_private_and_versioned,
        remedy="Add versioning, a public access block and encryption to the bucket.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="one-trail-records-the-hand-offs",
        description="A stack has one trail at most, and its log files are validated.",
        judge=pipelines.one_trail_records_the_hand_offs,
        remedy="Keep one trail with enableLogFileValidation: true.",
        severity=Severity.MEDIUM,
        framework=security_hub("CloudTrail.4", "CloudTrail log file validation should be enabled"),
    ),
    StackRule(
        name="deployments-have-automatic-rollback",
        description="Blue/green has a test listener, alarms, automatic rollback and, in production, a bake time; "
        "rolling has a circuit breaker.",
        judge=rollback.deployments_have_automatic_rollback,
        remedy="Complete the deployment group, or the service's deploymentCircuitBreaker.",
    ),
    StackRule(
        name="appspecs-set-the-capacity-provider-strategy",
        description="Every AppSpec sets the capacity provider strategy of its service.",
        judge=capacity.appspecs_set_the_capacity_provider_strategy,
        remedy="Write CapacityProviderStrategy into the AppSpec.",
        severity=Severity.MEDIUM,
    ),
    StackRule(
        name="production-keeps-on-demand-capacity",
        description="A production service keeps a base of on-demand tasks.",
        judge=capacity.production_keeps_on_demand_capacity,
        remedy="Give FARGATE a base of 1 or more.",
    ),
    StackRule(
        name="containers-are-unprivileged",
        description="No container is privileged, shares its host's namespaces or paths, or loses its read-only root.",
        judge=containers.containers_are_unprivileged,
        remedy="Drop what reaches the host; set readonlyRootFilesystem: true.",
        framework=security_hub("ECS.4", "ECS containers should run as non-privileged"),
    ),
    StackRule(
        name="secrets-are-never-in-plain-environment",
        description="Secrets come from Secrets Manager or SSM, never as plain variables.",
        judge=containers.secrets_are_never_in_plain_environment,
        remedy="Move the value to Secrets Manager or SSM and name it under secrets.",
        severity=Severity.CRITICAL,
        framework=security_hub("ECS.8", "Secrets should not be passed as container environment variables"),
    ),
    StackRule(
        name="containers-log",
        description="Every container writes a log.",
        judge=containers.containers_log,
        remedy="Give the container logConfiguration.",
        severity=Severity.MEDIUM,
        framework=security_hub("ECS.9", "ECS task definitions should have a logging configuration"),
    ),
    StackRule(
        name="images-come-from-declared-repositories",
        description="Tasks start from images of declared repositories by tags that stay.",
        judge=containers.images_come_from_declared_repositories,
        remedy="Take the image from the stack's repositories by its own tag or digest.",
    ),
    StackRule(
        name="listeners-require-tls",
        description="Where a load balancer has a certificate, every listener speaks modern TLS or redirects to it.",
        judge=services.listeners_require_tls,
        remedy="Use HTTPS with TLS 1.2 or 1.3 everywhere, and redirect port 80.",
    ),
    StackRule(
        name="log-groups-expire",
        description="Every log group has a retention period.",
        judge=services.log_groups_expire,
        remedy="Set retentionInDays.",
        severity=Severity.LOW,
    ),
    StackRule(
        name="releases-are-not-reverted",
        description="What a release changes is in ignore_changes, so that the next update does not revert it.",
        judge=services.releases_are_not_reverted,
        remedy="Name the properties in ignore_changes.",
    ),
)

PACK: Final = Pack(settings=Settings, view=Releases, resource_rules=RESOURCE_RULES, stack_rules=STACK_RULES)
