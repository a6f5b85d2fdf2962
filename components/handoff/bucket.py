"""The place where CI ends and CD begins: a bucket into which CI puts one object per service."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.foundation.bucket import PrivateBucket, PrivateBucketArgs
from components.naming import Names

_HISTORY_DAYS = 400


@dataclass(frozen=True, kw_only=True)
class HandoffArgs:
    """`Handoff`'s arguments; `event_bridge` makes the bucket send S3's own events (trigger s3-events)."""

    names: Names
    event_bridge: bool
    protect: bool


class Handoff(pulumi.ComponentResource):
    """The hand-off bucket, `${env}-ecsdef-${account}`.

    Versioned, as CodePipeline demands; its old versions are the history of releases, and putting one of them again
    is a roll-back. Encrypted with S3's own keys, so that CI needs no permission on a key.
    """

    def __init__(self, name: str, args: HandoffArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Handoff", name, None, opts)
        bucket = PrivateBucket(
            name,
            PrivateBucketArgs(
                names=args.names,
                bucket=args.names.handoff_bucket,
                expire_old_versions_days=_HISTORY_DAYS,
                protect=args.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.bucket = bucket.bucket
        self.ready = bucket.ready
        if args.event_bridge:
            aws.s3.BucketNotification(
                name, bucket=bucket.bucket.id, eventbridge=True, opts=pulumi.ResourceOptions(parent=self)
            )
        self.register_outputs({"bucket": bucket.bucket.bucket})
