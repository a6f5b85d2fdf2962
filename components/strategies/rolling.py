"""Rolling: a function gives the service its new revision, Amazon ECS replaces the tasks one after another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from components import iam, settings
from components.foundation.dead_letters import OnFailure
from components.foundation.function import Function, FunctionArgs
from components.naming import ServiceNames
from components.release import grants
from components.settings.values import InvalidSetting
from components.strategies import Parts
from components.strategy import Action, ServiceOptions
from contract.files import RELEASE_ARTIFACT


class RollingUpdate:
    """The strategy `rolling`, with ECS's own controller and its circuit breaker."""

    name = "rolling"
    summary = "Amazon ECS replaces tasks in place, with its circuit breaker"
    target_groups = ("blue",)
    test_listener = False
    guarded = False
    release_sets_network = False
    service_options = ServiceOptions(
        controller="ECS", ignore_changes=("taskDefinition", "desiredCount"), rolls_back=True
    )

    def service_errors(self, service: settings.Service) -> Iterable[InvalidSetting]:
        """Its deployments call no hooks."""
        if service.hooks != settings.Hooks():
            yield "hooks", "set beside strategy rolling", "only beside blue-green, whose deployments have a life cycle"
        if service.retiring.hooks:
            yield "retiring.hooks", list(service.retiring.hooks), "only beside blue-green, whose deployments call hooks"

    def stack_errors(self, stack: settings.Settings, service: settings.Service) -> Iterable[InvalidSetting]:
        """None: it asks nothing of the stack."""
        return ()

    def template_files(self, stack: settings.Settings, service: settings.ResolvedService) -> dict[str, str]:
        """None: the task definition is all that it deploys."""
        return {}

    def deploy_action(self, names: ServiceNames) -> Action:
        """Not CodePipeline's own ECS action: that one clones the running task definition, not infrastructure's."""
        return {
            "name": "Deploy",
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
            "namespace": "Deploy",
            "role_arn": names.role_arn("deploy-action"),
            "input_artifacts": [RELEASE_ARTIFACT],
            "configuration": {
                "FunctionName": names.function("deploy"),
                "UserParameters": json.dumps(
                    {
                        "cluster": names.stack.cluster,
                        "service": names.base,
                        "pipeline": names.base,
                        "stage": "Deploy",
                        "execution": "#{codepipeline.PipelineExecutionId}",
                    }
                ),
            },
        }

    def action_statements(
        self, stack: settings.Settings, service: settings.ResolvedService
    ) -> tuple[iam.Statement, ...]:
        """Calling the function, which reads the release."""
        return grants.invoke_statements(stack.names.service(service.name), "deploy", writes=False)

    def declare(self, name: str, parts: Parts, opts: pulumi.ResourceOptions) -> Sequence[pulumi.Resource]:
        """The function that deploys."""
        args = RollingArgs(
            names=parts.stack.names.service(parts.service.name),
            log_retention_days=parts.service.log_retention_days,
            on_failure=parts.on_failure,
        )
        return [Rolling(name, args, opts)]


STRATEGY: Final = RollingUpdate()


@dataclass(frozen=True, kw_only=True)
class RollingArgs:
    """`Rolling`'s arguments."""

    names: ServiceNames
    log_retention_days: int
    on_failure: OnFailure


class Rolling(pulumi.ComponentResource):
    """`function`: registers the rendered task definition, updates this one service, reports how that ended."""

    def __init__(self, name: str, args: RollingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Rolling", name, None, opts)
        names = args.names
        self.function = Function(
            f"{name}-deploy",
            FunctionArgs(
                names=names.stack,
                function=names.function("deploy"),
                handler="functions.deploy.ecs_deploy.handler",
                description=f"Rolling deployment of {names.base}",
                statements=(
                    *_deploy_statements(names),
                    iam.Statement(
                        sid="CompareRevisions",
                        actions=("ecs:DescribeTaskDefinition",),
                        resources=(
                            iam.AllResources(
                                reason="DescribeTaskDefinition knows no resource (Service Authorization Reference)"
                            ),
                        ),
                    ),
                    *grants.register_statements(names),
                    iam.Statement(
                        sid="SeeThatItsReleaseIsStillTheOne",
                        actions=("codepipeline:GetPipelineState",),
                        resources=(names.pipeline_arn,),
                    ),
                    grants.answer_the_pipeline(),
                ),
                log_retention_days=args.log_retention_days,
                on_failure=args.on_failure,
                service=names.service,
            ),
            pulumi.ResourceOptions(parent=self),
        ).function
        self.register_outputs({"functionArn": self.function.arn})


def _deploy_statements(names: ServiceNames) -> tuple[iam.Statement, ...]:
    """Updating the service and reading ECS's records of how that goes, which two actions ask for on both kinds."""
    place = f"{names.stack.cluster}/{names.base}"
    described = ("ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions")
    return (
        iam.Statement(
            sid="UpdateTheService",
            actions=("ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService", *described),
            resources=(names.stack.arn("ecs", f"service/{place}"),),
        ),
        iam.Statement(
            sid="ReadItsDeployments",
            actions=("ecs:DescribeServiceDeployments",),
            resources=(names.stack.arn("ecs", f"service-deployment/{place}/*"),),
        ),
        iam.Statement(
            sid="ReadItsServiceRevisions",
            actions=("ecs:DescribeServiceRevisions",),
            resources=(names.stack.arn("ecs", f"service-revision/{place}/*"),),
        ),
    )
