"""An image as ECR describes it: digest, platforms, scan findings.

`Registry` asks ECR; `manifests` and `scans` say what its answers mean.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from contract.release import MACHINE
from functions.gate import manifests
from functions.gate.scans import NO_SCAN, Scan
from functions.shared.errors import CONFIGURATION, HANDOFF, UNAVAILABLE, Refusal
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_ecr import ECRClient
    from types_boto3_ecr.type_defs import ImageIdentifierTypeDef

    from contract.release import Contract
    from functions.gate.handoff import NamedImage

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: The most bytes of an image's configuration that are read.
CONFIG_CAP: Final = 1024 * 1024
#: The most pages of findings that are counted one by one.
PAGES_CAP: Final = 20


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

    @property
    def name(self) -> str:
        """The image in words."""
        return f"Container {self.container}: {self.repository}:{self.tag}"


def wrong_machine(image: NamedImage, found: Sequence[str], contract: Contract) -> Refusal:
    """Say which platforms the image has and which one the task needs."""
    has = ", ".join(found[:8]) or "no platform at all"
    need = f"linux/{MACHINE[contract.architecture]}"
    return Refusal(
        f"Container {image.container}: {image.repository}:{image.tag} runs on {has}; the task runs on {need}, "
        f"so build it with --platform {need} under a new commit."
    )


class Registry:
    """The service's ECR repositories, asked and never changed.

    BatchGetImage, DescribeImageScanFindings, DescribeImages and GetDownloadUrlForLayer on an image's
    configuration. `fetch` reads at most so many bytes from an address that ECR gave.
    """

    def __init__(self, ecr: ECRClient, contract: Contract, fetch: Callable[[str, int], bytes]) -> None:
        self._ecr = ecr
        self._contract = contract
        self._fetch = fetch

    def pin(self, image: NamedImage) -> PinnedImage:
        """Resolve the image's tag and find what in it runs on the task's architecture.

        Raises:
            Refusal: no such tag, another digest than the hand-off says, nothing that runs, not an image at all.
        """
        name = f"Container {image.container}: {image.repository}:{image.tag}"
        digest, manifest, index = self._manifest(image, {"imageTag": image.tag}, name)
        if image.digest not in (None, digest):
            raise Refusal(
                f"{name} stands for {digest} and not for {image.digest} as the hand-off says; "
                "hand over what was pushed, or leave the digest out."
            )
        wanted = f"linux/{MACHINE[self._contract.architecture]}"
        if index:
            fits, has = self._children(image, manifest, wanted, name)
        else:
            has = [self._configured_platform(image, manifest, name)]
            fits = [digest] if has == [wanted] else []
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

    def _children(
        self, image: NamedImage, manifest: Mapping[str, Any], wanted: str, name: str
    ) -> tuple[list[str], list[str]]:
        """Digests of the manifests in an index that run on `wanted`, and every platform that it has.

        Each that would run is read: what the index says of it is the index's word alone.
        """
        if len(manifests.entries(manifest)) > manifests.INDEX_CAP:
            raise Refusal(f"{name} has more than {manifests.INDEX_CAP} manifests in its index; push fewer platforms.")
        promised, silent = manifests.runnable(manifest, wanted.partition("/")[2])
        has, fits = manifests.platforms(manifest), []
        for child in (*promised, *silent):
            if not _DIGEST.fullmatch(child):
                raise Refusal(
                    f"{name} has an entry in its index with the digest {shown(child)}, which is not sha256: and 64 hex "
                    "digits; push it again under a new commit."
                )
            inner = f"{name} ({child[:100]})"
            _, read, nested = self._manifest(image, {"imageDigest": child}, inner)
            if nested:
                raise Refusal(
                    f"{name} has an index inside its index ({child[:100]}), which no task runs and no scan reads; "
                    "push an index of images under a new commit."
                )
            platform = self._configured_platform(image, read, inner)
            if child in promised and platform != wanted:
                raise Refusal(
                    f"{name} says in its index that {child[:100]} runs on {wanted}, and that image's own configuration "
                    f"says {platform}; build it with --platform {wanted} under a new commit."
                )
            has.append(platform)
            if platform == wanted:
                fits.append(child)
        return fits, sorted(set(has))

    def scan(self, image: PinnedImage, digest: str) -> Scan:
        """Read the state of one manifest's scan.

        An index itself is never scanned, its manifests are (github.com/aws/containers-roadmap/issues/1683). The
        counts cover all findings, so a single finding is asked for; where they say nothing and a finding is there,
        all are counted.
        """
        found = self._findings(image, digest, maxResults=1)
        if found is None:
            return Scan(status=NO_SCAN, remark="", counts={})
        state = found.get("imageScanStatus") or {}
        findings = found.get("imageScanFindings")
        counts: dict[str, int] | None = None
        if findings is not None:
            counts = findings.get("findingSeverityCounts")
            if not counts and (counts is None or _listed(findings)):
                counts = self._counted(image, digest)
        return Scan(
            status=str(state.get("status", "UNKNOWN")),
            remark=" ".join(str(state.get("description", "")).split()).rstrip(".")[:160],
            counts=counts,
        )

    def _findings(self, image: PinnedImage, digest: str, **page: Any) -> Mapping[str, Any] | None:
        try:
            said: Mapping[str, Any] = self._ecr.describe_image_scan_findings(
                registryId=self._contract.account,
                repositoryName=image.repository,
                imageId={"imageDigest": digest},
                **page,
            )
        except self._ecr.exceptions.ScanNotFoundException:
            return None
        return said

    def _counted(self, image: PinnedImage, digest: str) -> dict[str, int]:
        """Findings by severity, one by one."""
        counts: dict[str, int] = {}
        page: dict[str, Any] = {"maxResults": 1000}
        for _ in range(PAGES_CAP):
            said = self._findings(image, digest, **page) or {}
            for severity in _listed(said.get("imageScanFindings") or {}):
                counts[severity] = counts.get(severity, 0) + 1
            if not said.get("nextToken"):
                return counts
            page["nextToken"] = said["nextToken"]
        raise Refusal(
            f"{image.name} has more findings than can be counted, and ECR gives no counts; fix them and hand over a "
            "new commit."
        )

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

    def _manifest(
        self, image: NamedImage, image_id: ImageIdentifierTypeDef, name: str
    ) -> tuple[str, dict[str, Any], bool]:
        """Digest, document and whether it is an index, of the one manifest of that tag or digest."""
        try:
            said = self._ecr.batch_get_image(
                registryId=self._contract.account,
                repositoryName=image.repository,
                imageIds=[image_id],
                acceptedMediaTypes=[*manifests.INDEX_TYPES, *manifests.MANIFEST_TYPES],
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
            if code in ("ImageNotFound", "InvalidImageDigest"):
                raise Refusal(f"{name} does not exist in ECR; push the image before handing it over.")
            reason = " ".join(str(failure.get("failureReason", "")).split()).rstrip(".")[:160]
            raise Refusal(f"{name} cannot be read from ECR ({code}: {reason}); push it again.")
        found = said["images"][0]
        manifest = loads(str(found["imageManifest"]).encode(), f"The manifest of {name}")
        if not isinstance(manifest, dict):
            raise Refusal(f"The manifest of {name} is {shown(manifest)}; it must be an object; push it again.")
        index = manifests.is_index(manifest, found.get("imageManifestMediaType"), name)
        return str(found["imageId"]["imageDigest"]), manifest, index

    def _configured_platform(self, image: NamedImage, manifest: Mapping[str, Any], name: str) -> str:
        """Read os/architecture from a single manifest's configuration, the only place where it stands."""
        digest = manifests.configuration(manifest, name)
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


def _listed(findings: Mapping[str, Any]) -> list[str]:
    """Severities of the findings that an answer lists, of basic and of enhanced scanning."""
    listed = [*(findings.get("findings") or []), *(findings.get("enhancedFindings") or [])]
    return [str(finding.get("severity", "UNDEFINED")) for finding in listed]


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
