"""Settings that the services of an environment share."""

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
    """A VPC that this stack creates (awsx): public subnets for load balancers, private subnets for tasks."""

    cidr: Annotated[Cidr, text(r".*/(1[6-9]|2[0-4])", "an IPv4 range from /16 to /24")] = "10.0.0.0/16"
    """IPv4 range of the VPC, /16 to /24; in a smaller one the subnets are too small for a load balancer."""
    zones: int = Field(default=2, ge=2, le=4)
    """Number of availability zones, each with a public and a private subnet."""
    egress: Literal["nat", "single-nat", "endpoints"] = "single-nat"
    """How tasks reach AWS: a NAT gateway per zone, one NAT gateway, or VPC endpoints without internet access."""


class LookUpNetwork(SettingsModel):
    """An existing VPC and its subnets, found by their tags."""

    vpc_tags: dict[str, str] = Field(min_length=1)
    """Tags that match exactly one VPC of the region."""
    private_subnet_tags: dict[str, str] = Field(min_length=1)
    """Tags of the subnets for tasks in that VPC."""
    public_subnet_tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the public subnets in that VPC; required for internet-facing load balancers."""


class ExistingNetwork(SettingsModel):
    """An existing VPC and its subnets by their ids."""

    vpc_id: VpcId
    """Id of the VPC."""
    private_subnet_ids: tuple[SubnetId, ...]
    """Subnets for tasks, in two or more availability zones."""
    public_subnet_ids: tuple[SubnetId, ...] = ()
    """Public subnets, in two or more availability zones; required for internet-facing load balancers."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """A load balancer needs two zones."""
        for key, ids in (("privateSubnetIds", self.private_subnet_ids), ("publicSubnetIds", self.public_subnet_ids)):
            if len(set(ids)) < _MIN_SUBNETS and (ids or key == "privateSubnetIds"):
                yield key, list(ids), "two or more different subnets, in two availability zones"


class Network(SettingsModel):
    """The VPC and subnets of tasks and load balancers: exactly one of the three."""

    look_up: LookUpNetwork | None = None
    """An existing VPC, found by tags."""
    existing: ExistingNetwork | None = None
    """An existing VPC by its ids."""
    create: CreateNetwork | None = None
    """A VPC that the stack creates."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """One network."""
        given = [key for key in ("lookUp", "existing", "create") if getattr(self, to_snake(key)) is not None]
        if len(given) != 1:
            yield "", " and ".join(given) or "none of them", "one of lookUp, existing and create"


# ---------------------------------------------------------------- capacity, load balancer, deployment


class Capacity(SettingsModel):
    """One item of a capacity provider strategy."""

    provider: Literal["FARGATE", "FARGATE_SPOT"]
    """FARGATE (on demand) or FARGATE_SPOT (two minutes' notice before a task is interrupted)."""
    base: int = Field(default=0, ge=0, le=100_000)
    """Minimum number of tasks on this provider; at most one item has a base."""
    weight: int = Field(default=0, ge=0, le=1_000)
    """Relative share of the tasks above the base."""


class LoadBalancer(SettingsModel):
    """Settings of the load balancers of all services."""

    exposure: Literal["internal", "internet-facing"] = "internal"
    """internal (private subnets) or internet-facing (public subnets)."""
    certificate_arn: CertificateArn | None = None
    """ACM certificate: listeners use HTTPS and port 80 redirects. Without it they use HTTP."""
    allowed_cidrs: tuple[Cidr, ...] = Field(default=("10.0.0.0/8",), min_length=1)
    """IPv4 ranges that may reach the production listener."""
    test_cidrs: tuple[Cidr, ...] = ()
    """IPv4 ranges that may reach the test listener, besides the smoke test."""
    test_port: Port = 8443
    """Port of the test listener."""
    deletion_protection: bool = False
    """Deletion protection of the load balancers."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Production and test listeners use different ports."""
        if self.test_port in (80, 443):
            yield "testPort", self.test_port, "a port other than 80 and 443, which production uses"


class Deployment(SettingsModel):
    """CodeDeploy's traffic shifting for blue/green services."""

    configuration: Literal[
        "CodeDeployDefault.ECSAllAtOnce",
        "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
        "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
        "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "CodeDeployDefault.ECSCanary10Percent15Minutes",
    ] = "CodeDeployDefault.ECSAllAtOnce"
    """CodeDeploy deployment configuration: how traffic shifts to the new tasks."""
    reroute: Literal["automatic", "manual"] = "automatic"
    """automatic, or manual: after the smoke test the traffic shift waits for a person."""
    reroute_timeout_minutes: int = Field(default=60, ge=1, le=2880)
    """Minutes that a manual traffic shift may wait before the deployment stops."""
    bake_time_minutes: int = Field(default=5, ge=0, le=2880)
    """Bake time: minutes for which the old tasks are kept after the traffic shift, ready for a rollback."""


class Alarms(SettingsModel):
    """Alarms that trigger an automatic rollback, over both target groups together."""

    error_ratio_percent: Percent = 5
    """HTTP 5xx responses in percent of all requests."""
    latency_seconds: float = Field(default=2, gt=0, le=3600)
    """95th percentile of the response time, in seconds."""
    unhealthy_hosts: int = Field(default=1, ge=1)
    """Number of unhealthy tasks."""
    period_seconds: Literal[60, 120, 180, 240, 300] = 60
    """Length of a metric period, in seconds."""
    evaluation_periods: int = Field(default=3, ge=1, le=60)
    """Periods that breach the threshold before the alarm fires, of this number plus two: the newest may lack data."""


# ---------------------------------------------------------------- secrets, notifications


class Secret(SettingsModel):
    """Reference to a secret by name; its value is never in a stack file."""

    ssm: (
        Annotated[
            str, text(r"/(?!aws/|ssm/)[A-Za-z0-9._/-]+", "a parameter name that begins with /, not /aws/ or /ssm/")
        ]
        | None
    ) = None
    """Name of an SSM SecureString parameter."""
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
    """Name of a Secrets Manager secret."""
    json_key: Annotated[str, text(r"[A-Za-z0-9_.-]+", "one key of the secret's JSON")] | None = None
    """Key in the secret's JSON value; Secrets Manager only."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """One store; a JSON key only in Secrets Manager."""
        if (self.ssm is None) == (self.secrets_manager is None):
            yield "", "both or neither of ssm and secretsManager", "one of ssm and secretsManager"
        if self.json_key is not None and self.secrets_manager is None:
            yield "jsonKey", self.json_key, "only beside secretsManager"


class SlackChannel(SettingsModel):
    """A Slack channel, posted to with a bot token or an incoming webhook."""

    channel: Annotated[str, text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")] | None = None
    """Channel id, together with a token."""
    token: Secret | None = None
    """Bot token with the scope chat:write."""
    webhook: Secret | None = None
    """Full URL of the webhook, instead of channel and token."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """A webhook, or a channel with its token."""
        if (self.webhook is None) == (self.channel is None and self.token is None):
            yield "", "both or neither of webhook and channel", "webhook alone, or channel with token"
        elif self.webhook is None and (self.channel is None or self.token is None):
            yield "", "channel without token" if self.token is None else "token without channel", "both"


class ChatworkRoom(SettingsModel):
    """A Chatwork room, posted to with an API token."""

    room: Annotated[str, text(r"[0-9]{1,12}", "a room's number, in quotes")]
    """Room number."""
    token: Secret
    """API token."""


class Chatbot(SettingsModel):
    """A Slack channel of Amazon Q Developer in chat applications; its workspace is authorised once in the console."""

    workspace_id: Annotated[str, text(r"T[A-Z0-9]{8,}", "a workspace's id such as T0123456789")]
    """Slack workspace id."""
    channel_id: Annotated[str, text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")]
    """Slack channel id."""


class Notifications(SettingsModel):
    """Notification targets."""

    emails: tuple[Email, ...] = ()
    """E-mail addresses subscribed to approvals and alarms; SNS asks each to confirm."""
    slack: tuple[SlackChannel, ...] = ()
    """Slack channels, posted to by the notifier function."""
    chatwork: tuple[ChatworkRoom, ...] = ()
    """Chatwork rooms, posted to by the notifier function."""
    chatbot: Chatbot | None = None
    """A Slack channel of Amazon Q Developer in chat applications (formerly AWS Chatbot)."""


# ---------------------------------------------------------------- CI


class GitHub(SettingsModel):
    """GitHub Actions."""

    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (in one stack per account), or reuse the existing one."""


class CircleCi(SettingsModel):
    """CircleCI."""

    organization_id: Uuid
    """Organization id, which is also the token's audience."""
    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (in one stack per account), or reuse the existing one."""


class Ci(SettingsModel):
    """CI systems that may hand over releases, and the refs they may do it from."""

    release_from: Literal["branch", "tag", "environment"] = "branch"
    """branch: the branch named like the environment; tag: tags of the form v1.2.3; environment: jobs of the GitHub
    environment of that name, with its protection rules."""
    github: GitHub | None = None
    """GitHub Actions as a CI of this stack."""
    circleci: CircleCi | None = None
    """CircleCI as a CI of this stack."""


def capacity_errors(key: str, capacity: Sequence[Capacity]) -> Iterable[InvalidSetting]:
    """Rules of Amazon ECS for a capacity provider strategy."""
    yield from repeated(key, (c.provider for c in capacity), "capacity provider")
    if not capacity:
        yield key, [], "at least one capacity provider"
    elif sum(c.weight for c in capacity) == 0:
        yield key, "weights that sum to 0", "at least one item with a weight of 1 or more"
    based = [c.provider for c in capacity if c.base]
    if len(based) > 1:
        yield key, "a base on " + " and ".join(based), "a base on one item at most"
