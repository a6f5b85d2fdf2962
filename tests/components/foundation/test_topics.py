"""People are told, and nobody else can speak in their topics."""

import json

import pytest

from tests.rehearsed import ACCOUNTS, REGION, STACKS, named, rehearsed

TOPIC, SUBSCRIPTION = "aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"


@pytest.mark.parametrize(
    ("stack", "topics"), [("dev", {"dev-alarms"}), ("stg", {"stg-alarms"}), ("prod", {"prod-alarms", "prod-approvals"})]
)
def test_approvals_have_a_topic_only_where_someone_approves(stack, topics):
    assert {t.inputs["name"] for t in rehearsed(stack).all(TOPIC)} == topics


@pytest.mark.parametrize("topic", ["prod-alarms", "prod-approvals"])
def test_every_address_is_subscribed(topic):
    emails = ["releases@example.com", "on-call@example.com"]
    run = rehearsed("prod", "up", notifications={"emails": emails})
    arn = named(run, TOPIC, topic).outputs["arn"]

    told = [s.inputs for s in run.all(SUBSCRIPTION) if s.inputs["topic"] == arn]

    assert sorted(s["endpoint"] for s in told) == sorted(emails)
    assert {s["protocol"] for s in told} == {"email"}


@pytest.mark.parametrize("stack", STACKS)
def test_only_this_environment_s_alarms_speak_in_the_alarms_topic(stack):
    policy = json.loads(rehearsed(stack).one(TOPIC_POLICY, "topics-alarms").inputs["policy"])

    [statement] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]

    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Resource"] == [f"arn:aws:sns:{REGION}:{ACCOUNTS[stack]}:{stack}-alarms"]
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNTS[stack]}:alarm:{stack}-*"},
        "StringEquals": {"aws:SourceAccount": ACCOUNTS[stack]},
    }


@pytest.mark.parametrize("stack", STACKS)
def test_no_topic_is_left_with_the_policy_that_lets_in_the_whole_account(stack):
    run = rehearsed(stack, "up")
    policies = {p.inputs["arn"]: json.loads(p.inputs["policy"])["Statement"] for p in run.all(TOPIC_POLICY)}

    assert set(policies) >= {t.outputs["arn"] for t in run.all(TOPIC)}
    for arn, statements in policies.items():
        [refusal] = [s for s in statements if s["Effect"] == "Deny"]
        assert refusal["Resource"] == [arn]
        assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert all("Service" in s["Principal"] for s in statements if s["Effect"] == "Allow")
