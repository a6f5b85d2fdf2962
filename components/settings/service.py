"""One service of a stack, the unit of a release, and its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from components.settings.environment import Capacity, Secret, capacity_errors
from components.settings.values import (
    Action,
    Architecture,
    FunctionArn,
    HostName,
    InvalidSetting,
    LogRetentionDays,
    Name,
    Path,
    Percent,
    Port,
    Repository,
    SettingsModel,
    Strategy,
    Uuid,
    repeated,
    text,
)

_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}  # CPU units -> MiB (Amazon ECS developer guide, "Task CPU and memory" for Fargate)


class HealthCheck(SettingsModel):
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
    matcher: Annotated[str, text(r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*", "HTTP codes such as 200-299")] = (
        "200-299"
    )
    """HTTP codes of success."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """A check ends before the next begins."""
        if self.timeout_seconds >= self.interval_seconds:
            yield (
                "timeoutSeconds",
                self.timeout_seconds,
                f"less than intervalSeconds ({self.interval_seconds})",
            )


class SmokeCheck(SettingsModel):
    """One question that the smoke test asks the new tasks before anyone meets them."""

    path: Path
    """Path that is asked for through the test listener."""
    status: int = Field(default=200, ge=200, le=599)
    """HTTP status that is expected; redirects are not followed."""
    contains: str | None = None
    """Text that the body has to contain."""
    max_millis: int | None = Field(default=None, ge=1, le=60_000)
    """Milliseconds that the answer may take."""


class SmokeTest(SettingsModel):
    """The hook that asks the new tasks through the test listener (blue/green only)."""

    checks: tuple[SmokeCheck, ...] = ()
    """What is asked; without any, the path of the load balancer's health check."""
    seconds: int = Field(default=60, ge=1, le=840)
    """Seconds for which failing checks are tried again."""


class ServiceLoadBalancer(SettingsModel):
    """The load balancer in front of one service."""

    container: Name
    """Container that receives the traffic."""
    port: Port
    """That container's port."""
    health_check: HealthCheck = HealthCheck()
    """How the load balancer knows a healthy task."""
    health_check_grace_period_seconds: int = Field(default=60, ge=0, le=2_147_483_647)
    """Seconds for which a new task is not ended for failing its health checks: as long as the application takes to
    begin."""
    host_name: HostName | None = None
    """Name that the certificate is for, by which the smoke test asks; needed beside a certificate."""
    smoke_test: SmokeTest = SmokeTest()
    """What is asked of new tasks before they get traffic."""
    deregistration_delay_seconds: int = Field(default=30, ge=0, le=3600)
    """Seconds in which a task that leaves may finish its requests."""
    traffic: Literal["blue", "green"] | None = None
    """Target group to which a listener that is made anew forwards (blue/green only): the one that has the traffic when
    a running service gets a certificate. Without it blue, as in a new stack; releases move it afterwards."""


class ServiceGitHub(SettingsModel):
    """The GitHub repository whose workflow hands over this service."""

    repository: Repository
    """OWNER/REPOSITORY."""
    owner_id: int | None = Field(default=None, ge=1)
    """The owner's numeric id; repositories made after 2026-07-15 name it in their tokens."""
    repository_id: int | None = Field(default=None, ge=1)
    """The repository's numeric id, given together with the owner's."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Both ids or none."""
        if (self.owner_id is None) != (self.repository_id is None):
            missing = "ownerId" if self.owner_id is None else "repositoryId"
            yield missing, None, "ownerId and repositoryId together, or neither"


class ServiceCircleCi(SettingsModel):
    """The CircleCI project that hands over this service."""

    project_id: Uuid
    """The project's id."""
    vcs_origin: Annotated[str, text(r"[a-z0-9.-]+/[A-Za-z0-9._/-]+", "such as github.com/OWNER/REPOSITORY")]
    """Repository as CircleCI's token names it."""


class ServiceCi(SettingsModel):
    """Who hands over this service; at least one."""

    github: ServiceGitHub | None = None
    """A GitHub Actions workflow."""
    circleci: ServiceCircleCi | None = None
    """A CircleCI project."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Somebody hands over."""
        if self.github is None and self.circleci is None:
            yield "", "neither github nor circleci", "at least one of the two"


class ContainerHealthCheck(SettingsModel):
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

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """The command says how it is run."""
        if self.command[0] not in ("CMD", "CMD-SHELL"):
            yield "command", list(self.command), "CMD or CMD-SHELL as the first word"


