"""All settings of a stack, in one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Protocol

from pydantic import Field

from components.naming import Names
from components.settings.environment import (
    Alarms,
    Capacity,
    Ci,
    Deployment,
    LoadBalancer,
    Network,
    Notifications,
    capacity_errors,
)
from components.settings.service import Service
from components.settings.values import (
    NAMESPACE,
    AccountId,
    Architecture,
    Environment,
    InvalidSetting,
    LogRetentionDays,
    Region,
    SettingsModel,
    TrailName,
    repeated,
    text,
)

_TRAIL_OF_A_STACK = re.compile(r"[a-z][a-z0-9]*-ecs-release")
_ON_DEMAND = "a FARGATE item with a base of 1 or more: Spot has no fallback, and this environment is production"


def _spot_only(capacity: Sequence[Capacity]) -> bool:
    return bool(capacity) and all(c.provider == "FARGATE_SPOT" for c in capacity)


class SettingsRules(Protocol):
    """What settings ask of a deployment strategy; `components.strategy.Strategy` has the rest."""

    def service_errors(self, service: Service) -> Iterable[InvalidSetting]:
        """Rules for the settings of one service; keys below the service."""

    def stack_errors(self, stack: Settings, service: Service) -> Iterable[InvalidSetting]:
        """Rules for a service in its stack; keys below the stack."""


class Settings(SettingsModel):
    """All settings of a stack."""

    environment: Environment
    """Name of the environment, the prefix of every resource name."""
    stack_name: Annotated[str, text(r"[A-Za-z0-9._-]{1,100}", "a stack's name")] | None = None
    """Name of the Pulumi stack, where it deliberately differs from the environment."""
    account: AccountId
    """AWS account id; the provider refuses any other account."""
    region: Region = "ap-northeast-1"
    """AWS region, of the partition aws."""
    production: bool = False
    """Marks a production environment (requires approval, bake time, on-demand capacity)."""
    approval: Literal["none", "required"] = "none"
    """Manual approval between the release gate and the deployment."""
    approval_timeout_minutes: int = Field(default=1440, ge=5, le=86_400)
    """Minutes after which an unanswered approval fails the release."""
    trigger: Literal["cloudtrail", "s3-events"] = "cloudtrail"
    """Event that starts the pipeline: CloudTrail's record of the upload, or S3's own event."""
    trail: TrailName = "create"
    """create, or the name of an existing CloudTrail trail that logs the hand-off bucket's write data events."""
    execution_mode: Literal["SUPERSEDED", "QUEUED"] = "SUPERSEDED"
    """CodePipeline execution mode, for a hand-off that arrives during a release."""
    architecture: Architecture = "ARM64"
    """Default CPU architecture of the tasks."""
    log_retention_days: LogRetentionDays = 30
    """Default log retention in days."""
    scan_threshold: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"] = "CRITICAL"
    """Lowest severity of an image scan finding that the release gate rejects; NONE only reports."""
    scan_unsupported: Literal["allow", "refuse"] = "allow"
    """What the release gate does with an image that ECR cannot scan; any other missing scan result is rejected unless
    scanThreshold is NONE."""
    stand_in_image: Annotated[str, text(r"[a-z0-9][a-z0-9./_:@-]+", "an image URI")] = (
        "public.ecr.aws/docker/library/python:3.13-alpine"
    )
    """Placeholder image, with Python 3, that a service runs until its first release."""
    network: Network
    """The VPC and subnets of tasks and load balancers: one of lookUp, existing and create."""
    load_balancer: LoadBalancer = LoadBalancer()
    """Settings of the load balancers of all services."""
    capacity: tuple[Capacity, ...]
    """Default capacity provider strategy for services without their own."""
    deployment: Deployment = Deployment()
    """Traffic shifting of blue/green services, by CodeDeploy."""
    alarms: Alarms = Alarms()
    """Alarms that trigger an automatic rollback."""
    notifications: Notifications = Notifications()
    """Notification targets."""
    ci: Ci
    """The CI systems that may hand over releases, and from which refs."""
    services: tuple[Service, ...] = Field(min_length=1)
    """Services of the stack."""

    @property
    def names(self) -> Names:
        """Physical names and ARNs of this stack."""
        return Names(environment=self.environment, account=self.account, region=self.region)

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Rules between the parts of a stack."""
        yield from repeated("services", (s.name for s in self.services), "service")
        yield from capacity_errors("capacity", self.capacity)
        if self.production and _spot_only(self.capacity) and any(s.capacity is None for s in self.services):
            yield "capacity", "FARGATE_SPOT only", _ON_DEMAND
        yield from self._reachability_errors()
        if self.load_balancer.exposure == "internal" and any(
            c == "0.0.0.0/0" for c in self.load_balancer.allowed_cidrs
        ):
            yield (
                "loadBalancer.allowedCidrs",
                "0.0.0.0/0",
                "ranges of your networks: the load balancers are internal",
            )
        yield from self._folder_errors()
        for service in self.services:
            for key, found, allowed in (*self._service_errors(service), *self._name_errors(service)):
                yield f"services[{service.name}].{key}".rstrip("."), found, allowed

    def _reachability_errors(self) -> Iterable[InvalidSetting]:
        """Rules of reachability."""
        isolated = self.network.create is not None and self.network.create.egress == "endpoints"
        own_registry = f"{self.account}.dkr.ecr."
        if isolated and not self.stand_in_image.startswith(own_registry):
            yield (
                "standInImage",
                self.stand_in_image,
                f"an image of {own_registry}{self.region}.amazonaws.com: with egress endpoints nothing else is reached",
            )
        certificate = self.load_balancer.certificate_arn
        if certificate is not None and f":{self.region}:{self.account}:" not in certificate:
            yield "loadBalancer.certificateArn", certificate, f"a certificate of {self.account} in {self.region}"
        if _TRAIL_OF_A_STACK.fullmatch(self.trail):
            yield (
                "trail",
                self.trail,
                "create, or a trail of your own: another stack's trail logs that stack's hand-offs only",
            )
        if self.load_balancer.exposure == "internal":
            return
        looked_up, existing = self.network.look_up, self.network.existing
        if looked_up is not None and not looked_up.public_subnet_tags:
            yield "network.lookUp.publicSubnetTags", {}, "the tags of the internet-facing load balancers' subnets"
        if existing is not None and not existing.public_subnet_ids:
            yield "network.existing.publicSubnetIds", [], "the internet-facing load balancers' subnets"

    def strategy_errors(self, strategies: Mapping[str, SettingsRules]) -> Iterable[InvalidSetting]:
        """What each strategy that a service has says of the stack, once."""
        found: list[InvalidSetting] = []
        for service in self.services if strategies else ():
            found += [p for p in strategies[service.strategy].stack_errors(self, service) if p not in found]
        return found

    def _folder_errors(self) -> Iterable[InvalidSetting]:
        """Two pipelines whose artifacts would lie in one folder, so that each could reach the other's."""
        owners: dict[str, str] = {}
        for name in dict.fromkeys(s.name for s in self.services):
            folder = self.names.service(name).artifact_folder
            if folder in owners:
                yield (
                    f"services[{name}].name",
                    name,
                    f"one that begins unlike {owners[folder]}: CodePipeline keeps the artifacts of both in {folder}/",
                )
            owners.setdefault(folder, name)

    def _name_errors(self, service: Service) -> Iterable[InvalidSetting]:
        for hook, function in (
            ("hooks.beforeInstall", service.hooks.before_install),
            ("hooks.afterAllowTraffic", service.hooks.after_allow_traffic),
        ):
            if function is not None and f":{self.region}:{self.account}:" not in function:
                yield hook, function, f"a function of {self.account} in {self.region}: CodeDeploy calls no other"
        for kind, name, most in self.names.service(service.name).length_limits(
            balanced=service.load_balancer is not None
        ):
            if len(name) > most:
                yield (
                    "name",
                    service.name,
                    (f"a shorter name: the {kind} would be {name}, {len(name)} characters, and AWS allows {most}"),
                )

    def _service_errors(self, service: Service) -> Iterable[InvalidSetting]:
        if self.production and _spot_only(service.capacity or ()):
            yield "capacity", "FARGATE_SPOT only", _ON_DEMAND
        if self.ci.release_from == "environment" and service.ci.circleci is not None:
            yield "ci.circleci", "beside releaseFrom environment", "github alone, or releaseFrom branch or tag"
        for ci in ("github", "circleci"):
            if getattr(service.ci, ci) is not None and getattr(self.ci, ci) is None:
                yield f"ci.{ci}", "a project of its own", f"only beside the stack's {NAMESPACE}:ci.{ci}"
