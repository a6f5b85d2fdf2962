"""What stands in front of a service: a load balancer, its production and test listeners, blue and green."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import settings
from components.foundation.network import Network
from components.naming import ServiceNames
from components.strategy import Strategy

_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_REGISTERED_BY_ECS = 80  # ECS registers each task with its container's port; a change here would replace the group
_IGNORE_TRAFFIC = ["defaultActions"]  # releases move the listeners between blue and green


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`LoadBalancer`'s arguments; the service's settings have a `load_balancer`."""

    names: ServiceNames
    network: Network
    stack: settings.Settings
    service: settings.Service
    strategy: Strategy

    @property
    def shared(self) -> settings.LoadBalancer:
        """What all load balancers of the stack have in common."""
        return self.stack.load_balancer

    @property
    def traffic(self) -> settings.ServiceLoadBalancer:
        """The service's own part."""
        if self.service.load_balancer is None:
            raise ValueError(f"{self.names.base} has no loadBalancer in its settings")
        return self.service.load_balancer


class LoadBalancer(pulumi.ComponentResource):
    """The load balancer of one service; `traffic` is the service's own part of the settings.

    `blue` and, for blue/green, `green` with `test_listener`; `listeners` is what a service has to wait for.

    With a certificate the listeners speak HTTPS and port 80 redirects; without one they speak HTTP. Listeners and what
    admits to them are named by the port that they hold, so that no port passes from one resource to another: the engine
    changes both at once, and AWS gives a port to one (DuplicateListener, InvalidPermission.Duplicate).
    """

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:LoadBalancer", name, None, opts)
        self._name, self._args, self.traffic = name, args, args.traffic
        child = pulumi.ResourceOptions(parent=self)
        internal = args.shared.exposure == "internal"
        self.security_group = aws.ec2.SecurityGroup(
            f"{name}-lb",
            name=f"{args.names.base}-lb",
            description=f"Load balancer of {args.names.base}",
            vpc_id=args.network.vpc_id,
            opts=child,
        )
        self.load_balancer = aws.lb.LoadBalancer(
            name,
            name=args.names.base,
            internal=internal,
            load_balancer_type="application",
            security_groups=[self.security_group.id],
            subnets=args.network.private_subnet_ids if internal else args.network.public_subnet_ids,
            drop_invalid_header_fields=True,
            enable_deletion_protection=args.shared.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self, protect=args.stack.production),
        )
        self.blue = self._target_group("blue")
        self.green = self._target_group("green") if "green" in args.strategy.target_groups else None
        first, second = self.blue, self.green
        if self.green is not None and args.traffic.traffic == "green":
            first, second = self.green, self.blue
        secure = args.shared.certificate_arn is not None
        self.production_port = 443 if secure else 80
        self.production_listener = self._listener("https" if secure else "http", self.production_port, first)
        self.listeners: list[pulumi.Resource] = [self.production_listener]
        self.test_listener: aws.lb.Listener | None = None
        self._admit("http", 80, args.shared.allowed_cidrs)
        if secure:
            admitted = self._admit("https", 443, args.shared.allowed_cidrs)
            self._redirect([self.production_listener, *admitted])
        if args.strategy.test_listener and second is not None:
            self.test_listener = self._listener("test", args.shared.test_port, second)
            self.listeners.append(self.test_listener)
            self._admit("test", args.shared.test_port, args.shared.test_cidrs)
        scheme = "https" if secure else "http"
        self.dns_name = self.load_balancer.dns_name
        self.url = pulumi.Output.concat(scheme, "://", args.traffic.host_name or self.dns_name)
        self.test_url = pulumi.Output.concat(scheme, "://", self.dns_name, f":{args.shared.test_port}")
        self.register_outputs({"url": self.url})

    def target_groups(self) -> list[aws.lb.TargetGroup]:
        """Blue, and green where there is one."""
        return [self.blue] if self.green is None else [self.blue, self.green]

    def _target_group(self, colour: str) -> aws.lb.TargetGroup:
        traffic = self._args.traffic
        return aws.lb.TargetGroup(
            f"{self._name}-{colour}",
            name=self._args.names.target_group(colour),
            target_type="ip",
            protocol="HTTP",
            port=_REGISTERED_BY_ECS,
            vpc_id=self._args.network.vpc_id,
            deregistration_delay=traffic.deregistration_delay_seconds,
            health_check={
                "path": traffic.health_check.path,
                "protocol": "HTTP",
                "port": "traffic-port",
                "interval": traffic.health_check.interval_seconds,
                "timeout": traffic.health_check.timeout_seconds,
                "healthy_threshold": traffic.health_check.healthy_threshold,
                "unhealthy_threshold": traffic.health_check.unhealthy_threshold,
                "matcher": traffic.health_check.matcher,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _listener(self, kind: str, port: int, target_group: aws.lb.TargetGroup) -> aws.lb.Listener:
        certificate = self._args.shared.certificate_arn
        return aws.lb.Listener(
            f"{self._name}-{kind}",
            load_balancer_arn=self.load_balancer.arn,
            port=port,
            protocol="HTTPS" if certificate else "HTTP",
            certificate_arn=certificate,
            ssl_policy=_TLS_POLICY if certificate else None,
            default_actions=[{"type": "forward", "target_group_arn": target_group.arn}],
            opts=pulumi.ResourceOptions(
                parent=self.load_balancer,
                protect=False,  # of the load balancer, and a child takes it over
                ignore_changes=_IGNORE_TRAFFIC if len(self._args.strategy.target_groups) > 1 else None,
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

    def _admit(self, kind: str, port: int, cidrs: tuple[str, ...]) -> list[pulumi.Resource]:
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
