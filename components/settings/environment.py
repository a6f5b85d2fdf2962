"""Parts of the settings that the services of an environment share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic.alias_generators import to_snake

from components.settings.values import (
    CertificateArn,
    Cidr,
    Email,
    InvalidSetting,
    Percent,
    Port,
    SettingsModel,
    SubnetId,
    Uuid,
    VpcId,
    repeated,
    text,
)

_MIN_SUBNETS = 2


class CreateNetwork(SettingsModel):
    """A VPC that this stack makes (awsx): public subnets for the load balancers, private ones for the tasks."""

    cidr: Annotated[Cidr, text(r".*/(1[6-9]|2[0-4])", "an IPv4 range from /16 to /24")] = "10.0.0.0/16"
    """Address range of the VPC; of less than a /24 its subnets would be too small for a load balancer."""
    zones: int = Field(default=2, ge=2, le=4)
    """Availability zones, each with a public and a private subnet."""
    egress: Literal["nat", "single-nat", "endpoints"] = "single-nat"
    """How tasks reach AWS: a NAT gateway a zone, one for all zones, or VPC endpoints and no way to the internet."""


class LookUpNetwork(SettingsModel):
    """An existing VPC and its subnets, found by their tags."""

    vpc_tags: dict[str, str] = Field(min_length=1)
    """Tags that exactly one VPC of the region has."""
    private_subnet_tags: dict[str, str] = Field(min_length=1)
    """Tags of the tasks' subnets in that VPC."""
    public_subnet_tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the internet-facing load balancers' subnets in that VPC; needed for those only."""


class ExistingNetwork(SettingsModel):
    """An existing VPC and its subnets by their ids."""

    vpc_id: VpcId
    """The VPC."""
    private_subnet_ids: tuple[SubnetId, ...]
    """Subnets of the tasks, in two availability zones or more."""
    public_subnet_ids: tuple[SubnetId, ...] = ()
    """Subnets of internet-facing load balancers, in two availability zones or more; needed for those only."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """A load balancer needs two zones."""
        for key, ids in (("privateSubnetIds", self.private_subnet_ids), ("publicSubnetIds", self.public_subnet_ids)):
            if len(set(ids)) < _MIN_SUBNETS and (ids or key == "privateSubnetIds"):
                yield key, list(ids), "two different subnets or more, in two availability zones"


class Network(SettingsModel):
    """Where tasks and load balancers stand: exactly one of the three."""

    look_up: LookUpNetwork | None = None
    """An existing VPC, found by tags."""
    existing: ExistingNetwork | None = None
    """An existing VPC by its ids."""
    create: CreateNetwork | None = None
    """A VPC of the stack's own."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """One network."""
        given = [key for key in ("lookUp", "existing", "create") if getattr(self, to_snake(key)) is not None]
        if len(given) != 1:
            yield "", " and ".join(given) or "none of them", "one of lookUp, existing and create"


# ---------------------------------------------------------------- capacity, load balancer, deployment


class Capacity(SettingsModel):
    """One item of a capacity provider strategy."""

    provider: Literal["FARGATE", "FARGATE_SPOT"]
    """FARGATE (on demand) or FARGATE_SPOT (up to two minutes' notice before a task is taken away)."""
    base: int = Field(default=0, ge=0, le=100_000)
    """Tasks that run here before the weights count; one item at most has a base."""
    weight: int = Field(default=0, ge=0, le=1_000)
    """Share of the tasks above the base, relative to the other items' weights."""


class LoadBalancer(SettingsModel):
    """What the load balancers of all services of the stack share."""

    exposure: Literal["internal", "internet-facing"] = "internal"
    """internal (private subnets) or internet-facing (public subnets)."""
    certificate_arn: CertificateArn | None = None
    """ACM certificate: listeners speak HTTPS and port 80 redirects. Without it they speak HTTP."""
    allowed_cidrs: tuple[Cidr, ...] = Field(default=("10.0.0.0/8",), min_length=1)
    """Who may reach the production listener."""
    test_cidrs: tuple[Cidr, ...] = ()
    """Who may reach the test listener, besides the smoke test."""
    test_port: Port = 8443
    """Port of the test listener."""
    deletion_protection: bool = False
    """Whether AWS refuses to delete the load balancers."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Production and test listeners stand on different ports."""
        if self.test_port in (80, 443):
            yield "testPort", self.test_port, "a port other than 80 and 443, which production uses"


class Deployment(SettingsModel):
    """How CodeDeploy shifts the traffic of blue/green services."""

    configuration: Literal[
        "CodeDeployDefault.ECSAllAtOnce",
        "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
        "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
        "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "CodeDeployDefault.ECSCanary10Percent15Minutes",
    ] = "CodeDeployDefault.ECSAllAtOnce"
    """How the traffic moves to the new tasks."""
    reroute: Literal["automatic", "manual"] = "automatic"
    """Whether the shift begins by itself, or waits for a person after the test traffic."""
    reroute_timeout_minutes: int = Field(default=60, ge=1, le=2880)
    """Minutes that a manual shift may wait; then the deployment stops."""
    bake_time_minutes: int = Field(default=5, ge=0, le=2880)
    """Minutes that the old tasks stay after the shift, ready for a roll-back."""


