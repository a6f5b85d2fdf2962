"""Blue/green by CodeDeploy: replacement tasks are smoke-tested on a test listener, then get the traffic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
import yaml

from components import iam, settings
from components.naming import ServiceNames
from components.release import grants
from components.settings.values import InvalidSetting
from components.strategies import Parts
from components.strategies.smoke_test import SmokeTest, SmokeTestArgs
from components.strategy import Action, ServiceOptions
from components.workload.alarms import Alarms, alarm_names
from components.workload.load_balancer import LoadBalancer
from contract.files import APPSPEC, NETWORK_PLACEHOLDER, RELEASE_ARTIFACT, TASK_DEFINITION, TASK_DEFINITION_PLACEHOLDER

_LIFECYCLE = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")


class CodeDeploy:
    """The strategy `blue-green`."""

    name = "blue-green"
    summary = "CodeDeploy shifts the traffic between two sets of tasks"
    target_groups = ("blue", "green")
    test_listener = True
    guarded = True
    release_sets_network = True
    service_options = ServiceOptions(
        controller="CODE_DEPLOY",
        # UpdateService refuses these under CodeDeploy's controller (Amazon ECS API reference). A release brings them
        # along in its AppSpec.
        ignore_changes=(
            "taskDefinition",
            "desiredCount",
            "loadBalancers",
            "capacityProviderStrategies",
            "networkConfiguration",
            "platformVersion",
        ),
        rolls_back=False,  # CodeDeploy does
    )

    def service_errors(self, service: settings.Service) -> Iterable[InvalidSetting]:
        """It shifts traffic at a load balancer."""
        if service.load_balancer is None:
            yield "loadBalancer", None, "blue-green shifts traffic at a load balancer: give one, or strategy rolling"

    def stack_errors(self, stack: settings.Settings, service: settings.Service) -> Iterable[InvalidSetting]:
        """The smoke test reaches the test listener, by the name that a certificate is for."""
        shared, create = stack.load_balancer, stack.network.create
        if shared.exposure == "internet-facing":
            if create is not None and create.egress == "endpoints":
                yield "loadBalancer.exposure", shared.exposure, "internal: with egress endpoints no smoke test gets out"
            if not shared.test_cidrs:
                yield (
                    "loadBalancer.testCidrs",
                    [],
                    "the addresses of your NAT gateways, from which the smoke test reaches a public load balancer",
                )
        balancer = service.load_balancer
        if shared.certificate_arn and balancer is not None and balancer.host_name is None:
            yield (
                f"services[{service.name}].loadBalancer.hostName",
                None,
                "the name that the certificate is for: the smoke test asks by it",
            )

    def template_files(self, stack: settings.Settings, service: settings.ResolvedService) -> dict[str, str]:
        """CodeDeploy's AppSpec."""
        return {APPSPEC: appspec(service, hooks(stack, service))}

    def deploy_action(self, names: ServiceNames) -> Action:
        """CodePipeline's own action for CodeDeploy on ECS."""
        return {
            "name": "Deploy",
            "category": "Deploy",
            "owner": "AWS",
            "provider": "CodeDeployToECS",
            "version": "1",
            "namespace": "Deploy",
            "role_arn": names.role_arn("deploy-action"),
            "input_artifacts": [RELEASE_ARTIFACT],
            "configuration": {
                "ApplicationName": names.base,
                "DeploymentGroupName": names.base,
                "TaskDefinitionTemplateArtifact": RELEASE_ARTIFACT,
                "TaskDefinitionTemplatePath": TASK_DEFINITION,
                "AppSpecTemplateArtifact": RELEASE_ARTIFACT,
                "AppSpecTemplatePath": APPSPEC,
            },
        }

    def action_statements(
        self, stack: settings.Settings, service: settings.ResolvedService
    ) -> tuple[iam.Statement, ...]:
        """Starting a blue/green deployment (CodePipeline user guide, "CodeDeploy blue/green action reference")."""
        names = stack.names.service(service.name)
        arn, base = names.stack.arn, names.base
        return (
            iam.Statement(
                sid="DeployThisGroup",
                actions=("codedeploy:CreateDeployment", "codedeploy:GetDeployment"),
                resources=(arn("codedeploy", f"deploymentgroup:{base}/{base}"),),
            ),
            iam.Statement(
                sid="RegisterItsRevisions",
                actions=(
                    "codedeploy:GetApplication",
                    "codedeploy:GetApplicationRevision",
                    "codedeploy:RegisterApplicationRevision",
                ),
                resources=(arn("codedeploy", f"application:{base}"),),
            ),
            iam.Statement(
                sid="ReadItsConfiguration",
                actions=("codedeploy:GetDeploymentConfig",),
                resources=(arn("codedeploy", f"deploymentconfig:{stack.deployment.configuration}"),),
            ),
            *grants.register_statements(names),
            grants.carry_artifacts(names, "s3:GetObject", "s3:GetObjectVersion"),
        )

    def declare(self, name: str, parts: Parts, opts: pulumi.ResourceOptions) -> Sequence[pulumi.Resource]:
        """The smoke test and the deployment group."""
        stack, service, balancer, alarms = parts.stack, parts.service, parts.balancer, parts.alarms
        if balancer is None or alarms is None or service.load_balancer is None:
            raise ValueError(f"{name}: blue/green needs a load balancer and its alarms")
        names = stack.names.service(service.name)
        smoke_test_args = SmokeTestArgs(
            names=names,
            traffic=service.load_balancer,
            test_port=stack.load_balancer.test_port,
            network=parts.network,
            balancer=balancer,
            log_retention_days=service.log_retention_days,
            on_failure=parts.on_failure,
        )
        SmokeTest(name, smoke_test_args, opts)
        args = DeploymentArgs(
            names=names,
            settings=stack.deployment,
            service=parts.running.service,
            balancer=balancer,
            alarms=alarms,
            hooks=hooks(stack, service),
            retiring_hooks=service.retiring.hooks,
        )
        return [Deployment(name, args, opts)]


