"""Scaling is suspended while traffic shifts: for this environment's blue/green services, and nobody else's."""

import json

import pytest
from moto.events.models import EventPattern, EventPatternParser

from components import iam
from components.naming import Names
from components.strategies.scaling_guard import guard_statements, guarded
from functions.guard import scaling_guard
from tests.rehearsed import ACCOUNTS, REGION, STACKS, granted, named, rehearsed, services_with

FUNCTION, RULE = "aws:lambda/function:Function", "aws:cloudwatch/eventRule:EventRule"
TARGET = "aws:appautoscaling/target:Target"


def deployment_event(application, state):
    """CodeDeploy user guide, "Monitoring deployments with Amazon CloudWatch Events"."""
    return {
        "source": "aws.codedeploy",
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "account": "222222222222",
        "region": REGION,
        "detail": {
            "application": application,
            "deploymentGroup": application,
            "deploymentId": "d-123456789",
            "state": state,
            "region": REGION,
        },
    }


def told(stack, event):
    pattern = named(rehearsed(stack), RULE, f"{stack}-deployments-guard").inputs["eventPattern"]
    return EventPattern(pattern, EventPatternParser(pattern).parse()).matches_event(event)


@pytest.mark.parametrize("state", ["START", "SUCCESS", "FAILURE", "STOP", "READY"])
def test_it_is_told_of_every_beginning_and_end(state):
    assert told("prod", deployment_event("prod-api", state))


@pytest.mark.parametrize("application", ["stg-api", "dev-api", "dev1-api", "production-api", "api"])
def test_other_environments_deployments_are_not_its_own(application):
    assert not told("prod", deployment_event(application, "START"))


def test_dev_s_guard_is_not_told_of_dev1():
    assert told("dev", deployment_event("dev-api", "START"))
    assert not told("dev", deployment_event("dev1-api", "START"))


@pytest.mark.parametrize("stack", STACKS)
def test_a_sweep_finds_what_an_event_that_got_lost_left_suspended(stack):
    sweep = named(rehearsed(stack), RULE, f"{stack}-sweep-guard").inputs

    assert sweep["scheduleExpression"] == "rate(15 minutes)"
    assert sweep.get("state", "ENABLED") == "ENABLED"


@pytest.mark.parametrize("stack", STACKS)
def test_it_guards_the_scalable_targets_that_exist(stack):
    run = rehearsed(stack)
    config = json.loads(
        named(run, FUNCTION, f"{stack}-scaling-guard").inputs["environment"]["variables"]["GUARDED_SERVICES"]
    )

    assert config["services"] == ["api"]
    targets = {t.inputs["resourceId"] for t in run.all(TARGET)}
    groups = run.all("aws:codedeploy/deploymentGroup:DeploymentGroup")
    for service in config["services"]:
        filled = {k: v.replace("{service}", service) for k, v in config.items() if isinstance(v, str)}
        assert filled["resourceId"] in targets
        assert (filled["application"], filled["group"]) in {
            (g.inputs["appName"], g.inputs["deploymentGroupName"]) for g in groups
        }


@pytest.mark.parametrize("stack", STACKS)
def test_it_remembers_in_a_parameter_that_it_may_write(stack):
    run = rehearsed(stack)
    config = json.loads(
        named(run, FUNCTION, f"{stack}-scaling-guard").inputs["environment"]["variables"]["GUARDED_SERVICES"]
    )
    [memory] = [s for s in granted(run, f"{stack}-scaling-guard").values() if "ssm:PutParameter" in s["Action"]]

    prefix = f"arn:aws:ssm:{REGION}:{ACCOUNTS[stack]}:parameter"
    assert memory["Resource"] == [f"{prefix}{config['parameter'].replace('{service}', '*')}"]
    assert config["parameter"].startswith(f"/ecs-release/{stack}/")


@pytest.mark.parametrize("stack", STACKS)
def test_what_people_let_scale_it_reads_and_never_writes(stack):
    run = rehearsed(stack)
    config = json.loads(
        named(run, FUNCTION, f"{stack}-scaling-guard").inputs["environment"]["variables"]["GUARDED_SERVICES"]
    )
    said = f"arn:aws:ssm:{REGION}:{ACCOUNTS[stack]}:parameter{config['letItScale'].replace('{service}', '*')}"

    assert [s["Action"] for s in granted(run, f"{stack}-scaling-guard").values() if said in s["Resource"]] == [
        ["ssm:GetParameter"]
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_a_service_that_stays_suspended_sounds_an_alarm(stack, capsys):
    run = rehearsed(stack, "up")
    variables = named(run, FUNCTION, f"{stack}-scaling-guard").inputs["environment"]["variables"]
    alarm = named(run, "aws:cloudwatch/metricAlarm:MetricAlarm", f"{stack}-scaling-suspended").inputs

    scaling_guard.tell_of(["api"])
    counted = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"][0]

    assert (alarm["namespace"], alarm["metricName"]) == (counted["Namespace"], counted["Metrics"][0]["Name"])
    assert alarm["dimensions"] == {"Environment": variables["ENVIRONMENT"]}
    assert alarm["alarmActions"] == [f"arn:aws:sns:{REGION}:{ACCOUNTS[stack]}:{stack}-alarms"]


@pytest.mark.parametrize("stack", STACKS)
def test_it_can_suspend_ecs_services_alone(stack):
    [suspending] = [
        s
        for s in granted(rehearsed(stack), f"{stack}-scaling-guard").values()
        if "application-autoscaling:RegisterScalableTarget" in s["Action"]
    ]

    assert suspending["Condition"] == {
        "StringEquals": {
            "application-autoscaling:service-namespace": "ecs",
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
        }
    }


def test_without_a_blue_green_service_there_is_nothing_to_guard():
    [worker] = [s for s in services_with("dev", "worker") if s["name"] == "worker"]

    run = rehearsed("dev", services=[worker])

    assert "dev-scaling-guard" not in {f.inputs["name"] for f in run.all(FUNCTION)}


def test_a_hundred_services_fit_into_the_function_s_environment_and_its_role():
    names = Names(environment="dev", account="111111111111", region=REGION)

    services = tuple(f"service-{i:03}" for i in range(100))
    variable = json.dumps(guarded(names, services))
    policy = iam.document(*guard_statements(names, services))

    assert len("GUARDED_SERVICES") + len(variable) < 4096
    assert len(policy) < 10_240


@pytest.mark.parametrize("stack", STACKS)
def test_it_may_update_the_services_that_codedeploy_owns_and_no_other(stack):
    """Application Auto Scaling asks it of its caller; a rolling service would take another task definition by it."""
    run = rehearsed(stack)
    owned = {
        f"arn:aws:ecs:{REGION}:{ACCOUNTS[stack]}:service/{s.inputs['cluster'].rpartition('/')[2]}/{s.inputs['name']}"
        for s in run.all("aws:ecs/service:Service")
        if s.inputs["deploymentController"]["type"] == "CODE_DEPLOY"
    }

    [asked] = [s for s in granted(run, f"{stack}-scaling-guard").values() if "ecs:UpdateService" in s["Action"]]

    assert set(asked["Action"]) == {"ecs:DescribeServices", "ecs:UpdateService"}
    assert set(asked["Resource"]) == owned
