"""Public components by the same arguments from either side: `via: python`, or `via: host` as Pulumi's host gives them."""

import pulumi
import pulumi_aws as aws
from google.protobuf import json_format, struct_pb2
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.runtime import rpc

from components import package
from components.foundation.bucket import PrivateBucket, PrivateBucketArgs
from components.foundation.dead_letters import DeadLetters, DeadLettersArgs, OnFailure
from components.foundation.network import Network, NetworkArgs, VpcByIds
from components.foundation.secrets import SecretName
from components.handoff.bucket import Handoff, HandoffArgs
from components.handoff.ci_identity import CiIdentity, CiIdentityArgs, CircleCiProject, GitHubRepository, ReleaseFrom
from components.handoff.registry import Registry, RegistryArgs
from components.naming import Names, ServiceNames
from components.notices.notifier import ChatworkRoom, Notifier, NotifierArgs, SlackChannel
from components.workload.load_balancer import HealthCheck, LoadBalancer, LoadBalancerArgs, TestListener

OUTPUT, SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4", "4dabf18193072939515e22adb298388d"
VPC, PRIVATE, PUBLIC = "vpc-0a1b2c3d", ["subnet-0a", "subnet-0b"], ["subnet-0c", "subnet-0d"]
CERTIFICATE = "arn:aws:acm:eu-west-1:111111111111:certificate/11111111-2222-3333-4444-555555555555"
QUEUE, TOPIC = "arn:aws:sqs:eu-west-1:111111111111:shop-dead-letters", "arn:aws:sns:eu-west-1:111111111111:shop-alarms"
RULES = ["shop-pipelines-notify", "shop-deployments-notify"]
CIRCLECI = {"organization": "11111111-2222-3333-4444-555555555555", "project": "66666666-7777-8888-9999-000000000000"}
READS = {
    "Sid": "ReadByTheOtherAccount",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::shop-reports/*"],
}


def from_python(environment, opts):
    names = Names(environment=environment, account="111111111111", region="eu-west-1")
    api = ServiceNames(stack=names, service="api")
    existing = VpcByIds(
        vpc_id=pulumi.Output.from_input(VPC),
        private_subnet_ids=pulumi.Output.from_input(PRIVATE),
        public_subnet_ids=pulumi.Output.from_input(PUBLIC),
    )
    github = GitHubRepository(repository="acme/api", owner_id=7, repository_id=8)
    circleci = CircleCiProject(
        organization_id=CIRCLECI["organization"], project_id=CIRCLECI["project"], vcs_origin="github.com/acme/api"
    )
    Network(f"{environment}-network", NetworkArgs(names=names, existing=existing), opts)
    LoadBalancer(
        f"{environment}-api",
        LoadBalancerArgs(
            names=api,
            vpc_id=pulumi.Output.from_input(VPC),
            subnet_ids=pulumi.Output.from_input(PUBLIC),
            internal=False,
            health_check=HealthCheck(
                path="/up",
                matcher="200",
                interval_seconds=10,
                timeout_seconds=5,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            allowed_cidrs=["0.0.0.0/0"],
            certificate_arn=pulumi.Output.from_input(CERTIFICATE),
            host_name="api.example.com",
            target_groups=["blue", "green"],
            test_listener=TestListener(port=8443, cidrs=["10.0.0.0/8"]),
            deregistration_delay_seconds=30,
        ),
        opts,
    )
    PrivateBucket(
        f"{environment}-reports",
        PrivateBucketArgs(
            names=names,
            bucket=f"{environment}-reports",
            kms=True,
            expire_days=90,
            expire_old_versions_days=30,
            statements=[READS],
            protect=True,
        ),
        opts,
    )
    Handoff(f"{environment}-handoff", HandoffArgs(names=names, event_bridge=True), opts)
    Registry(f"{environment}-api", RegistryArgs(names=api, containers=["app", "nginx"]), opts)
    CiIdentity(
        f"{environment}-api",
        CiIdentityArgs(
            names=api, containers=["app", "nginx"], release_from=ReleaseFrom.TAG, github=github, circleci=circleci
        ),
        opts,
    )
    DeadLetters(
        f"{environment}-dead-letters",
        DeadLettersArgs(names=names, rules=RULES, topic_arn=pulumi.Output.from_input(TOPIC)),
        opts,
    )
    Notifier(
        f"{environment}-notifier",
        NotifierArgs(
            names=names,
            slack=[SlackChannel(channel="C0123456789", token=SecretName(secrets_manager="shop/slack", json_key="bot"))],
            chatwork=[ChatworkRoom(room="123", token=SecretName(ssm="/shop/chatwork"))],
            log_retention_days=30,
            on_failure=OnFailure(queue_arn=pulumi.Output.from_input(QUEUE), topic_arn=pulumi.Output.from_input(TOPIC)),
        ),
        opts,
    )


def from_the_host(environment, opts):
    """What a program in another language says, by the wire that the host reads it from."""
    names = {"environment": environment, "account": "111111111111", "region": "eu-west-1"}
    api = {"stack": names, "service": "api"}
    circleci = {
        "organizationId": CIRCLECI["organization"],
        "projectId": CIRCLECI["project"],
        "vcsOrigin": "github.com/acme/api",
    }
    existing = {"vpcId": later(VPC), "privateSubnetIds": later(PRIVATE), "publicSubnetIds": later(PUBLIC)}
    containers = ["app", "nginx"]
    inputs = {
        ("Network", "network"): {"names": names, "existing": existing},
        ("LoadBalancer", "api"): {
            "names": api,
            "vpcId": later(VPC),
            "subnetIds": later(PUBLIC),
            "internal": False,
            "healthCheck": {
                "path": "/up",
                "matcher": "200",
                "intervalSeconds": 10,
                "timeoutSeconds": 5,
                "healthyThreshold": 2,
                "unhealthyThreshold": 3,
            },
            "allowedCidrs": ["0.0.0.0/0"],
            "certificateArn": later(CERTIFICATE),
            "hostName": "api.example.com",
            "targetGroups": ["blue", "green"],
            "testListener": {"port": 8443, "cidrs": ["10.0.0.0/8"]},
            "deregistrationDelaySeconds": 30,
        },
        ("PrivateBucket", "reports"): {
            "names": names,
            "bucket": f"{environment}-reports",
            "kms": True,
            "expireDays": 90,
            "expireOldVersionsDays": 30,
            "statements": [READS],
            "protect": True,
        },
        ("Handoff", "handoff"): {"names": names, "eventBridge": True},
        ("Registry", "api"): {"names": api, "containers": containers},
        ("DeadLetters", "dead-letters"): {"names": names, "rules": RULES, "topicArn": later(TOPIC)},
        ("Notifier", "notifier"): {
            "names": names,
            "slack": [{"channel": "C0123456789", "token": {"secretsManager": "shop/slack", "jsonKey": "bot"}}],
            "chatwork": [{"room": "123", "token": {"ssm": "/shop/chatwork"}}],
            "logRetentionDays": 30,
            "onFailure": {"queueArn": later(QUEUE), "topicArn": later(TOPIC)},
        },
        ("CiIdentity", "api"): {
            "names": api,
            "containers": containers,
            "releaseFrom": "tag",
            "github": {"repository": "acme/api", "ownerId": 7, "repositoryId": 8},
            "circleci": circleci,
        },
    }
    provider = ComponentProvider(list(package.PUBLIC), package.NAME)
    for (component, name), given in inputs.items():
        wire = json_format.ParseDict(given, struct_pb2.Struct())
        made = provider.construct(
            f"{environment}-{name}", f"ecs-release:index:{component}", rpc.deserialize_properties(wire), opts
        )
        pulumi.export(f"{component} {environment}-{name}", sorted(made.state))


def later(value):
    """A value that the program has from another resource, as the engine hands it over."""
    return {SIGNATURE: OUTPUT, "value": value, "dependencies": []}


provider = aws.Provider("aws", region="eu-west-1", allowed_account_ids=["111111111111"])
opts = pulumi.ResourceOptions(providers={"aws": provider})
make = {"python": from_python, "host": from_the_host}[pulumi.Config().require("via")]
for environment in ("shop", "store"):  # a program may have two of each
    make(environment, opts)
