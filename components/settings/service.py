"""Settings of one service, the unit of a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

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
    StrategyName,
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
    """Target group health check."""

    path: Path = "/"
    """Request path."""
    interval_seconds: int = Field(default=10, ge=5, le=300)
    """Seconds between two health checks of a task."""
    timeout_seconds: int = Field(default=5, ge=2, le=120)
    """Seconds after which a health check fails; less than the interval."""
    healthy_threshold: int = Field(default=2, ge=2, le=10)
    """Consecutive successes until a task is healthy."""
    unhealthy_threshold: int = Field(default=3, ge=2, le=10)
    """Consecutive failures until a task is unhealthy."""
    matcher: Annotated[
        str,
        text(r"[2-4][0-9][0-9](-[2-4][0-9][0-9])?(,[2-4][0-9][0-9](-[2-4][0-9][0-9])?)*", "HTTP codes such as 200-299"),
    ] = "200-299"
    """HTTP codes of success."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """The timeout is shorter than the interval."""
        if self.timeout_seconds >= self.interval_seconds:
            yield (
                "timeoutSeconds",
                self.timeout_seconds,
                f"less than intervalSeconds ({self.interval_seconds})",
            )


class SmokeCheck(SettingsModel):
    """One HTTP request of the smoke test and the expected response."""

    path: Path
    """Request path, through the test listener."""
    status: int = Field(default=200, ge=200, le=599)
    """Expected HTTP status; redirects are not followed."""
    contains: str | None = None
    """Text that the response body must contain."""
    max_millis: int | None = Field(default=None, ge=1, le=60_000)
    """Maximum response time in milliseconds."""


class SmokeTest(SettingsModel):
    """Smoke test of the new tasks through the test listener, before they get production traffic (blue/green only)."""

    checks: tuple[SmokeCheck, ...] = ()
    """Requests to make; without any, the health check's path."""
    seconds: int = Field(default=60, ge=1, le=840)
    """Seconds for which failing checks are retried."""


class ServiceLoadBalancer(SettingsModel):
    """Load balancer of a service."""

    container: Name
    """Container that receives the traffic."""
    port: Port
    """Port of that container."""
    health_check: HealthCheck = HealthCheck()
    """Target group health check."""
    health_check_grace_period_seconds: int = Field(default=60, ge=0, le=2_147_483_647)
    """Seconds for which ECS ignores failing health checks of a new task: the start-up time of the application."""
    host_name: HostName | None = None
    """Host name that the certificate covers and the smoke test uses; required with a certificate."""
    smoke_test: SmokeTest = SmokeTest()
    """Smoke test of new tasks before they get production traffic."""
    deregistration_delay_seconds: int = Field(default=30, ge=0, le=3600)
    """Deregistration delay: seconds that a stopping task has to finish its requests."""
    traffic: Literal["blue", "green"] | None = None
    """Target group that a newly created listener forwards to (blue/green only): the one that has the traffic now, when
    a running service gets a certificate. Without it blue; releases change it afterwards."""


class ServiceGitHub(SettingsModel):
    """GitHub repository whose workflow hands over this service."""

    repository: Repository
    """OWNER/REPOSITORY."""
    owner_id: int | None = Field(default=None, ge=1)
    """Numeric id of the owner; tokens of repositories created after 2026-07-15 contain it."""
    repository_id: int | None = Field(default=None, ge=1)
    """Numeric id of the repository; required together with ownerId."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Both ids or neither."""
        if (self.owner_id is None) != (self.repository_id is None):
            missing = "ownerId" if self.owner_id is None else "repositoryId"
            yield missing, None, "ownerId and repositoryId together, or neither"


class ServiceCircleCi(SettingsModel):
    """CircleCI project that hands over this service."""

    project_id: Uuid
    """Project id."""
    vcs_origin: Annotated[str, text(r"[a-z0-9.-]+/[A-Za-z0-9._/-]+", "such as github.com/OWNER/REPOSITORY")]
    """Repository, in the form of CircleCI's token claim vcs-origin."""


