"""The last stage of blue/green: CodeDeploy's application and deployment group of one service."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.naming import ServiceNames
from components.workload.alarms import Alarms, alarm_names
from components.workload.load_balancer import LoadBalancer


@dataclass(frozen=True, kw_only=True)
class DeploymentArgs:
    """`Deployment`'s arguments.

    Args:
        names: the service's names.
        stack: the stack's settings.
        service: the ECS service.
        balancer: a load balancer with blue and green.
        alarms: what stops a deployment and rolls it back.
        hooks: lifecycle events to the ARNs of the functions that the AppSpec names.
        retiring_hooks: ARNs of functions that only earlier AppSpecs name; a roll-back runs those.
    """

    names: ServiceNames
    stack: settings.Settings
    service: aws.ecs.Service
    balancer: LoadBalancer
    alarms: Alarms
    hooks: dict[str, str]
    retiring_hooks: tuple[str, ...] = ()


class Deployment(pulumi.ComponentResource):
    """`group`: blue/green with traffic control, ready wait, bake time, and roll-back on failure, alarm and stop."""

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Deployment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        balancer, shift, names = args.balancer, args.stack.deployment, args.names
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
