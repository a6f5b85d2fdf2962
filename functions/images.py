"""What the registry says of an image: its digest, the machines it runs on, what scanning found.

The pure half reads manifests and findings; `Registry` is the half that asks ECR. A manifest is pushed by CI and so
is read with the same caution as the hand-off.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from functions.contract import MACHINE
from functions.errors import CONFIGURATION, HANDOFF, UNAVAILABLE, Refusal
from functions.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.aws import Client
    from functions.contract import Contract
    from functions.handoff import NamedImage

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CONFIG_TYPES: Final = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
#: The most bytes of an image's configuration that are read, and the most manifests of an index.
CONFIG_CAP: Final = 1024 * 1024
INDEX_CAP: Final = 50

SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
_DONE: Final = frozenset({"COMPLETE", "ACTIVE"})
_PENDING: Final = frozenset({"IN_PROGRESS", "PENDING"})
#: What DescribeImageScanFindings is taken to have said when it knows of no scan.
NO_SCAN: Final = "NOT_SCANNED"


@dataclass(frozen=True, kw_only=True)
class PinnedImage:
    """One container's image by digest.

    `digest` is what the tag stands for (an index or a single manifest) and what the task definition will say;
    `runs` are the digests of the manifests in it that the task's architecture runs, which is what is scanned.
    """

    container: str
    repository: str
    tag: str
    commit: str
    digest: str
    runs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One image's scan: a ScanStatus of ECR or NO_SCAN, ECR's remark on it, findings by severity."""

    status: str
    remark: str
    counts: Mapping[str, int]


def runnable(manifest: Mapping[str, Any], machine: str) -> tuple[list[str], list[str]]:
    """Sort an index's manifests: (digests that run on linux/`machine`, digests that do not say what they run on).

    Attestations (platform unknown/unknown, as buildx writes provenance) and nested indexes are neither. A platform is
    believed: the builder copies it from the manifest's configuration, so reading that would say the same.
    """
    fits: list[str] = []
    silent: list[str] = []
    for entry in _entries(manifest):
        digest = str(entry.get("digest"))
        if entry.get("mediaType") in INDEX_TYPES or _is_attestation(entry):
            continue
        platform = entry.get("platform")
        if not isinstance(platform, dict):
            silent.append(digest)
        elif (platform.get("os"), platform.get("architecture")) == ("linux", machine):
            fits.append(digest)
    return fits, silent


def platforms(manifest: Mapping[str, Any]) -> list[str]:
    """Name the platforms of an index as docker does ("linux/amd64"), attestations left out."""
    found = []
    for entry in _entries(manifest):
        platform = entry.get("platform")
        if isinstance(platform, dict) and not _is_attestation(entry):
            found.append(f"{platform.get('os')}/{platform.get('architecture')}"[:60])
    return sorted(set(found))


