"""The load balancer of a service: production and test listeners, blue and green target groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_aws as aws

from components import arguments, settings
from components.foundation.network import Network
from components.naming import ServiceNames
from components.strategy import Strategy

_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_REGISTERED_BY_ECS = 80  # ECS registers each task with its container's port; a change here would replace the group
_ONE, _TWO = ("blue",), ("blue", "green")
_IGNORE_TRAFFIC = ["defaultActions"]  # releases move the listeners between blue and green


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """Target group health check."""

    path: str
    """Request path."""
    matcher: str
    """HTTP codes of success, such as 200-299."""
    interval_seconds: int
    """Seconds between two health checks of a task."""
    timeout_seconds: int
    """Seconds after which a health check fails; less than the interval."""
    healthy_threshold: int
    """Consecutive successes until a task is healthy."""
    unhealthy_threshold: int
    """Consecutive failures until a task is unhealthy."""


@dataclass(frozen=True, kw_only=True)
class TestListener:
    """Listener at which new tasks are asked before they get traffic."""

    port: int
    """Its port."""
    cidrs: Sequence[str]
    """IPv4 ranges that may reach it."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`LoadBalancer`'s arguments."""

    names: ServiceNames
    """The service behind it."""
    vpc_id: pulumi.Input[str]
    """VPC of the tasks."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """Its own subnets, in two availability zones or more: public ones where it is not internal."""
    internal: bool
    """Whether it has private addresses only."""
    health_check: HealthCheck
    """How tasks are checked."""
    allowed_cidrs: Sequence[str]
    """IPv4 ranges that may reach the production listener."""
    certificate_arn: pulumi.Input[str] | None = None
    """ACM certificate: listeners speak HTTPS and port 80 redirects. Without it they speak HTTP."""
    host_name: str | None = None
    """Host name that the certificate covers."""
    target_groups: Sequence[str] | None = None
    """blue, or blue and green, between which deployments then shift the listeners; by default blue."""
    first: str | None = None
    """Target group that a new listener forwards to; by default blue."""
    test_listener: TestListener | None = None
    """Test listener, for blue and green."""
    deregistration_delay_seconds: int
    """Seconds that a stopping task has to finish its requests."""
    deletion_protection: bool | None = None
    """Let AWS refuse to delete it."""
    protect: bool | None = None
    """Let no update delete it."""

    @classmethod
    def of(
        cls,
        names: ServiceNames,
        network: Network,
        stack: settings.Settings,
        service: settings.Service,
        strategy: Strategy,
    ) -> Self:
        """From the settings of a service that has a load balancer, and of its stack."""
        shared, own = stack.load_balancer, service.load_balancer
        if own is None:
            raise ValueError(f"{names.base} has no loadBalancer in its settings")
        internal = shared.exposure == "internal"
        return cls(
            names=names,
            vpc_id=network.vpc_id,
            subnet_ids=network.private_subnet_ids if internal else network.public_subnet_ids,
            internal=internal,
            health_check=HealthCheck(**own.health_check.model_dump()),
            allowed_cidrs=shared.allowed_cidrs,
            certificate_arn=shared.certificate_arn,
            host_name=own.host_name,
            target_groups=strategy.target_groups,
            first=own.traffic,
            test_listener=TestListener(port=shared.test_port, cidrs=shared.test_cidrs)
            if strategy.test_listener
            else None,
            deregistration_delay_seconds=own.deregistration_delay_seconds,
            deletion_protection=shared.deletion_protection,
            protect=stack.production,
        )


class LoadBalancer(pulumi.ComponentResource):
    """The load balancer of one service, its listeners and target groups.

    With a certificate the listeners speak HTTPS and port 80 redirects; without one they speak HTTP. Listeners and what
    admits to them are named by the port that they hold, so that no port passes from one resource to another: the engine
    changes both at once, and AWS gives a port to one (DuplicateListener, InvalidPermission.Duplicate).
    """

    url: pulumi.Output[str]
    """Where it answers: by the host name where there is one."""
    dns_name: pulumi.Output[str]
    """Its own name."""
    security_group_id: pulumi.Output[str]
    """Its security group, which lets nothing out but to whom rules are added for."""
    target_group_arns: pulumi.Output[dict[str, str]]
    """Target group (blue, green) to its ARN, once the listeners forward to them."""
    listener_arns: pulumi.Output[dict[str, str]]
    """Listener (production, test) to its ARN."""

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:LoadBalancer", name, None, opts)
        args = arguments.read(LoadBalancerArgs, args)
        groups = tuple(args.target_groups or _ONE)
        if groups not in (_ONE, _TWO) or (args.test_listener is not None and groups != _TWO):
            raise arguments.ArgumentError(
                f"LoadBalancerArgs.target_groups: {groups}; allowed: blue, or blue and green (with a test listener)"
            )
        self._name, self._args, self._shifts = name, args, groups == _TWO
        child = pulumi.ResourceOptions(parent=self)
        self.security_group = aws.ec2.SecurityGroup(
            f"{name}-lb",
            name=f"{args.names.base}-lb",
            description=f"Load balancer of {args.names.base}",
            vpc_id=args.vpc_id,
            opts=child,
        )
        self.load_balancer = aws.lb.LoadBalancer(
            name,
            name=args.names.base,
            internal=args.internal,
            load_balancer_type="application",
            security_groups=[self.security_group.id],
            subnets=args.subnet_ids,
            drop_invalid_header_fields=True,
            enable_deletion_protection=bool(args.deletion_protection),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.blue = self._target_group("blue")
        self.green = self._target_group("green") if self._shifts else None
        first, second = self.blue, self.green
        if self.green is not None and args.first == "green":
            first, second = self.green, self.blue
        secure = args.certificate_arn is not None
        scheme = "https" if secure else "http"
        self.production_port = 443 if secure else 80
        self.production_listener = self._listener(scheme, self.production_port, first)
        self.listeners: list[pulumi.Resource] = [self.production_listener]
        self.test_listener: aws.lb.Listener | None = None
        self._admit("http", 80, args.allowed_cidrs)
        if secure:
            admitted = self._admit("https", 443, args.allowed_cidrs)
            self._redirect([self.production_listener, *admitted])
        test = args.test_listener
        if test is not None and second is not None:
            self.test_listener = self._listener("test", test.port, second)
            self.listeners.append(self.test_listener)
            self._admit("test", test.port, test.cidrs)
            self.test_url = pulumi.Output.concat(scheme, "://", self.load_balancer.dns_name, f":{test.port}")
        self.dns_name = self.load_balancer.dns_name
        self.url = pulumi.Output.concat(scheme, "://", args.host_name or self.dns_name)
        self.security_group_id = self.security_group.id
        named = {"production": self.production_listener.arn}
        if self.test_listener is not None:
            named["test"] = self.test_listener.arn
        self.listener_arns = pulumi.Output.all(**named)
        arns = pulumi.Output.all(**{c: g.arn for c, g in zip(groups, self.target_groups(), strict=True)})
        self.target_group_arns = pulumi.Output.all(arns, self.listener_arns).apply(lambda made: made[0])
        self.register_outputs(
            {
                "url": self.url,
                "dnsName": self.dns_name,
                "securityGroupId": self.security_group_id,
                "targetGroupArns": self.target_group_arns,
                "listenerArns": self.listener_arns,
            }
        )

    def target_groups(self) -> list[aws.lb.TargetGroup]:
        """Blue, and green where there is one."""
        return [self.blue] if self.green is None else [self.blue, self.green]

    def _target_group(self, colour: str) -> aws.lb.TargetGroup:
        check = self._args.health_check
        return aws.lb.TargetGroup(
            f"{self._name}-{colour}",
            name=self._args.names.target_group(colour),
            target_type="ip",
            protocol="HTTP",
            port=_REGISTERED_BY_ECS,
            vpc_id=self._args.vpc_id,
            deregistration_delay=self._args.deregistration_delay_seconds,
            health_check={
                "path": check.path,
                "protocol": "HTTP",
                "port": "traffic-port",
                "interval": check.interval_seconds,
                "timeout": check.timeout_seconds,
                "healthy_threshold": check.healthy_threshold,
                "unhealthy_threshold": check.unhealthy_threshold,
                "matcher": check.matcher,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _listener(self, kind: str, port: int, target_group: aws.lb.TargetGroup) -> aws.lb.Listener:
        certificate = self._args.certificate_arn
        return aws.lb.Listener(
            f"{self._name}-{kind}",
            load_balancer_arn=self.load_balancer.arn,
            port=port,
            protocol="HTTPS" if certificate is not None else "HTTP",
            certificate_arn=certificate,
            ssl_policy=_TLS_POLICY if certificate is not None else None,
            default_actions=[{"type": "forward", "target_group_arn": target_group.arn}],
            opts=pulumi.ResourceOptions(
                parent=self.load_balancer,
                protect=False,  # of the load balancer, and a child takes it over
                ignore_changes=_IGNORE_TRAFFIC if self._shifts else None,
            ),
        )

    def _redirect(self, ready: list[pulumi.Resource]) -> None:
        """Port 80 leads to port 443 once that is `ready`: before, port 80 may be what answers."""
        aws.lb.Listener(
            f"{self._name}-http",
            load_balancer_arn=self.load_balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
            ],
            opts=pulumi.ResourceOptions(parent=self.load_balancer, protect=False, depends_on=ready),
        )

    def _admit(self, kind: str, port: int, cidrs: Sequence[str]) -> list[pulumi.Resource]:
        return [
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-{kind}-{cidr}",
                security_group_id=self.security_group.id,
                description=f"{kind} traffic",
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=pulumi.ResourceOptions(parent=self.security_group),
            )
            for cidr in cidrs
        ]
