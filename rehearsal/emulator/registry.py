"""Stand-in images in the emulated registry: manifests of one platform each, and indexes of them, as buildx pushes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from contract.release import MACHINE

#: ECS's names of architectures and docker's of platforms.
PLATFORM_OF: Final = {architecture: f"linux/{machine}" for architecture, machine in MACHINE.items()}
PLATFORMS: Final = tuple(sorted(PLATFORM_OF.values()))
INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"


def digest_of(text: str) -> str:
    """A registry's name of a content."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def manifest(repository: str, platform: str, seed: str) -> str:
    """A manifest's text; the same for the same repository, platform and seed."""
    system, architecture = platform.split("/")
    text = json.dumps({"os": system, "architecture": architecture, "built for": f"{repository} {seed}"})
    # OCI image specification, "Content Descriptors": a descriptor may bring along what it describes.
    data = base64.b64encode(text.encode()).decode()
    config = {"mediaType": _CONFIG, "digest": digest_of(text), "size": len(text), "data": data}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})


def index(manifests: Mapping[str, str]) -> str:
    """The text of an index of manifests: digest to platform."""
    entries = []
    for digest, platform in manifests.items():
        system, architecture = platform.split("/")
        of = {"os": system, "architecture": architecture}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": 500, "platform": of})
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def layer_address(manifests: Iterable[str], digest: str) -> str:
    """An address under which the configuration of that digest can be fetched; empty for none."""
    configs = (json.loads(text).get("config", {}) for text in manifests)
    return next((f"data:;base64,{c['data']}" for c in configs if c.get("digest") == digest and "data" in c), "")


def put(ecr: Any, repository: str, text: str, media: str, tag: str | None = None) -> str:
    """PutImage by a client; returns the digest."""
    digest = digest_of(text)
    tagged = {"imageTag": tag} if tag else {}
    names = {"repositoryName": repository, "imageDigest": digest}
    ecr.put_image(**names, imageManifest=text, imageManifestMediaType=media, **tagged)
    return digest


def push(ecr: Any, repository: str, tag: str, platforms: Sequence[str] = PLATFORMS) -> str:
    """Push an image for several platforms by a client; returns its digest."""
    parts = {put(ecr, repository, manifest(repository, p, tag), MANIFEST): p for p in platforms}
    return put(ecr, repository, index(parts), INDEX, tag)
