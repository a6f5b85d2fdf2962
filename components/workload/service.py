"""The ECS service with its roles, logs, first task definition revision and auto scaling."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.foundation import secrets
from components.foundation.network import Network
from components.naming import ServiceNames
from components.release import template
from components.strategy import Strategy
from components.workload.alarms import Alarms, alarm_names
from components.workload.load_balancer import LoadBalancer
from contract import partition


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """`Service`'s arguments.

    Args:
        stack: the stack's settings.
        service: the service's settings.
        strategy: how releases take the place of the one before.
        cluster: the cluster's name, its capacity providers attached.
        network: where tasks run.
        balancer: the load balancer, if there is one.
        alarms: what rolls a deployment back.
    """

    stack: settings.Settings
    service: settings.ResolvedService
    strategy: Strategy
    cluster: pulumi.Input[str]
    network: Network
    balancer: LoadBalancer | None
    alarms: Alarms | None

    @property
    def names(self) -> ServiceNames:
        """The service's names."""
        return self.stack.names.service(self.service.name)


class Service(pulumi.ComponentResource):
    """`service`, in its first revision; releases own what comes after."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Service", name, None, opts)
        self._name, self._args = name, args
        child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=args.names.log_group,
            retention_in_days=args.service.log_retention_days,
            opts=child,
        )
        ready = [logs, *self._task_role().ready, *self._execution_role().ready]
        self.security_group = self._security_group()
        self.service = self._service(self._first_revision(ready))
        self._scaling()
        self.url = console_url(args.names)
        self.register_outputs({"service": self.service.name})

    def _task_role(self) -> iam.GrantedRole:
        names = self._args.names
        return iam.role(
            f"{self._name}-task",
            name=names.role("task"),
            purpose="task",
            service=names.service,
            description=f"What the application {names.base} may do",
            trust=(_tasks_of(names),),
            statements=tuple(
                iam.Statement(sid=p.sid, actions=p.actions, resources=p.resources)
                for p in self._args.service.permissions
            )
            + tuple(
                iam.Statement(sid=f"Retiring{p.sid}", actions=p.actions, resources=p.resources)
                for p in self._args.service.retiring.permissions
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _execution_role(self) -> iam.GrantedRole:
        names = self._args.names
        return iam.role(
            f"{self._name}-execution",
            name=names.role("execution"),
            purpose="task-execution",
            service=names.service,
            description=f"Starts the tasks of {names.base}: pulls its images, reads its secrets, writes its logs",
            trust=(_tasks_of(names),),
            statements=execution_statements(names, self._args.service, self._args.stack.stand_in_image),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _security_group(self) -> aws.ec2.SecurityGroup:
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        tasks = aws.ec2.SecurityGroup(
            f"{self._name}-tasks",
            name=f"{args.names.base}-tasks",
            description=f"Tasks of {args.names.base}",
            vpc_id=args.network.vpc_id,
            opts=child,
        )
        below = pulumi.ResourceOptions(parent=tasks)
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-tasks-out",
            security_group_id=tasks.id,
            description="Tasks reach AWS, their data and what else they call",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="-1",
            opts=below,
        )
        if args.balancer is not None:
            self._reach(tasks, args.balancer.security_group, below)
        return tasks

    def _reach(
        self, tasks: aws.ec2.SecurityGroup, load_balancers: aws.ec2.SecurityGroup, opts: pulumi.ResourceOptions
    ) -> None:
        """Every port of the container behind the load balancer, not only the one that gets the traffic.

        A revision stays reachable on the port that it was released with, whichever the next one has.
        """
        for port in self._args.service.open_ports:
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-tasks-in-{port}",
                security_group_id=tasks.id,
                description="From the load balancer",
                referenced_security_group_id=load_balancers.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=opts,
            )
            aws.vpc.SecurityGroupEgressRule(
                f"{self._name}-lb-out-{port}",
                security_group_id=load_balancers.id,
                description="To the tasks",
                referenced_security_group_id=tasks.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=opts,
            )

    def _first_revision(self, ready: list[pulumi.Resource]) -> aws.ecs.TaskDefinition:
        stack, service = self._args.stack, self._args.service
        first = template.first_revision(stack, service)
        platform = first["runtimePlatform"]
        return aws.ecs.TaskDefinition(
            self._name,
            family=first["family"],
            task_role_arn=first["taskRoleArn"],
            execution_role_arn=first["executionRoleArn"],
            network_mode=first["networkMode"],
            requires_compatibilities=first["requiresCompatibilities"],
            cpu=first["cpu"],
            memory=first["memory"],
            runtime_platform={
                "cpu_architecture": platform["cpuArchitecture"],
                "operating_system_family": platform["operatingSystemFamily"],
            },
            container_definitions=json.dumps(first["containerDefinitions"]),
            volumes=[{"name": v["name"]} for v in first["volumes"]],
            skip_destroy=True,  # the service may still run it when the settings change before the first release
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )

    def _service(self, revision: aws.ecs.TaskDefinition) -> aws.ecs.Service:
        args = self._args
        options = args.strategy.service_options
        traffic = args.service.load_balancer
        return aws.ecs.Service(
            self._name,
            name=args.names.base,
            cluster=args.cluster,
            task_definition=revision.arn,
            desired_count=args.service.desired,
            capacity_provider_strategies=[
                {"capacity_provider": c.provider, "base": c.base, "weight": c.weight} for c in args.service.capacity
            ],
            deployment_controller={"type": options.controller},
            deployment_circuit_breaker={"enable": True, "rollback": True} if options.rolls_back else None,
            alarms={"alarm_names": list(alarm_names(args.names)), "enable": True, "rollback": True}
            if args.alarms is not None and options.rolls_back
            else None,
            network_configuration={
                "subnets": args.network.private_subnet_ids,
                "security_groups": [self.security_group.id],
                "assign_public_ip": False,
            },
            load_balancers=[
                {
                    "target_group_arn": args.balancer.blue.arn,
                    "container_name": traffic.container,
                    "container_port": traffic.port,
                }
            ]
            if args.balancer is not None and traffic is not None
            else None,
            # CodeDeploy's services take another one by UpdateService, too (Amazon ECS API reference).
            health_check_grace_period_seconds=traffic.health_check_grace_period_seconds
            if traffic is not None
            else None,
            propagate_tags="SERVICE",
            enable_ecs_managed_tags=True,
            wait_for_steady_state=False,
            # The provider refuses another capacity provider strategy without it; CodeDeploy's services never take it.
            force_new_deployment=True if options.controller == "ECS" else None,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.stack.production,  # a replaced service would serve the placeholder image
                depends_on=[
                    *(args.balancer.listeners if args.balancer is not None else ()),
                    *([args.alarms] if args.alarms is not None else ()),
                ],
                ignore_changes=list(options.ignore_changes),
            ),
        )

    def _scaling(self) -> None:
        service, scaling = self._args.service, self._args.service.scaling
        target = aws.appautoscaling.Target(
            self._name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", self._args.cluster, "/", self.service.name),
            min_capacity=service.min,
            max_capacity=service.max,
            # The provider sends these with every change of the capacities, whether declared or ignored; ignored, it
            # sends what the last refresh saw, which may be a deployment's suspension and would then stay for good.
            # Sent while a deployment shifts traffic, they are the scaling guard's to suspend again.
            suspended_state={
                "dynamic_scaling_in_suspended": False,
                "dynamic_scaling_out_suspended": False,
                "scheduled_scaling_suspended": False,
            },
            opts=pulumi.ResourceOptions(parent=self.service, protect=False),  # of the service, which a child takes over
        )
        metrics = {
            "cpu": ("ECSServiceAverageCPUUtilization", scaling.cpu_percent),
            "memory": ("ECSServiceAverageMemoryUtilization", scaling.memory_percent),
        }
        for kind, (metric, percent) in metrics.items():
            if percent is None:
                continue
            aws.appautoscaling.Policy(
                f"{self._name}-{kind}",
                name=f"{self._args.names.base}-{kind}",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": {"predefined_metric_type": metric},
                    "target_value": percent,
                    "scale_in_cooldown": scaling.scale_in_cooldown_seconds,
                    "scale_out_cooldown": scaling.scale_out_cooldown_seconds,
                },
                opts=pulumi.ResourceOptions(parent=target),
            )


def console_url(names: ServiceNames) -> str:
    """Where a person sees the service."""
    region = names.stack.region
    path = f"ecs/v2/clusters/{names.stack.cluster}/services/{names.base}"
    return partition.console(region, f"{path}?region={region}")


def _tasks_of(names: ServiceNames) -> iam.Statement:
    """Trust in ECS tasks of this account and region (Amazon ECS developer guide, "Amazon ECS task IAM role")."""
    return iam.service_trust(
        "ecs-tasks.amazonaws.com", iam.from_source(names.stack.arn("ecs", "*"), names.stack.account)
    )


def _own_repository(names: ServiceNames, image: str) -> tuple[str, ...]:
    """ARN of the image's repository, where that is one of the account's own registry."""
    registry, _, rest = image.partition("/")
    if f"{registry}/" != names.repository_url(""):
        return ()
    return (names.repository_arn(re.split("[:@]", rest)[0]),)


def execution_statements(
    names: ServiceNames, service: settings.Service, stand_in_image: str
) -> tuple[iam.Statement, ...]:
    """What ECS does before the application runs, for this service's images, logs and secrets alone."""
    statements = (
        iam.Statement(
            sid="LogInToTheRegistry",
            actions=("ecr:GetAuthorizationToken",),
            resources=(
                iam.AllResources(reason="GetAuthorizationToken knows no resource (Service Authorization Reference)"),
            ),
        ),
        iam.Statement(
            sid="PullItsImages",
            actions=("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            resources=(
                *(names.repository_arn(names.repository(c.name)) for c in service.containers),
                *_own_repository(names, stand_in_image),
            ),
        ),
        iam.Statement(
            sid="WriteItsLogs",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(names.stack.arn("logs", f"log-group:{names.log_group}:*"),),
        ),
    )
    used = [s for c in service.containers for s in c.secrets.values()]
    read = secrets.read_statements(names.stack, used, parameter_action="ssm:GetParameters")
    return (*statements, *read, *_retiring_statements(names, service.retiring))


def _retiring_statements(names: ServiceNames, retiring: settings.Retiring) -> tuple[iam.Statement, ...]:
    """The same for what only earlier revisions name."""
    out = secrets.read_statements(
        names.stack, retiring.secrets, parameter_action="ssm:GetParameters", sid="ReadRetiring{}"
    )
    if not retiring.containers:
        return out
    pull = iam.Statement(
        sid="PullRetiringImages",
        actions=("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        resources=tuple(names.repository_arn(names.repository(c)) for c in retiring.containers),
    )
    return (pull, *out)
