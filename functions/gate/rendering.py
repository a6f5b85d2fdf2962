"""The release as the Deploy stage takes it: infrastructure's template with the pinned images, nothing else changed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from contract.files import (
    APPSPEC,
    IMAGE_DEFINITIONS,
    IMAGE_PLACEHOLDER,
    NETWORK_PLACEHOLDER,
    RELEASE,
    TASK_DEFINITION,
    TASK_DEFINITION_PLACEHOLDER,
    TEMPLATE_ARCHIVE,
)
from contract.release import Contract, InvalidReleaseError
from functions.shared import archives
from functions.shared.errors import CONFIGURATION, Refusal
from functions.shared.strict_json import loads, objects, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

ARCHIVE: Final = f"The template {TEMPLATE_ARCHIVE}"
#: Bytes of the template archive: what the CodeDeployToECS action takes as an artifact is 3 MB.
ARCHIVE_CAP: Final = 3 * 1024 * 1024
_MEMBER_CAP: Final = 1024 * 1024
_STRATEGY = re.compile(r"""^\s*(?:-\s+)?["']?CapacityProviderStrategy["']?\s*:\s*(?P<rest>.*)$""", re.MULTILINE)
_NETWORK = re.compile(r"""(?P<key>\bNetworkConfiguration["']?\s*:\s*)(?P<quote>["']?)<NETWORK>(?P=quote)""")
#: What a task's network may have, and how many (Amazon ECS API reference, AwsVpcConfiguration).
_NETWORK_LISTS: Final = {"subnets": ("subnet", 16), "securityGroups": ("sg", 5)}


def members(data: bytes) -> dict[str, bytes]:
    """Return the template's files; appspec.yaml may be missing, where a release is deployed without one."""
    return archives.read(
        data,
        ARCHIVE,
        required={TASK_DEFINITION: _MEMBER_CAP, RELEASE: _MEMBER_CAP},
        optional={APPSPEC: _MEMBER_CAP},
        kind=CONFIGURATION,
    )


def contract(data: bytes) -> Contract:
    """Read the template's release.json.

    Raises:
        Refusal: of kind ConfigurationError, naming the key, what was found and what is allowed.
    """
    try:
        return Contract.parse(loads(data, f"The template's {RELEASE}", CONFIGURATION))
    except InvalidReleaseError as error:
        raise _broken(str(error)) from None


def task_definition(template: bytes, images: Mapping[str, str]) -> dict[str, Any]:
    """Put each container's image (name to URI) where the template says `<IMAGE>`.

    Containers with an image of their own (side-cars that infrastructure pins) stay as they are.

    Raises:
        Refusal: of kind ConfigurationError when template and contract do not have the same containers.
    """
    document = loads(template, f"The template's {TASK_DEFINITION}", CONFIGURATION)
    containers = objects(document, "containerDefinitions")
    if containers is None:
        raise _broken("taskdef.json has no list of objects at containerDefinitions")
    open_names = [str(entry.get("name")) for entry in containers if entry.get("image") == IMAGE_PLACEHOLDER]
    for name in open_names:
        if name not in images:
            raise _broken(f"taskdef.json has the container {shown(name)}, which release.json does not list")
        if open_names.count(name) > 1:
            raise _broken(f"taskdef.json has the container {shown(name)} twice")
    for name in images:
        if name not in open_names:
            raise _broken(f"taskdef.json has no container {shown(name)} with the image {IMAGE_PLACEHOLDER}")
    rendered = [
        {**entry, "image": images[entry["name"]]} if entry.get("image") == IMAGE_PLACEHOLDER else entry
        for entry in containers
    ]
    return {**document, "containerDefinitions": rendered}


def app_spec(template: bytes | None, contract: Contract, network: Any) -> bytes | None:
    """Put the network where infrastructure's AppSpec says `<NETWORK>`; None where a release has no AppSpec.

    CodePipeline fills in `<TASK_DEFINITION>` itself. CodeDeploy takes a missing CapacityProviderStrategy as a wish to
    have none: the service would lose it. A missing NetworkConfiguration leaves the new tasks in the subnets of the old
    ones (CodeDeploy user guide, "AppSpec 'resources' section for Amazon ECS deployments").

    Args:
        template: the template's appspec.yaml, if it has one.
        contract: the service's.
        network: `{"subnets": [...], "securityGroups": [...]}`, as the pipeline tells it.

    Raises:
        Refusal: of kind ConfigurationError.
    """
    if not contract.appspec:
        return None
    if template is None:
        raise _broken("appspec.yaml is missing, and a release of this service is deployed by it")
    try:
        text = template.decode("utf-8")
    except UnicodeDecodeError:
        raise _broken("appspec.yaml is not UTF-8") from None
    live = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if (found := live.count(TASK_DEFINITION_PLACEHOLDER)) != 1:
        raise _broken(f"appspec.yaml has {TASK_DEFINITION_PLACEHOLDER} {found} times instead of once")
    strategy = _STRATEGY.search(live)
    # In one line of JSON the key stands within the line.
    if strategy is None and '"CapacityProviderStrategy"' not in live:
        raise _broken("appspec.yaml lacks CapacityProviderStrategy")
    if re.search(r"""CapacityProviderStrategy["']?\s*:\s*(?:\[\s*\]|null|~)""", live):
        raise _broken("appspec.yaml has an empty CapacityProviderStrategy")
    if (found := len(_NETWORK.findall(live))) != 1:
        raise _broken(f"appspec.yaml has NetworkConfiguration: {NETWORK_PLACEHOLDER} {found} times instead of once")
    # JSON, which is YAML as well.
    written = json.dumps({"AwsvpcConfiguration": _awsvpc(network)})
    return _NETWORK.sub(lambda match: match["key"] + written, text).encode()


def _awsvpc(network: Any) -> dict[str, Any]:
    """The network in CodeDeploy's words, which takes all three or none. Tasks never have a public address."""
    given = network if isinstance(network, dict) else {}
    for key, (kind, most) in _NETWORK_LISTS.items():
        ids = given.get(key)
        named = ids if isinstance(ids, list) else []
        wrong = [i for i in named if not isinstance(i, str) or not re.fullmatch(rf"{kind}-[0-9a-f]+", i)]
        if wrong or not 1 <= len(named) <= most:
            raise Refusal(
                f"The pipeline's UserParameters have {'nothing' if ids is None else shown(ids)} at network.{key}; "
                f"allowed are 1 to {most} ids like {kind}-0a1b2c3d4e5f60718; bring the stack up again.",
                CONFIGURATION,
            )
    return {
        "Subnets": given["subnets"],
        "SecurityGroups": given["securityGroups"],
        "AssignPublicIp": "DISABLED",
    }


def artifact(task: Mapping[str, Any], spec: bytes | None, definitions: bytes) -> bytes:
    """The Release artifact: taskdef.json, appspec.yaml, imagedefinitions.json; equal input gives equal bytes."""
    files = {
        TASK_DEFINITION: json.dumps(task, indent=2, ensure_ascii=False).encode() + b"\n",
        IMAGE_DEFINITIONS: definitions,
    }
    if spec is not None:
        files[APPSPEC] = spec
    return archives.write(files)


def _broken(what: str) -> Refusal:
    return Refusal(f"The template's {what}; bring the stack up again.", CONFIGURATION)
