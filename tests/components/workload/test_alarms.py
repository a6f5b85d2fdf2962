"""Alarms see blue and green together, and a deployment rolls back by them."""

import math
import operator
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
    """The alarm's expression for one period, by CloudWatch's rules; nan where there is no data.

    FILL(m, 0) is 0 without data; MAX and SUM of a list take the values that are there; a division by zero and
    arithmetic without data give no data (CloudWatch user guide, "Using metric math").
    """
    [expression] = [q["expression"] for q in found["metricQueries"] if "expression" in q]
    assert set(re.findall(r"[a-z]+\d*(?=[,)\]])", expression)) <= set(metrics(found)), "it uses only metrics it has"

    def over(function):
        return lambda items: function(there) if (there := [i for i in items if not math.isnan(i)]) else math.nan

    functions = {
        "FILL": lambda value, instead: instead if math.isnan(value) else value,
        "MAX": over(max),
        "SUM": over(sum),
    }
    scope = {"__builtins__": {}} | functions | dict.fromkeys(metrics(found), math.nan) | values
    try:
        return float(eval(expression, scope))  # noqa: S307  (our own text)
    except ZeroDivisionError:
        return math.nan


BEYOND = {"GreaterThanThreshold": operator.gt, "GreaterThanOrEqualToThreshold": operator.ge}


def state(found, minutes, seen_further_back=2):
    """OK or ALARM after these minutes, the newest last, each with its metrics; by CloudWatch's rules.

    Of a range somewhat longer than the evaluation periods the newest real points count; only where there are fewer of
    them than evaluation periods, missing ones are filled in as the alarm says. How far back the range reaches is not
    documented. (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" and "Alarm evaluation".)
    """
    wanted = found["evaluationPeriods"]
    points = [computed(found, **m) for m in minutes][-wanted - seen_further_back :]
    real = [p for p in points if not math.isnan(p)]
    beyond = [BEYOND[found["comparisonOperator"]](p, found["threshold"]) for p in real[-wanted:]]
    assert found["treatMissingData"] == "notBreaching"
    return "ALARM" if sum(beyond) >= found["datapointsToAlarm"] else "OK"


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
        ({"unanswered": 5}, 100),
        ({"requests0": 95, "unanswered": 5}, 5),
    ],
    ids=["blue alone", "blue fails", "green fails", "no error", "no task answers", "some unanswered"],
)
def test_the_error_ratio_is_over_all_requests_wherever_they_went(values, percent):
    assert computed(alarm("prod", "errors"), **values) == pytest.approx(percent)


def test_the_slower_group_counts():
    assert computed(alarm("prod", "latency"), group0=0.1, group1=2.5) == 2.5
    assert computed(alarm("prod", "latency"), group0=0.4) == 0.4


def test_unhealthy_tasks_of_both_groups_add_up():
    assert computed(alarm("prod", "unhealthy-hosts"), group0=1, group1=2) == 3
    assert computed(alarm("prod", "unhealthy-hosts"), group0=1) == 1


QUIET, NOTHING = {"errors": {"requests0": 100}, "latency": {"group0": 0.1}, "unhealthy-hosts": {"group0": 0}}, {}
BROKEN = {
    "errors": {"requests0": 100, "failed0": 50},
    "latency": {"group0": 0.1, "group1": 9},
    "unhealthy-hosts": {"group0": 0, "group1": 4},
}


@KINDS
@pytest.mark.parametrize("further", [0, 1, 2, 5])
@pytest.mark.parametrize("late", [0, 1, 2])
def test_an_outage_sounds_however_late_the_newest_measurements_come(kind, late, further):
    found = alarm("prod", kind)
    minutes = [QUIET[kind]] * 10 + [BROKEN[kind]] * found["datapointsToAlarm"] + [NOTHING] * late

    assert state(found, minutes, further) == "ALARM"


@pytest.mark.parametrize("late", [1, 2])
def test_failures_that_come_later_than_the_requests_sound_all_the_same(late):
    found = alarm("prod", "errors")
    minutes = [QUIET["errors"]] * 10 + [BROKEN["errors"]] * found["datapointsToAlarm"] + [{"requests0": 100}] * late

    assert state(found, minutes) == "ALARM"


def test_an_outage_of_every_task_sounds_though_the_groups_count_no_request():
    found = alarm("prod", "errors")

    assert state(found, [QUIET["errors"]] * 10 + [{"unanswered": 40}] * 3 + [NOTHING]) == "ALARM"


@KINDS
@pytest.mark.parametrize("further", [0, 1, 2, 5])
def test_one_bad_minute_or_a_night_is_no_alarm(kind, further):
    found = alarm("prod", kind)

    assert state(found, [QUIET[kind]] * 10 + [BROKEN[kind], QUIET[kind]], further) == "OK"
    assert state(found, [NOTHING] * 20, further) == "OK"
    assert state(found, [BROKEN[kind]] * 4 + [QUIET[kind]] * 6, further) == "OK"


@KINDS
@pytest.mark.parametrize("periods", [1, 3, 60])
def test_as_many_measurements_as_the_setting_says_of_two_more_make_the_alarm(kind, periods):
    run = rehearsed("prod", alarms={"evaluationPeriods": periods})
    found = named(run, ALARM, f"prod-api-{kind}").inputs

    assert (found["datapointsToAlarm"], found["evaluationPeriods"]) == (periods, periods + 2)


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

    found = named(run, "aws:ecs/service:Service", "dev-worker").inputs["alarms"]
    names = {"dev-worker-errors", "dev-worker-latency", "dev-worker-unhealthy-hosts"}
    assert names <= {a.inputs["name"] for a in run.all(ALARM)}
    assert (set(found["alarmNames"]), found["enable"], found["rollback"]) == (names, True, True)
