"""Revisions of a task definition: what a release brings, whether a revision already says it, and registering it.

AWS judges a task definition, not the SDK that Lambda happens to bring: fields that the SDK does not know are sent as
they are, and whether ECS took them is read from its own answer. RegisterTaskDefinition would pass over a field that
ECS does not know either, so a field that does not come back refuses the release.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from contract.files import APPSPEC, IMAGE_DEFINITIONS, IMAGE_PLACEHOLDER, TASK_DEFINITION
from functions.shared import archives
from functions.shared.errors import CONFIGURATION, Refusal, cut
from functions.shared.strict_json import loads, objects, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_ecs import ECSClient

ARTIFACT: Final = "The Release artifact"
#: Bytes; the gate reads its template under the same caps.
ARCHIVE_CAP: Final = 3 * 1024 * 1024
MEMBER_CAP: Final = 1024 * 1024
#: Characters of what is wrong with a parameter.
_WRONG_CAP: Final = 500
_NAME: Final = f"{ARTIFACT}'s {TASK_DEFINITION}"
#: What DescribeTaskDefinition says beyond what RegisterTaskDefinition takes (ECS API reference, TaskDefinition).
_ADDED: Final = frozenset(
    {
        "compatibilities",
        "deleteRequestedAt",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
)
#: Lists whose order means nothing, and which AWS may give back in another one.
_UNORDERED: Final = frozenset(
    {
        "containerDefinitions",
        "dependsOn",
        "environment",
        "mountPoints",
        "portMappings",
        "requiresCompatibilities",
        "secrets",
        "systemControls",
        "ulimits",
        "volumes",
    }
)


def short(arn: str) -> str:
    """A task definition's family and revision."""
    return arn.rpartition("/")[2]


def released(artifact: bytes, family: str) -> dict[str, Any]:
    """The task definition that the Release artifact brings for the service of that name.

    Args:
        artifact: the zip's bytes.
        family: the service's name; not the family that runs, which before the first release is the stand-in's.

    Raises:
        Refusal: when it is not there, no task definition, another family's, or still has a placeholder.
    """
    members = archives.read(
        artifact,
        ARTIFACT,
        required={TASK_DEFINITION: MEMBER_CAP},
        optional={APPSPEC: MEMBER_CAP, IMAGE_DEFINITIONS: MEMBER_CAP},
        kind=CONFIGURATION,
    )
    document = loads(members[TASK_DEFINITION], _NAME, CONFIGURATION)
    containers = objects(document, "containerDefinitions")
    if not containers:
        raise Refusal(
            f"{_NAME} has no list of objects at containerDefinitions; bring the stack up and release again.",
            CONFIGURATION,
        )
    if document.get("family") != family:
        raise Refusal(
            f"{_NAME} is of the family {shown(document.get('family'))} and releases of service {family} are of the "
            f"family {family}; bring the stack up and release again.",
            CONFIGURATION,
        )
    for container in containers:
        if container.get("image") == IMAGE_PLACEHOLDER:
            raise Refusal(
                f"{_NAME} has no image for the container {shown(container.get('name'))}, only {IMAGE_PLACEHOLDER}; "
                "release again.",
                CONFIGURATION,
            )
    return dict(document)


class Revisions:
    """The registered revisions, in AWS's own JSON: the SDK leaves out of it what it does not know."""

    def __init__(self, ecs: ECSClient) -> None:
        self._ecs = ecs
        self._shape: Any = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
        self._whole = b""
        self._said: dict[str, Any] = {}
        ecs.meta.events.register("before-call.ecs.RegisterTaskDefinition", self._send)
        ecs.meta.events.register("before-parse.ecs", self._keep)

    def _send(self, params: dict[str, Any], **_: Any) -> None:
        """Put the whole request in place of the part of it that the SDK knows."""
        if not self._whole:
            return
        if "json" not in str(params["headers"].get("Content-Type")):
            raise Refusal(
                f"{_NAME} has fields that this function's SDK does not know and cannot send; remove them, bring the "
                "stack up and release again.",
                CONFIGURATION,
            )
        params["body"] = self._whole

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        self._said = json.loads(response_dict["body"]) if response_dict["status_code"] == 200 else {}  # noqa: PLR2004

    def _whole_answer(self, parsed: Mapping[str, Any]) -> Mapping[str, Any]:
        said, self._said = self._said, {}
        return said or parsed

    def refuse_unless_valid(self, definition: Mapping[str, Any]) -> None:
        """Hold what the SDK knows of `definition` against its model, before anything is compared or called.

        The sentence leaves out the value that is wrong, which may be nobody's business.

        Raises:
            Refusal: of kind ConfigurationError.
        """
        from botocore.exceptions import ParamValidationError  # noqa: PLC0415
        from botocore.validate import validate_parameters  # noqa: PLC0415

        if given := sorted(_ADDED & set(definition)):
            raise _wrong(f"{given[0]} is for ECS to say")
        try:
            validate_parameters(known(definition, self._shape), self._shape)
        except ParamValidationError as error:
            first = re.split(r", (?:value|must|valid)", str(error.kwargs["report"]))[0].splitlines()[0]
            raise _wrong(cut(first, _WRONG_CAP)) from None

    def find(self, definition: Mapping[str, Any], *names: str) -> str | None:
        """ARN of the first active revision of `names` that says what `definition` says; None for none."""
        for name in names:
            try:
                parsed = self._ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
            except self._ecs.exceptions.ClientException:
                # No active revision is left in the family.
                continue
            said = self._whole_answer(parsed)
            found = {**said["taskDefinition"], "tags": said.get("tags", [])}
            # A service can go on running a revision that was deregistered, but not be updated to it.
            if found.get("status") == "ACTIVE" and same(definition, found):
                return str(found["taskDefinitionArn"])
        return None

    def register(self, definition: Mapping[str, Any]) -> str:
        """Register a revision; returns its ARN.

        Raises:
            Refusal: ECS does not know a field that the SDK does not know either.
        """
        unknown = list(unknown_fields(definition, self._shape))
        self._whole = json.dumps(definition).encode() if unknown else b""
        said = self._whole_answer(self._ecs.register_task_definition(**known(definition, self._shape)))
        found = said["taskDefinition"]
        arn = str(found["taskDefinitionArn"])
        for path, keys in unknown:
            if not _has(found, keys):
                raise Refusal(
                    f"{_NAME} has {path}, which Amazon ECS passed over as it does not know it; correct or remove it in "
                    f"the template, bring the stack up and release again ({short(arn)} is registered, not deployed).",
                    CONFIGURATION,
                )
        return arn


