"""People are told of releases; what tells them can read what it tells, and nothing else."""

import json

import pytest
from moto.events.models import EventPattern, EventPatternParser

from tests.rehearsed import REGION, actions, granted, named, rehearsed, role, trust

FUNCTION, RULE = "aws:lambda/function:Function", "aws:cloudwatch/eventRule:EventRule"
CHATBOT = "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration"
CHANNEL = {"workspaceId": "T0123456789", "channelId": "C0123456789"}


def told(rule, event):
    pattern = named(rehearsed("prod"), RULE, rule).inputs["eventPattern"]
    return EventPattern(pattern, EventPatternParser(pattern).parse()).matches_event(event)


def of_pipeline(pipeline, what="CodePipeline Pipeline Execution State Change"):
    return {"source": "aws.codepipeline", "detail-type": what, "detail": {"pipeline": pipeline, "state": "STARTED"}}


def test_it_is_told_of_this_environment_s_pipelines_and_their_actions():
    rule = "prod-pipelines-notify"

    assert told(rule, of_pipeline("prod-api"))
    assert told(rule, of_pipeline("prod-worker", "CodePipeline Action Execution State Change"))
    assert not told(rule, of_pipeline("prod-api", "CodePipeline Stage Execution State Change"))
    assert not told(rule, of_pipeline("stg-api"))


def test_it_is_told_of_this_environment_s_deployments():
    def event(application):
        return {
            "source": "aws.codedeploy",
            "detail-type": "CodeDeploy Deployment State-change Notification",
            "detail": {"application": application, "state": "FAILURE"},
        }

    assert told("prod-deployments-notify", event("prod-api"))
    assert not told("prod-deployments-notify", event("stg-api"))


def test_its_channels_are_the_stack_s_and_hold_no_token_but_its_name():
    variables = named(rehearsed("prod"), FUNCTION, "prod-notify").inputs["environment"]["variables"]

    assert json.loads(variables["NOTIFY_CHANNELS"]) == [
        {"kind": "slack", "channel": "C0123456789", "secret": "secretsmanager:prod/release/slack"},
        {"kind": "chatwork", "room": "123456789", "secret": "ssm:/prod/release/chatwork"},
    ]


def test_it_reads_its_own_tokens_and_no_other_secret():
    resources = {a: s["Resource"] for s in granted(rehearsed("prod"), "prod-notify").values() for a in s["Action"]}

    assert resources["secretsmanager:GetSecretValue"] == [
        f"arn:aws:secretsmanager:{REGION}:222222222222:secret:prod/release/slack{end}" for end in ("", "-??????")
    ]
    assert resources["ssm:GetParameter"] == [f"arn:aws:ssm:{REGION}:222222222222:parameter/prod/release/chatwork"]


def test_it_can_approve_start_and_stop_nothing():
    allowed = actions(granted(rehearsed("prod"), "prod-notify"))

    assert not {a for a in allowed if not a.split(":")[1].startswith(("Get", "List"))} - {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }


@pytest.mark.parametrize("stack", ["dev", "stg"])
def test_a_stack_that_tells_nobody_has_no_such_function(stack):
    assert f"{stack}-notify" not in {f.inputs["name"] for f in rehearsed(stack).all(FUNCTION)}


# ---------------------------------------------------------------- AWS Chatbot


def test_chatbot_speaks_of_every_pipeline_and_can_do_nothing_in_the_account():
    run = rehearsed("dev", "up", notifications={"chatbot": CHANNEL})

    channel = run.one(CHATBOT).inputs

    assert channel["guardrailPolicyArns"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert channel["iamRoleArn"] == role(run, "dev-chatbot").outputs["arn"]
    assert not [p for p in run.all("aws:iam/rolePolicy:RolePolicy") if p.inputs["role"] == "dev-chatbot"]
    assert trust(run, "dev-chatbot")[0]["Principal"] == {"Service": "chatbot.amazonaws.com"}
    pipelines = {p.outputs["arn"] for p in run.all("aws:codepipeline/pipeline:Pipeline")}
    rules = run.all("aws:codestarnotifications/notificationRule:NotificationRule")
    assert {r.inputs["resource"] for r in rules} == pipelines
    assert channel["snsTopicArns"] == [
        named(run, "aws:sns/topic:Topic", name).outputs["arn"] for name in ("dev-releases", "dev-alarms")
    ]


def test_only_notification_rules_of_this_account_speak_in_chatbot_s_topic():
    run = rehearsed("dev", "preview", notifications={"chatbot": CHANNEL})
    [policy] = [p for p in run.all("aws:sns/topicPolicy:TopicPolicy") if "dev-releases" in p.inputs["policy"]]

    [statement] = json.loads(policy.inputs["policy"])["Statement"]

    assert statement["Principal"] == {"Service": "codestar-notifications.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111111111111"}}
