"""New tasks are asked through the test listener before anyone meets them."""

import json

import pytest
import yaml

from tests.rehearsed import ACCOUNTS, REGION, STACKS, actions, granted, named, rehearsed, services_with, template

FUNCTION, GROUP = "aws:lambda/function:Function", "aws:ec2/securityGroup:SecurityGroup"


def smoke(stack, mode="up", **overrides):
    return named(rehearsed(stack, mode, **overrides), FUNCTION, f"{stack}-api-smoke").inputs


def variables(stack, **overrides):
    return smoke(stack, **overrides)["environment"]["variables"]


@pytest.mark.parametrize("stack", STACKS)
def test_a_release_asks_it_after_test_traffic_and_before_production_traffic(stack):
    run = rehearsed(stack, "up")
    hooks = yaml.safe_load(template(run, "api")["appspec.yaml"])["Hooks"]

    assert hooks == [{"AfterAllowTestTraffic": named(run, FUNCTION, f"{stack}-api-smoke").outputs["arn"]}]


def test_the_service_s_own_hooks_stand_beside_it_in_the_order_of_the_life_cycle():
    functions = f"arn:aws:lambda:{REGION}:111111111111:function:"
    own = {"afterAllowTraffic": f"{functions}warm-up", "beforeInstall": f"{functions}migrate"}

    run = rehearsed("dev", services=services_with("dev", "api", hooks=own))

    assert yaml.safe_load(template(run, "api")["appspec.yaml"])["Hooks"] == [
        {"BeforeInstall": f"{functions}migrate"},
        {"AfterAllowTestTraffic": f"{functions}dev-api-smoke"},
        {"AfterAllowTraffic": f"{functions}warm-up"},
    ]


@pytest.mark.parametrize(("stack", "scheme"), [("dev", "http"), ("prod", "https")])
def test_it_asks_the_test_listener_over_what_the_listener_speaks(stack, scheme):
    dns = rehearsed(stack, "up").one("aws:lb/loadBalancer:LoadBalancer").outputs["dnsName"]

    assert variables(stack)["SMOKE_URL"] == f"{scheme}://{dns}:8443"


def test_it_asks_by_the_name_that_the_certificate_is_for():
    assert variables("prod")["SMOKE_HOST"] == "api.example.com"


def test_without_checks_of_its_own_it_asks_the_health_check_s_path():
    [check] = json.loads(variables("prod")["SMOKE_CHECKS"])

    assert (check["path"], check["status"]) == ("/healthz", 200)


def test_its_checks_are_the_service_s():
    checks = [{"path": "/version", "status": 200, "contains": "1.", "maxMillis": 500}, {"path": "/old", "status": 301}]
    balancer = {
        "container": "nginx",
        "port": 8080,
        "healthCheck": {"path": "/healthz"},
        "smokeTest": {"checks": checks, "seconds": 120},
    }
    services = services_with("dev", "api", loadBalancer=balancer)

    assert json.loads(variables("dev", services=services)["SMOKE_CHECKS"]) == checks
    assert smoke("dev", services=services)["timeout"] > 120


@pytest.mark.parametrize("stack", STACKS)
def test_it_answers_this_service_s_deployments_only(stack):
    allowed = granted(rehearsed(stack), f"{stack}-api-smoke")

    [answer] = [s for s in allowed.values() if any(a.startswith("codedeploy:") for a in s["Action"])]
    assert answer["Action"] == ["codedeploy:PutLifecycleEventHookExecutionStatus"]
    group = f"{stack}-api/{stack}-api"
    assert answer["Resource"] == [f"arn:aws:codedeploy:{REGION}:{ACCOUNTS[stack]}:deploymentgroup:{group}"]
    assert not {a for a in actions(allowed) if a.startswith(("ecs:", "ecr:", "s3:", "iam:"))}


@pytest.mark.parametrize("stack", STACKS)
def test_it_stands_in_the_private_subnets_in_a_group_of_its_own(stack):
    run = rehearsed(stack, "up")
    tasks = named(run, "aws:ecs/service:Service", f"{stack}-api").inputs["networkConfiguration"]

    vpc = smoke(stack)["vpcConfig"]

    assert vpc["subnetIds"] == tasks["subnets"]
    assert vpc["securityGroupIds"] == [named(run, GROUP, f"{stack}-api-smoke").id]


def test_a_rolling_service_has_none():
    assert "prod-worker-smoke" not in {f.inputs["name"] for f in rehearsed("prod").all(FUNCTION)}