STRATEGY: Final = CodeDeploy()


def hooks(stack: settings.Settings, service: settings.Service) -> dict[str, str]:
    """Lifecycle events to the ARNs of the functions that a deployment calls: the service's own, and the smoke test."""
    own = {
        "BeforeInstall": service.hooks.before_install,
        "AfterAllowTestTraffic": stack.names.service(service.name).function_arn("smoke"),
        "AfterAllowTraffic": service.hooks.after_allow_traffic,
    }
    return {event: function for event, function in own.items() if function is not None}


def appspec(service: settings.ResolvedService, hooks: dict[str, str]) -> str:
    """CodeDeploy's AppSpec as YAML text; `hooks` maps a lifecycle event to a function's ARN.

    Without CapacityProviderStrategy a release makes the service lose it, and without NetworkConfiguration the new tasks
    stand where the old ones do, whatever the stack says by now: both are always there (CodeDeploy user guide, "AppSpec
    'resources' section for Amazon ECS deployments"). What AWS names is no part of the template, which has to be known
    before anything is made: an archive takes no output (pulumi/pulumi issue 3017), and policies read the hooks in it.
    The gate puts the network in, as the pipeline tells it.
    """
    properties: dict[str, Any] = {"TaskDefinition": TASK_DEFINITION_PLACEHOLDER}
    if service.load_balancer is not None:
        properties["LoadBalancerInfo"] = {
            "ContainerName": service.load_balancer.container,
            "ContainerPort": service.load_balancer.port,
        }
    properties["CapacityProviderStrategy"] = [
        {"Base": c.base, "CapacityProvider": c.provider, "Weight": c.weight} for c in service.capacity
    ]
    properties["NetworkConfiguration"] = NETWORK_PLACEHOLDER
    document: dict[str, Any] = {
        "version": 0.0,
        "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}],
    }
    if hooks:
        document["Hooks"] = [{event: hooks[event]} for event in _LIFECYCLE if event in hooks]
    return yaml.safe_dump(document, sort_keys=False)


@dataclass(frozen=True, kw_only=True)
class DeploymentArgs:
    """`Deployment`'s arguments.

    Args:
        names: the service's names.
        settings: how traffic shifts.
        service: the ECS service.
        balancer: a load balancer with blue and green.
        alarms: what stops a deployment and rolls it back.
        hooks: lifecycle events to the ARNs of the functions that the AppSpec names.
        retiring_hooks: ARNs of functions that only earlier AppSpecs name; a rollback runs those.
    """

    names: ServiceNames
    settings: settings.Deployment
    service: aws.ecs.Service
    balancer: LoadBalancer
    alarms: Alarms
    hooks: dict[str, str]
    retiring_hooks: tuple[str, ...] = ()