def _wrong(what: str) -> Refusal:
    return Refusal(
        f"{_NAME} is no request of RegisterTaskDefinition ({what}); "
        "correct the template, bring the stack up and release again.",
        CONFIGURATION,
    )


def known(value: Any, shape: Any) -> Any:
    """What of a request's value a model of the SDK knows; a value of another type than the model's stays as it is."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: known(one, shape.members[name]) for name, one in value.items() if name in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [known(one, shape.member) for one in value]
    return value


def unknown_fields(value: Any, shape: Any, path: str = "", keys: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The fields that a model of the SDK does not know: each in words, and as keys (`*` for any item of a list)."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, one in value.items():
            where = f"{path}.{name}" if path else name
            if name in shape.members:
                yield from unknown_fields(one, shape.members[name], where, (*keys, name))
            else:
                yield where, (*keys, name)
    elif shape.type_name == "list" and isinstance(value, list):
        for index, one in enumerate(value):
            yield from unknown_fields(one, shape.member, f"{path}[{index}]", (*keys, "*"))


def _has(found: Any, keys: tuple[str, ...]) -> bool:
    if not keys:
        return True
    first, *rest = keys
    if first == "*":
        return isinstance(found, list) and any(_has(one, tuple(rest)) for one in found)
    return isinstance(found, dict) and first in found and _has(found[first], tuple(rest))


def same(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether registering `wanted` would only repeat `found`.

    AWS gives back more than it was sent: empty lists, defaults, another order. Known defaults count as said;
    anything else that only one side says makes the two different, which costs a revision and hides no change.
    Of the tags those wanted must be there; an organisation's own may be there as well.

    Args:
        wanted: the request of RegisterTaskDefinition.
        found: a task definition as DescribeTaskDefinition gives it, with its tags in it.
    """
    tags = {(tag.get("key"), tag.get("value")) for tag in found.get("tags") or []}
    if not {(tag.get("key"), tag.get("value")) for tag in wanted.get("tags") or []} <= tags:
        return False
    return bool(_plain(wanted) == _plain(found))


def _plain(definition: Mapping[str, Any]) -> Any:
    """A task definition with the defaults spelled out, nothing empty in it, and its unordered lists in order."""
    said = {key: value for key, value in definition.items() if key not in {*_ADDED, "tags"}}
    containers = [_container(one) for one in said.get("containerDefinitions") or []]
    return _pruned({**said, "containerDefinitions": containers})


def _container(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Spell out a container's defaults (ECS API reference: ContainerDefinition, PortMapping, HealthCheck)."""
    out = {"cpu": 0, **definition}
    # Not a plain value, so that a container that is not essential differs although False counts as nothing.
    out["essential"] = "no" if out.get("essential") is False else "yes"
    if ports := out.get("portMappings"):
        out["portMappings"] = [{"hostPort": one.get("containerPort"), "protocol": "tcp", **one} for one in ports]
    if check := out.get("healthCheck"):
        out["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0, **check}
    return out


def _pruned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        pairs = {name: _pruned(one, name) for name, one in value.items()}
        return {name: one for name, one in pairs.items() if not (one is None or one is False or one in ([], {}))}
    if isinstance(value, list):
        items = [_pruned(one) for one in value]
        return sorted(items, key=lambda one: json.dumps(one, sort_keys=True)) if key in _UNORDERED else items
    return value
