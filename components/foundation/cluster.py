"""The ECS cluster that the services of an environment share."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import arguments
from components.naming import Names


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """`Cluster`'s arguments."""

    names: Names
    """Environment, account and region; the cluster bears the environment's name."""


class Cluster(pulumi.ComponentResource):
    """A cluster that offers Fargate on demand and Fargate Spot; each service says which it uses."""

    ready_name: pulumi.Output[str]
    """The cluster's name, once it has its capacity providers."""
    arn: pulumi.Output[str]
    """The cluster's ARN."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Cluster", name, None, opts)
        args = arguments.read(ClusterArgs, args)
        self.cluster = aws.ecs.Cluster(
            name,
            name=args.names.cluster,
            settings=[{"name": "containerInsights", "value": "enabled"}],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.capacity_providers = aws.ecs.ClusterCapacityProviders(
            name,
            cluster_name=self.cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=pulumi.ResourceOptions(parent=self.cluster),
        )
        self.ready_name = self.capacity_providers.cluster_name
        self.arn = self.cluster.arn
        self.register_outputs({"readyName": self.ready_name, "arn": self.arn})
