"""Summary of what a release changes, for the person who approves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.gate.images import PinnedImage

#: The part of a task definition that no release changes on purpose and AWS fills in by itself.
_NOT_COMPARED = frozenset({"containerDefinitions", "family", "tags", "image"})


def live_task_definition(service: Mapping[str, Any]) -> str | None:
    """Name the task definition that serves: the primary task set's under CODE_DEPLOY, else the service's own.

    `service` is one of DescribeServices' services. Under CODE_DEPLOY the service's own `taskDefinition` is
    missing (ECS API reference, Service), and while a deployment runs there are two task sets.
    """
    for task_set in service.get("taskSets", []):
        if task_set.get("status") == "PRIMARY":
            return str(task_set["taskDefinition"])
    found = service.get("taskDefinition")
    return str(found) if found else None


def described(
    images: Sequence[PinnedImage],
    running: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
    tags: Callable[[str, str], list[str]],
) -> str:
    """Say container by container what changes, such as "app 1a2b3c4 -> 5d6e7f8; nginx unchanged".

    Args:
        images: the release.
        running: the task definition that runs now, as DescribeTaskDefinition gives it; None for none.
        wanted: the rendered task definition.
        tags: finds the tags of a running digest, by repository and digest.
    """
    if running is None:
        return "first release: nothing runs yet"
    now = {entry.get("name"): entry for entry in running.get("containerDefinitions", [])}
    parts = []
    for image in images:
        entry = now.get(image.container)
        if entry is None:
            parts.append(f"{image.container} new at {short(image.tag)}")
            continue
        before = str(entry.get("image", ""))
        if before.endswith(f"/{image.repository}@{image.digest}"):
            parts.append(f"{image.container} unchanged ({short(image.tag)})")
        else:
            parts.append(f"{image.container} {_version(before, image, tags)} -> {short(image.tag)}")
    known = {image.container for image in images}
    kept = {entry.get("name") for entry in wanted.get("containerDefinitions", [])}
    parts += [f"{name} removed" for name in now if name not in known | kept]
    return "; ".join([*parts, *_settings(running, wanted, now)])


def short(tag: str) -> str:
    """Shorten a tag's commit to seven digits, as git does."""
    environment, dash, commit = tag.rpartition("-")
    return f"{environment}{dash}{commit[:7]}"


def _version(before: str, image: PinnedImage, tags: Callable[[str, str], list[str]]) -> str:
    """Name the running image by its commit where that can be known, else by what it says itself."""
    path, at, digest = before.partition("@")
    if at:
        environment = image.tag.rpartition("-")[0]
        if path.endswith(f"/{image.repository}"):
            for tag in sorted(tags(image.repository, digest)):
                if tag.rpartition("-")[0] == environment:
                    return short(tag)
        return digest.removeprefix("sha256:")[:12]
    return short(path.rpartition("/")[2].rpartition(":")[2])[:40] or "nothing"


def _settings(running: Mapping[str, Any], wanted: Mapping[str, Any], now: Mapping[Any, Any]) -> list[str]:
    """Names of the settings that differ; never their values, which may be nobody's business."""
    parts = []
    keys = [key for key in wanted if key not in _NOT_COMPARED and not _covers(wanted[key], running.get(key))]
    if keys:
        parts.append(f"task settings changed: {', '.join(sorted(keys))}")
    for entry in wanted.get("containerDefinitions", []):
        before = now.get(entry.get("name"), {})
        keys = [key for key in entry if key not in _NOT_COMPARED and not _covers(entry[key], before.get(key))]
        if before and keys:
            parts.append(f"{entry['name']} settings changed: {', '.join(sorted(keys))}")
    return parts


def _covers(wanted: Any, found: Any) -> bool:
    """Whether `found` says all that `wanted` says; AWS adds defaults and orders lists of names as it likes."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not wanted and not found:
            return True
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        return all(_covers(one, other) for one, other in zip(_ordered(wanted), _ordered(found), strict=True))
    if wanted in (None, "", 0, False) and not found:
        return True
    return str(wanted) == str(found)


def _ordered(items: list[Any]) -> list[Any]:
    if all(isinstance(item, dict) and "name" in item for item in items):
        return sorted(items, key=lambda item: str(item["name"]))
    return items
