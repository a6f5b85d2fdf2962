"""The stage between hand-off and deployment: a function that accepts a hand-off or says why not."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import iam, settings
from components.foundation.function import Function, FunctionArgs
from components.foundation.watch import Watch
from components.naming import ServiceNames
from components.release.template import log_retention_of


@dataclass(frozen=True, kw_only=True)
class ReleaseGateArgs:
    """`ReleaseGate`'s arguments."""

    stack: settings.Settings
    service: settings.Service
    watch: Watch


class ReleaseGate(pulumi.ComponentResource):
    """`function`: the release gate of one service, able to read this service's images and nobody else's."""

    def __init__(self, name: str, args: ReleaseGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:ReleaseGate", name, None, opts)
        names = args.stack.names.service(args.service.name)
        self.function = Function(
            f"{name}-gate",
            FunctionArgs(
                names=names.stack,
                function=names.function("gate"),
                handler="functions.gate.release_gate.handler",
                description=f"Release gate of {names.base}",
                statements=gate_statements(names, args.service.container_names),
                timeout_seconds=120,
                log_retention_days=log_retention_of(args.stack, args.service),
                watch=args.watch,
                service=names.service,
            ),
            pulumi.ResourceOptions(parent=self),
        ).function
        self.register_outputs({"functionArn": self.function.arn})


def answer_the_pipeline() -> iam.Statement:
    """The answer to a CodePipeline job, which every Lambda action owes."""
    return iam.Statement(
        sid="AnswerThePipeline",
        actions=("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"),
        resources=(
            iam.AllResources(reason="a job's results know no resource (Service Authorization Reference, CodePipeline)"),
        ),
    )


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
        answer_the_pipeline(),
    )
