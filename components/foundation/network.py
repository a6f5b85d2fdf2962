"""Where tasks and load balancers stand: an existing VPC, found by tags or ids, or one made here by awsx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import settings
from components.naming import Names
from components.needs import Place

_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "codedeploy")


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`Network`'s arguments."""

    names: Names
    settings: settings.Network


class Network(pulumi.ComponentResource):
    """`vpc_id`, `private_subnet_ids` (tasks) and `public_subnet_ids` (internet-facing load balancers)."""

    vpc_id: pulumi.Input[str]
    private_subnet_ids: pulumi.Input[Sequence[str]]
    public_subnet_ids: pulumi.Input[Sequence[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Network", name, None, opts)
        if args.settings.create is not None:
            self._create(name, args.names, args.settings.create)
        elif args.settings.look_up is not None:
            self._look_up(args.settings.look_up)
        elif args.settings.existing is not None:
            self.vpc_id = args.settings.existing.vpc_id
            self.private_subnet_ids = args.settings.existing.private_subnet_ids
            self.public_subnet_ids = args.settings.existing.public_subnet_ids
        Place(name, self.vpc_id, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"vpcId": self.vpc_id})

    def _look_up(self, tags: settings.LookUpNetwork) -> None:
        opts = pulumi.InvokeOutputOptions(parent=self)
        vpc_id = aws.ec2.get_vpc_output(tags=tags.vpc_tags, opts=opts).id

        def inside(vpc: str) -> list[aws.ec2.GetSubnetsFilterArgsDict]:
            return [{"name": "vpc-id", "values": [vpc]}]

        def subnets(tags: dict[str, str]) -> pulumi.Output[list[str]]:
            return aws.ec2.get_subnets_output(filters=vpc_id.apply(inside), tags=tags, opts=opts).ids

        self.vpc_id = vpc_id
        self.private_subnet_ids = subnets(tags.private_subnet_tags)
        self.public_subnet_ids = subnets(tags.public_subnet_tags) if tags.public_subnet_tags else ()

    def _create(self, name: str, names: Names, create: settings.CreateNetwork) -> None:
        import pulumi_awsx as awsx  # noqa: PLC0415  (a second's import that only a created VPC is worth)

        nat = awsx.ec2.NatGatewayStrategy
        subnet = awsx.ec2.SubnetType
        vpc = awsx.ec2.Vpc(
            name,
            cidr_block=create.cidr,
            number_of_availability_zones=create.zones,
            nat_gateways={
                "strategy": {"nat": nat.ONE_PER_AZ, "single-nat": nat.SINGLE, "endpoints": nat.NONE}[create.egress]
            },
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            subnet_specs=[
                {"type": subnet.PUBLIC},
                {"type": subnet.ISOLATED if create.egress == "endpoints" else subnet.PRIVATE},
            ],
            enable_dns_hostnames=True,
            tags={"Name": names.cluster},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.vpc_id = vpc.vpc_id
        self.public_subnet_ids = vpc.public_subnet_ids
        if create.egress != "endpoints":
            self.private_subnet_ids = vpc.private_subnet_ids
            return
        self.private_subnet_ids = vpc.isolated_subnet_ids
        self._endpoints(name, names, create.cidr, vpc)

    def _endpoints(self, name: str, names: Names, cidr: str, vpc: pulumi.Resource) -> None:
        """What Fargate tasks and the smoke test need where there is no way to the internet.

        Source: Amazon ECR user guide, "Amazon ECR interface VPC endpoints"; layers come from S3 by its gateway.
        """
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-endpoints",
            name=f"{names.environment}-endpoints",
            description="VPC endpoints, reached from inside the VPC",
            vpc_id=self.vpc_id,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-endpoints",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        tables = aws.ec2.get_route_tables_output(
            vpc_id=self.vpc_id, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[vpc])
        )
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{names.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=tables.ids,
            opts=child,
        )
        for service in _ENDPOINTS:
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{names.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.private_subnet_ids,
                security_group_ids=[group.id],
                opts=child,
            )
