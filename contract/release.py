"""`release.json`: what infrastructure says a release of this service may be. CI can neither read nor write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from functions.shared.errors import CONFIGURATION, Refusal
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

BLUE_GREEN: Final = "blue-green"
ROLLING: Final = "rolling"
#: Docker's and OCI's name of each architecture that a task definition's runtimePlatform can ask for.
MACHINE: Final = {"ARM64": "arm64", "X86_64": "amd64"}
THRESHOLDS: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The release contract of one service in one environment.

    `containers` maps a container's name to the one ECR repository its image comes from. `scan_threshold` is the
    lowest severity that refuses a release (NONE: findings are reported only); `scan_unsupported` says whether an
    image that cannot be scanned is allowed.
    """

    environment: str
    production: bool
    account: str
    region: str
    service: str
    cluster: str
    ecs_service: str
    strategy: str
    architecture: str
    containers: Mapping[str, str]
    scan_threshold: str
    scan_unsupported: str

    @property
    def registry(self) -> str:
        """The registry's host name."""
        return f"{self.account}.dkr.ecr.{self.region}.{self.domain}"

    @property
    def domain(self) -> str:
        """The domain of the region's partition (Amazon ECR user guide, "Service endpoints")."""
        return "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"


def parse(data: bytes) -> Contract:
    """Read `release.json`, version 1.

    Keys this version does not know are passed over, so that infrastructure can be ahead of the gate.

    Raises:
        Refusal: of kind ConfigurationError, naming the key, what stood there and what is allowed.
    """
    document = loads(data, "The template's release.json", CONFIGURATION)
    if not isinstance(document, dict):
        raise _wrong("", document, "one object")
    if document.get("version") != 1:
        raise _wrong("version", document.get("version"), "1")
    containers = document.get("containers")
    if not isinstance(containers, dict) or not containers:
        raise _wrong("containers", containers, "an object with at least one container")
    repositories: dict[str, str] = {}
    for name, entry in containers.items():
        if not _NAME.fullmatch(name):
            raise _wrong("containers", name, "container names of letters, digits, '-' and '_'")
        repository = entry.get("repository") if isinstance(entry, dict) else entry
        if not isinstance(repository, str) or not _REPOSITORY.fullmatch(repository):
            raise _wrong(f"containers.{name}.repository", repository, "the name of an ECR repository")
        repositories[name] = repository
    scan = document.get("scan")
    if not isinstance(scan, dict):
        raise _wrong("scan", scan, "an object with threshold and unsupported")
    production = document.get("production")
    if not isinstance(production, bool):
        raise _wrong("production", production, "true or false")
    return Contract(
        environment=_matching(document, "environment", r"[a-z][a-z0-9-]*"),
        production=production,
        account=_matching(document, "account", r"[0-9]{12}"),
        region=_matching(document, "region", r"[a-z]{2}(-[a-z]+)+-[0-9]"),
        service=_matching(document, "service", r"[a-z][a-z0-9-]*"),
        cluster=_matching(document, "cluster", r"[A-Za-z0-9_-]+"),
        ecs_service=_matching(document, "ecsService", r"[A-Za-z0-9_-]+"),
        strategy=_one_of(document, "strategy", (BLUE_GREEN, ROLLING)),
        architecture=_one_of(document, "architecture", tuple(MACHINE)),
        containers=repositories,
        scan_threshold=_one_of(scan, "threshold", THRESHOLDS, "scan."),
        scan_unsupported=_one_of(scan, "unsupported", ("allow", "refuse"), "scan."),
    )


def _wrong(key: str, found: Any, allowed: str) -> Refusal:
    where = f"at {key}" if key else "as a whole"
    what = "nothing" if found is None else shown(found)
    return Refusal(
        f"The template's release.json has {what} {where}; allowed is {allowed}; bring the stack up again.",
        CONFIGURATION,
    )


def _matching(document: dict[str, Any], key: str, pattern: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise _wrong(key, value, f"a text like {pattern}")
    return value


def _one_of(document: dict[str, Any], key: str, allowed: tuple[str, ...], prefix: str = "") -> str:
    value = document.get(key)
    if value not in allowed or not isinstance(value, str):
        raise _wrong(prefix + key, value, " or ".join(allowed))
    return value
