"""One environment, declared in the order in which a release flows through it."""

import pulumi
import pulumi_aws as aws

from components import outputs, settings, strategies
from components.foundation.bucket import PrivateBucket, PrivateBucketArgs
from components.foundation.cluster import Cluster, ClusterArgs
from components.foundation.dead_letters import DeadLetters, DeadLettersArgs
from components.foundation.network import Network, NetworkArgs
from components.foundation.topics import Topics, TopicsArgs
from components.handoff.bucket import Handoff, HandoffArgs
from components.handoff.ci_identity import CiIdentity, CiIdentityArgs, OidcProviders, OidcProvidersArgs
from components.handoff.registry import Registry, RegistryArgs
from components.handoff.trigger import Trail, TrailArgs, Trigger, TriggerArgs
from components.needs import Needs, NeedsArgs, Place
from components.notices.notifier import Chatbot, ChatbotArgs, Notifier, NotifierArgs
from components.release.pipeline import Pipeline, PipelineArgs
from components.release.release_gate import ReleaseGate, ReleaseGateArgs
from components.release.template import Template, TemplateArgs, files
from components.strategies.scaling_guard import ScalingGuard, ScalingGuardArgs
from components.workload.alarms import Alarms, AlarmsArgs
from components.workload.dashboard import Dashboard, DashboardArgs
from components.workload.load_balancer import LoadBalancer, LoadBalancerArgs
from components.workload.service import Service, ServiceArgs
from contract import tags

stack = settings.of_stack(strategies.ALL)
services = settings.resolved(stack)
names = stack.names
needs = Needs("needs", NeedsArgs(stack=stack, strategies=strategies.ALL))
provider = aws.Provider(
    "aws",
    region=needs.first(stack.region),
    allowed_account_ids=[stack.account],
    default_tags={
        "tags": {
            tags.ENVIRONMENT: stack.environment,
            tags.PRODUCTION: str(stack.production).lower(),
            "ecs-release:managed-by": "pulumi",
        }
    },
)
opts = pulumi.ResourceOptions(providers={"aws": provider})

# What the services of an environment share.
handoff = Handoff(
    "handoff", HandoffArgs(names=names, event_bridge=stack.trigger == "s3-events", protect=stack.production), opts
)
templates = PrivateBucket("templates", PrivateBucketArgs.of_templates(names, protect=stack.production), opts)
artifacts = PrivateBucket("artifacts", PrivateBucketArgs.of_artifacts(names, protect=stack.production), opts)
if stack.trigger == "cloudtrail" and stack.trail == "create":
    Trail("trail", TrailArgs(names=names), opts)
oidc = OidcProviders("oidc", OidcProvidersArgs.of(stack.ci), opts)
topics = Topics("topics", TopicsArgs.of(stack), opts)
guarded = tuple(s.name for s in services if strategies.of(s).guarded)
notifications = stack.notifications
rules = [
    *(names.service(s.name).rule for s in services),
    *(names.guard_rule(event) for event in ("deployments", "sweep") if guarded),
    *(
        names.notifier_rule(event)
        for event in ("pipelines", "deployments")
        if notifications.slack or notifications.chatwork
    ),
]
dead_letters = DeadLetters("dead-letters", DeadLettersArgs(names=names, rules=rules, topic_arn=topics.alarms.arn), opts)
on_failure = dead_letters.on_failure
network = Network("network", NetworkArgs.of(names, stack.network), opts)
Place("place", network.vpc_id)
cluster = Cluster("cluster", ClusterArgs(names=names), opts)

pipelines: dict[str, Pipeline] = {}
for service in services:
    name, own, strategy = service.name, names.service(service.name), strategies.of(service)

    # CI pushes images and puts the hand-off; that is all it can do.
    Registry(name, RegistryArgs(names=own, containers=(*service.container_names, *service.retiring.containers)), opts)
    ci_opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[oidc]))
    ci = CiIdentity(name, CiIdentityArgs.of(own, stack.ci, service), ci_opts)

    # The workload, and its load balancer.
    balancer, alarms = None, None
    if service.load_balancer is not None:
        balancer = LoadBalancer(name, LoadBalancerArgs.of(own, network, stack, service, strategy), opts)
        alarm_args = AlarmsArgs(names=own, limits=stack.alarms, balancer=balancer, topic=topics.alarms.arn)
        alarms = Alarms(name, alarm_args, opts)
    service_args = ServiceArgs(
        stack=stack,
        service=service,
        strategy=strategy,
        cluster=cluster.ready_name,
        network=network,
        balancer=balancer,
        alarms=alarms,
    )
    running = Service(name, service_args, opts)
    Dashboard(name, DashboardArgs(names=own, balancer=balancer), opts)

    # The release: its template, the gate that verifies it, the way it is deployed, the pipeline through all of them.
    parts = strategies.Parts(
        stack=stack,
        service=service,
        running=running,
        network=network,
        balancer=balancer,
        alarms=alarms,
        on_failure=on_failure,
    )
    deployment = strategy.declare(name, parts, opts)
    Template(name, TemplateArgs(names=own, bucket=templates, files=files(stack, service, strategy)), opts)
    gate_args = ReleaseGateArgs(
        names=own,
        containers=service.container_names,
        log_retention_days=service.log_retention_days,
        on_failure=on_failure,
    )
    gate = ReleaseGate(name, gate_args, opts)
    pipeline_args = PipelineArgs(
        names=own,
        execution_mode=stack.execution_mode,
        strategy=strategy,
        deploy=strategy.action_statements(stack, service),
        subnets=network.private_subnet_ids,
        security_group=running.security_group.id,
        approvals=topics.approvals.arn if topics.approvals is not None else None,
        approval_timeout_minutes=stack.approval_timeout_minutes,
        ready=[*handoff.ready, *artifacts.ready, gate, *deployment],
    )
    pipelines[name] = Pipeline(name, pipeline_args, opts)
    Trigger(
        name,
        TriggerArgs(names=own, trigger=stack.trigger, pipeline=pipelines[name].pipeline, on_failure=on_failure),
        opts,
    )

    pulumi.export(
        name,
        {
            "handoff": f"s3://{names.handoff_bucket}/{own.handoff_key}",
            "repositories": {c: own.repository_url(own.repository(c)) for c in service.container_names},
            "ciRoleArns": {c: own.role_arn(f"ci-{c}") for c in ci.roles},
            "pipeline": pipelines[name].url,
            "service": running.url,
            "url": balancer.url if balancer is not None else None,
            "loadBalancer": balancer.dns_name if balancer is not None else None,
        },
    )

# While traffic shifts nothing scales, and people are notified.
days = stack.log_retention_days
if guarded:
    guard_args = ScalingGuardArgs(names=names, services=guarded, log_retention_days=days, on_failure=on_failure)
    ScalingGuard("scaling-guard", guard_args, opts)
if notifications.slack or notifications.chatwork:
    notifier = NotifierArgs.of(names, notifications, log_retention_days=days, on_failure=on_failure)
    Notifier("notify", notifier, opts)
if notifications.chatbot is not None:
    arns = {service: pipeline.pipeline.arn for service, pipeline in pipelines.items()}
    chatbot = ChatbotArgs(
        names=names,
        workspace_id=notifications.chatbot.workspace_id,
        channel_id=notifications.chatbot.channel_id,
        pipelines=arns,
        topic_arn=topics.alarms.arn,
    )
    Chatbot("chatbot", chatbot, opts)

pulumi.run(outputs.settled)
