"""EventBridge rule that starts a service's pipeline on its hand-off, and the CloudTrail trail that it may need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from components import iam
from components.foundation.bucket import PrivateBucket, PrivateBucketArgs
from components.foundation.dead_letters import OnFailure, rule_alarm
from components.naming import Names, ServiceNames
from contract.files import HANDOFF_ARTIFACT

_LOG_DAYS = 90
_WRITES = ["PutObject", "CompleteMultipartUpload", "CopyObject"]


@dataclass(frozen=True, kw_only=True)
class TrailArgs:
    """`Trail`'s arguments."""

    names: Names


class Trail(pulumi.ComponentResource):
    """A trail that logs the writes into the hand-off bucket and nothing else, for all services.

    An account has five trails a region, a quota that cannot be raised (CloudTrail user guide, "Quotas").
    """

    def __init__(self, name: str, args: TrailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Trail", name, None, opts)
        names = args.names
        bucket = PrivateBucket(
            f"{name}-logs",
            PrivateBucketArgs(
                names=names,
                bucket=names.trail_bucket,
                expire_days=_LOG_DAYS,
                expire_old_versions_days=1,
                statements=[s.to_dict() for s in log_delivery(names)],
                retain=True,  # it is never empty, and `trigger: s3-events` lets it go
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.trail = aws.cloudtrail.Trail(
            name,
            name=names.trail,
            s3_bucket_name=names.trail_bucket,
            enable_log_file_validation=True,
            include_global_service_events=False,
            is_multi_region_trail=False,
            advanced_event_selectors=[
                {
                    "name": "Writes of hand-offs",
                    "field_selectors": [
                        {"field": "eventCategory", "equals": ["Data"]},
                        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                        {"field": "readOnly", "equals": ["false"]},
                        {
                            "field": "resources.ARN",
                            "starts_withs": [f"{names.bucket_arn(names.handoff_bucket)}/"],
                        },
                    ],
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=bucket.ready),
        )
        self.register_outputs({"trail": self.trail.name})


def log_delivery(names: Names) -> tuple[iam.Statement, ...]:
    """What this one trail may do in its bucket (CloudTrail user guide, "Amazon S3 bucket policy for CloudTrail")."""
    bucket = names.bucket_arn(names.trail_bucket)
    trail = {"aws:SourceArn": names.arn("cloudtrail", f"trail/{names.trail}")}
    principal: dict[str, str | list[str]] = {"Service": "cloudtrail.amazonaws.com"}
    return (
        iam.Statement(
            sid="TheTrailFindsItsBucket",
            actions=("s3:GetBucketAcl",),
            resources=(bucket,),
            principals=principal,
            conditions={"StringEquals": trail},
        ),
        iam.Statement(
            sid="TheTrailWritesItsLogs",
            actions=("s3:PutObject",),
            resources=(f"{bucket}/AWSLogs/{names.account}/*",),
            principals=principal,
            conditions={"StringEquals": trail | {"s3:x-amz-acl": "bucket-owner-full-control"}},
        ),
    )


def event_pattern(names: ServiceNames, trigger: Literal["cloudtrail", "s3-events"]) -> dict[str, Any]:
    """The event of this service's hand-off, by exact bucket and key.

    A CloudTrail event tells of a refused call as well, hence the filter on `errorCode`
    (aws-solutions/aws-control-tower-customizations issue 228).
    """
    bucket, key = names.stack.handoff_bucket, names.handoff_key
    if trigger == "s3-events":
        return {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}},
        }
    return {
        "source": ["aws.s3"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["s3.amazonaws.com"],
            "eventName": _WRITES,
            "errorCode": [{"exists": False}],
            "requestParameters": {"bucketName": [bucket], "key": [key]},
        },
    }


@dataclass(frozen=True, kw_only=True)
class TriggerArgs:
    """`Trigger`'s arguments."""

    names: ServiceNames
    trigger: Literal["cloudtrail", "s3-events"]
    pipeline: aws.codepipeline.Pipeline
    on_failure: OnFailure


class Trigger(pulumi.ComponentResource):
    """`rule`: this service's hand-off starts this service's pipeline, and can start nothing else.

    S3's own event carries the object's version, which is pinned: two quick hand-offs release each its own
    (CodePipeline user guide, "Amazon S3 source actions with a source enabled for events"). In a CloudTrail event
    the place of the version is not documented; there CodePipeline takes the newest.
    """

    def __init__(self, name: str, args: TriggerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Trigger", name, None, opts)
        names = args.names
        rule_arn = names.stack.arn("events", f"rule/{names.rule}")
        role = iam.role(
            f"{name}-trigger",
            name=names.role("trigger"),
            purpose="event-rule",
            service=names.service,
            description=f"Starts the pipeline {names.base}",
            trust=(iam.service_trust("events.amazonaws.com", iam.from_source(rule_arn, names.stack.account)),),
            statements=(
                iam.Statement(
                    sid="StartThisPipeline",
                    actions=("codepipeline:StartPipelineExecution",),
                    resources=(names.pipeline_arn,),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.rule = aws.cloudwatch.EventRule(
            f"{name}-handoff",
            name=names.rule,
            description=f"The hand-off of {names.base} starts its pipeline",
            event_pattern=json.dumps(event_pattern(names, args.trigger)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{name}-handoff",
            rule=self.rule.name,
            target_id="pipeline",
            arn=args.pipeline.arn,
            role_arn=role.arn,
            input_transformer=version_pin() if args.trigger == "s3-events" else None,
            dead_letter_config={"arn": args.on_failure.queue_arn},
            opts=pulumi.ResourceOptions(parent=self.rule, depends_on=role.ready),
        )
        below = pulumi.ResourceOptions(parent=self.rule)
        rule_alarm(f"{name}-handoff", names.stack, names.rule, args.on_failure, below)
        self.register_outputs({"rule": self.rule.name})


def version_pin() -> aws.cloudwatch.EventTargetInputTransformerArgsDict:
    """StartPipelineExecution's input that overrides the hand-off's revision with the event's object version."""
    override = {"actionName": HANDOFF_ARTIFACT, "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "<version>"}
    return {
        "input_paths": {"version": "$.detail.object.version-id"},
        "input_template": json.dumps({"sourceRevisions": [override]}),
    }
