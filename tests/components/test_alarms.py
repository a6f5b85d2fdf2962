"""Alarms see blue and green together, and a deployment rolls back by them."""

import math
import re

import pytest

from tests.rehearsed import STACKS, named, rehearsed, services_with

ALARM, GROUP = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:lb/targetGroup:TargetGroup"
KINDS = pytest.mark.parametrize("kind", ["errors", "latency", "unhealthy-hosts"])


def alarm(stack, kind):
    return named(rehearsed(stack, "up"), ALARM, f"{stack}-api-{kind}").inputs


def metrics(found):
    """Metric queries by id, without the expression."""
    return {q["id"]: q["metric"] for q in found["metricQueries"] if "metric" in q}


def computed(found, **values):
    """The alarm's expression for one period, by CloudWatch's rules; a metric that is not given has no data.

    FILL(m, 0) is 0 without data, IF chooses, MAX of a list is its greatest (CloudWatch user guide, "Metric math").
    """
    [expression] = [q["expression"] for q in found["metricQueries"] if "expression" in q]
    assert set(re.findall(r"[a-z]+\d*(?=[,)])", expression)) <= set(metrics(found)), "it uses only metrics that it has"
    scope = dict.fromkeys(metrics(found), math.nan) | values
    functions = {
        "FILL": lambda value, instead: instead if math.isnan(value) else value,
        "IF": lambda condition, then, otherwise: then() if condition else otherwise(),
        "MAX": max,
    }
    text = re.sub(r"^IF\((.*),(100\*.*),0\)$", r"IF(\1, lambda: \2, lambda: 0)", expression)
    return eval(text, {"__builtins__": {}} | functions | scope)  # noqa: S307  (our own text)


@pytest.mark.parametrize("stack", STACKS)
@KINDS
def test_an_alarm_takes_both_target_groups(stack, kind):
    run = rehearsed(stack, "up")
    groups = {named(run, GROUP, f"{stack}-api-{c}").outputs["arnSuffix"] for c in ("blue", "green")}

    by_name = {}
    for metric in metrics(alarm(stack, kind)).values():
        by_name.setdefault(metric["metricName"], set()).add(metric["dimensions"].get("TargetGroup"))

    by_name.pop("HTTPCode_ELB_5XX_Count", None)  # what the load balancer itself could not answer has no target
    assert by_name
    assert all(seen == groups for seen in by_name.values())


@pytest.mark.parametrize(
    ("values", "percent"),
    [
        ({"requests0": 100, "failed0": 10}, 10),
        ({"requests0": 50, "failed0": 10, "requests1": 50}, 10),
        ({"requests0": 90, "requests1": 10, "failed1": 10}, 10),
        ({"requests0": 100}, 0),
        ({}, 0),
        ({"unanswered": 5}, 100),
        ({"requests0": 95, "unanswered": 5}, 5),
    ],
    ids=["blue alone", "blue fails", "green fails", "no error", "no traffic", "no task answers", "some unanswered"],
)
def test_the_error_ratio_is_over_all_requests_wherever_they_went(values, percent):
    assert computed(alarm("prod", "errors"), **values) == pytest.approx(percent)


def test_the_slower_group_counts():
    assert computed(alarm("prod", "latency"), group0=0.1, group1=2.5) == 2.5
    assert computed(alarm("prod", "latency"), group0=0.4) == 0.4


def test_unhealthy_tasks_of_both_groups_add_up():
    assert computed(alarm("prod", "unhealthy-hosts"), group0=1, group1=2) == 3
    assert computed(alarm("prod", "unhealthy-hosts")) == 0


@pytest.mark.parametrize(
    ("kind", "comparison", "threshold"),
    [
        ("errors", "GreaterThanThreshold", 1),
        ("latency", "GreaterThanThreshold", 1),
        ("unhealthy-hosts", "GreaterThanOrEqualToThreshold", 2),
    ],
)
def test_the_thresholds_are_the_stack_s(kind, comparison, threshold):
    found = alarm("prod", kind)

    assert (found["comparisonOperator"], found["threshold"]) == (comparison, threshold)


@KINDS
def test_a_night_without_traffic_is_no_alarm(kind):
    assert alarm("prod", kind)["treatMissingData"] == "notBreaching"


@pytest.mark.parametrize("stack", STACKS)
@KINDS
def test_one_query_is_the_result_and_all_are_measured_alike(stack, kind):
    found = alarm(stack, kind)

    assert [q["id"] for q in found["metricQueries"] if q.get("returnData")] == ["result"]
    assert {m["period"] for m in metrics(found).values()} == {60}
    assert {m["namespace"] for m in metrics(found).values()} == {"AWS/ApplicationELB"}


@KINDS
def test_people_hear_of_it(kind):
    topic = named(rehearsed("prod", "up"), "aws:sns/topic:Topic", "prod-alarms").outputs["arn"]

    assert alarm("prod", kind)["alarmActions"] == [topic]


def test_a_rolling_service_behind_a_load_balancer_has_alarms_over_its_one_group_and_rolls_back_by_them():
    containers = [{"name": "worker", "ports": [9000]}]
    balancer = {"container": "worker", "port": 9000}
    run = rehearsed("dev", "up", services=services_with("dev", "worker", containers=containers, loadBalancer=balancer))

    names = {a.inputs["name"] for a in run.all(ALARM) if "-worker-" in a.inputs["name"]}

    found = named(run, "aws:ecs/service:Service", "dev-worker").inputs["alarms"]
    assert names == {"dev-worker-errors", "dev-worker-latency", "dev-worker-unhealthy-hosts"}
    assert (set(found["alarmNames"]), found["enable"], found["rollback"]) == (names, True, True)
