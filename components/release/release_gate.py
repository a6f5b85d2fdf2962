"""The release gate, between hand-off and deployment: a Lambda function that accepts a hand-off or says why not."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import iam
from components.foundation.dead_letters import OnFailure
from components.foundation.function import Function, FunctionArgs
from components.naming import ServiceNames
from components.release import grants


@dataclass(frozen=True, kw_only=True)
class ReleaseGateArgs:
    """`ReleaseGate`'s arguments.

    Args:
        names: the service's names.
        containers: names of its containers, whose images the gate reads.
        log_retention_days: days that its logs are kept.
        on_failure: queue and topic of its failures.
    """

    names: ServiceNames
    containers: tuple[str, ...]
    log_retention_days: int
    on_failure: OnFailure


class ReleaseGate(pulumi.ComponentResource):
    """`function`: the release gate of one service, able to read this service's images and nobody else's."""

    def __init__(self, name: str, args: ReleaseGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:ReleaseGate", name, None, opts)
        names = args.names
        self.function = Function(
            f"{name}-gate",
            FunctionArgs(
                names=names.stack,
                function=names.function("gate"),
                handler="functions.gate.release_gate.handler",
                description=f"Release gate of {names.base}",
                statements=gate_statements(names, args.containers),
                timeout_seconds=120,
                log_retention_days=args.log_retention_days,
                on_failure=args.on_failure,
                service=names.service,
            ),
            pulumi.ResourceOptions(parent=self),
        ).function
        self.register_outputs({"functionArn": self.function.arn})


def gate_statements(names: ServiceNames, containers: tuple[str, ...]) -> tuple[iam.Statement, ...]:
    """What the gate reads; artifacts come and go by the credentials of the pipeline's job."""
    return (
        iam.Statement(
            sid="ReadItsImages",
            actions=(
                "ecr:BatchGetImage",
                "ecr:DescribeImageScanFindings",
                "ecr:DescribeImages",
                "ecr:GetDownloadUrlForLayer",
            ),
            resources=tuple(names.repository_arn(names.repository(c)) for c in containers),
        ),
        iam.Statement(
            # Whether a registry's scanning is enhanced is a setting of the account that may change at any time.
            sid="ReadFindingsOfEnhancedScans",
            actions=("inspector2:ListFindings",),
            resources=(
                iam.AllResources(reason="ListFindings knows no resource (Service Authorization Reference, Inspector2)"),
            ),
        ),
        iam.Statement(
            sid="SeeWhatRuns",
            actions=("ecs:DescribeServices",),
            resources=(names.stack.arn("ecs", f"service/{names.stack.cluster}/{names.base}"),),
        ),
        iam.Statement(
            sid="ReadTheRunningRevision",
            actions=("ecs:DescribeTaskDefinition",),
            resources=(
                iam.AllResources(reason="DescribeTaskDefinition knows no resource (Service Authorization Reference)"),
            ),
        ),
        grants.answer_the_pipeline(),
    )
