"""What a function or rule of the release flow fails at is kept, and people are told."""

import json

import pytest

from components.foundation.dead_letters import queue_statements
from components.naming import Names
from tests.rehearsed import ACCOUNTS, REGION, STACKS, granted, named, rehearsed, statements

ALARM, FUNCTION = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:lambda/function:Function"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
QUEUE, POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
PER_STACK = pytest.mark.parametrize("stack", STACKS)


def queue_arn(stack):
    return f"arn:aws:sqs:{REGION}:{ACCOUNTS[stack]}:{stack}-dead-letters"


def alarms_on(run, metric):
    """The value of the one dimension, to the alarm."""
    found = [a.inputs for a in run.all(ALARM) if a.inputs.get("metricName") == metric]
    return {next(iter(a["dimensions"].values())): a for a in found}


@PER_STACK
@pytest.mark.parametrize(("metric", "type_"), [("Errors", FUNCTION), ("FailedInvocations", RULE)])
def test_every_function_and_every_rule_has_an_alarm_that_people_hear(stack, metric, type_):
    run = rehearsed(stack, "up")
    topic = named(run, "aws:sns/topic:Topic", f"{stack}-alarms").outputs["arn"]

    alarms = alarms_on(run, metric)

    assert set(alarms) == {r.inputs["name"] for r in run.all(type_)}
    for found in alarms.values():
        assert found["alarmActions"] == [topic]
        assert (found["statistic"], found["comparisonOperator"], found["threshold"]) == (
            "Sum",
            "GreaterThanThreshold",
            0,
        )
        assert found["evaluationPeriods"] == 1
        assert found["treatMissingData"] == "notBreaching"


@PER_STACK
def test_what_a_function_gives_up_is_kept_in_the_queue_that_its_role_may_send_to(stack):
    run = rehearsed(stack, "up")
    kept = {
        c.inputs["functionName"]: c.inputs["destinationConfig"]["onFailure"]["destination"]
        for c in run.all("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
    }

    assert kept == dict.fromkeys((f.inputs["name"] for f in run.all(FUNCTION)), queue_arn(stack))
    for function in kept:
        sends = [s for s in granted(run, function).values() if "sqs:SendMessage" in s["Action"]]
        assert [(s["Action"], s["Resource"]) for s in sends] == [(["sqs:SendMessage"], [queue_arn(stack)])]


@PER_STACK
def test_what_a_rule_cannot_deliver_is_kept_in_the_queue_that_lets_this_rule_in(stack):
    run = rehearsed(stack, "up")
    [policy] = run.all(POLICY)
    lets_in, refuses = statements(policy.inputs["policy"])

    rules = {t.inputs["rule"]: t.inputs["deadLetterConfig"]["arn"] for t in run.all(TARGET)}

    assert rules == dict.fromkeys((r.inputs["name"] for r in run.all(RULE)), queue_arn(stack))
    assert lets_in["Principal"] == {"Service": "events.amazonaws.com"}
    assert sorted(lets_in["Condition"]["ArnEquals"]["aws:SourceArn"]) == sorted(
        f"arn:aws:events:{REGION}:{ACCOUNTS[stack]}:rule/{rule}" for rule in rules
    )
    assert lets_in["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNTS[stack]}
    assert (refuses["Effect"], refuses["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@PER_STACK
def test_the_queue_is_encrypted_and_whatever_lies_in_it_sounds(stack):
    run = rehearsed(stack, "up")
    [queue] = run.all(QUEUE)

    alarm = alarms_on(run, "ApproximateNumberOfMessagesVisible")[queue.inputs["name"]]

    assert queue.inputs["sqsManagedSseEnabled"] is True
    assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600
    assert (alarm["statistic"], alarm["threshold"]) == ("Maximum", 0)


def test_an_alarm_is_named_so_that_the_topic_lets_it_speak():
    run = rehearsed("prod", "up")
    [policy] = [p for p in run.all("aws:sns/topicPolicy:TopicPolicy") if "alarms" in p.inputs["arn"]]
    [allowed] = [s for s in statements(policy.inputs["policy"]) if s["Effect"] == "Allow"]
    pattern = allowed["Condition"]["ArnLike"]["aws:SourceArn"]

    assert all(a.outputs["arn"].startswith(pattern.removesuffix("*")) for a in run.all(ALARM))


def test_the_rules_of_fifty_services_fit_into_the_queue_s_policy():
    names = Names(environment="prod", account="222222222222", region=REGION)
    rules = [names.service(f"a-long-name-of-service-{i:02}").rule for i in range(50)]

    document = {"Version": "2012-10-17", "Statement": [s.to_dict() for s in queue_statements(names, rules)]}

    assert len(json.dumps(document)) < 8192
