"""The last stage of a rolling release: a function that gives the service its new revision and waits for it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import iam, settings
from components.foundation.function import Function, FunctionArgs
from components.foundation.watch import Watch
from components.release.pipeline import register_statements
from components.release.release_gate import answer_the_pipeline
from components.release.template import log_retention_of


@dataclass(frozen=True, kw_only=True)
class RollingArgs:
    """`Rolling`'s arguments."""

    stack: settings.Settings
    service: settings.Service
    watch: Watch


class Rolling(pulumi.ComponentResource):
    """`function`: registers the rendered task definition, updates this one service, reports how that ended."""

    def __init__(self, name: str, args: RollingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Rolling", name, None, opts)
        names = args.stack.names.service(args.service.name)
        self.function = Function(
            f"{name}-deploy",
            FunctionArgs(
                names=names.stack,
                function=names.function("deploy"),
                handler="functions.deploy.ecs_deploy.handler",
                description=f"Rolling deployment of {names.base}",
                statements=(
                    iam.Statement(
                        sid="UpdateTheService",
                        actions=("ecs:DescribeServices", "ecs:UpdateService"),
                        resources=(names.stack.arn("ecs", f"service/{names.stack.cluster}/{names.base}"),),
                    ),
                    iam.Statement(
                        sid="CompareRevisions",
                        actions=("ecs:DescribeTaskDefinition",),
                        resources=(
                            iam.AllResources(
                                reason="DescribeTaskDefinition knows no resource (Service Authorization Reference)"
                            ),
                        ),
                    ),
                    *register_statements(names),
                    iam.Statement(
                        sid="SeeThatItsReleaseIsStillTheOne",
                        actions=("codepipeline:GetPipelineState",),
                        resources=(names.pipeline_arn,),
                    ),
                    answer_the_pipeline(),
                ),
                log_retention_days=log_retention_of(args.stack, args.service),
                watch=args.watch,
                service=names.service,
            ),
            pulumi.ResourceOptions(parent=self),
        ).function
        self.register_outputs({"functionArn": self.function.arn})