class Deployment(pulumi.ComponentResource):
    """`group`: blue/green with traffic control, ready wait, bake time, and rollback on failure, alarm and stop."""

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Deployment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        balancer, shift, names = args.balancer, args.settings, args.names
        if balancer.green is None or balancer.test_listener is None:
            raise ValueError(f"{name}: blue/green needs a green target group and a test listener")
        role = iam.role(
            f"{name}-codedeploy",
            name=args.names.role("codedeploy"),
            purpose="deployment",
            service=args.names.service,
            description=f"CodeDeploy shifts the traffic of {args.names.base}",
            trust=(
                iam.service_trust(
                    "codedeploy.amazonaws.com",
                    iam.from_source(
                        names.stack.arn("codedeploy", f"deploymentgroup:{names.base}/{names.base}"), names.stack.account
                    ),
                ),
            ),
            statements=codedeploy_statements(args.names, tuple(args.hooks.values()), args.retiring_hooks),
            opts=child,
        )
        application = aws.codedeploy.Application(name, name=args.names.base, compute_platform="ECS", opts=child)
        manual = shift.reroute == "manual"
        self.group = aws.codedeploy.DeploymentGroup(
            name,
            app_name=application.name,
            deployment_group_name=args.names.base,
            service_role_arn=role.arn,
            deployment_config_name=shift.configuration,
            deployment_style={"deployment_type": "BLUE_GREEN", "deployment_option": "WITH_TRAFFIC_CONTROL"},
            ecs_service={"cluster_name": args.names.stack.cluster, "service_name": args.service.name},
            load_balancer_info={
                "target_group_pair_info": {
                    "prod_traffic_route": {"listener_arns": [balancer.production_listener.arn]},
                    "test_traffic_route": {"listener_arns": [balancer.test_listener.arn]},
                    "target_groups": [{"name": balancer.blue.name}, {"name": balancer.green.name}],
                }
            },
            blue_green_deployment_config={
                "deployment_ready_option": {
                    "action_on_timeout": "STOP_DEPLOYMENT" if manual else "CONTINUE_DEPLOYMENT",
                    "wait_time_in_minutes": shift.reroute_timeout_minutes if manual else 0,
                },
                "terminate_blue_instances_on_deployment_success": {
                    "action": "TERMINATE",
                    "termination_wait_time_in_minutes": shift.bake_time_minutes,
                },
            },
            auto_rollback_configuration={
                "enabled": True,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
            alarm_configuration={"enabled": True, "alarms": list(alarm_names(args.names))},
            # CodeDeploy stops a deployment when it cannot read an alarm.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*role.ready, args.alarms]),
        )
        self.register_outputs({"group": self.group.deployment_group_name})


def codedeploy_statements(
    names: ServiceNames, hooks: tuple[str, ...], retiring_hooks: tuple[str, ...] = ()
) -> tuple[iam.Statement, ...]:
    """What CodeDeploy does to this service; its managed policy would grant it on everything.

    Source: CodeDeploy user guide, "Deployments on an Amazon ECS compute platform".
    """
    arn, base, cluster = names.stack.arn, names.base, names.stack.cluster
    statements = [
        iam.Statement(
            sid="SayWhichTasksServe",
            actions=("ecs:DescribeServices", "ecs:UpdateServicePrimaryTaskSet"),
            resources=(arn("ecs", f"service/{cluster}/{base}"),),
        ),
        iam.Statement(
            sid="ReplaceItsTasks",
            actions=("ecs:CreateTaskSet", "ecs:DeleteTaskSet"),
            resources=(arn("ecs", f"task-set/{cluster}/{base}/*"),),
        ),
        iam.Statement(
            sid="SeeTheLoadBalancer",
            actions=(
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeRules",
            ),
            resources=(iam.AllResources(reason="Describe actions of Elastic Load Balancing know no resource"),),
        ),
        iam.Statement(
            sid="ShiftItsTraffic",
            actions=("elasticloadbalancing:ModifyListener",),
            resources=(arn("elasticloadbalancing", f"listener/app/{base}/*"),),
        ),
        iam.Statement(
            sid="ShiftTheTrafficOfARule",
            actions=("elasticloadbalancing:ModifyRule",),
            resources=(arn("elasticloadbalancing", f"listener-rule/app/{base}/*"),),
        ),
        iam.Statement(
            # A list, whose answer AWS may judge by all that it could name: asked for more than the role may read, it
            # is denied, and CodeDeploy stops every deployment. It only reads, and of this account and region alone.
            sid="ReadAlarms",
            actions=("cloudwatch:DescribeAlarms",),
            resources=(arn("cloudwatch", "alarm:*"),),
        ),
        iam.pass_role(
            "GiveTasksTheirRoles", (names.role_arn("task"), names.role_arn("execution")), "ecs-tasks.amazonaws.com"
        ),
    ]
    if hooks:
        statements.append(iam.Statement(sid="RunItsHooks", actions=("lambda:InvokeFunction",), resources=hooks))
    if retiring_hooks:
        run = iam.Statement(sid="RunRetiringHooks", actions=("lambda:InvokeFunction",), resources=retiring_hooks)
        statements.append(run)
    return tuple(statements)
