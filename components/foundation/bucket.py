"""A private bucket: versioned, encrypted, owner-enforced, TLS only. Hand-off, template, artifacts and trail use it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam
from components.naming import Names


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """`PrivateBucket`'s arguments.

    Args:
        names: the stack's names.
        bucket: the bucket's name.
        kms: encrypt with the account's key for S3 (`aws/s3`) instead of S3's own keys.
        expire_days: days after which current objects expire; None keeps them.
        expire_old_versions_days: days after which versions that are no longer current expire.
        statements: what the bucket policy says besides TLS.
        protect: no update deletes the bucket, because people depend on what it holds.
        retain: when the bucket leaves the stack, it stays in the account as private as it was: AWS deletes no bucket
            that holds objects, and the update would end there.
    """

    names: Names
    bucket: str
    kms: bool = False
    expire_days: int | None = None
    expire_old_versions_days: int
    statements: tuple[iam.Statement, ...] = ()
    protect: bool = False
    retain: bool = False

    @classmethod
    def of_templates(cls, names: Names, *, protect: bool) -> PrivateBucketArgs:
        """The bucket of the templates that infrastructure owns; CI cannot reach it."""
        return cls(names=names, bucket=names.template_bucket, expire_old_versions_days=400, protect=protect)

    @classmethod
    def of_artifacts(cls, names: Names, *, protect: bool) -> PrivateBucketArgs:
        """The bucket in which pipelines carry what one action gives to the next."""
        return cls(
            names=names,
            bucket=names.artifact_bucket,
            kms=True,
            expire_days=90,
            expire_old_versions_days=30,
            protect=protect,
        )


class PrivateBucket(pulumi.ComponentResource):
    """A bucket with everything that makes it private.

    `bucket` is the bucket itself, `ready` what an object or a reader has to wait for.
    """

    def __init__(self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:PrivateBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.retain)
        itself = pulumi.ResourceOptions(protect=args.protect)
        self.bucket = aws.s3.Bucket(name, bucket=args.bucket, opts=pulumi.ResourceOptions.merge(child, itself))
        aws.s3.BucketOwnershipControls(
            name, bucket=self.bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        block = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            name, bucket=self.bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=self.bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms" if args.kms else "AES256"},
                    "bucket_key_enabled": args.kms,
                }
            ],
            opts=child,
        )
        rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": "expire",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": args.expire_old_versions_days},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
        }
        if args.expire_days is not None:
            rule["expiration"] = {"days": args.expire_days}
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=self.bucket.id,
            rules=[rule],
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[versioning])),
        )
        arn = args.names.bucket_arn(args.bucket)
        policy = aws.s3.BucketPolicy(
            name,
            bucket=self.bucket.id,
            policy=iam.document(iam.tls_only("s3:*", arn, f"{arn}/*"), *args.statements),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[block])),
        )
        self.ready: list[pulumi.Resource] = [versioning, policy]
        self.register_outputs({"bucket": self.bucket.bucket})
