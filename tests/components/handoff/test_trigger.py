"""A hand-off that arrives starts its own service's pipeline; nothing else starts it, and a refused upload does not."""

import json

import pytest
from moto.events.models import EventPattern, EventPatternParser

from tests.rehearsed import ACCOUNTS, REGION, STACKS, depends_on, granted, named, rehearsed, trust

RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
TRAIL, PIPELINE = "aws:cloudtrail/trail:Trail", "aws:codepipeline/pipeline:Pipeline"


def starts(run, service, event):
    """Whether the event matches the service's rule, by the emulator's matcher (its test_event_pattern does nothing)."""
    pattern = named(run, RULE, f"{run.stack}-{service}-handoff").inputs["eventPattern"]
    return EventPattern(pattern, EventPatternParser(pattern).parse()).matches_event(event)


def call(name="PutObject", bucket="prod-ecsdef-222222222222", key="api/imagedefinitions.json.zip", **detail):
    """A write as CloudTrail tells EventBridge of it (CloudTrail user guide, "Example: Amazon S3 data event")."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": "222222222222",
        "time": "2026-11-21T07:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::222222222222:assumed-role/prod-api-ci-github/x",
            },
            "eventTime": "2026-11-21T07:00:00Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": name,
            "awsRegion": REGION,
            "requestParameters": {"bucketName": bucket, "key": key, "Host": f"{bucket}.s3.amazonaws.com"},
            "responseElements": {"x-amz-server-side-encryption": "AES256", "x-amz-version-id": "3sL4kqtJlcpXroDTDmJ"},
            "readOnly": False,
            "managementEvent": False,
            "eventCategory": "Data",
            **detail,
        },
    }


def created(bucket="prod-ecsdef-222222222222", key="api/imagedefinitions.json.zip", what="Object Created"):
    """The same as S3 itself tells (Amazon S3 user guide, "EventBridge event message structure")."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": what,
        "source": "aws.s3",
        "account": "222222222222",
        "time": "2026-11-21T07:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 512, "etag": "b1946ac9", "version-id": "3sL4kqtJlcpXroDTDmJ"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "222222222222",
            "reason": "PutObject",
        },
    }


@pytest.mark.parametrize("name", ["PutObject", "CompleteMultipartUpload", "CopyObject"])
def test_every_way_of_writing_the_hand_off_starts_the_pipeline(name):
    assert starts(rehearsed("prod"), "api", call(name))


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "InternalError"])
def test_a_write_that_failed_starts_nothing(code):
    assert not starts(rehearsed("prod"), "api", call(errorCode=code, responseElements=None))


@pytest.mark.parametrize(
    "event",
    [
        call(key="worker/imagedefinitions.json.zip"),
        call(key="api/imagedefinitions.json.zip.tmp"),
        call(key="x/api/imagedefinitions.json.zip"),
        call(key="api/IMAGEDEFINITIONS.JSON.ZIP"),
        call(bucket="stg-ecsdef-222222222222"),
        call(bucket="prod-ecstemplate-222222222222"),
        call("GetObject"),
        call("DeleteObject"),
        call(eventSource="s3express.amazonaws.com"),
    ],
    ids=lambda e: "-".join((e["detail"]["eventName"], *list(e["detail"]["requestParameters"].values())[:2])),
)
def test_another_key_bucket_or_call_starts_nothing(event):
    assert not starts(rehearsed("prod"), "api", event)


def test_s3_s_own_event_starts_the_pipeline_where_the_stack_asks_for_it():
    run = rehearsed("prod", trigger="s3-events")

    assert starts(run, "api", created())
    assert not starts(run, "api", created(key="worker/imagedefinitions.json.zip"))
    assert not starts(run, "api", created(bucket="stg-ecsdef-222222222222"))
    assert not starts(run, "api", created(what="Object Deleted"))
    assert not starts(run, "api", call())


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("service", ["api", "worker"])
def test_the_rule_starts_this_pipeline_under_a_role_that_can_start_no_other(stack, service):
    run, account = rehearsed(stack, "up"), ACCOUNTS[stack]
    pipeline = f"arn:aws:codepipeline:{REGION}:{account}:{stack}-{service}"

    target = named(run, TARGET, f"{stack}-{service}-handoff", key="rule")

    assert target.inputs["arn"] == named(run, PIPELINE, f"{stack}-{service}").outputs["arn"] == pipeline
    assert target.inputs["roleArn"] == f"arn:aws:iam::{account}:role/{stack}-{service}-trigger"
    [allowed] = granted(run, f"{stack}-{service}-trigger").values()
    assert allowed["Action"] == ["codepipeline:StartPipelineExecution"]
    assert allowed["Resource"] == [pipeline]


