"""Rules on where releases lie: buckets and repositories.

Sources: CodePipeline user guide, "Amazon S3 source action reference" (versioning); S3 user guide, "Blocking public
access"; Amazon ECR user guide, "Image tag mutability", "Scan images". AWS Foundational Security Best Practices
S3.8, S3.14, ECR.1, ECR.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from .findings import Finding, Verdict

if TYPE_CHECKING:
    from .releases import Releases
    from .resources import Resource
    from .settings import Settings

BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def handoff_is_private_and_versioned(releases: Releases) -> Iterator[Verdict]:
    """Buckets of hand-offs, templates and artifacts that are not versioned, private and encrypted."""
    for pipeline, what, bucket in releases.release_buckets:
        if bucket is None:
            name = what.rsplit(" ", 1)[-1]
            if name not in releases.settings.external_buckets:
                yield _bucket(pipeline, f"the {what} is a bucket that this stack does not hold")
            continue
        for problem in _bucket_problems(bucket, releases):
            yield _bucket(bucket, f"the {what} {problem}")


def _bucket(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="What lies there becomes what runs: nobody else may read or replace it, and every version stays.",
        mend="Give the bucket BucketVersioning (Enabled), BucketPublicAccessBlock (all four true) and "
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


def repository_problem(props: Mapping[str, Any], settings: Settings) -> str | None:
    """What is wrong with an ECR repository's inputs, or None."""
    name = props.get("name")
    problems = []
    scanning = props.get("imageScanningConfiguration")
    scanning = scanning[0] if isinstance(scanning, list) and scanning else scanning
    if not (isinstance(scanning, Mapping) and scanning.get("scanOnPush") is True):
        problems.append("its images are not scanned on push")
    mutability = props.get("imageTagMutability")
    cache = isinstance(name, str) and any(fnmatchcase(name, p) for p in settings.cache_repositories)
    if not cache and not _immutable(props):
        problems.append(f"its tags can be moved ({mutability or 'MUTABLE, the default'})")
    return " and ".join(problems) or None


def _immutable(props: Mapping[str, Any]) -> bool:
    mutability = props.get("imageTagMutability")
    if mutability == "IMMUTABLE":
        return True
    if mutability != "IMMUTABLE_WITH_EXCLUSION":
        return False
    filters = props.get("imageTagMutabilityExclusionFilters")
    names = [f.get("filter") for f in filters if isinstance(f, Mapping)] if isinstance(filters, list) else []
    return bool(names) and all((isinstance(n, str) and n.strip("*") == "cache") or n == "buildcache" for n in names)


def repository_mended(props: Mapping[str, Any], settings: Settings) -> dict[str, Any] | None:
    """The inputs with scanning on and tags immutable where the program said nothing; None where nothing is missing.

    What the program did say stays: a repository that it declares movable is refused, not rewritten.
    """
    out = dict(props)
    name = props.get("name")
    cache = isinstance(name, str) and any(fnmatchcase(name, p) for p in settings.cache_repositories)
    if props.get("imageScanningConfiguration") is None:
        out["imageScanningConfiguration"] = {"scanOnPush": True}
    if props.get("imageTagMutability") is None and not cache:
        out["imageTagMutability"] = "IMMUTABLE"
    return out if out != dict(props) else None


def public_access_problem(props: Mapping[str, Any]) -> str | None:
    """What a bucket's public access block leaves open, or None."""
    open_ = [key for key in BLOCKS if props.get(key) is not True]
    return f"it leaves open {', '.join(open_)}" if open_ else None


def public_access_mended(props: Mapping[str, Any]) -> dict[str, Any] | None:
    """The block with what the program left unsaid closed; None where nothing is missing."""
    missing = [key for key in BLOCKS if props.get(key) is None]
    return {**props, **dict.fromkeys(missing, True)} if missing else None