class Alarms(SettingsModel):
    """When a release rolls back by itself: thresholds over both target groups together."""

    error_ratio_percent: Percent = 5
    """Answers of the 5xx kind, in per cent of all requests."""
    latency_seconds: float = Field(default=2, gt=0, le=3600)
    """95th percentile of the time to answer."""
    unhealthy_hosts: int = Field(default=1, ge=1)
    """Unhealthy tasks."""
    period_seconds: Literal[60, 120, 180, 240, 300] = 60
    """Length of one measurement."""
    evaluation_periods: int = Field(default=3, ge=1, le=60)
    """Measurements beyond the threshold, of so many and two more, until the alarm sounds: the newest may be late."""


# ---------------------------------------------------------------- secrets, people


class Secret(SettingsModel):
    """A secret by its name, read when it is needed; its value is never in a stack file."""

    ssm: (
        Annotated[
            str, text(r"/(?!aws/|ssm/)[A-Za-z0-9._/-]+", "a parameter name that begins with /, not /aws/ or /ssm/")
        ]
        | None
    ) = None
    """SSM SecureString parameter."""
    secrets_manager: (
        Annotated[
            str,
            text(
                r"(?!.*-[A-Za-z0-9]{6}$)[A-Za-z0-9/_+=.@-]+",
                "a secret's name, not its ARN, that does not end in a hyphen and six characters as an ARN does",
            ),
        ]
        | None
    ) = None
    """Secrets Manager secret."""
    json_key: Annotated[str, text(r"[A-Za-z0-9_.-]+", "one key of the secret's JSON")] | None = None
    """Key of the secret's JSON value; Secrets Manager only."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """One store, and a JSON key only where there is JSON."""
        if (self.ssm is None) == (self.secrets_manager is None):
            yield "", "both or neither of ssm and secretsManager", "one of ssm and secretsManager"
        if self.json_key is not None and self.secrets_manager is None:
            yield "jsonKey", self.json_key, "only beside secretsManager"


class SlackChannel(SettingsModel):
    """A Slack channel, reached by a bot's token, or by an incoming webhook."""

    channel: Annotated[str, text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")] | None = None
    """The channel's id, beside a token."""
    token: Secret | None = None
    """The bot's token (chat:write)."""
    webhook: Secret | None = None
    """The webhook's whole address, instead of channel and token."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """One way into the channel, and that one whole."""
        if (self.webhook is None) == (self.channel is None and self.token is None):
            yield "", "both or neither of webhook and channel", "webhook alone, or channel with token"
        elif self.webhook is None and (self.channel is None or self.token is None):
            yield "", "channel without token" if self.token is None else "token without channel", "both"


class ChatworkRoom(SettingsModel):
    """A Chatwork room, reached by an API token."""

    room: Annotated[str, text(r"\d{1,12}", "a room's number, in quotes")]
    """The room's number."""
    token: Secret
    """The API token."""


class Chatbot(SettingsModel):
    """A Slack channel reached by AWS Chatbot, whose workspace is authorised once in the console."""

    workspace_id: Annotated[str, text(r"T[A-Z0-9]{8,}", "a workspace's id such as T0123456789")]
    """The Slack workspace's id."""
    channel_id: Annotated[str, text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")]
    """The channel's id."""


class Notifications(SettingsModel):
    """Who is told of a release."""

    emails: tuple[Email, ...] = ()
    """Addresses that SNS asks to confirm, for approvals and alarms."""
    slack: tuple[SlackChannel, ...] = ()
    """Slack channels told by our own function."""
    chatwork: tuple[ChatworkRoom, ...] = ()
    """Chatwork rooms told by our own function."""
    chatbot: Chatbot | None = None
    """A Slack channel told by AWS Chatbot, without code of ours."""


# ---------------------------------------------------------------- CI


class GitHub(SettingsModel):
    """GitHub Actions as a CI of this stack."""

    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (one stack an account), or reuse the one that stands there."""


class CircleCi(SettingsModel):
    """CircleCI as a CI of this stack."""

    organization_id: Uuid
    """The organization's id, which is the token's audience too."""
    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (one stack an account), or reuse the one that stands there."""


class Ci(SettingsModel):
    """Which CI may hand over releases, and from where in a repository."""

    release_from: Literal["branch", "tag", "environment"] = "branch"
    """branch: the branch that has the environment's name; tag: tags of the form v1.2.3; environment: jobs of the
    GitHub environment of that name, whose protection rules then decide."""
    github: GitHub | None = None
    """GitHub Actions."""
    circleci: CircleCi | None = None
    """CircleCI."""


def capacity_errors(key: str, capacity: Sequence[Capacity]) -> Iterable[InvalidSetting]:
    """What AWS refuses in a capacity provider strategy."""
    yield from repeated(key, (c.provider for c in capacity), "capacity provider")
    if not capacity:
        yield key, [], "at least one capacity provider"
    elif sum(c.weight for c in capacity) == 0:
        yield key, "weights that sum to 0", "at least one item with a weight of 1 or more"
    based = [c.provider for c in capacity if c.base]
    if len(based) > 1:
        yield key, "a base on " + " and ".join(based), "a base on one item at most"
