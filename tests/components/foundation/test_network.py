"""Tasks stand in private subnets, whichever of the three ways the stack says where these are."""

import pytest

from tests.rehearsed import named, rehearsed

VPC, ENDPOINT = "awsx:ec2:Vpc", "aws:ec2/vpcEndpoint:VpcEndpoint"
SERVICE, BALANCER = "aws:ecs/service:Service", "aws:lb/loadBalancer:LoadBalancer"
GROUP = "aws:ec2/securityGroup:SecurityGroup"

EXISTING = {
    "existing": {
        "vpcId": "vpc-0f1e2d3c4b5a69788",
        "privateSubnetIds": ["subnet-0f1e2d3c4b5a69711", "subnet-0f1e2d3c4b5a69712"],
        "publicSubnetIds": ["subnet-0f1e2d3c4b5a69721", "subnet-0f1e2d3c4b5a69722"],
    }
}


OWN_IMAGE = "{}.dkr.ecr.ap-northeast-1.amazonaws.com/docker/library/python:3.13-alpine"


def created(egress, stack="dev", mode="up", **settings):
    # With endpoints and no way out only the account's own registry is reached.
    stand_in = (
        {"standInImage": OWN_IMAGE.format("222222222222" if stack == "prod" else "111111111111")}
        if egress == "endpoints"
        else {}
    )
    return rehearsed(stack, mode, network={"create": {"egress": egress, **settings}}, **stand_in)


def tasks_in(run):
    return {tuple(s.inputs["networkConfiguration"]["subnets"]) for s in run.all(SERVICE)}


def test_an_existing_network_is_taken_as_it_is():
    run = rehearsed("prod", "up", network=EXISTING)

    assert tasks_in(run) == {tuple(EXISTING["existing"]["privateSubnetIds"])}
    assert run.one(BALANCER).inputs["subnets"] == EXISTING["existing"]["publicSubnetIds"]
    assert {g.inputs["vpcId"] for g in run.all(GROUP)} == {"vpc-0f1e2d3c4b5a69788"}


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_network_that_is_looked_up_is_known_at_preview(mode):
    run = rehearsed("prod", mode)

    [tasks] = tasks_in(run)
    assert all(s.startswith("subnet-") for s in tasks)
    assert not set(tasks) & set(run.one(BALANCER).inputs["subnets"]), "tasks stand apart from the public subnets"


@pytest.mark.parametrize(
    ("egress", "gateways", "subnets"),
    [
        ("nat", "OnePerAz", {"Public", "Private"}),
        ("single-nat", "Single", {"Public", "Private"}),
        ("endpoints", "None", {"Public", "Isolated"}),
    ],
)
def test_a_created_network_has_the_way_out_that_was_chosen(egress, gateways, subnets):
    vpc = created(egress, zones=3, cidr="10.20.0.0/16").one(VPC).inputs

    assert vpc["natGateways"] == {"strategy": gateways}
    assert {s["type"] for s in vpc["subnetSpecs"]} == subnets
    assert (vpc["cidrBlock"], vpc["numberOfAvailabilityZones"]) == ("10.20.0.0/16", 3)


@pytest.mark.parametrize("egress", ["nat", "single-nat"])
def test_tasks_of_a_created_network_stand_in_its_private_subnets_and_balancers_in_public_ones(egress):
    run = created(egress, "prod")
    vpc = run.one(VPC).outputs

    assert tasks_in(run) == {tuple(vpc["privateSubnetIds"])}
    assert run.one(BALANCER).inputs["subnets"] == vpc["publicSubnetIds"]
    assert {g.inputs["vpcId"] for g in run.all(GROUP)} == {vpc["vpcId"]}


def test_tasks_without_a_way_out_stand_in_isolated_subnets():
    run = created("endpoints")

    assert tasks_in(run) == {tuple(run.one(VPC).outputs["isolatedSubnetIds"])}


def test_without_a_way_out_endpoints_serve_what_tasks_and_the_smoke_test_call():
    run = created("endpoints")

    found = {e.inputs["serviceName"].removeprefix("com.amazonaws.ap-northeast-1."): e.inputs for e in run.all(ENDPOINT)}

    assert set(found) >= {"ecr.api", "ecr.dkr", "s3", "logs", "secretsmanager", "ssm", "codedeploy"}
    assert (found["s3"]["vpcEndpointType"], bool(found["s3"]["routeTableIds"])) == ("Gateway", True)
    interfaces = [e for service, e in found.items() if service != "s3"]
    assert {e["vpcEndpointType"] for e in interfaces} == {"Interface"}
    assert {e["privateDnsEnabled"] for e in interfaces} == {True}
    assert {tuple(e["subnetIds"]) for e in interfaces} == {tuple(run.one(VPC).outputs["isolatedSubnetIds"])}


def test_endpoints_are_reached_from_inside_the_vpc_over_https_only():
    run = created("endpoints", cidr="10.20.0.0/16")
    group = named(run, GROUP, "dev-endpoints")

    [rule] = [
        r.inputs
        for r in run.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if r.inputs["securityGroupId"] == group.id
    ]

    assert (rule["cidrIpv4"], rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("10.20.0.0/16", "tcp", 443, 443)


@pytest.mark.parametrize("egress", ["nat", "single-nat"])
def test_with_a_way_out_no_endpoint_is_paid_for(egress):
    assert not created(egress).all(ENDPOINT)


def test_a_stack_that_looks_its_network_up_makes_none():
    assert not rehearsed("dev").all(VPC)
