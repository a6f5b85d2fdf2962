"""`release.json`: what infrastructure says a release of this service may be. CI can neither read nor write it.

The template component writes it, the release gate reads it, the release rehearsal too: all three through `Contract`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from contract import files, partition

VERSION: Final = 1
#: Docker's and OCI's name of each architecture that a task definition's runtimePlatform can ask for.
MACHINE: Final = {"ARM64": "arm64", "X86_64": "amd64"}
THRESHOLDS: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")

#: Characters of a wrong value in a sentence.
_QUOTED: Final = 160
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"
_REPOSITORY: Final = r"[a-z0-9]+(?:[._/-][a-z0-9]+)*"
_TEXTS: Final = {
    "environment": r"[a-z][a-z0-9-]*",
    "account": r"[0-9]{12}",
    "region": r"[a-z]{2}(-[a-z]+)+-[0-9]+",
    "service": r"[a-z][a-z0-9-]*",
    "cluster": r"[A-Za-z0-9_-]+",
    "ecsService": r"[A-Za-z0-9_-]+",
    "strategy": r"[a-z][a-z0-9-]*",
}
_CHOICES: Final = {
    "architecture": tuple(MACHINE),
    "scan.threshold": THRESHOLDS,
    "scan.unsupported": ("allow", "refuse"),
}


class InvalidReleaseError(ValueError):
    """`key` of `release.json` is not what is `allowed`; `found` is None where it is missing."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        what = "nothing" if found is None else f"{json.dumps(found, default=str):.{_QUOTED}}"
        where = f"at {key}" if key else "as a whole"
        super().__init__(f"{files.RELEASE} has {what} {where}; allowed is {allowed}")
        self.key, self.found, self.allowed = key, found, allowed


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The release contract of one service in one environment.

    `strategy` is for people and reports: what the gate has to know of it is `appspec`, whether a release is deployed by
    an AppSpec. `containers` maps a container's name to the one ECR repository its image comes from. `scan_threshold` is
    the lowest severity that refuses a release (NONE: findings are reported only); `scan_unsupported` says whether an
    image that cannot be scanned is allowed.

    Raises:
        InvalidReleaseError: a value is not what the key allows, whoever made it.
    """

    environment: str
    production: bool
    account: str
    region: str
    service: str
    cluster: str
    ecs_service: str
    strategy: str
    appspec: bool
    architecture: str
    containers: Mapping[str, str]
    scan_threshold: str
    scan_unsupported: str

    def __post_init__(self) -> None:
        values = self.dump()
        for key in ("production", "appspec"):
            if not isinstance(values[key], bool):
                raise InvalidReleaseError(key, values[key], "true or false")
        for key, pattern in _TEXTS.items():
            if not isinstance(values[key], str) or not re.fullmatch(pattern, values[key]):
                raise InvalidReleaseError(key, values[key], f"a text like {pattern}")
        values |= {f"scan.{key}": value for key, value in values["scan"].items()}
        for key, choices in _CHOICES.items():
            if not isinstance(values[key], str) or values[key] not in choices:
                raise InvalidReleaseError(key, values[key], " or ".join(choices))
        self._check_containers()

    def _check_containers(self) -> None:
        if not self.containers:
            raise InvalidReleaseError("containers", {}, "an object with at least one container")
        for name, repository in self.containers.items():
            _container(name)
            if not isinstance(repository, str) or not re.fullmatch(_REPOSITORY, repository):
                key = f"containers.{name}.repository"
                raise InvalidReleaseError(key, repository, "the name of an ECR repository")

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read `release.json`, decoded, of this version.

        Keys this version does not know are passed over, so that infrastructure can be ahead of the gate.

        Raises:
            InvalidReleaseError: naming the key, what was found and what is allowed.
        """
        given = _object("", document, "one object")
        if given["version"] != VERSION:
            raise InvalidReleaseError("version", given["version"], str(VERSION))
        containers = _object("containers", given["containers"], "an object with at least one container")
        scan = _object("scan", given["scan"], "an object with threshold and unsupported")
        return cls(
            environment=given["environment"],
            production=given["production"],
            account=given["account"],
            region=given["region"],
            service=given["service"],
            cluster=given["cluster"],
            ecs_service=given["ecsService"],
            strategy=given["strategy"],
            appspec=given["appspec"],
            architecture=given["architecture"],
            containers={
                _container(name): _object(f"containers.{name}", entry, "an object with a repository")["repository"]
                for name, entry in containers.items()
            },
            scan_threshold=scan["threshold"],
            scan_unsupported=scan["unsupported"],
        )

    def dump(self) -> dict[str, Any]:
        """`release.json` as a document; `parse` gives the same contract back."""
        return {
            "version": VERSION,
            "environment": self.environment,
            "production": self.production,
            "account": self.account,
            "region": self.region,
            "service": self.service,
            "cluster": self.cluster,
            "ecsService": self.ecs_service,
            "strategy": self.strategy,
            "appspec": self.appspec,
            "architecture": self.architecture,
            "containers": {name: {"repository": repository} for name, repository in self.containers.items()},
            "scan": {"threshold": self.scan_threshold, "unsupported": self.scan_unsupported},
        }

    @property
    def registry(self) -> str:
        """The registry's host name."""
        return partition.registry(self.account, self.region)


def _container(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise InvalidReleaseError("containers", name, "container names of letters, digits, '-' and '_'")
    return name


def _object(key: str, value: object, allowed: str) -> dict[str, Any]:
    """An object of which a missing key reads as None."""
    if not isinstance(value, Mapping):
        raise InvalidReleaseError(key, value, allowed)
    return defaultdict(lambda: None, value)
