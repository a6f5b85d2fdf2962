"""A person sees on one page how a release goes: both colours, the tasks, the alarms."""

import json

import pytest

from tests.rehearsed import STACKS, named, rehearsed

DASHBOARD, GROUP = "aws:cloudwatch/dashboard:Dashboard", "aws:lb/targetGroup:TargetGroup"


def body(stack, service):
    found = named(rehearsed(stack, "up"), DASHBOARD, f"{stack}-{service}", key="dashboardName")
    return json.loads(found.inputs["dashboardBody"])["widgets"]


@pytest.mark.parametrize("stack", STACKS)
def test_traffic_is_shown_by_colour(stack):
    run = rehearsed(stack, "up")
    groups = {named(run, GROUP, f"{stack}-api-{c}").outputs["arnSuffix"] for c in ("blue", "green")}

    shown = [
        {value for line in w["properties"]["metrics"] for value in line if isinstance(value, str)}
        for w in body(stack, "api")
        if "AWS/ApplicationELB" in str(w)
    ]

    assert len(shown) >= 3
    assert all(groups <= line for line in shown)


@pytest.mark.parametrize("stack", STACKS)
def test_its_alarms_are_those_by_which_a_release_rolls_back(stack):
    run = rehearsed(stack, "up")
    group = named(run, "aws:codedeploy/deploymentGroup:DeploymentGroup", f"{stack}-api", key="deploymentGroupName")
    watched = group.inputs["alarmConfiguration"]["alarms"]
    alarms = run.all("aws:cloudwatch/metricAlarm:MetricAlarm")
    arns = {a.outputs["arn"] for a in alarms if a.inputs["name"] in watched}

    [shown] = [w["properties"]["alarms"] for w in body(stack, "api") if w["type"] == "alarm"]

    assert set(shown) == arns


def test_a_service_without_a_load_balancer_shows_its_tasks():
    widgets = body("prod", "worker")

    assert "AWS/ApplicationELB" not in str(widgets)
    assert all("prod-worker" in str(w) for w in widgets)


@pytest.mark.parametrize("service", ["api", "worker"])
def test_widgets_lie_beside_each_other_not_upon(service):
    places = [(w["x"], w["y"]) for w in body("prod", service)]

    assert len(places) == len(set(places))
    assert all(w["x"] + w["width"] <= 24 for w in body("prod", service))
