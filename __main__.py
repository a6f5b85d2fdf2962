"""One environment, declared in the order in which a release flows through it."""

import pulumi
import pulumi_aws as aws

from components import settings, template
from components.alarms import Alarms, AlarmsArgs, alarm_names
from components.bucket import PrivateBucket, PrivateBucketArgs
from components.ci_identity import CiIdentity, CiIdentityArgs, OidcProviders, OidcProvidersArgs
from components.cluster import Cluster, ClusterArgs
from components.dashboard import Dashboard, DashboardArgs
from components.deployment import Deployment, DeploymentArgs
from components.handoff import Handoff, HandoffArgs
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.network import Network, NetworkArgs
from components.notifier import Chatbot, ChatbotArgs, Notifier, NotifierArgs
from components.pipeline import Pipeline, PipelineArgs
from components.registry import Registry, RegistryArgs
from components.release_gate import ReleaseGate, ReleaseGateArgs
from components.rolling import Rolling, RollingArgs
from components.scaling_guard import ScalingGuard, ScalingGuardArgs
from components.service import Service, ServiceArgs
from components.smoke_test import SmokeTest, SmokeTestArgs
from components.template import Template, TemplateArgs
from components.topics import Topics, TopicsArgs
from components.trigger import Trail, TrailArgs, Trigger, TriggerArgs

stack = settings.load(settings.stack_config())
names = stack.names
provider = aws.Provider(
    "aws",
    region=stack.region,
    allowed_account_ids=[stack.account],
    default_tags={
        "tags": {
            "ecs-release:environment": stack.environment,
            "ecs-release:production": str(stack.production).lower(),
            "ecs-release:managed-by": "pulumi",
        }
    },
)
here = pulumi.ResourceOptions(providers={"aws": provider})

# What the services of an environment share.
handoff = Handoff("handoff", HandoffArgs(names=names, event_bridge=stack.trigger == "s3-events"), here)
templates = PrivateBucket("templates", PrivateBucketArgs.of_templates(names), here)
artifacts = PrivateBucket("artifacts", PrivateBucketArgs.of_artifacts(names), here)
if stack.trigger == "cloudtrail" and stack.trail == "create":
    Trail("trail", TrailArgs(names=names), here)
OidcProviders("oidc", OidcProvidersArgs(names=names, ci=stack.ci), here)
topics = Topics("topics", TopicsArgs.of(stack), here)
network = Network("network", NetworkArgs(names=names, settings=stack.network), here)
cluster = Cluster("cluster", ClusterArgs(names=names), here)

pipelines: dict[str, aws.codepipeline.Pipeline] = {}
for service in stack.services:
    name, own, blue_green = service.name, names.service(service.name), service.strategy == "blue-green"

    # CI pushes images and puts the hand-off; that is all it can do.
    registry = Registry(name, RegistryArgs(names=own, containers=service.container_names), here)
    ci = CiIdentity(name, CiIdentityArgs(names=own, ci=stack.ci, service=service), here)

    # What runs, and what stands in front of it.
    balancer = None
    if service.load_balancer is not None:
        balancer = LoadBalancer(name, LoadBalancerArgs(names=own, network=network, stack=stack, service=service), here)
        Alarms(name, AlarmsArgs(names=own, limits=stack.alarms, balancer=balancer, topic=topics.alarms.arn), here)
    alarms = alarm_names(own) if balancer is not None else ()
    running = Service(
        name,
        ServiceArgs(
            stack=stack, service=service, cluster=cluster.ready_name, network=network, balancer=balancer, alarms=alarms
        ),
        here,
    )

    # The release: its template, the gate that verifies it, the way it is deployed, the pipeline through all of them.
    hooks = template.own_hooks(service)
    if blue_green and balancer is not None:
        SmokeTest(name, SmokeTestArgs(stack=stack, service=service, network=network, balancer=balancer), here)
        hooks |= {"AfterAllowTestTraffic": own.function_arn("smoke")}
    files = template.files(stack, service, hooks)
    Template(name, TemplateArgs(names=own, bucket=templates, files=files), here)
    gate = ReleaseGate(name, ReleaseGateArgs(stack=stack, service=service), here)
    deploy: pulumi.Resource
    if blue_green and balancer is not None:
        deploy = Deployment(
            name,
            DeploymentArgs(
                names=own, stack=stack, service=running.service, balancer=balancer, alarms=alarms, hooks=hooks
            ),
            here,
        )
    else:
        deploy = Rolling(name, RollingArgs(stack=stack, service=service), here)
    pipeline = Pipeline(
        name,
        PipelineArgs(
            names=own,
            stack=stack,
            strategy=service.strategy,
            approvals=topics.approvals.arn if topics.approvals is not None else None,
            ready=[*handoff.ready, *artifacts.ready, gate, deploy],
        ),
        here,
    )
    Trigger(name, TriggerArgs(names=own, trigger=stack.trigger, pipeline=pipeline.pipeline), here)

    Dashboard(name, DashboardArgs(names=own, balancer=balancer, alarms=alarms), here)
    pipelines[name] = pipeline.pipeline

    pulumi.export(
        name,
        {
            "handoff": f"s3://{names.handoff_bucket}/{own.handoff_key}",
            "repositories": {c: r.repository_url for c, r in registry.repositories.items()},
            "ciRoleArns": {c: role.arn for c, role in ci.roles.items()},
            "pipeline": pipeline.url,
            "service": running.url,
            "loadBalancer": balancer.url if balancer is not None else None,
        },
    )

# While traffic shifts nothing scales, and people are told.
guarded = tuple(s.name for s in stack.services if s.strategy == "blue-green")
if guarded:
    guard_args = ScalingGuardArgs(names=names, services=guarded, log_retention_days=stack.log_retention_days)
    ScalingGuard("scaling-guard", guard_args, here)
told = stack.notifications
if told.slack or told.chatwork:
    Notifier("notify", NotifierArgs(names=names, notifications=told, log_retention_days=stack.log_retention_days), here)
if told.chatbot is not None:
    Chatbot("chatbot", ChatbotArgs(names=names, chatbot=told.chatbot, pipelines=pipelines), here)
