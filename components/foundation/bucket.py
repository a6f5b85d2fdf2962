"""A private bucket: versioned, encrypted, owner-enforced, TLS only. Hand-off, template, artifacts and trail use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi
import pulumi_aws as aws

from components import arguments, iam
from components.naming import Names


@dataclass(frozen=True, kw_only=True)
class PrivateBucketArgs:
    """`PrivateBucket`'s arguments."""

    names: Names
    """Environment, account and region."""
    bucket: str
    """The bucket's name."""
    kms: bool | None = None
    """Encrypt with the account's key for S3 (`aws/s3`) instead of S3's own keys."""
    expire_days: int | None = None
    """Days after which current objects expire; without it they are kept."""
    expire_old_versions_days: int
    """Days after which versions that are no longer current expire."""
    statements: Sequence[dict[str, Any]] | None = None
    """Statements of the bucket policy, as IAM writes them, besides the one that demands TLS."""
    protect: bool | None = None
    """Let no update delete the bucket, because people depend on what it holds."""
    retain: bool | None = None
    """Leave the bucket in the account, as private as it was, when it leaves the stack: AWS deletes no bucket that holds
    objects, and the update would end there."""

    @classmethod
    def of_templates(cls, names: Names, *, protect: bool) -> Self:
        """The bucket of the templates that infrastructure owns; CI cannot reach it."""
        return cls(names=names, bucket=names.template_bucket, expire_old_versions_days=400, protect=protect)

    @classmethod
    def of_artifacts(cls, names: Names, *, protect: bool) -> Self:
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
    """A versioned, encrypted bucket without public access; `ready` is what its objects depend on."""

    bucket_name: pulumi.Output[str]
    """The bucket's name, once it is private and versioned."""
    arn: pulumi.Output[str]
    """The bucket's ARN."""

    def __init__(self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:PrivateBucket", name, None, opts)
        args = arguments.read(PrivateBucketArgs, args)
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
                    "bucket_key_enabled": bool(args.kms),
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
            policy=iam.document(iam.tls_only("s3:*", arn, f"{arn}/*"), *map(iam.Statement.of, args.statements or ())),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[block])),
        )
        self.ready: list[pulumi.Resource] = [versioning, policy]
        self.bucket_name = pulumi.Output.all(self.bucket.bucket, policy.id, versioning.id).apply(lambda made: made[0])
        self.arn = self.bucket.arn
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})
