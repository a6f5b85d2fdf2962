"""The ECS cluster that the services of an environment share."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.naming import Names


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """`Cluster`'s arguments."""

    names: Names


class Cluster(pulumi.ComponentResource):
    """A cluster that offers Fargate on demand and Fargate Spot; each service says which it uses.

    `ready_name` is the cluster's name, once it has its capacity providers.
    """

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Cluster", name, None, opts)
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
        self.register_outputs({"cluster": self.cluster.name})
