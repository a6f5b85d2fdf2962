"""Rules on where releases lie: buckets and repositories.

Sources: CodePipeline user guide, "Amazon S3 source action reference" (versioning); S3 user guide, "Blocking public
access"; Amazon ECR user guide, "Image tag mutability", "Scan images". AWS Foundational Security Best Practices
S3.8, S3.14, ECR.1, ECR.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from policy_kit.findings import Finding, Unknown, Verdict
from policy_kit.resources import holds_unknown

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .releases import Releases
    from .settings import Settings

BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
BLOCK_REMEDY: Final = f"Set {', '.join(BLOCKS[:-1])} and {BLOCKS[-1]} to true."
REPOSITORY_REMEDY: Final = (
    "Set imageTagMutability: IMMUTABLE and imageScanningConfiguration: {scanOnPush: true}; keep build caches in a "
    "repository of their own."
)


def handoff_is_private_and_versioned(releases: Releases) -> Iterator[Verdict]:
    """Buckets of hand-offs, templates and artifacts that are not versioned, private and encrypted."""
    for pipeline, what, bucket in releases.release_buckets:
        if bucket is None:
            name = what.rsplit(" ", 1)[-1]
            if name not in releases.settings.external_buckets:
                yield _bucket(pipeline, f"the {what} is a bucket that this stack does not declare")
            continue
        for problem in _bucket_problems(bucket, releases):
            yield _bucket(bucket, f"the {what} {problem}")


def _bucket(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="Its objects become what runs: nobody else may read or replace them, and every version is kept.",
        remedy="Give the bucket BucketVersioning (Enabled), BucketPublicAccessBlock (all four true) and "
        "BucketServerSideEncryptionConfiguration; name a bucket of another stack in the setting externalBuckets.",
    )


def _bucket_problems(bucket: Resource, releases: Releases) -> Iterator[str]:
    if not _versioned(bucket, releases):
        yield "is not versioned"
    blocks = releases.settings_of_bucket("s3.BucketPublicAccessBlock", bucket)
    if not blocks:
        yield "has no public access block"
    for block in blocks:
        open_ = [key for key in BLOCKS if block.props.get(key) is not True]
        if open_:
            yield f"has a public access block without {', '.join(open_)}"
    encrypted = releases.settings_of_bucket("s3.BucketServerSideEncryptionConfiguration", bucket)
    if not encrypted and not bucket.objects("serverSideEncryptionConfiguration"):
        yield "is not encrypted by a setting of this stack"
    for controls in releases.settings_of_bucket("s3.BucketOwnershipControls", bucket):
        rule = next(iter(controls.objects("rule")), {})
        if rule.get("objectOwnership") == "ObjectWriter":
            yield "lets a writer keep an object for itself"


def _versioned(bucket: Resource, releases: Releases) -> bool:
    inline = next(iter(bucket.objects("versioning")), {})
    if inline.get("enabled") is True:
        return True
    return any(
        c.get("status") == "Enabled"
        for v in releases.settings_of_bucket("s3.BucketVersioning", bucket)
        for c in v.objects("versioningConfiguration")
    )


def repositories_are_immutable_and_scanned(repository: Resource, settings: Settings) -> Iterator[Verdict]:
    """ECR repositories whose images are not scanned, or whose tags can be moved."""
    scanning = repository.objects("imageScanningConfiguration")
    if holds_unknown(repository.props.get("imageScanningConfiguration")):
        yield Unknown(resource=repository, what="its imageScanningConfiguration")
    elif not any(s.get("scanOnPush") is True for s in scanning[:1]):
        yield _repository(repository, "its images are not scanned on push")
    if any(fnmatchcase(repository.text("name"), p) for p in settings.cache_repositories):
        return
    if repository.unknown("imageTagMutability"):
        yield Unknown(resource=repository, what="its imageTagMutability")
    elif not _immutable(repository):
        mutability = repository.text("imageTagMutability") or "MUTABLE, the default"
        yield _repository(repository, f"its tags can be moved ({mutability})")


def _repository(repository: Resource, found: str) -> Finding:
    return Finding(
        resource=repository,
        found=found,
        why="A tag that moves lets somebody change what runs after it was approved.",
        remedy=REPOSITORY_REMEDY,
    )


def _immutable(repository: Resource) -> bool:
    mutability = repository.text("imageTagMutability")
    if mutability == "IMMUTABLE":
        return True
    if mutability != "IMMUTABLE_WITH_EXCLUSION":
        return False
    names = [f.get("filter") for f in repository.objects("imageTagMutabilityExclusionFilters")]
    return bool(names) and all((isinstance(n, str) and n.strip("*") == "cache") or n == "buildcache" for n in names)


def buckets_block_public_access(block: Resource, _settings: Settings) -> Iterator[Verdict]:
    """Public access blocks that leave something open."""
    for key in BLOCKS:
        if block.unknown(key):
            yield Unknown(resource=block, what=f"its {key}")
    open_ = [key for key in BLOCKS if block.props.get(key) is not True and not block.unknown(key)]
    if open_:
        yield Finding(
            resource=block,
            found=f"it leaves open {', '.join(open_)}",
            why="One way that stays open is enough.",
            remedy=BLOCK_REMEDY,
        )