class Container(SettingsModel):
    """One container of a task; its image comes from CI, everything else from here."""

    name: Name
    """Name of the container, of its repository and in the hand-off; `cache` is taken."""
    ports: tuple[Port, ...] = ()
    """Ports it listens on."""
    cpu: int | None = Field(default=None, ge=0)
    """CPU units reserved for it, of the service's."""
    memory: int | None = Field(default=None, ge=6)
    """MiB after which it is killed, of the service's."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Plain variables; nothing secret."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Variables whose values ECS reads from SSM or Secrets Manager."""
    command: tuple[str, ...] = ()
    """Command instead of the image's own."""
    user: Annotated[str, text(r"[a-z0-9_-]+(:[a-z0-9_-]+)?", "a user or uid, with :group if needed")] | None = None
    """User instead of the image's own."""
    readonly_root_filesystem: bool = True
    """Whether the container's own files are read-only."""
    writable_paths: tuple[Path, ...] = ()
    """Directories that are writable all the same: empty at the start, gone with the task. They are root's, unless the
    image has a VOLUME there and gives it to its user."""
    stop_timeout_seconds: int = Field(default=30, ge=2, le=120)
    """Seconds between SIGTERM and SIGKILL; a Spot task has two minutes."""
    health_check: ContainerHealthCheck | None = None
    """The check that ECS runs inside the container."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """A name of its own, and no variable given twice."""
        if self.name == "cache":
            yield "name", self.name, "another name: `cache` is the build cache's repository"
        for variable in sorted(self.environment.keys() & self.secrets.keys()):
            yield (
                f"secrets.{variable}",
                variable,
                "a variable stands in environment or in secrets, not in both",
            )
        yield from repeated("ports", map(str, self.ports), "port")


class Scaling(SettingsModel):
    """Target tracking of the number of tasks."""

    cpu_percent: Percent | None = 60
    """Average CPU use to hold."""
    memory_percent: Percent | None = None
    """Average memory use to hold."""
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)
    """Seconds between two steps down."""
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds between two steps up."""


class Permission(SettingsModel):
    """What the application itself may do in AWS, on its task role."""

    sid: Annotated[str, text(r"[A-Za-z0-9]+", "letters and digits")]
    """Why, as a statement id."""
    actions: tuple[Action, ...] = Field(min_length=1)
    """Exact actions."""
    resources: tuple[
        Annotated[
            str,
            text(
                r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:[^*?\s]+(/\*)?",
                "an ARN, at most its end a /*",
            ),
        ],
        ...,
    ] = Field(min_length=1)
    """Exact resources."""


class Hooks(SettingsModel):
    """The service's own functions in a deployment's life cycle (blue/green only)."""

    before_install: FunctionArn | None = None
    """Before the new tasks start; its failure stops the deployment."""
    after_allow_traffic: FunctionArn | None = None
    """After the traffic has shifted; its failure rolls back."""


class Retiring(SettingsModel):
    """What a revision that may still be started needs and the template no longer names.

    It stays in roles, repositories and security groups.
    """

    secrets: tuple[Secret, ...] = ()
    """Secrets that tasks may still read."""
    containers: tuple[Name, ...] = ()
    """Containers whose images may still be pulled."""
    ports: tuple[Port, ...] = ()
    """Ports on which the load balancer still reaches tasks."""
    hooks: tuple[FunctionArn, ...] = ()
    """Functions that a deployment may still call."""
    permissions: tuple[Permission, ...] = ()
    """What the application may still do in AWS."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Each name once."""
        yield from repeated("containers", self.containers, "container")
        yield from repeated("permissions", (p.sid for p in self.permissions), "permission")


class Service(SettingsModel):
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
    retiring: Retiring = Retiring()
    """What a revision that may still be started needs, and the next one does not."""

    @property
    def container_names(self) -> tuple[str, ...]:
        """Names of the task's containers, in their order."""
        return tuple(c.name for c in self.containers)

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """What AWS or common sense refuses within one service."""
        yield from repeated("containers", (c.name for c in self.containers), "container")
        yield from repeated("permissions", (p.sid for p in self.permissions), "permission")
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
            yield from capacity_errors("capacity", self.capacity)
        yield from self._traffic_errors()
        yield from self._retiring_errors()

    @property
    def open_ports(self) -> tuple[int, ...]:
        """Ports on which the load balancer reaches the tasks of any revision that may be started."""
        if self.load_balancer is None:
            return ()
        behind = {p for c in self.containers if c.name == self.load_balancer.container for p in c.ports}
        return tuple(sorted(behind | set(self.retiring.ports)))

    def _retiring_errors(self) -> Iterable[InvalidSetting]:
        """What is used does not retire, and what retires has somewhere to stay."""
        used = "nothing that the service still uses: take it out of retiring"
        secrets = [s for c in self.containers for s in c.secrets.values()]
        hooks = (self.hooks.before_install, self.hooks.after_allow_traffic)
        for key, found in (
            ("secrets", [s.ssm or s.secrets_manager for s in self.retiring.secrets if s in secrets]),
            ("containers", [c for c in self.retiring.containers if c in self.container_names]),
            ("ports", [p for c in self.containers for p in c.ports if p in self.retiring.ports]),
            ("hooks", [h for h in self.retiring.hooks if h in hooks]),
        ):
            for name in found:
                yield f"retiring.{key}", name, used
        if "cache" in self.retiring.containers:
            yield "retiring.containers", "cache", "another name: `cache` is the build cache's repository"
        if self.retiring.ports and self.load_balancer is None:
            yield "retiring.ports", list(self.retiring.ports), "only beside a loadBalancer, which reaches tasks on them"
        if self.retiring.hooks and self.strategy == "rolling":
            yield "retiring.hooks", list(self.retiring.hooks), "only beside blue-green, whose deployments call hooks"

    def _traffic_errors(self) -> Iterable[InvalidSetting]:
        if self.strategy == "rolling" and self.hooks != Hooks():
            yield "hooks", "set beside strategy rolling", "only beside blue-green, whose deployments have a life cycle"
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