@pytest.mark.parametrize("stack", STACKS)
def test_only_this_rule_can_take_that_role(stack):
    [statement] = trust(rehearsed(stack), f"{stack}-api-trigger")

    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNTS[stack]}:rule/{stack}-api-handoff"},
        "StringEquals": {"aws:SourceAccount": ACCOUNTS[stack]},
    }


def test_s3_events_release_the_version_that_the_event_is_about():
    run = rehearsed("prod", trigger="s3-events")
    transformer = named(run, TARGET, "prod-api-handoff", key="rule").inputs["inputTransformer"]
    event = created()

    # As EventBridge does it: each path's value in place of its <name>.
    text = transformer["inputTemplate"]
    for name, path in transformer["inputPaths"].items():
        value = event
        for step in path.removeprefix("$.").split("."):
            value = value[step]
        text = text.replace(f"<{name}>", value)

    assert json.loads(text) == {
        "sourceRevisions": [
            {"actionName": "Handoff", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "3sL4kqtJlcpXroDTDmJ"}
        ]
    }
    source = named(run, PIPELINE, "prod-api").inputs["stages"][0]["actions"]
    assert "Handoff" in {a["name"] for a in source}


def test_a_cloudtrail_event_pins_no_version_that_it_does_not_name():
    assert "inputTransformer" not in named(rehearsed("prod"), TARGET, "prod-api-handoff", key="rule").inputs


# ---------------------------------------------------------------- the trail


@pytest.mark.parametrize("stack", STACKS)
def test_one_trail_logs_the_writes_of_hand_offs_and_nothing_else(stack):
    [trail] = rehearsed(stack).all(TRAIL)

    [selector] = trail.inputs["advancedEventSelectors"]
    fields = {
        f["field"]: (how, values) for f in selector["fieldSelectors"] for how, values in f.items() if how != "field"
    }
    assert fields == {
        "eventCategory": ("equals", ["Data"]),
        "resources.type": ("equals", ["AWS::S3::Object"]),
        "readOnly": ("equals", ["false"]),
        "resources.ARN": ("startsWiths", [f"arn:aws:s3:::{stack}-ecsdef-{ACCOUNTS[stack]}/"]),
    }
    assert trail.inputs["enableLogFileValidation"] is True
    assert trail.inputs.get("enableLogging", True) is True


def test_the_trail_waits_for_the_bucket_that_lets_it_write():
    run = rehearsed("prod")

    waited = depends_on(run, run.one(TRAIL), "aws:s3/bucketPolicy:BucketPolicy")

    assert {p.name for p in waited} == {"trail-logs"}


def test_only_this_trail_writes_into_the_log_bucket():
    policy = rehearsed("prod").one("aws:s3/bucketPolicy:BucketPolicy", "trail-logs").inputs["policy"]
    bucket, trail = "arn:aws:s3:::prod-ecstrail-222222222222", f"arn:aws:cloudtrail:{REGION}:222222222222:trail/"

    allowed = {s["Action"][0]: s for s in json.loads(policy)["Statement"] if s["Effect"] == "Allow"}

    assert set(allowed) == {"s3:GetBucketAcl", "s3:PutObject"}
    for statement in allowed.values():
        assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == f"{trail}prod-ecs-release"
    assert allowed["s3:PutObject"]["Resource"] == [f"{bucket}/AWSLogs/222222222222/*"]
    assert allowed["s3:PutObject"]["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"


@pytest.mark.parametrize("overrides", [{"trigger": "s3-events"}, {"trail": "organization"}])
def test_a_stack_that_needs_no_trail_of_its_own_makes_none(overrides):
    run = rehearsed("prod", **overrides)

    assert not run.all(TRAIL)
    assert "prod-ecstrail-222222222222" not in {b.inputs["bucket"] for b in run.all("aws:s3/bucket:Bucket")}


def test_s3_sends_its_own_events_only_where_they_are_the_trigger():
    notification = "aws:s3/bucketNotification:BucketNotification"

    assert not rehearsed("prod").all(notification)
    [sent] = rehearsed("prod", "up", trigger="s3-events").all(notification)
    assert (sent.inputs["bucket"], sent.inputs["eventbridge"]) == ("prod-ecsdef-222222222222", True)
