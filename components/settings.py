"""Everything a stack can say, in one typed and validated model.

`load()` reads the stack's config and returns `Settings`, or raises `SettingsError` that lists every problem at
once: the key, what stood there, and what is allowed. Nothing has been registered at that point.

The model is written in the order in which a reader meets the keys: small parts first, `Settings` last.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any, ClassVar, Literal, Self

import pulumi
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import PydanticCustomError

from components.naming import Names

NAMESPACE = "ecs-release"

Contradiction = tuple[str, object, str]
MIN_SUBNETS = 2


class SettingsError(Exception):
    """A stack's settings cannot be used; the text lists every problem, one a line. Raised before any resource."""

    user_error: ClassVar[bool] = True

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = "1 setting is wrong" if len(problems) == 1 else f"{len(problems)} settings are wrong"
        super().__init__("\n".join([f"{head}; nothing was changed:", *(f"  {p}" for p in problems)]))


# ---------------------------------------------------------------- kinds of value


@dataclass(frozen=True)
class Check:
    """A condition on a value, with the words that say what is allowed."""

    holds: Callable[[Any], object]
    allowed: str

    def __call__(self, value: Any) -> Any:
        """The value itself, or pydantic's error with the words."""
        if not self.holds(value):
            raise PydanticCustomError("allowed", "{allowed}", {"allowed": self.allowed})
        return value


def _text(pattern: str, allowed: str) -> AfterValidator:
    return AfterValidator(Check(re.compile(pattern).fullmatch, allowed))


def _is_ipv4_range(value: str) -> bool:
    try:
        IPv4Network(value)
    except ValueError:
        return False
    return "/" in value


_LOG_RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)  # fmt: skip  (CloudWatch Logs API, PutRetentionPolicy, retentionInDays)

_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}  # CPU units -> MiB (Amazon ECS developer guide, "Task CPU and memory" for Fargate)


