"""CodeDeploy shifts this service's traffic, takes it back when something is wrong, and can touch nothing else."""

import pytest

from tests.rehearsed import (
    ACCOUNTS,
    REGION,
    STACKS,
    actions,
    depends_on,
    granted,
    named,
    rehearsed,
    services_with,
    trust,
)

GROUP, LISTENER = "aws:codedeploy/deploymentGroup:DeploymentGroup", "aws:lb/listener:Listener"


def group(stack, mode="preview", **overrides):
    return named(rehearsed(stack, mode, **overrides), GROUP, f"{stack}-api", "deploymentGroupName").inputs


@pytest.mark.parametrize("stack", STACKS)
def test_a_release_rolls_back_on_failure_on_alarm_and_on_request(stack):
    found = group(stack)

    assert found["autoRollbackConfiguration"]["enabled"] is True
    assert set(found["autoRollbackConfiguration"]["events"]) == {
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
        "DEPLOYMENT_STOP_ON_REQUEST",
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_alarms_that_it_watches_exist_and_speak_of_its_own_tasks(stack):
    alarms = {a.inputs["name"] for a in rehearsed(stack).all("aws:cloudwatch/metricAlarm:MetricAlarm")}

    found = group(stack)["alarmConfiguration"]

    # Not those of the release's own functions: a gate that failed rolls nothing back.
    assert set(found["alarms"]) == {f"{stack}-api-{kind}" for kind in ("errors", "latency", "unhealthy-hosts")}
    assert set(found["alarms"]) <= alarms
    assert found["enabled"] is True
    assert not found.get("ignorePollAlarmFailure")


@pytest.mark.parametrize("stack", STACKS)
def test_traffic_shifts_between_blue_and_green_at_the_two_listeners(stack):
    run = rehearsed(stack, "up")
    listeners = {r.name: r.outputs["arn"] for r in run.all(LISTENER)}

    routes = group(stack, "up")["loadBalancerInfo"]["targetGroupPairInfo"]

    assert routes["prodTrafficRoute"] == {"listenerArns": [listeners["api-https" if stack == "prod" else "api-http"]]}
    assert routes["testTrafficRoute"] == {"listenerArns": [listeners["api-test"]]}
    assert [g["name"] for g in routes["targetGroups"]] == [f"{stack}-api-blue", f"{stack}-api-green"]
    assert group(stack)["deploymentStyle"] == {
        "deploymentType": "BLUE_GREEN",
        "deploymentOption": "WITH_TRAFFIC_CONTROL",
    }


@pytest.mark.parametrize(
    ("stack", "configuration", "bake"),
    [
        ("dev", "CodeDeployDefault.ECSAllAtOnce", 5),
        ("stg", "CodeDeployDefault.ECSCanary10Percent5Minutes", 10),
        ("prod", "CodeDeployDefault.ECSLinear10PercentEvery1Minutes", 60),
    ],
)
def test_each_environment_shifts_and_bakes_as_it_says(stack, configuration, bake):
    found = group(stack)

    assert found["deploymentConfigName"] == configuration
    assert found["blueGreenDeploymentConfig"]["terminateBlueInstancesOnDeploymentSuccess"] == {
        "action": "TERMINATE",
        "terminationWaitTimeInMinutes": bake,
    }


def test_an_automatic_shift_waits_for_nobody():
    ready = group("prod")["blueGreenDeploymentConfig"]["deploymentReadyOption"]

    assert ready == {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}


def test_a_manual_shift_that_nobody_begins_stops():
    found = group("dev", deployment={"reroute": "manual", "rerouteTimeoutMinutes": 90})

    ready = found["blueGreenDeploymentConfig"]["deploymentReadyOption"]
    assert ready == {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 90}


@pytest.mark.parametrize("stack", STACKS)
def test_it_deploys_the_service_that_exists_and_waits_for_it(stack):
    run = rehearsed(stack)
    found = named(run, GROUP, f"{stack}-api", "deploymentGroupName")

    assert found.inputs["ecsService"] == {"clusterName": stack, "serviceName": f"{stack}-api"}
    assert {s.inputs["name"] for s in depends_on(run, found, "aws:ecs/service:Service")} == {f"{stack}-api"}


# ---------------------------------------------------------------- what CodeDeploy may do


@pytest.mark.parametrize("stack", STACKS)
def test_codedeploy_touches_this_service_s_tasks_and_listeners_only(stack):
    allowed, account = granted(rehearsed(stack), f"{stack}-api-codedeploy"), ACCOUNTS[stack]
    resources = {a: s["Resource"] for s in allowed.values() for a in s["Action"]}

    ecs, elb = f"arn:aws:ecs:{REGION}:{account}", f"arn:aws:elasticloadbalancing:{REGION}:{account}"
    for action in ("UpdateServicePrimaryTaskSet", "DescribeServices"):
        assert resources[f"ecs:{action}"] == [f"{ecs}:service/{stack}/{stack}-api"]
    for action in ("CreateTaskSet", "DeleteTaskSet"):
        assert resources[f"ecs:{action}"] == [f"{ecs}:task-set/{stack}/{stack}-api/*"]
    for action, kind in (("ModifyListener", "listener"), ("ModifyRule", "listener-rule")):
        assert resources[f"elasticloadbalancing:{action}"] == [f"{elb}:{kind}/app/{stack}-api/*"]
    everywhere = {a for a, r in resources.items() if "*" in r}
    assert all(a.startswith("elasticloadbalancing:Describe") for a in everywhere)


@pytest.mark.parametrize("stack", STACKS)
def test_codedeploy_passes_the_two_roles_of_the_tasks_to_ecs_and_no_other(stack):
    passing = granted(rehearsed(stack), f"{stack}-api-codedeploy")["GiveTasksTheirRoles"]

    roles = f"arn:aws:iam::{ACCOUNTS[stack]}:role/{stack}-api"
    assert passing["Resource"] == [f"{roles}-task", f"{roles}-execution"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_codedeploy_reads_alarms_of_this_account_and_region_and_does_no_more_with_them():
    allowed = granted(rehearsed("prod"), "prod-api-codedeploy")["ReadAlarms"]

    assert group("prod")["alarmConfiguration"]["alarms"]
    assert allowed["Resource"] == [f"arn:aws:cloudwatch:{REGION}:222222222222:alarm:*"]
    assert allowed["Action"] == ["cloudwatch:DescribeAlarms"]


@pytest.mark.parametrize("stack", STACKS)
def test_codedeploy_calls_the_smoke_test_and_the_service_s_own_hooks(stack):
    functions = f"arn:aws:lambda:{REGION}:{ACCOUNTS[stack]}:function:"
    own = {"beforeInstall": f"{functions}migrate", "afterAllowTraffic": f"{functions}warm-up"}
    run = rehearsed(stack, services=services_with(stack, "api", hooks=own))

    calls = granted(run, f"{stack}-api-codedeploy")["RunItsHooks"]

    assert calls["Action"] == ["lambda:InvokeFunction"]
    assert set(calls["Resource"]) == {*own.values(), f"{functions}{stack}-api-smoke"}


@pytest.mark.parametrize("stack", STACKS)
def test_only_codedeploy_takes_the_role(stack):
    [statement] = trust(rehearsed(stack), f"{stack}-api-codedeploy")

    assert statement["Principal"] == {"Service": "codedeploy.amazonaws.com"}


def test_a_rolling_service_needs_no_codedeploy():
    run = rehearsed("prod")

    assert {g.inputs["appName"] for g in run.all(GROUP)} == {"prod-api"}
    assert "codedeploy:CreateDeployment" not in actions(granted(run, "prod-worker-deploy-action"))
