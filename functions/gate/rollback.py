"""Recognises a rollback: an image that has run before must not wait for what scanning has found in it since.

The service's revisions are numbered, so those before the one that runs are known by name: no right to list task
definitions is needed, which would be one on the whole account. Each was registered by a release that the gate let
through, so an image that one of them names has passed this gate once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_ecs import ECSClient

#: Revisions that are looked at, the one that runs among them.
REVISIONS: Final = 10
_REVISION = re.compile(r"(?P<family>.+:task-definition/[A-Za-z0-9_-]+):(?P<number>[0-9]+)")


class Earlier:
    """The images of what runs and of the revisions just before it, read when first asked for."""

    def __init__(self, ecs: ECSClient, running: Mapping[str, Any] | None) -> None:
        self._ecs, self._running = ecs, running
        self._images: set[tuple[str, str]] | None = None

    def ran(self, container: str, image: str) -> bool:
        """Whether the container has run this image, given by its digest."""
        if self._images is None:
            self._images = {one for revision in self._revisions() for one in _images(revision)}
        return (container, image) in self._images

    def _revisions(self) -> list[Mapping[str, Any]]:
        if self._running is None:
            return []
        found = [self._running]
        match = _REVISION.fullmatch(str(self._running.get("taskDefinitionArn")))
        last = int(match["number"]) if match else 0
        for number in range(last - 1, max(0, last - REVISIONS), -1):
            try:
                said = self._ecs.describe_task_definition(taskDefinition=f"{match['family']}:{number}" if match else "")
            except self._ecs.exceptions.ClientException:
                # A revision that was deleted; the ones before it may be there.
                continue
            found.append(said["taskDefinition"])
        return found


def _images(revision: Mapping[str, Any]) -> list[tuple[str, str]]:
    containers = revision.get("containerDefinitions") or []
    return [(str(one.get("name")), str(one.get("image"))) for one in containers]
