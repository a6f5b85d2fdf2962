"""CodeDeploy lifecycle hook AfterAllowTestTraffic: smoke test of the replacement tasks through the test listener."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.foundation.dead_letters import OnFailure
from components.foundation.function import Function, FunctionArgs
from components.foundation.network import Network
from components.naming import ServiceNames
from components.workload.load_balancer import LoadBalancer
from contract import variables

_RESERVE_SECONDS = 30  # kept of the function's time to answer CodeDeploy in


@dataclass(frozen=True, kw_only=True)
class SmokeTestArgs:
    """`SmokeTest`'s arguments.

    Args:
        names: the service's names.
        traffic: what is tested, and under which name.
        test_port: port of the test listener.
        network: where the tasks run, and the function too.
        balancer: the load balancer with that listener.
        log_retention_days: days that its logs are kept.
        on_failure: where what it fails at is kept.
    """

    names: ServiceNames
    traffic: settings.ServiceLoadBalancer
    test_port: int
    network: Network
    balancer: LoadBalancer
    log_retention_days: int
    on_failure: OnFailure


class SmokeTest(pulumi.ComponentResource):
    """`function`, in the tasks' subnets, admitted to the test listener by its security group.

    An internet-facing load balancer is reached by its public addresses: name those of your NAT gateways in
    `loadBalancer.testCidrs`.
    """

    def __init__(self, name: str, args: SmokeTestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:SmokeTest", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        names, test = args.names, args.traffic.smoke_test
        group = aws.ec2.SecurityGroup(
            f"{name}-smoke",
            name=f"{names.base}-smoke",
            description=f"Smoke test of {names.base}",
            vpc_id=args.network.vpc_id,
            opts=child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-smoke-out",
            security_group_id=group.id,
            description="The test listener, and AWS to report to",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="-1",
            opts=pulumi.ResourceOptions(parent=group),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-smoke-in",
            security_group_id=args.balancer.security_group.id,
            description="Smoke test",
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=args.test_port,
            to_port=args.test_port,
            opts=pulumi.ResourceOptions(parent=group),
        )
        environment: dict[str, pulumi.Input[str]] = {
            variables.SMOKE_URL: args.balancer.test_url,
            variables.SMOKE_CHECKS: json.dumps(checks(args.traffic)),
            variables.SMOKE_SECONDS: str(test.seconds),
        }
        if args.traffic.host_name is not None:
            environment[variables.SMOKE_HOST] = args.traffic.host_name
        self.function = Function(
            f"{name}-smoke",
            FunctionArgs(
                names=names.stack,
                function=names.function("smoke"),
                handler="functions.hooks.smoke_test.handler",
                description=f"Smoke test of {names.base}",
                statements=(
                    iam.Statement(
                        sid="AnswerCodeDeploy",
                        actions=("codedeploy:PutLifecycleEventHookExecutionStatus",),
                        resources=(names.stack.arn("codedeploy", f"deploymentgroup:{names.base}/{names.base}"),),
                    ),
                ),
                environment=environment,
                timeout_seconds=test.seconds + _RESERVE_SECONDS,
                log_retention_days=args.log_retention_days,
                on_failure=args.on_failure,
                service=names.service,
                subnets=args.network.private_subnet_ids,
                security_groups=(group.id,),
            ),
            child,
        ).function
        self.register_outputs({"functionArn": self.function.arn})


def checks(traffic: settings.ServiceLoadBalancer) -> list[dict[str, object]]:
    """What is asked: the service's own list, or the path of its health check."""
    own = traffic.smoke_test.checks or (settings.SmokeCheck(path=traffic.health_check.path),)
    return [c.model_dump(by_alias=True, exclude_none=True) for c in own]
