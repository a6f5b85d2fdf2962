"""The hand-off, parsed as untrusted input and checked against the contract; makes no AWS call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from contract.files import HANDOFF_ARCHIVE
from contract.files import IMAGE_DEFINITIONS as MEMBER
from contract.partition import DOMAIN
from functions.shared import archives
from functions.shared.errors import Refusal
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from contract.release import Contract

ARCHIVE: Final = f"The hand-off {HANDOFF_ARCHIVE}"
#: Bytes of the archive as put; two hundred containers fit many times over.
ARCHIVE_CAP: Final = 256 * 1024
#: Bytes of the document: what the ECS deploy action takes (CodePipeline user guide, "Image definitions file").
MEMBER_CAP: Final = 100 * 1024
_KEYS: Final = frozenset({"name", "imageUri"})
_ECR_HOST = re.compile(r"(?P<account>[^.]+)\.dkr\.ecr\.(?P<region>[^.]+)\.(?P<domain>.+)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHAPE: Final = '[{"name": container, "imageUri": image}, ...]'
_URI_CAP = 1024


@dataclass(frozen=True, kw_only=True)
class NamedImage:
    """One container's image as CI named it: `repository`, `tag` (`${env}-${commit}`) and maybe the digest too."""

    container: str
    repository: str
    tag: str
    commit: str
    digest: str | None


def read(data: bytes, contract: Contract) -> list[NamedImage]:
    """Return the named images in the contract's order of containers.

    Raises:
        Refusal: one sentence, for anything that is not exactly a hand-off of this service.
    """
    members = archives.read(data, ARCHIVE, required={MEMBER: MEMBER_CAP})
    return check(loads(members[MEMBER], MEMBER), contract)


def check(document: Any, contract: Contract) -> list[NamedImage]:
    """Hold a decoded `imagedefinitions.json` against the contract; see `read`."""
    wanted = ", ".join(contract.containers)
    if not isinstance(document, list):
        raise Refusal(f"{MEMBER} holds {_kind(document)} {shown(document)}; it must be a list: {_SHAPE}.")
    if not document:
        raise Refusal(f"{MEMBER} names no container; it must name {wanted}.")
    found: dict[str, NamedImage] = {}
    for position, entry in enumerate(document, start=1):
        where = f"{MEMBER}, entry {position},"
        _check_shape(entry, where)
        name = entry["name"]
        if name not in contract.containers:
            raise Refusal(
                f"{where} names the container {shown(name)}, which {contract.service} does not have; it has {wanted}."
            )
        if name in found:
            raise Refusal(f"{where} names the container {name} again; name every container once.")
        found[name] = _image(name, entry["imageUri"], contract)
    for name in contract.containers:
        if name not in found:
            raise Refusal(f"{MEMBER} lacks the container {name}; it must name {wanted}.")
    return [found[name] for name in contract.containers]


def _check_shape(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise Refusal(f"{where} is {_kind(entry)} {shown(entry)}; it must be an object: {_SHAPE}.")
    if extra := sorted(set(entry) - _KEYS):
        raise Refusal(f"{where} has the key {shown(extra[0])}; allowed are name and imageUri only.")
    for key in ("name", "imageUri"):
        if key not in entry:
            raise Refusal(f"{where} lacks {key}; every entry needs name and imageUri.")
        if not isinstance(entry[key], str):
            raise Refusal(f"{where} has {_kind(entry[key])} {shown(entry[key])} as {key}; it must be a text.")


def _image(container: str, uri: str, contract: Contract) -> NamedImage:
    """Take an image's URI apart; the parts are compared whole, never searched for."""
    repository = contract.containers[container]
    allowed = f"{contract.registry}/{repository}:{contract.environment}-<commit hash>"
    seen = f"Container {container}: {shown(uri)}"
    if not uri:
        raise Refusal(f"Container {container} has an empty imageUri; allowed is {allowed}.")
    if len(uri) > _URI_CAP:
        raise Refusal(f"{seen} is {len(uri)} characters long; allowed is {allowed}.")
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        raise Refusal(f"{seen} has a space, a control character or one outside ASCII in it; allowed is {allowed}.")
    if "://" in uri:
        raise Refusal(f"{seen} begins with a scheme; an image has none; allowed is {allowed}.")
    host, slash, rest = uri.partition("/")
    if not slash:
        raise Refusal(f"{seen} names no registry; allowed is {allowed}.")
    _check_registry(host, seen, allowed, contract)
    rest, at, digest = rest.partition("@")
    path, colon, tag = rest.partition(":")
    if path != repository:
        raise Refusal(f"{seen} {_stranger(path, container, contract)}; allowed is {allowed}.")
    if at and not _DIGEST.fullmatch(digest):
        raise Refusal(f"{seen} has the digest {shown(digest)}, which is not sha256: and 64 hex digits.")
    if at and not colon:
        raise Refusal(f"{seen} gives a digest and no tag, so its commit is unknown; allowed is {allowed}.")
    if not colon:
        raise Refusal(f"{seen} has no tag; allowed is {allowed}.")
    commit = _commit(tag, seen, allowed, contract)
    return NamedImage(container=container, repository=repository, tag=tag, commit=commit, digest=digest if at else None)


def _check_registry(host: str, seen: str, allowed: str, contract: Contract) -> None:
    if host == contract.registry:
        return
    ecr = _ECR_HOST.fullmatch(host)
    if ecr is None or ecr["domain"] != DOMAIN:
        raise Refusal(f"{seen} comes from the registry {shown(host)}; allowed is {allowed}.")
    if ecr["account"] != contract.account:
        raise Refusal(f"{seen} comes from the account {shown(ecr['account'])}; allowed is {allowed}.")
    raise Refusal(f"{seen} comes from the region {shown(ecr['region'])}; allowed is {allowed}.")


def _stranger(path: str, container: str, contract: Contract) -> str:
    """Say whose repository it is, since most wrong ones are a neighbour's."""
    for other, repository in contract.containers.items():
        if path == repository and other != container:
            return f"is the repository of the container {other}"
    parts = path.split("/")
    own = contract.containers[container].split("/")
    if len(parts) == len(own) and parts[1:] == own[1:]:
        return f"is a repository of the environment {shown(parts[0])}"
    if parts[:2] == own[:2] and parts[2:] == ["cache"]:
        return "is the build cache, which is never deployed"
    return f"is the repository {shown(path)}"


def _commit(tag: str, seen: str, allowed: str, contract: Contract) -> str:
    if not _TAG.fullmatch(tag):
        raise Refusal(f"{seen} has {shown(tag)} as its tag, which no registry takes; allowed is {allowed}.")
    prefix = f"{contract.environment}-"
    if tag.startswith(prefix):
        commit = tag.removeprefix(prefix)
        if _COMMIT.fullmatch(commit):
            return commit
        raise Refusal(
            f"{seen} has {shown(commit)} where the commit hash belongs (7 to 64 lower-case hex digits); "
            f"allowed is {allowed}."
        )
    environment, dash, commit = tag.rpartition("-")
    if dash and _COMMIT.fullmatch(commit):
        raise Refusal(f"{seen} has a tag of the environment {shown(environment)}; allowed is {allowed}.")
    raise Refusal(f"{seen} has the tag {shown(tag)}, which names no commit; allowed is {allowed}.")


def _kind(value: Any) -> str:
    names = {dict: "the object", list: "the list", str: "the text", bool: "the value", type(None): "the value"}
    return names.get(type(value), "the number")
