"""Auto scaling of blue/green services, suspended while a deployment shifts their traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam
from components.foundation.dead_letters import OnFailure
from components.foundation.event_source import deployment_events, invoke_on_event
from components.foundation.function import Function, FunctionArgs
from components.naming import ANY_SERVICE, Names
from contract import variables

#: What the function counts in every sweep: namespace and name.
METRIC = ("ecs-release", "SuspendedWithoutDeployment")
_SWEEP = "rate(15 minutes)"


@dataclass(frozen=True, kw_only=True)
class ScalingGuardArgs:
    """`ScalingGuard`'s arguments.

    Args:
        names: the stack's names.
        services: the names of the blue/green services.
        log_retention_days: days that its logs are kept.
        on_failure: queue and topic of its failures.
    """

    names: Names
    services: tuple[str, ...]
    log_retention_days: int
    on_failure: OnFailure


class ScalingGuard(pulumi.ComponentResource):
    """One function for the environment, invoked by CodeDeploy's events and by a sweep that finds what got lost.

    Scaling during a blue/green deployment can make it fail (Amazon ECS developer guide, "Service auto scaling and
    blue/green deployments").
    """

    def __init__(self, name: str, args: ScalingGuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:ScalingGuard", name, None, opts)
        child, names = pulumi.ResourceOptions(parent=self), args.names
        self.function = Function(
            name,
            FunctionArgs(
                names=names,
                function=names.scaling_guard,
                handler="functions.guard.scaling_guard.handler",
                description=f"Suspends auto scaling in {names.environment} while a deployment shifts traffic",
                statements=guard_statements(names, args.services),
                environment={
                    variables.ENVIRONMENT: names.environment,
                    variables.GUARDED_SERVICES: json.dumps(guarded(names, args.services)),
                },
                log_retention_days=args.log_retention_days,
                on_failure=args.on_failure,
            ),
            child,
        ).function
        invoke_on_event(
            f"{name}-deployments",
            names=names,
            rule=names.guard_rule("deployments"),
            description="Deployments begin and end",
            function=self.function,
            on_failure=args.on_failure,
            pattern=deployment_events(names),
            opts=child,
        )
        invoke_on_event(
            f"{name}-sweep",
            names=names,
            rule=names.guard_rule("sweep"),
            description="Restores what a lost event left suspended",
            function=self.function,
            on_failure=args.on_failure,
            schedule=_SWEEP,
            opts=child,
        )
        aws.cloudwatch.MetricAlarm(
            f"{name}-suspended",
            name=f"{names.environment}-scaling-suspended",
            alarm_description=f"A service of {names.environment} is fully suspended from scaling though nothing is "
            "deployed; docs/operations.md says how to resume it",
            namespace=METRIC[0],
            metric_name=METRIC[1],
            dimensions={"Environment": names.environment},
            statistic="Maximum",
            period=3600,  # every hour has sweeps in it, so that a missing point is a sweep that failed
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            treat_missing_data="ignore",
            alarm_actions=[args.on_failure.topic_arn],
            ok_actions=[args.on_failure.topic_arn],
            opts=child,
        )
        self.register_outputs({"functionArn": self.function.arn})


def guarded(names: Names, services: tuple[str, ...]) -> dict[str, object]:
    """The function's `GUARDED_SERVICES`; `{service}` stands for each service in turn."""
    any_service = names.service(ANY_SERVICE)
    return {
        "services": list(services),
        "application": any_service.base,
        "group": any_service.base,
        "resourceId": f"service/{names.cluster}/{any_service.base}",
        "parameter": _parameter(names, ANY_SERVICE),
        "letItScale": _let_it_scale(names, ANY_SERVICE),
    }


def _parameter(names: Names, service: str) -> str:
    """Where the guard remembers what stood before it suspended a service's scaling."""
    return f"/ecs-release/{names.environment}/{service}/scaling-guard"


def _let_it_scale(names: Names, service: str) -> str:
    """Where a person writes the deployment that a service may scale in."""
    return f"/ecs-release/{names.environment}/{service}/let-it-scale"


def guard_statements(names: Names, services: tuple[str, ...]) -> tuple[iam.Statement, ...]:
    """What the guard reads and sets, by the environment's prefix where nothing runs by it.

    Application Auto Scaling tries the target's own calls with the rights of whoever calls it (its user guide,
    "Permissions validation for API calls on target resources"): those stand on the blue/green services alone, whose
    tasks CodeDeploy and no UpdateService replaces (Amazon ECS API reference, UpdateService).
    """
    of_environment = f"{names.environment}-*"
    return (
        iam.Statement(
            sid="SeeScalableTargets",
            actions=("application-autoscaling:DescribeScalableTargets",),
            resources=(iam.AllResources(reason="it knows no resource (Service Authorization Reference)"),),
        ),
        iam.Statement(
            sid="SuspendAndRestore",
            actions=("application-autoscaling:RegisterScalableTarget",),
            # AWS makes up the id of a scalable target.
            resources=(names.arn("application-autoscaling", "scalable-target/*"),),
            conditions={
                "StringEquals": {
                    "application-autoscaling:service-namespace": "ecs",
                    "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                }
            },
        ),
        iam.Statement(
            sid="WhatAutoScalingAsksOfItsCaller",
            actions=("ecs:DescribeServices", "ecs:UpdateService"),
            resources=tuple(names.arn("ecs", f"service/{names.cluster}/{names.service(s).base}") for s in services),
        ),
        iam.Statement(
            sid="SeeDeployments",
            actions=("codedeploy:GetDeployment", "codedeploy:ListDeployments"),
            resources=(names.arn("codedeploy", f"deploymentgroup:{of_environment}/{of_environment}"),),
        ),
        iam.Statement(
            sid="RememberWhatStoodBefore",
            actions=("ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"),
            resources=(names.arn("ssm", f"parameter{_parameter(names, '*')}"),),
        ),
        iam.Statement(
            sid="SeeWhatAPersonLetsScale",
            actions=("ssm:GetParameter",),
            resources=(names.arn("ssm", f"parameter{_let_it_scale(names, '*')}"),),
        ),
    )
