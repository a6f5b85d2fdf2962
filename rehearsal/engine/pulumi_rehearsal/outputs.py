"""Well-formed values for what a provider would compute: ARNs, ids, URLs and addresses of the right form.

Used in `up` mode, for what a program reads (`Type.get`), and for components that a plugin constructs. Values
are made from the resource's URN, so that a run repeated gives the same values and two resources never share one.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi import _types

from . import aws_values, sdk_types
from .aws_values import Place, Subject
from .defaults import WRITTEN_BACK
from .model import UNKNOWN


def filled(
    token: str,
    name: str,
    urn: str,
    inputs: Mapping[str, Any],
    place: Place,
    *,
    looked_up: str = "",
    instead_of: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The physical id and the outputs of a resource after its creation.

    Args:
        token: type token, `aws:s3/bucket:Bucket`.
        name: logical name.
        urn: URN; every made value depends on it.
        inputs: plain inputs (secrets opened).
        place: account and region.
        looked_up: the physical id, where the program reads or imports what is already there.
        instead_of: the outputs of what stood under this URN before, where it is made anew: no made value is
            one of those again.

    Returns:
        The id and the outputs: the inputs, and for every computed property what AWS writes back, or a value of its
        form; lists, maps and objects that nobody can make up are unknown.
    """
    revision = 1
    if instead_of is not None:
        urn = f"{urn}\0{instead_of.get('id')}\0{instead_of.get('arn')}"
        former = instead_of.get("revision")
        revision += former if isinstance(former, int) else 0
    subject = Subject(token, name, urn, inputs, place, looked_up, revision)
    outputs = dict(inputs)
    arn = looked_up if looked_up.startswith("arn:") else aws_values.arn(subject)
    identifier = looked_up or aws_values.identifier(subject, arn)
    cls = sdk_types.resource_class(token)
    could_give = sdk_types.inputs_of(cls) if cls is not None else frozenset()
    for key, hint in sdk_types.computed(token).items():
        if key in outputs:
            continue
        written = WRITTEN_BACK.get((token, key))
        value = (
            made(subject, key, sdk_types.inside_output(hint), arn, identifier) if written is None else written(subject)
        )
        if (
            written is None
            and key in could_give
            and key not in _MADE_WHEN_LEFT_OUT
            and (token, key) not in aws_values.SPECIAL
        ):
            # What a program may leave out comes back empty, not invented: nobody wrote that policy.
            value = _empty(value)
        if value is not None:
            outputs[key] = value
    return identifier, outputs


_MADE_WHEN_LEFT_OUT = frozenset(
    {"arn", "bucket", "name", "region", "url", "vpcId", "subnetId", "availabilityZone", "ipAddress", "privateIp"}
)
_EMPTY: dict[type, Any] = {str: "", bool: False, int: 0}


def _empty(value: Any) -> Any:
    return _EMPTY.get(type(value), value)


def made(subject: Subject, key: str, hint: Any, arn: str, identifier: str) -> Any:
    """The value of one computed property: of the type of the hint and the form that AWS gives it, or unknown."""
    special = aws_values.SPECIAL.get((subject.type, key))
    if special is not None:
        return special(subject)
    if typing.get_origin(hint) is typing.Union:
        options = typing.get_args(hint)
        return None if type(None) in options else made(subject, key, options[0], arn, identifier)
    kind = typing.get_origin(hint) or hint
    if kind in _NOT_MADE or (isinstance(hint, type) and _types.is_output_type(hint)):
        # How many there are, and under which keys, nobody can make up.
        return UNKNOWN
    plain = next((make for kinds, make in _PLAIN if kind in kinds), None)
    return aws_values.text(subject, key, arn, identifier) if plain is None else plain()


_PLAIN: tuple[tuple[tuple[Any, ...], Callable[[], Any]], ...] = (
    ((bool,), bool),
    ((int, float), int),
)
_NOT_MADE = (list, Sequence, dict, Mapping)


def remote_outputs(token: str, name: str, urn: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The outputs of a component that a provider plugin would construct, for which no children are made.

    What is no text and no list of ids is unknown: resources in it, and whatever is computed of them. Lists of ids
    get as many entries as there are availability zones asked for (three where it is not said).
    """
    subject = Subject(token, name, urn, inputs, place)
    cls = sdk_types.resource_class(token)
    zones = inputs.get("numberOfAvailabilityZones")
    count = int(zones) if isinstance(zones, int | float) else 3
    result: dict[str, Any] = {}
    for key, hint in (sdk_types.raw_hints(cls) if cls is not None else {}).items():
        kind = sdk_types.inside_output(hint)
        result[key] = _remote_value(subject, key, kind, count)
    return result


_REMOTE_PREFIXES = {"vpc": "vpc", "subnet": "subnet", "securitygroup": "sg", "natgateway": "nat"}


def _remote_value(subject: Subject, key: str, hint: Any, count: int) -> Any:
    lower = key.lower()
    prefix = next((p for word, p in _REMOTE_PREFIXES.items() if lower.startswith(word) or word in lower), None)
    if lower.endswith("ids") and typing.get_origin(hint) in (list, Sequence):
        return [f"{prefix or 'id'}-{subject.hex(f'{key}{i}', 17)}" for i in range(count)]
    if hint is str and lower.endswith("id"):
        return f"{prefix or 'id'}-{subject.hex(key, 17)}"
    if hint is str:
        return aws_values.text(subject, key, aws_values.arn(subject), aws_values.ec2_id(subject))
    return UNKNOWN
