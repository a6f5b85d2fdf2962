"""The bucket of hand-offs, into which CI puts one object per service."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import arguments
from components.foundation.bucket import PrivateBucket, PrivateBucketArgs
from components.naming import Names

_HISTORY_DAYS = 400


@dataclass(frozen=True, kw_only=True)
class HandoffArgs:
    """`Handoff`'s arguments."""

    names: Names
    """Environment, account and region."""
    event_bridge: bool | None = None
    """Make the bucket send S3's own events to EventBridge."""
    protect: bool | None = None
    """Let no update delete the bucket."""


class Handoff(pulumi.ComponentResource):
    """The hand-off bucket, `${env}-ecsdef-${account}`.

    Versioned, as CodePipeline demands; its old versions are the history of releases, and putting one of them again
    is a rollback. Encrypted with S3's own keys, so that CI needs no permission on a key.
    """

    bucket_name: pulumi.Output[str]
    """The bucket's name."""

    def __init__(self, name: str, args: HandoffArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Handoff", name, None, opts)
        args = arguments.read(HandoffArgs, args)
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
        self.bucket_name = bucket.bucket_name
        self.register_outputs({"bucketName": self.bucket_name})
