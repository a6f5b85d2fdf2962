"""Image manifests and indexes, parsed as untrusted input: CI pushes them.

Source: OCI image specification, image-spec 1.1: "Image Manifest Specification", "Image Index Specification". A document
that can be read as both is refused, as containerd and registries do (GHSA-5j5w-g665-5m35, CVE-2021-41190): what is
checked would not be what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.shared.errors import Refusal
from functions.shared.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_ALIASES: Final = {"aarch64": "arm64", "x86_64": "amd64", "x86-64": "amd64"}
#: The most manifests of an index.
INDEX_CAP: Final = 50


def is_index(manifest: Mapping[str, Any], registered: str | None, name: str) -> bool:
    """Whether a manifest is an index; False for an image.

    Args:
        manifest: the document.
        registered: its media type as the registry keeps it, which is what a container runtime is given.
        name: the image in words, for the sentences.

    Raises:
        Refusal: it has two readings, or none.
    """
    own = manifest.get("mediaType")
    if own is not None and registered is not None and own != registered:
        raise Refusal(
            f"{name} has two readings: its manifest says {shown(own)} and ECR keeps it as {registered}; "
            "push it by docker under a new commit."
        )
    kind = registered if own is None else own
    index_parts = {"manifests"} & manifest.keys()
    image_parts = {"config", "layers", "fsLayers"} & manifest.keys()
    if (kind in INDEX_TYPES or index_parts) and (kind in MANIFEST_TYPES or image_parts):
        parts = ", ".join(sorted(index_parts | image_parts)) or "nothing"
        raise Refusal(
            f"{name} has two readings: its manifest is {shown(kind)} and has {parts}; an image has config and layers, "
            "an index has manifests; push it by docker under a new commit."
        )
    if kind is not None and kind not in INDEX_TYPES + MANIFEST_TYPES:
        raise Refusal(
            f"{name} is not a container image (its manifest is {shown(kind)}); push an image built by docker."
        )
    return kind in INDEX_TYPES or bool(index_parts)


def runnable(manifest: Mapping[str, Any], machine: str) -> tuple[list[str], list[str]]:
    """Sort an index's manifests: (digests that say they run on linux/`machine`, digests that say nothing of it).

    Attestations (platform unknown/unknown, as buildx writes provenance) are neither. What an entry says is the
    index's word alone: the manifest that it names has to be read too.
    """
    fits: list[str] = []
    silent: list[str] = []
    for entry in entries(manifest):
        digest = str(entry.get("digest"))
        if _is_attestation(entry):
            continue
        platform = entry.get("platform")
        if not isinstance(platform, dict):
            silent.append(digest)
        elif _normal(platform) == f"linux/{machine}":
            fits.append(digest)
    return fits, silent


def platforms(manifest: Mapping[str, Any]) -> list[str]:
    """Name the platforms of an index as docker does ("linux/amd64"), attestations left out."""
    found = []
    for entry in entries(manifest):
        platform = entry.get("platform")
        if isinstance(platform, dict) and not _is_attestation(entry):
            found.append(f"{platform.get('os')}/{platform.get('architecture')}"[:60])
    return sorted(set(found))


def entries(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of an index that are objects."""
    found = manifest.get("manifests")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def configuration(manifest: Mapping[str, Any], name: str) -> str:
    """The digest of an image's configuration.

    Raises:
        Refusal: it is not one of a container image.
    """
    config = manifest.get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    if not isinstance(config, dict) or kind not in CONFIG_TYPES:
        raise Refusal(
            f"{name} is not a container image (its configuration is {shown(kind)}); push an image built by docker."
        )
    return str(config.get("digest"))


def _normal(platform: Mapping[str, Any]) -> str:
    """A platform as a container runtime compares it (containerd, platforms.Normalize)."""
    system, machine = (str(platform.get(key)).lower() for key in ("os", "architecture"))
    return f"{system}/{_ALIASES.get(machine, machine)}"


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    """Whether no runtime would take the entry: one without a platform it would, whatever its annotations say."""
    platform = entry.get("platform")
    return isinstance(platform, dict) and platform.get("architecture") == "unknown"
