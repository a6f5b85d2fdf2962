"""A Lambda function of the release flow: code from `functions/`, a role with exactly what it calls, its log group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components import iam
from components.foundation.dead_letters import OnFailure, function_alarm, send_statement
from components.naming import Names

_ROOT = Path(__file__).parents[2]
_SOURCES = ("contract", "functions")
_MAX_EVENT_AGE_SECONDS = 900  # an event that comes later would act on a release that is long over


@cache
def _members() -> tuple[str, ...]:
    """The modules of the package, by path: what a compiler or an editor leaves behind stays out."""
    return tuple(sorted(p.relative_to(_ROOT).as_posix() for s in _SOURCES for p in (_ROOT / s).rglob("*.py")))


def code() -> pulumi.AssetArchive:
    """The package of every function; the same files give the same hash.

    A program outside this repository names them by absolute paths: the engine, which may be in another folder than the
    component's plugin, reads them.
    """
    inside = Path.cwd() == _ROOT
    return pulumi.AssetArchive({m: pulumi.FileAsset(m if inside else str(_ROOT / m)) for m in _members()})


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """`Function`'s arguments.

    Args:
        names: the stack's names.
        function: the function's name, and its role's.
        handler: `functions.<folder>.<module>.handler`.
        description: its place in the flow.
        statements: what it may call, besides writing its own logs.
        environment: variables.
        timeout_seconds: at most 900.
        log_retention_days: days that its logs are kept.
        on_failure: queue and topic of its failures.
        service: the service it belongs to, if to one.
        subnets: private subnets, if it has to reach something in the VPC; then security_groups too.
        security_groups: its security groups.
    """

    names: Names
    function: str
    handler: str
    description: str
    statements: tuple[iam.Statement, ...]
    environment: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    timeout_seconds: int = 60
    log_retention_days: int
    on_failure: OnFailure
    service: str | None = None
    subnets: pulumi.Input[Sequence[str]] | None = None
    security_groups: tuple[pulumi.Input[str], ...] = ()


class Function(pulumi.ComponentResource):
    """`function`, with its role and log group."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Function", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = f"/aws/lambda/{args.function}"
        logs = aws.cloudwatch.LogGroup(name, name=group, retention_in_days=args.log_retention_days, opts=child)
        statements = (
            iam.Statement(
                sid="WriteItsLogs",
                actions=("logs:CreateLogStream", "logs:PutLogEvents"),
                resources=(args.names.arn("logs", f"log-group:{group}:*"),),
            ),
            send_statement(args.names),
            *args.statements,
        )
        if args.subnets is not None:
            statements = (*statements, *_vpc_access(args.names.function_arn(args.function)))
        role = iam.role(
            name,
            name=args.function,
            purpose="function",
            service=args.service,
            description=args.description,
            trust=(iam.service_trust("lambda.amazonaws.com"),),
            statements=statements,
            opts=child,
        )
        self.function = aws.lambda_.Function(
            name,
            name=args.function,
            description=args.description,
            role=role.arn,
            runtime="python3.13",
            architectures=["arm64"],
            handler=args.handler,
            code=code(),
            timeout=args.timeout_seconds,
            memory_size=256,
            environment={"variables": args.environment} if args.environment else None,
            vpc_config={"subnet_ids": args.subnets, "security_group_ids": list(args.security_groups)}
            if args.subnets is not None
            else None,
            # A group of a function in a VPC cannot go before Lambda has given its interfaces back, which takes longer
            # than the provider waits (Terraform's aws_lambda_function, "replace_security_groups_on_destroy").
            replace_security_groups_on_destroy=True if args.subnets is not None else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, *role.ready]),
        )
        aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=self.function.name,
            maximum_event_age_in_seconds=_MAX_EVENT_AGE_SECONDS,
            maximum_retry_attempts=2,
            destination_config={"on_failure": {"destination": args.on_failure.queue_arn}},
            opts=pulumi.ResourceOptions(parent=self.function),
        )
        function_alarm(name, args.function, args.on_failure, child)
        self.register_outputs({"functionArn": self.function.arn})


def _vpc_access(function_arn: str) -> tuple[iam.Statement, iam.Statement]:
    """Network interfaces of a function in a VPC, for Lambda to make and not for the function's own code.

    Source: Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC".
    """
    allowed = iam.Statement(
        sid="StandInTheVpc",
        actions=(
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ),
        resources=(
            iam.AllResources(reason="Lambda checks these on * before it makes an interface, whose id no one knows yet"),
        ),
    )
    refused = iam.Statement(
        sid="NotByTheFunctionItself",
        effect="Deny",
        actions=allowed.actions,
        resources=allowed.resources,
        conditions={"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
    )
    return allowed, refused