def _entries(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = manifest.get("manifests")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    platform = entry.get("platform")
    annotations = entry.get("annotations")
    if isinstance(annotations, dict) and "vnd.docker.reference.type" in annotations:
        return True
    return isinstance(platform, dict) and platform.get("architecture") == "unknown"


def wrong_machine(image: NamedImage, found: Sequence[str], contract: Contract) -> Refusal:
    """Say which platforms the image has and which one the task needs."""
    has = ", ".join(found[:8]) or "no platform at all"
    need = f"linux/{MACHINE[contract.architecture]}"
    return Refusal(
        f"Container {image.container}: {image.repository}:{image.tag} runs on {has}; the task runs on {need}, "
        f"so build it with --platform {need} under a new commit."
    )


def judge(image: PinnedImage, scan: Scan, contract: Contract, *, waited_enough: bool) -> bool:
    """Hold a scan against the contract; True when its result has to be waited for.

    `waited_enough` says that a scan which has not even begun will not begin any more. With the threshold NONE
    nothing is waited for: findings could refuse nothing.

    Raises:
        Refusal: for findings at or above the threshold, and for an image that cannot be scanned where the
            contract refuses these; an archived image always (ECR does not serve it to a task).
    """
    name = f"Container {image.container}: {image.repository}:{image.tag}"
    if scan.status == "IMAGE_ARCHIVED":
        raise Refusal(f"{name} is archived in ECR and cannot be pulled; restore it or hand over another commit.")
    if scan.status in _DONE:
        bad = over(scan.counts, contract.scan_threshold)
        if bad:
            raise Refusal(
                f"{name} has findings ({counted(bad)}); {contract.environment} allows none at "
                f"{contract.scan_threshold} or above, so mend them and hand over a new commit."
            )
        return False
    if scan.status in _PENDING or (scan.status == NO_SCAN and not waited_enough):
        return contract.scan_threshold != "NONE"
    if contract.scan_unsupported == "refuse":
        why = f" ({scan.remark})" if scan.remark else ""
        raise Refusal(
            f"{name} has no scan result: {scan.status}{why}; {contract.environment} allows scanned images only, "
            "so switch scanning on for the repository or build on a base that ECR can scan."
        )
    return False


def over(counts: Mapping[str, int], threshold: str) -> dict[str, int]:
    """The part of `counts` at or above `threshold`; empty for the threshold NONE."""
    if threshold == "NONE":
        return {}
    barred = SEVERITIES[: SEVERITIES.index(threshold) + 1]
    return {severity: counts[severity] for severity in barred if counts.get(severity)}


def counted(counts: Mapping[str, int]) -> str:
    """Write counts as "2 CRITICAL and 5 HIGH", gravest first."""
    parts = [f"{counts[severity]} {severity}" for severity in SEVERITIES if counts.get(severity)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


class Registry:
    """The service's ECR repositories, asked and never changed.

    BatchGetImage, DescribeImageScanFindings, DescribeImages and, for an image that is no index,
    GetDownloadUrlForLayer on its configuration. `fetch` reads at most so many bytes from an address that ECR gave.
    """

    def __init__(self, ecr: Client, contract: Contract, fetch: Callable[[str, int], bytes]) -> None:
        self._ecr = ecr
        self._contract = contract
        self._fetch = fetch

    def pin(self, image: NamedImage) -> PinnedImage:
        """Resolve the image's tag and find what in it runs on the task's architecture.

        Raises:
            Refusal: no such tag, another digest than the hand-off says, nothing that runs, not an image at all.
        """
        name = f"Container {image.container}: {image.repository}:{image.tag}"
        digest, manifest = self._manifest(image, {"imageTag": image.tag}, name)
        if image.digest not in (None, digest):
            raise Refusal(
                f"{name} stands for {digest} and not for {image.digest} as the hand-off says; "
                "hand over what was pushed, or leave the digest out."
            )
        machine = MACHINE[self._contract.architecture]
        if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
            if len(_entries(manifest)) > INDEX_CAP:
                raise Refusal(f"{name} has more than {INDEX_CAP} manifests in its index; push fewer platforms.")
            fits, silent = runnable(manifest, machine)
            has = platforms(manifest)
            for child in silent:
                _, inner = self._manifest(image, {"imageDigest": child}, f"{name} ({child})")
                platform = self._configured_platform(image, inner, name)
                has.append(platform)
                if platform == f"linux/{machine}":
                    fits.append(child)
        else:
            has = [self._configured_platform(image, manifest, name)]
            fits = [digest] if has == [f"linux/{machine}"] else []
        if not fits:
            raise wrong_machine(image, has, self._contract)
        return PinnedImage(
            container=image.container,
            repository=image.repository,
            tag=image.tag,
            commit=image.commit,
            digest=digest,
            runs=tuple(fits),
        )

    def scan(self, image: PinnedImage, digest: str) -> Scan:
        """Read the state of one manifest's scan.

        An index itself is never scanned, its manifests are (github.com/aws/containers-roadmap/issues/1683). The
        counts cover all findings, so a single finding is asked for.
        """
        try:
            said = self._ecr.describe_image_scan_findings(
                registryId=self._contract.account,
                repositoryName=image.repository,
                imageId={"imageDigest": digest},
                maxResults=1,
            )
        except self._ecr.exceptions.ScanNotFoundException:
            return Scan(status=NO_SCAN, remark="", counts={})
        state = said.get("imageScanStatus", {})
        remark = " ".join(str(state.get("description", "")).split()).rstrip(".")[:160]
        counts = said.get("imageScanFindings", {}).get("findingSeverityCounts", {})
        return Scan(status=str(state.get("status", NO_SCAN)), remark=remark, counts=counts)

    def tags(self, repository: str, digest: str) -> list[str]:
        """Tags of an image that runs now; none when the registry no longer has it."""
        try:
            said = self._ecr.describe_images(
                registryId=self._contract.account,
                repositoryName=repository,
                imageIds=[{"imageDigest": digest}],
            )
        except (self._ecr.exceptions.ImageNotFoundException, self._ecr.exceptions.RepositoryNotFoundException):
            return []
        return [str(tag) for detail in said.get("imageDetails", []) for tag in detail.get("imageTags", [])]

    def _manifest(self, image: NamedImage, image_id: dict[str, str], name: str) -> tuple[str, dict[str, Any]]:
        try:
            said = self._ecr.batch_get_image(
                registryId=self._contract.account,
                repositoryName=image.repository,
                imageIds=[image_id],
                acceptedMediaTypes=[*INDEX_TYPES, *MANIFEST_TYPES],
            )
        except self._ecr.exceptions.RepositoryNotFoundException:
            raise Refusal(
                f"Container {image.container}: the repository {image.repository} does not exist in account "
                f"{self._contract.account}; bring the stack up first.",
                CONFIGURATION,
            ) from None
        if not said.get("images"):
            failure = (said.get("failures") or [{}])[0]
            code = failure.get("failureCode", "ImageNotFound")
            if code == "ImageNotFound":
                raise Refusal(f"{name} does not exist in ECR; push the image before handing it over.")
            reason = " ".join(str(failure.get("failureReason", "")).split()).rstrip(".")[:160]
            raise Refusal(f"{name} cannot be read from ECR ({code}: {reason}); push it again.")
        found = said["images"][0]
        manifest = loads(str(found["imageManifest"]).encode(), f"The manifest of {name}")
        if not isinstance(manifest, dict):
            raise Refusal(f"The manifest of {name} is {shown(manifest)}; it must be an object; push it again.")
        return str(found["imageId"]["imageDigest"]), manifest

    def _configured_platform(self, image: NamedImage, manifest: Mapping[str, Any], name: str) -> str:
        """Read os/architecture from a single manifest's configuration, the only place where it stands."""
        config = manifest.get("config")
        if not isinstance(config, dict) or config.get("mediaType") not in CONFIG_TYPES:
            kind = config.get("mediaType") if isinstance(config, dict) else None
            raise Refusal(
                f"{name} is not a container image (its configuration is {shown(kind)}); push an image built by docker."
            )
        digest = str(config.get("digest"))
        said = self._ecr.get_download_url_for_layer(
            registryId=self._contract.account, repositoryName=image.repository, layerDigest=digest
        )
        try:
            data = self._fetch(said["downloadUrl"], CONFIG_CAP)
        except OSError as error:
            raise Refusal(
                f"{name}: its configuration could not be fetched from ECR ({type(error).__name__}); retry the stage.",
                UNAVAILABLE,
            ) from None
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise Refusal(
                f"{name}: its configuration is not the {digest} that its manifest promises; push it again.",
                HANDOFF,
            )
        read = loads(data, f"The configuration of {name}")
        if not isinstance(read, dict):
            raise Refusal(f"The configuration of {name} is not an object; push it again.")
        return f"{read.get('os')}/{read.get('architecture')}"[:60]


def fetch(url: str, cap: int) -> bytes:
    """Read at most `cap` bytes from a pre-signed address that ECR gave; OSError when it does not answer."""
    from urllib.request import urlopen  # noqa: PLC0415  (a tenth of the start-up, and most images are indexes)

    with urlopen(url, timeout=10) as response:  # noqa: S310  (the address is ECR's own, not the hand-off's)
        data: bytes = response.read(cap)
    return data


def uri(image: PinnedImage, contract: Contract) -> str:
    """The image by digest, as a task definition takes it."""
    return f"{contract.registry}/{image.repository}@{image.digest}"


def definitions(images: Sequence[PinnedImage], contract: Contract) -> bytes:
    """`imagedefinitions.json` with every image pinned, for the ECS deploy action."""
    entries = [{"name": image.container, "imageUri": uri(image, contract)} for image in images]
    return json.dumps(entries, indent=2).encode() + b"\n"