class ServiceCi(SettingsModel):
    """CI projects that may hand over this service; at least one."""

    github: ServiceGitHub | None = None
    """GitHub Actions."""
    circleci: ServiceCircleCi | None = None
    """CircleCI."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """At least one CI."""
        if self.github is None and self.circleci is None:
            yield "", "neither github nor circleci", "at least one of the two"


class ContainerHealthCheck(SettingsModel):
    """Container health check, run by ECS inside the container."""

    command: tuple[str, ...] = Field(min_length=1)
    """CMD with its arguments, or CMD-SHELL with one line."""
    interval_seconds: int = Field(default=10, ge=5, le=300)
    """Seconds between two health checks."""
    timeout_seconds: int = Field(default=5, ge=2, le=60)
    """Seconds after which a health check fails."""
    retries: int = Field(default=3, ge=1, le=10)
    """Consecutive failures until the container is unhealthy."""
    start_period_seconds: int = Field(default=30, ge=0, le=300)
    """Seconds after the start in which failures do not count."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """The command begins with CMD or CMD-SHELL."""
        if self.command[0] not in ("CMD", "CMD-SHELL"):
            yield "command", list(self.command), "CMD or CMD-SHELL as the first word"


class Container(SettingsModel):
    """One container of a task; CI supplies the image, these settings everything else."""

    name: Name
    """Name of the container, of its ECR repository and in the hand-off; `cache` is reserved."""
    ports: tuple[Port, ...] = ()
    """Ports that the container listens on."""
    cpu: int | None = Field(default=None, ge=0)
    """CPU units reserved for the container, out of the task's."""
    memory: int | None = Field(default=None, ge=6)
    """Hard memory limit in MiB, out of the task's."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables in plain text; nothing secret."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Environment variables whose values ECS reads from SSM or Secrets Manager."""
    command: tuple[str, ...] = ()
    """Overrides the image's command."""
    user: Annotated[str, text(r"[a-z0-9_-]+(:[a-z0-9_-]+)?", "a user or uid, with :group if needed")] | None = None
    """Overrides the image's user."""
    readonly_root_filesystem: bool = True
    """Read-only root file system."""
    writable_paths: tuple[Path, ...] = ()
    """Writable directories: empty at the start, deleted with the task. Root owns them, unless the image declares a
    VOLUME there with another owner."""
    stop_timeout_seconds: int = Field(default=30, ge=2, le=120)
    """Seconds between SIGTERM and SIGKILL; Fargate Spot allows two minutes."""
    health_check: ContainerHealthCheck | None = None
    """Container health check, run by ECS inside the container."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """No reserved name, no variable or port twice."""
        if self.name == "cache":
            yield "name", self.name, "another name: `cache` is the build cache's repository"
        for variable in sorted(self.environment.keys() & self.secrets.keys()):
            yield (
                f"secrets.{variable}",
                variable,
                "a variable in environment or in secrets, not in both",
            )
        yield from repeated("ports", map(str, self.ports), "port")


class Scaling(SettingsModel):
    """Target tracking auto scaling of the number of tasks."""

    cpu_percent: Percent | None = 60
    """Target average CPU utilization in percent."""
    memory_percent: Percent | None = None
    """Target average memory utilization in percent."""
    scale_in_cooldown_seconds: int = Field(default=300, ge=0, le=3600)
    """Scale-in cooldown in seconds."""
    scale_out_cooldown_seconds: int = Field(default=60, ge=0, le=3600)
    """Scale-out cooldown in seconds."""


class Permission(SettingsModel):
    """One statement of the task role: what the application may do in AWS."""

    sid: Annotated[str, text(r"[A-Za-z0-9]+", "letters and digits")]
    """Statement id that says why."""
    actions: tuple[Action, ...] = Field(min_length=1)
    """IAM actions, without wildcards."""
    resources: tuple[
        Annotated[
            str,
            text(
                r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[^*?\s]+(/\*)?",
                "an ARN, at most its end a /*",
            ),
        ],
        ...,
    ] = Field(min_length=1)
    """Resource ARNs, without wildcards but a final /*."""


class Hooks(SettingsModel):
    """The service's own functions in a deployment's life cycle, with a strategy that has one."""

    before_install: FunctionArn | None = None
    """Lambda function called before the new tasks start; its failure stops the deployment."""
    after_allow_traffic: FunctionArn | None = None
    """Lambda function called after the traffic shift; its failure causes a rollback."""


class Retiring(SettingsModel):
    """Resources that revisions which may still be started need and the template no longer names.

    They are kept in roles, repositories and security groups.
    """

    secrets: tuple[Secret, ...] = ()
    """Secrets that tasks may still read."""
    containers: tuple[Name, ...] = ()
    """Containers whose images may still be pulled."""
    ports: tuple[Port, ...] = ()
    """Ports on which the load balancer still reaches tasks."""
    hooks: tuple[FunctionArn, ...] = ()
    """Lambda functions that a deployment may still call."""
    permissions: tuple[Permission, ...] = ()
    """Statements to keep on the task role."""

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """No name twice."""
        yield from repeated("containers", self.containers, "container")
        yield from repeated("permissions", (p.sid for p in self.permissions), "permission")


class Service(SettingsModel):
    """One ECS service: the unit of a release."""

    name: Name
    """Name of the service."""
    cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384] = 256
    """CPU units of a task (1,024 is one vCPU)."""
    memory: int = 512
    """Memory of a task in MiB; Fargate allows certain values for each cpu."""
    desired: int = Field(default=1, ge=0, le=5000)
    """Desired number of tasks before auto scaling changes it."""
    min: int = Field(default=1, ge=0, le=5000)
    """Minimum number of tasks."""
    max: int = Field(default=4, ge=1, le=5000)
    """Maximum number of tasks."""
    strategy: StrategyName = "blue-green"
    """Deployment strategy."""
    capacity: tuple[Capacity, ...] | None = None
    """Overrides the stack's capacity provider strategy."""
    architecture: Architecture | None = None
    """Overrides the stack's architecture."""
    log_retention_days: LogRetentionDays | None = None
    """Overrides the stack's log retention."""
    load_balancer: ServiceLoadBalancer | None = None
    """Load balancer of the service; required by blue-green."""
    hooks: Hooks = Hooks()
    """Your own functions as CodeDeploy lifecycle hooks."""
    scaling: Scaling = Scaling()
    """Auto scaling between min and max."""
    containers: tuple[Container, ...] = Field(min_length=1, max_length=10)
    """Containers of the task."""
    ci: ServiceCi
    """The CI projects that may hand over this service."""
    permissions: tuple[Permission, ...] = ()
    """Permissions of the task role."""
    retiring: Retiring = Retiring()
    """Resources kept for revisions that may still be started, such as a rollback's."""

    @property
    def container_names(self) -> tuple[str, ...]:
        """Names of the task's containers, in their order."""
        return tuple(c.name for c in self.containers)

    def validation_errors(self) -> Iterable[InvalidSetting]:
        """Rules within one service."""
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

    def strategy_errors(self, strategies: Mapping[str, Any]) -> Iterable[InvalidSetting]:
        """What its own strategy says."""
        return strategies[self.strategy].service_errors(self) if strategies else ()

    def _traffic_errors(self) -> Iterable[InvalidSetting]:
        balancer = self.load_balancer
        if balancer is None:
            return
        container = next((c for c in self.containers if c.name == balancer.container), None)
        if container is None:
            names = ", ".join(c.name for c in self.containers)
            yield "loadBalancer.container", balancer.container, f"one of the service's containers: {names}"
        elif balancer.port not in container.ports:
            listed = ", ".join(map(str, container.ports)) or "none"
            yield "loadBalancer.port", balancer.port, f"one of the ports of {container.name}: {listed}"