Name = Annotated[
    str,
    _text(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "lower-case letters, digits and single hyphens, a letter first"),
]
Environment = Annotated[
    str,
    # No hyphen: `dev-1` + `api` and `dev` + `1-api` would be one name.
    _text(r"[a-z][a-z0-9]*", "lower-case letters and digits without a hyphen, a letter first, such as dev1"),
]
AccountId = Annotated[str, _text(r"\d{12}", "twelve digits, in quotes")]
Region = Annotated[str, _text(r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region such as ap-northeast-1")]
Cidr = Annotated[str, AfterValidator(Check(_is_ipv4_range, "an IPv4 range such as 10.0.0.0/16, its host bits zero"))]
VpcId = Annotated[str, _text(r"vpc-[0-9a-f]{8,17}", "a VPC id such as vpc-0a1b2c3d4e5f60718")]
SubnetId = Annotated[str, _text(r"subnet-[0-9a-f]{8,17}", "a subnet id such as subnet-0a1b2c3d4e5f60718")]
CertificateArn = Annotated[
    str,
    _text(
        r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+",
        "the ARN of an ACM certificate in the region",
    ),
]
Uuid = Annotated[str, _text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case")]
Repository = Annotated[str, _text(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "OWNER/REPOSITORY")]
Email = Annotated[str, _text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
HostName = Annotated[str, _text(r"[a-z0-9-]+(\.[a-z0-9-]+)+", "a host name such as api.example.com")]
FunctionArn = Annotated[
    str, _text(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+", "the ARN of a Lambda function")
]
Path = Annotated[str, _text(r"/[^\s?#]*", "a path that begins with /")]
Action = Annotated[str, _text(r"[a-z0-9-]+:[A-Za-z]+", "one action without a wildcard, such as dynamodb:GetItem")]
Port = Annotated[int, Field(ge=1, le=65535)]
Percent = Annotated[float, Field(gt=0, le=100)]
LogRetentionDays = Annotated[
    int,
    AfterValidator(Check(_LOG_RETENTION_DAYS.__contains__, f"one of {', '.join(map(str, _LOG_RETENTION_DAYS))} days")),
]
Architecture = Literal["ARM64", "X86_64"]
Strategy = Literal["blue-green", "rolling"]
TrailName = Annotated[str, StringConstraints(min_length=3, max_length=128)]


class Part(BaseModel):
    """A part of the settings: keys in camelCase, unknown keys refused, values never changed afterwards."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self.contradictions())
        if problems:
            raise PydanticCustomError("contradictions", "contradictions", {"problems": problems})
        return self

    def contradictions(self) -> Iterable[Contradiction]:
        """What the parts say against each other, as (key below this part, what was found, what is allowed)."""
        return ()


def _repeated(key: str, names: Iterable[str], kind: str) -> Iterable[Contradiction]:
    for name, times in Counter(names).items():
        if times > 1:
            yield key, name, f"each {kind} has a name of its own, and {name} stands there {times} times"


# ---------------------------------------------------------------- network


class CreateNetwork(Part):
    """A VPC that this stack makes (awsx): public subnets for the load balancers, private ones for the tasks."""

    cidr: Cidr = "10.0.0.0/16"
    """Address range of the VPC."""
    zones: int = Field(default=2, ge=2, le=4)
    """Availability zones, each with a public and a private subnet."""
    egress: Literal["nat", "single-nat", "endpoints"] = "single-nat"
    """How tasks reach AWS: a NAT gateway a zone, one for all zones, or VPC endpoints and no way to the internet."""


class LookUpNetwork(Part):
    """An existing VPC and its subnets, found by their tags."""

    vpc_tags: dict[str, str] = Field(min_length=1)
    """Tags that exactly one VPC of the region has."""
    private_subnet_tags: dict[str, str] = Field(min_length=1)
    """Tags of the tasks' subnets in that VPC."""
    public_subnet_tags: dict[str, str] = Field(min_length=1)
    """Tags of the internet-facing load balancers' subnets in that VPC."""


class ExistingNetwork(Part):
    """An existing VPC and its subnets by their ids."""

    vpc_id: VpcId
    """The VPC."""
    private_subnet_ids: tuple[SubnetId, ...]
    """Subnets of the tasks, in two availability zones or more."""
    public_subnet_ids: tuple[SubnetId, ...]
    """Subnets of internet-facing load balancers, in two availability zones or more."""

    def contradictions(self) -> Iterable[Contradiction]:
        """A load balancer needs two zones."""
        for key, ids in (("privateSubnetIds", self.private_subnet_ids), ("publicSubnetIds", self.public_subnet_ids)):
            if len(set(ids)) < MIN_SUBNETS:
                yield key, list(ids), "two different subnets or more, in two availability zones"


class Network(Part):
    """Where tasks and load balancers stand: exactly one of the three."""

    look_up: LookUpNetwork | None = None
    """An existing VPC, found by tags."""
    existing: ExistingNetwork | None = None
    """An existing VPC by its ids."""
    create: CreateNetwork | None = None
    """A VPC of the stack's own."""

    def contradictions(self) -> Iterable[Contradiction]:
        """One network."""
        given = [key for key in ("lookUp", "existing", "create") if getattr(self, to_snake(key)) is not None]
        if len(given) != 1:
            yield "", " and ".join(given) or "none of them", "one of lookUp, existing and create"


# ---------------------------------------------------------------- capacity, load balancer, deployment


class Capacity(Part):
    """One item of a capacity provider strategy."""

    provider: Literal["FARGATE", "FARGATE_SPOT"]
    """FARGATE (on demand) or FARGATE_SPOT (up to two minutes' notice before a task is taken away)."""
    base: int = Field(default=0, ge=0, le=100_000)
    """Tasks that run here before the weights count; one item at most has a base."""
    weight: int = Field(default=0, ge=0, le=1_000)
    """Share of the tasks above the base, relative to the other items' weights."""


class HealthCheck(Part):
    """The load balancer's health check of a task."""

    path: Path = "/"
    """Path that is asked for."""
    interval_seconds: int = Field(default=10, ge=5, le=300)
    """Seconds between two checks of one task."""
    timeout_seconds: int = Field(default=5, ge=2, le=120)
    """Seconds after which a check has failed; below the interval."""
    healthy_threshold: int = Field(default=2, ge=2, le=10)
    """Checks that succeed in a row until a task is healthy."""
    unhealthy_threshold: int = Field(default=3, ge=2, le=10)
    """Checks that fail in a row until a task is unhealthy."""
    matcher: Annotated[
        str, _text(r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*", "HTTP codes such as 200-299")
    ] = "200-299"
    """HTTP codes of success."""

    def contradictions(self) -> Iterable[Contradiction]:
        """A check ends before the next begins."""
        if self.timeout_seconds >= self.interval_seconds:
            yield (
                "timeoutSeconds",
                self.timeout_seconds,
                f"less than intervalSeconds ({self.interval_seconds})",
            )


class SmokeCheck(Part):
    """One question that the smoke test asks the new tasks before anyone meets them."""

    path: Path
    """Path that is asked for through the test listener."""
    status: int = Field(default=200, ge=200, le=599)
    """HTTP status that is expected; redirects are not followed."""
    contains: str | None = None
    """Text that the body has to contain."""
    max_millis: int | None = Field(default=None, ge=1, le=60_000)
    """Milliseconds that the answer may take."""


class SmokeTest(Part):
    """The hook that asks the new tasks through the test listener (blue/green only)."""

    checks: tuple[SmokeCheck, ...] = ()
    """What is asked; without any, the path of the load balancer's health check."""
    seconds: int = Field(default=60, ge=1, le=840)
    """Seconds for which failing checks are tried again."""


class ServiceLoadBalancer(Part):
    """The load balancer in front of one service."""

    container: Name
    """Container that receives the traffic."""
    port: Port
    """That container's port."""
    health_check: HealthCheck = HealthCheck()
    """How the load balancer knows a healthy task."""
    host_name: HostName | None = None
    """Name that the certificate is for, by which the smoke test asks; needed beside a certificate."""
    smoke_test: SmokeTest = SmokeTest()
    """What is asked of new tasks before they get traffic."""
    deregistration_delay_seconds: int = Field(default=30, ge=0, le=3600)
    """Seconds in which a task that leaves may finish its requests."""


class LoadBalancer(Part):
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

    def contradictions(self) -> Iterable[Contradiction]:
        """Production and test listeners stand on different ports."""
        if self.test_port in (80, 443):
            yield "testPort", self.test_port, "a port other than 80 and 443, which production uses"


class Deployment(Part):
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


class Alarms(Part):
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
    """Measurements in a row beyond the threshold until the alarm sounds."""


# ---------------------------------------------------------------- secrets, people


class Secret(Part):
    """A secret by its name, read when it is needed; its value is never in a stack file."""

    ssm: Annotated[str, _text(r"/[A-Za-z0-9._/-]+", "a parameter name that begins with /")] | None = None
    """SSM SecureString parameter."""
    secrets_manager: Annotated[str, _text(r"[A-Za-z0-9/_+=.@-]+", "a secret's name, not its ARN")] | None = None
    """Secrets Manager secret."""
    json_key: Annotated[str, _text(r"[A-Za-z0-9_.-]+", "one key of the secret's JSON")] | None = None
    """Key of the secret's JSON value; Secrets Manager only."""

    def contradictions(self) -> Iterable[Contradiction]:
        """One store, and a JSON key only where there is JSON."""
        if (self.ssm is None) == (self.secrets_manager is None):
            yield "", "both or neither of ssm and secretsManager", "one of ssm and secretsManager"
        if self.json_key is not None and self.secrets_manager is None:
            yield "jsonKey", self.json_key, "only beside secretsManager"


class SlackChannel(Part):
    """A Slack channel, reached by a bot's token, or by an incoming webhook."""

    channel: Annotated[str, _text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")] | None = None
    """The channel's id, beside a token."""
    token: Secret | None = None
    """The bot's token (chat:write)."""
    webhook: Secret | None = None
    """The webhook's whole address, instead of channel and token."""

    def contradictions(self) -> Iterable[Contradiction]:
        """One way into the channel, and that one whole."""
        if (self.webhook is None) == (self.channel is None and self.token is None):
            yield "", "both or neither of webhook and channel", "webhook alone, or channel with token"
        elif self.webhook is None and (self.channel is None or self.token is None):
            yield "", "channel without token" if self.token is None else "token without channel", "both"


class ChatworkRoom(Part):
    """A Chatwork room, reached by an API token."""

    room: Annotated[str, _text(r"\d{1,12}", "a room's number, in quotes")]
    """The room's number."""
    token: Secret
    """The API token."""


class Chatbot(Part):
    """A Slack channel reached by AWS Chatbot, whose workspace is authorised once in the console."""

    workspace_id: Annotated[str, _text(r"T[A-Z0-9]{8,}", "a workspace's id such as T0123456789")]
    """The Slack workspace's id."""
    channel_id: Annotated[str, _text(r"[CG][A-Z0-9]{8,}", "a channel's id such as C0123456789")]
    """The channel's id."""


class Notifications(Part):
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


class GitHub(Part):
    """GitHub Actions as a CI of this stack."""

    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (one stack an account), or reuse the one that stands there."""


class CircleCi(Part):
    """CircleCI as a CI of this stack."""

    organization_id: Uuid
    """The organization's id, which is the token's audience too."""
    oidc_provider: Literal["create", "reuse"] = "reuse"
    """create the account's OIDC provider (one stack an account), or reuse the one that stands there."""


class Ci(Part):
    """Which CI may hand over releases, and from where in a repository."""

    release_from: Literal["branch", "tag"] = "branch"
    """branch: the branch that has the environment's name; tag: semantic-version tags (v1.2.3)."""
    github: GitHub | None = None
    """GitHub Actions."""
    circleci: CircleCi | None = None
    """CircleCI."""


class ServiceGitHub(Part):
    """The GitHub repository whose workflow hands over this service."""

    repository: Repository
    """OWNER/REPOSITORY."""
    owner_id: int | None = Field(default=None, ge=1)
    """The owner's numeric id; repositories made after 2026-07-15 name it in their tokens."""
    repository_id: int | None = Field(default=None, ge=1)
    """The repository's numeric id, given together with the owner's."""

    def contradictions(self) -> Iterable[Contradiction]:
        """Both ids or none."""
        if (self.owner_id is None) != (self.repository_id is None):
            missing = "ownerId" if self.owner_id is None else "repositoryId"
            yield missing, None, "ownerId and repositoryId together, or neither"


class ServiceCircleCi(Part):
    """The CircleCI project that hands over this service."""

    project_id: Uuid
    """The project's id."""
    vcs_origin: Annotated[str, _text(r"[a-z0-9.-]+/[A-Za-z0-9._/-]+", "such as github.com/OWNER/REPOSITORY")]
    """Repository as CircleCI's token names it."""


class ServiceCi(Part):
    """Who hands over this service; at least one."""

    github: ServiceGitHub | None = None
    """A GitHub Actions workflow."""
    circleci: ServiceCircleCi | None = None
    """A CircleCI project."""

    def contradictions(self) -> Iterable[Contradiction]:
        """Somebody hands over."""
        if self.github is None and self.circleci is None:
            yield "", "neither github nor circleci", "at least one of the two"


# ---------------------------------------------------------------- services


class ContainerHealthCheck(Part):
    """The check that ECS runs inside the container."""

    command: tuple[str, ...] = Field(min_length=1)
    """CMD with its words, or CMD-SHELL with one line."""
    interval_seconds: int = Field(default=10, ge=5, le=300)
    """Seconds between two checks."""
    timeout_seconds: int = Field(default=5, ge=2, le=60)
    """Seconds after which a check has failed."""
    retries: int = Field(default=3, ge=1, le=10)
    """Failures in a row until the container is unhealthy."""
    start_period_seconds: int = Field(default=30, ge=0, le=300)
    """Seconds after the start in which failures do not count."""

    def contradictions(self) -> Iterable[Contradiction]:
        """The command says how it is run."""
        if self.command[0] not in ("CMD", "CMD-SHELL"):
            yield "command", list(self.command), "CMD or CMD-SHELL as the first word"


class Container(Part):
    """One container of a task; its image comes from CI, everything else from here."""

    name: Name
    """Name of the container, of its repository and in the hand-off; `cache` is taken."""
    ports: tuple[Port, ...] = ()
    """Ports it listens on."""
    cpu: int | None = Field(default=None, ge=0)
    """CPU units reserved for it, of the service's."""
    memory: int | None = Field(default=None, ge=6)
    """MiB after which it is killed, of the service's."""
    environment: dict[str, str] = {}
    """Plain variables; nothing secret."""
    secrets: dict[str, Secret] = {}
    """Variables whose values ECS reads from SSM or Secrets Manager."""
    command: tuple[str, ...] = ()
    """Command instead of the image's own."""
    user: Annotated[str, _text(r"[a-z0-9_-]+(:[a-z0-9_-]+)?", "a user or uid, with :group if needed")] | None = None
    """User instead of the image's own."""
    readonly_root_filesystem: bool = True
    """Whether the container's own files are read-only."""
    writable_paths: tuple[Path, ...] = ()
    """Directories that are writable all the same: empty at the start, gone with the task."""
    stop_timeout_seconds: int = Field(default=30, ge=2, le=120)
    """Seconds between SIGTERM and SIGKILL; a Spot task has two minutes."""
    health_check: ContainerHealthCheck | None = None
    """The check that ECS runs inside the container."""

    def contradictions(self) -> Iterable[Contradiction]:
        """A name of its own, and no variable given twice."""
        if self.name == "cache":
            yield "name", self.name, "another name: `cache` is the build cache's repository"
        for variable in sorted(self.environment.keys() & self.secrets.keys()):
            yield (
                f"secrets.{variable}",
                variable,
                "a variable stands in environment or in secrets, not in both",
            )
        yield from _repeated("ports", map(str, self.ports), "port")


class Scaling(Part):
    """Target tracking of the number of tasks."""

    cpu_percent: Percent | None = 60
    """Average CPU use to hold."""
    memory_percent: Percent | None = None
    """Average memory use to hold."""
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)
    """Seconds between two steps down."""
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds between two steps up."""


class Permission(Part):
    """What the application itself may do in AWS, on its task role."""

    sid: Annotated[str, _text(r"[A-Za-z0-9]+", "letters and digits")]
    """Why, as a statement id."""
    actions: tuple[Action, ...] = Field(min_length=1)
    """Exact actions."""
    resources: tuple[
        Annotated[
            str,
            _text(
                r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:[^*?\s]+(/\*)?",
                "an ARN, at most its end a /*",
            ),
        ],
        ...,
    ] = Field(min_length=1)
    """Exact resources."""


class Hooks(Part):
    """The service's own functions in a deployment's life cycle (blue/green only)."""

    before_install: FunctionArn | None = None
    """Before the new tasks start; its failure stops the deployment."""
    after_allow_traffic: FunctionArn | None = None
    """After the traffic has shifted; its failure rolls back."""


class Service(Part):
    """One ECS service: the unit of a release."""

    name: Name
    """Name of the service."""
    cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    """CPU units of a task (1,024 are one vCPU)."""
    memory: int = 512
    """MiB of a task; Fargate allows certain values for each cpu."""
    desired: int = Field(default=1, ge=0, le=5000)
    """Tasks before auto scaling has had a say."""
    min: int = Field(default=1, ge=0, le=5000)
    """Tasks at the least."""
    max: int = Field(default=4, ge=1, le=5000)
    """Tasks at the most."""
    strategy: Strategy = "blue-green"
    """blue-green (CodeDeploy) or rolling (ECS with its circuit breaker)."""
    capacity: tuple[Capacity, ...] | None = None
    """Capacity provider strategy instead of the stack's."""
    architecture: Architecture | None = None
    """Instead of the stack's."""
    log_retention_days: LogRetentionDays | None = None
    """Instead of the stack's."""
    load_balancer: ServiceLoadBalancer | None = None
    """Needed by blue-green; a rolling service may go without."""
    hooks: Hooks = Hooks()
    """Functions of your own in the deployment's life cycle."""
    scaling: Scaling = Scaling()
    """How the number of tasks follows the load between min and max."""
    containers: tuple[Container, ...] = Field(min_length=1, max_length=10)
    """The task's containers."""
    ci: ServiceCi
    """Who hands over this service."""
    permissions: tuple[Permission, ...] = ()
    """What the application may do in AWS."""

    @property
    def container_names(self) -> tuple[str, ...]:
        """Names of the task's containers, in their order."""
        return tuple(c.name for c in self.containers)

    def contradictions(self) -> Iterable[Contradiction]:
        """What AWS or common sense refuses within one service."""
        yield from _repeated("containers", (c.name for c in self.containers), "container")
        yield from _repeated("permissions", (p.sid for p in self.permissions), "permission")
        ports = Counter(p for c in self.containers for p in set(c.ports))
        for port in sorted(p for p, times in ports.items() if times > 1):
            yield (
                "containers",
                port,
                "a port belongs to one container: those of a task share one network address",
            )
        if self.min > self.max:
            yield "min", self.min, f"at most max ({self.max})"
        elif not self.min <= self.desired <= self.max:
            yield "desired", self.desired, f"between min ({self.min}) and max ({self.max})"
        if self.memory not in _FARGATE_MEMORY[self.cpu]:
            sizes = ", ".join(map(str, _FARGATE_MEMORY[self.cpu]))
            yield "memory", self.memory, f"for cpu {self.cpu}: {sizes} MiB"
        for key, total in (("cpu", self.cpu), ("memory", self.memory)):
            reserved = sum(getattr(c, key) or 0 for c in self.containers)
            if reserved > total:
                yield "containers", f"{key} {reserved} in all", f"at most the service's {key} ({total})"
        if self.capacity is not None:
            yield from _capacity_contradictions("capacity", self.capacity)
        yield from self._traffic_contradictions()

    def _traffic_contradictions(self) -> Iterable[Contradiction]:
        balancer = self.load_balancer
        if balancer is None:
            if self.strategy == "blue-green":
                yield (
                    "loadBalancer",
                    None,
                    "blue-green shifts traffic at a load balancer: give one, or strategy rolling",
                )
            return
        container = next((c for c in self.containers if c.name == balancer.container), None)
        if container is None:
            names = ", ".join(c.name for c in self.containers)
            yield "loadBalancer.container", balancer.container, f"one of the service's containers: {names}"
        elif balancer.port not in container.ports:
            listed = ", ".join(map(str, container.ports)) or "none"
            yield "loadBalancer.port", balancer.port, f"one of the ports of {container.name}: {listed}"


def _capacity_contradictions(key: str, capacity: Sequence[Capacity]) -> Iterable[Contradiction]:
    yield from _repeated(key, (c.provider for c in capacity), "capacity provider")
    if not capacity:
        yield key, [], "at least one capacity provider"
    elif sum(c.weight for c in capacity) == 0:
        yield key, "weights that sum to 0", "at least one item with a weight of 1 or more"
    based = [c.provider for c in capacity if c.base]
    if len(based) > 1:
        yield key, "a base on " + " and ".join(based), "a base on one item at most"


class Settings(Part):
    """Everything a stack says."""

    environment: Environment
    """Name of the environment, in front of every name."""
    account: AccountId
    """AWS account that the stack may change; the provider refuses any other."""
    region: Region = "ap-northeast-1"
    """AWS region."""
    production: bool = False
    """Whether people depend on this environment."""
    approval: Literal["none", "required"] = "none"
    """Whether a person says yes between the release gate and the deployment."""
    approval_timeout_minutes: int = Field(default=1440, ge=5, le=86_400)
    """Minutes after which a release that nobody approved fails."""
    trigger: Literal["cloudtrail", "s3-events"] = "cloudtrail"
    """How the hand-off's arrival is noticed."""
    trail: TrailName = "create"
    """create, or the name of an existing trail that logs the hand-off bucket's write data events."""
    execution_mode: Literal["SUPERSEDED", "QUEUED", "PARALLEL"] = "SUPERSEDED"
    """What a pipeline does with a hand-off that comes while an earlier one is under way."""
    architecture: Architecture = "ARM64"
    """CPU architecture of the tasks."""
    log_retention_days: LogRetentionDays = 30
    """Days that CloudWatch keeps logs."""
    scan_threshold: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"] = "CRITICAL"
    """Lowest severity of a scan finding that the release gate refuses; NONE reports only."""
    scan_unsupported: Literal["allow", "refuse"] = "allow"
    """What the release gate does with an image that ECR cannot scan."""
    stand_in_image: Annotated[str, _text(r"[a-z0-9][a-z0-9./_:@-]+", "an image URI")] = (
        "public.ecr.aws/docker/library/python:3.13-alpine"
    )
    """Image with Python 3 that a service runs until its first release."""
    network: Network
    """Where tasks and load balancers stand."""
    load_balancer: LoadBalancer = LoadBalancer()
    """What the load balancers of all services share."""
    capacity: tuple[Capacity, ...]
    """Capacity provider strategy of every service that has none of its own."""
    deployment: Deployment = Deployment()
    """How blue/green shifts traffic."""
    alarms: Alarms = Alarms()
    """When a release rolls back by itself."""
    notifications: Notifications = Notifications()
    """Who is told."""
    ci: Ci
    """Which CI may hand over, and from where in a repository."""
    services: tuple[Service, ...] = Field(min_length=1)
    """The services of the stack."""

    @property
    def names(self) -> Names:
        """Physical names and ARNs of this stack."""
        return Names(environment=self.environment, account=self.account, region=self.region)

    def contradictions(self) -> Iterable[Contradiction]:
        """What the stack's parts say against each other."""
        yield from _repeated("services", (s.name for s in self.services), "service")
        yield from _capacity_contradictions("capacity", self.capacity)
        if self.load_balancer.exposure == "internal" and any(
            c == "0.0.0.0/0" for c in self.load_balancer.allowed_cidrs
        ):
            yield (
                "loadBalancer.allowedCidrs",
                "0.0.0.0/0",
                "ranges of your networks: the load balancers are internal",
            )
        for service in self.services:
            for key, found, allowed in self._service_contradictions(service):
                yield f"services[{service.name}].{key}".rstrip("."), found, allowed

    def _service_contradictions(self, service: Service) -> Iterable[Contradiction]:
        capacity = service.capacity or self.capacity
        if self.production and capacity and all(c.provider == "FARGATE_SPOT" for c in capacity):
            allowed = (
                "a FARGATE item with a base of 1 or more: Spot has no fallback, and this environment is production"
            )
            yield "capacity", "FARGATE_SPOT only", allowed
        if self.execution_mode == "PARALLEL" and service.strategy == "blue-green":
            yield (
                "strategy",
                "blue-green under executionMode PARALLEL",
                ("executionMode SUPERSEDED or QUEUED: a deployment group runs one deployment at a time"),
            )
        for kind, name, most in self.names.service(service.name).limited():
            if len(name) > most:
                yield (
                    "name",
                    service.name,
                    (f"a shorter name: the {kind} would be {name}, {len(name)} characters, and AWS allows {most}"),
                )
        if self.load_balancer.certificate_arn and service.strategy == "blue-green":
            balancer = service.load_balancer
            if balancer is not None and balancer.host_name is None:
                yield "loadBalancer.hostName", None, "the name that the certificate is for: the smoke test asks by it"
        for ci in ("github", "circleci"):
            if getattr(service.ci, ci) is not None and getattr(self.ci, ci) is None:
                yield f"ci.{ci}", "a project of its own", f"only beside the stack's {NAMESPACE}:ci.{ci}"


# ---------------------------------------------------------------- loading


def stack_config() -> dict[str, str]:
    """The stack's own config as Pulumi passes it on, keys without the project's name."""
    prefix = f"{pulumi.get_project()}:"
    return {k.removeprefix(prefix): v for k, v in pulumi.runtime.config.CONFIG.get().items() if k.startswith(prefix)}


def load(values: Mapping[str, object]) -> Settings:
    """The validated settings of a stack.

    Args:
        values: config keys without the project's name, to values as YAML has them, or as Pulumi passes them on: text,
            with JSON for lists and objects. `${environment}` in any text becomes the environment's name.

    Raises:
        SettingsError: with one line for every problem.
    """
    parsed = {key: _parsed(value) for key, value in values.items()}
    environment = parsed.get("environment")
    try:
        return Settings.model_validate(_substituted(parsed, environment) if isinstance(environment, str) else parsed)
    except ValidationError as error:
        raise SettingsError(list(dict.fromkeys(_messages(error, parsed)))) from None


def _parsed(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _substituted(value: object, environment: str) -> Any:
    if isinstance(value, str):
        return value.replace("${environment}", environment)
    if isinstance(value, Mapping):
        return {k: _substituted(v, environment) for k, v in value.items()}
    if isinstance(value, list):
        return [_substituted(v, environment) for v in value]
    return value


def _messages(error: ValidationError, values: Mapping[str, object]) -> Iterable[str]:
    items = error.errors(include_url=False)
    deeper = {item["loc"][:n] for item in items for n in range(len(item["loc"]))}
    for item in items:
        loc = item["loc"]
        if item["type"] == "too_short" and loc in deeper:
            continue  # the list is not empty: its items are wrong, and have their own lines
        if item["type"] == "contradictions":
            for key, found, allowed in item["ctx"]["problems"]:
                yield _message(_key(loc, values, key), found, allowed)
        elif item["type"] == "missing":
            yield f"{_key(loc, values)}: nothing stands there; {_described(loc)}; add it to the stack file."
        elif item["type"] == "extra_forbidden":
            yield _unknown(loc, values)
        else:
            yield _message(_key(loc, values), item["input"], _allowed(item))


def _message(key: str, found: object, allowed: str) -> str:
    text = (
        "nothing"
        if found is None
        else found
        if isinstance(found, str) and " " in found
        else json.dumps(found, default=str)
    )
    return f"{key}: found {text}; allowed: {allowed}."


def _key(loc: Sequence[int | str], values: object, below: str = "") -> str:
    """`ecs-release:services[api].containers[nginx].ports`: items of a list go by their name where they have one."""
    out = f"{NAMESPACE}:"
    for step in loc:
        if isinstance(step, int):
            values = values[step] if isinstance(values, list) and step < len(values) else None
            out += f"[{values['name'] if isinstance(values, dict) and 'name' in values else step}]"
        else:
            values = values.get(step) if isinstance(values, Mapping) else None
            out += step if out.endswith(":") else f".{step}"
    return f"{out}.{below}" if below and not out.endswith(":") else out + below


def _part(loc: Sequence[int | str]) -> type[Part]:
    """The model that the last step of `loc` belongs to."""
    part: type[Part] = Settings
    for step in loc[:-1]:
        field = next((f for f in part.model_fields.values() if f.alias == step), None)
        nested = _nested(field.annotation) if field else None
        part = nested or part
    return part


def _nested(annotation: Any) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((n for a in getattr(annotation, "__args__", ()) if (n := _nested(a))), None)


def _described(loc: Sequence[int | str]) -> str:
    field = next((f for f in _part(loc).model_fields.values() if f.alias == loc[-1]), None)
    return (field.description or "it is needed").rstrip(".") if field else "it is needed"


def _unknown(loc: Sequence[int | str], values: object) -> str:
    known = sorted(str(f.alias) for f in _part(loc).model_fields.values())
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known there: {', '.join(known)}."
    return f"{_key(loc, values)}: no such key; {hint}"


_TYPES = {
    "bool": "true or false", "int": "a whole number", "float": "a number", "string": "text",
    "model": "an object with keys of its own", "dict": "an object of names and values", "tuple": "a list",
}  # fmt: skip


def _allowed(item: Any) -> str:
    kind, ctx = item["type"], item.get("ctx", {})
    if kind == "allowed":
        return str(ctx.get("allowed", item["msg"]))
    if kind == "literal_error":
        return str(ctx["expected"]).replace("'", "")
    bounds = {
        "greater_than_equal": ("ge", "{} or more"),
        "less_than_equal": ("le", "{} or less"),
        "greater_than": ("gt", "more than {}"),
        "less_than": ("lt", "less than {}"),
    }
    if kind in bounds:
        limit, words = bounds[kind]
        return words.format(ctx[limit])
    if kind == "too_short":
        return f"{ctx['min_length']} item or more"
    if kind == "too_long":
        return f"{ctx['max_length']} items or fewer"
    return next((text for prefix, text in _TYPES.items() if kind.startswith(prefix)), str(item["msg"]))
