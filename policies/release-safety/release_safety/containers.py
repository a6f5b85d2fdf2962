"""Rules on containers: their privileges, their secrets, their logs and their images.

Sources: Amazon ECS developer guide, "Task definition parameters for Fargate" and "Best practices for security". AWS
Foundational Security Best Practices ECS.4, ECS.8, ECS.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from policy_kit.findings import Finding, Verdict
from policy_kit.resources import objects_in

if TYPE_CHECKING:
    from policy_kit.resources import Resource
    from policy_kit.stack import TaskDefinition

    from .releases import Releases

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE|SECRET|SECRETS|TOKEN|CREDENTIALS?|API_?KEY|APIKEY|PRIVATE_?KEY|"
    r"ACCESS_?KEY|SECRET_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY|SESSION_?KEY|AUTH|CONNECTION_?STRING|DSN|WEBHOOK(?:_URL)?)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_VALUE = re.compile(
    r"A[KS]IA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{10,}|rk_live_[A-Za-z0-9]{10,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.|[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@"
    r"|hooks\.slack\.com/services/\w+|AIza[0-9A-Za-z_-]{30,}|glpat-[\w-]{20,}|npm_[A-Za-z0-9]{30,}",
)
_REFERENCE = re.compile(
    r"arn:aws|\{\{resolve:|/[\w./-]+$|^$|^(?:true|false|none|null|disabled|\d{1,5})$", re.IGNORECASE
)
_ECR = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]{64}))?"
)
_PLACEHOLDER = re.compile(r"<[A-Z0-9_]+>")
_NAMESPACES: Final = ("networkMode", "pidMode", "ipcMode")


def containers_are_unprivileged(releases: Releases) -> Iterator[Verdict]:
    """Privileged containers, host namespaces, host paths, added capabilities, lost read-only roots."""
    read_only = {
        (r.family, c.get("name"))
        for r in releases.task_definitions
        for c in r.containers
        if c.get("readonlyRootFilesystem") is True
    }
    for revision in releases.task_definitions:
        problems = [f"its {k} is host" for k in _NAMESPACES if revision.document.get(k) == "host"]
        volumes = objects_in(revision.document.get("volumes"))
        problems += [f"its volume {v.get('name')} is a path of the host" for v in volumes if _host_path(v)]
        for container in revision.containers:
            problems += _container_problems(container, revision, read_only, releases.settings.read_only_root)
        for problem in problems:
            yield Finding(
                resource=revision.resource,
                found=f"the task definition {revision.family}: {problem}",
                why="A container escape reaches the host's other tasks and their roles.",
                remedy="Drop privileged, host modes, host paths, added capabilities; set readonlyRootFilesystem: true.",
            )


def _host_path(volume: Mapping[str, Any]) -> bool:
    host = volume.get("host")
    return bool(volume.get("hostPath") or (isinstance(host, Mapping) and host.get("sourcePath")))


def _container_problems(
    container: Mapping[str, Any],
    revision: TaskDefinition,
    read_only: set[tuple[str, Any]],
    everywhere: bool,
) -> Iterator[str]:
    name = container.get("name")
    if container.get("privileged") is True:
        yield f"the container {name} is privileged"
    linux = container.get("linuxParameters")
    capabilities = linux.get("capabilities") if isinstance(linux, Mapping) else None
    added = capabilities.get("add") if isinstance(capabilities, Mapping) else None
    extra = [a for a in added or () if a != "SYS_PTRACE"]  # the only one that Fargate takes, and it stays in the task
    if extra:
        yield f"the container {name} adds the capabilities {', '.join(map(str, extra))}"
    declared = everywhere or (revision.family, name) in read_only
    if declared and container.get("readonlyRootFilesystem") is not True:
        yield f"the container {name} can write its root file system, which is declared read-only"


def secrets_are_never_in_plain_environment(releases: Releases) -> Iterator[Verdict]:
    """Variables of containers and functions that are secrets by their name or by their value."""
    allowed = frozenset(releases.settings.plain_variables)
    for revision in releases.task_definitions:
        for container in revision.containers:
            pairs = [
                (str(v.get("name")), v.get("value"))
                for v in container.get("environment") or ()
                if isinstance(v, Mapping)
            ]
            for name in _secrets(pairs, allowed):
                yield _plain(revision.resource, f"the container {container.get('name')} of {revision.family}", name)
    for function in releases.of("lambda.Function"):
        variables = next(iter(function.objects("environment")), {}).get("variables")
        if isinstance(variables, Mapping):
            for name in _secrets(variables.items(), allowed):
                yield _plain(function, f"the function {function.text('name') or function.name}", name)


def _secrets(pairs: Iterable[tuple[str, Any]], allowed: frozenset[str]) -> Iterator[str]:
    for name, value in pairs:
        if name in allowed or not isinstance(value, str):
            continue
        named = _SECRET_NAME.search(_CAMEL.sub("_", name)) and not _REFERENCE.match(value)
        if named or _SECRET_VALUE.search(value):
            yield name


def _plain(resource: Resource, whose: str, name: str) -> Finding:
    return Finding(
        resource=resource,
        found=f"{whose} has the secret {name} in its plain environment",
        why="A plain variable is read by everyone who may describe the task, and stays in its history.",
        remedy="Put the value into Secrets Manager or SSM and name it under secrets.",
    )


def containers_log(releases: Releases) -> Iterator[Verdict]:
    """Containers without a log."""
    for revision in releases.task_definitions:
        for container in revision.containers:
            logging = container.get("logConfiguration")
            driver = logging.get("logDriver") if isinstance(logging, Mapping) else None
            if not driver or driver == "none":
                yield Finding(
                    resource=revision.resource,
                    found=f"the container {container.get('name')} of {revision.family} has no log",
                    why="Without logs nobody can tell what a release did.",
                    remedy="Give it logConfiguration with awslogs and the service's own log group.",
                )


def images_come_from_declared_repositories(releases: Releases) -> Iterator[Verdict]:
    """Images of other registries, of caches, and without a tag that stays."""
    own = {r.text("name"): r for r in releases.of("ecr.Repository") if r.text("name")}
    for revision in releases.task_definitions:
        for container in revision.containers:
            image = container.get("image")
            problem = _image_problem(image, own, releases) if isinstance(image, str) else "it has no image"
            if problem:
                yield Finding(
                    resource=revision.resource,
                    found=f"the container {container.get('name')} of {revision.family} starts from {image}: {problem}",
                    why="An image that somebody else can replace runs with this service's role.",
                    remedy="Take the image from one of the stack's repositories by its own tag or digest; name another "
                    "registry in the setting registries.",
                )


def _image_problem(  # noqa: PLR0911  a verdict a line
    image: str,
    own: Mapping[str, Resource],
    releases: Releases,
) -> str | None:
    if _PLACEHOLDER.fullmatch(image):
        return None
    ecr = _ECR.fullmatch(image)
    if ecr:
        account, region, repository, tag, digest = ecr.groups()
        declared = own.get(repository)
        if declared is None and not any(image.startswith(r) for r in releases.settings.registries):
            return "the stack does not declare that repository"
        if declared is not None and (declared.account not in ("", account) or declared.region not in ("", region)):
            return "the repository of that name belongs to another account or region"
        if any(fnmatchcase(repository, p) for p in releases.settings.cache_repositories):
            return "a cache is never deployed"
        return None if digest or tag not in (None, "latest") else "its tag moves"
    if not any(image.startswith(r) for r in releases.settings.registries):
        return "that registry is not declared"
    name = image.rsplit("/", 1)[-1]
    if "@sha256:" in name:
        return None
    return None if ":" in name and not name.endswith(":latest") else "its tag moves"
