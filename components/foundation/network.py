"""VPC and subnets of tasks and load balancers: existing ones, by tags or ids, or new ones by awsx."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import pulumi
import pulumi_aws as aws

from components import arguments, settings
from components.naming import Names

_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "codedeploy")


class Egress(StrEnum):
    """How private subnets reach AWS."""

    NAT = "nat"
    """A NAT gateway in each zone."""
    SINGLE_NAT = "single-nat"
    """One NAT gateway."""
    ENDPOINTS = "endpoints"
    """VPC endpoints only, without a way to the internet."""


@dataclass(frozen=True, kw_only=True)
class VpcByTags:
    """An existing VPC, found by tags."""

    vpc_tags: dict[str, str]
    """Tags of the VPC."""
    private_subnet_tags: dict[str, str]
    """Tags of the subnets of tasks."""
    public_subnet_tags: dict[str, str] | None = None
    """Tags of the subnets of internet-facing load balancers."""


@dataclass(frozen=True, kw_only=True)
class VpcByIds:
    """An existing VPC by its ids."""

    vpc_id: pulumi.Input[str]
    """The VPC."""
    private_subnet_ids: pulumi.Input[Sequence[str]]
    """Subnets of tasks."""
    public_subnet_ids: pulumi.Input[Sequence[str]] | None = None
    """Subnets of internet-facing load balancers."""


@dataclass(frozen=True, kw_only=True)
class NewVpc:
    """A VPC that is made with the network."""

    cidr: str
    """Its IPv4 range, a size from /16 to /24."""
    zones: int
    """Number of availability zones."""
    egress: Egress
    """How private subnets reach AWS."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`Network`'s arguments: one of `look_up`, `existing` and `create`."""

    names: Names
    """Environment, account and region."""
    look_up: VpcByTags | None = None
    """An existing VPC, found by tags."""
    existing: VpcByIds | None = None
    """An existing VPC by its ids."""
    create: NewVpc | None = None
    """A VPC of its own."""

    @classmethod
    def of(cls, names: Names, network: settings.Network) -> Self:
        """From the stack's settings, which call all of it the same."""
        return arguments.read(cls, {"names": names, **network.model_dump()})


class Network(pulumi.ComponentResource):
    """A VPC with subnets for tasks and for load balancers: an existing one, or one of its own."""

    vpc_id: pulumi.Output[str]
    """The VPC."""
    private_subnet_ids: pulumi.Output[Sequence[str]]
    """Subnets of tasks and internal load balancers."""
    public_subnet_ids: pulumi.Output[Sequence[str]]
    """Subnets of internet-facing load balancers; none where the arguments name none."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Network", name, None, opts)
        args = arguments.read(NetworkArgs, args)
        given = [key for key in ("look_up", "existing", "create") if getattr(args, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise arguments.ArgumentError(f"NetworkArgs: {found}; allowed: one of look_up, existing and create")
        if args.create is not None:
            self._create(name, args.names, args.create)
        elif args.look_up is not None:
            self._look_up(args.look_up)
        elif args.existing is not None:
            self.vpc_id = pulumi.Output.from_input(args.existing.vpc_id)
            self.private_subnet_ids = pulumi.Output.from_input(args.existing.private_subnet_ids)
            self.public_subnet_ids = pulumi.Output.from_input(args.existing.public_subnet_ids or ())
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "privateSubnetIds": self.private_subnet_ids,
                "publicSubnetIds": self.public_subnet_ids,
            }
        )

    def _look_up(self, tags: VpcByTags) -> None:
        opts = pulumi.InvokeOutputOptions(parent=self)
        vpc_id = aws.ec2.get_vpc_output(tags=tags.vpc_tags, opts=opts).id

        def inside(vpc: str) -> list[aws.ec2.GetSubnetsFilterArgsDict]:
            return [{"name": "vpc-id", "values": [vpc]}]

        def subnets(tags: dict[str, str]) -> pulumi.Output[list[str]]:
            return aws.ec2.get_subnets_output(filters=vpc_id.apply(inside), tags=tags, opts=opts).ids

        self.vpc_id = vpc_id
        self.private_subnet_ids = subnets(tags.private_subnet_tags)
        self.public_subnet_ids = (
            subnets(tags.public_subnet_tags) if tags.public_subnet_tags else pulumi.Output.from_input([])
        )

    def _create(self, name: str, names: Names, create: NewVpc) -> None:
        import pulumi_awsx as awsx  # noqa: PLC0415  (a second's import that only a created VPC is worth)

        nat = awsx.ec2.NatGatewayStrategy
        subnet = awsx.ec2.SubnetType
        vpc = awsx.ec2.Vpc(
            name,
            cidr_block=create.cidr,
            number_of_availability_zones=create.zones,
            nat_gateways={
                "strategy": {
                    Egress.NAT: nat.ONE_PER_AZ,
                    Egress.SINGLE_NAT: nat.SINGLE,
                    Egress.ENDPOINTS: nat.NONE,
                }[create.egress]
            },
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            subnet_specs=[
                {"type": subnet.PUBLIC},
                {"type": subnet.ISOLATED if create.egress == Egress.ENDPOINTS else subnet.PRIVATE},
            ],
            enable_dns_hostnames=True,
            tags={"Name": names.cluster},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.vpc_id = vpc.vpc_id
        self.public_subnet_ids = vpc.public_subnet_ids
        if create.egress != Egress.ENDPOINTS:
            self.private_subnet_ids = vpc.private_subnet_ids
            return
        self.private_subnet_ids = vpc.isolated_subnet_ids
        self._endpoints(name, names, create.cidr, vpc)

    def _endpoints(self, name: str, names: Names, cidr: str, vpc: pulumi.Resource) -> None:
        """VPC endpoints for Fargate tasks and the smoke test, without access to the internet.

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
