"""What the rehearsal takes for computed, against a table from elsewhere: `{type token: {property: kind}}`."""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pulumi import _types
from pulumi_rehearsal import sdk_types
from pulumi_rehearsal.errors import UsageError

from .compare import NOTHING, Difference
from .provider import import_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STEP = "computed"
_COMPUTED = "computed"


@functools.cache
def _required_inputs(cls: type) -> frozenset[str]:
    """The properties, by the provider's name, without which the SDK makes no resource of a type."""
    names = _types.resource_py_to_pulumi_names(cls)
    start: Any = getattr(cls, "_internal_init", None) or cls.__dict__["__init__"]
    said = re.findall(r"Missing required property '(\w+)'", inspect.getsource(start))
    return frozenset(names.get(name, name) for name in said)


def read(file: Path) -> dict[str, dict[str, str]]:
    """The table in a file.

    Raises:
        UsageError: it is none.
    """
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageError(f"{file} is no JSON file with a table of computed properties: {problem}") from problem
    if not isinstance(table, dict) or not table or not all(isinstance(row, dict) for row in table.values()):
        raise UsageError(f"{file} must be a map of type tokens to their computed properties: {{token: {{name: kind}}}}")
    return table


def compared(table: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Difference, str]]:
    """Where the table and the model differ, each with the reason, empty where there is none."""
    for token, row in table.items():
        import_class(token)
        cls = sdk_types.resource_class(token)
        if cls is None:
            yield _difference(token, "type", "is there", NOTHING), _KNOWN.get((token, ""), "")
            continue
        computed, given = sdk_types.computed(token), sdk_types.inputs_of(cls)
        for key in (key for key in row if key not in computed):
            yield _difference(token, key, _COMPUTED, NOTHING), _KNOWN.get((token, key), "")
        for key in (key for key in computed if key not in row and key not in _required_inputs(cls)):
            yield _difference(token, key, NOTHING, _COMPUTED), _reason(key, computed[key], given=key in given)


def _difference(token: str, key: str, table: str, model: str) -> Difference:
    return Difference(stack="", step=STEP, urn=f"::::{token}", what=key, engine=table, rehearsal=model)


def _reason(key: str, hint: Any, *, given: bool) -> str:
    """Why the model has more than a table of the Terraform provider's computed attributes."""
    if not given:
        return "no program can give it: only the provider can"
    if key == "region":
        return "since pulumi-aws 7 every resource says its region, the provider's own where the program gives none"
    if key in ("name", "deploymentConfigName"):
        return "a name that is left out is made up, by Check and not by AWS"
    if _is_block(hint):
        return "a block: AWS fills in its own default where the program gives none"
    return _OLDER.get(key, "")


def _is_block(hint: Any) -> bool:
    kind = sdk_types.inside_output(hint)
    if typing.get_origin(kind) in (list, Sequence):
        kind = typing.get_args(kind)[0]
    return isinstance(kind, type) and bool(_types.is_output_type(kind))


_DEFAULT = "the provider has a default for it, which the rehearsal does not know: unknown is the careful answer"
_NEWER = "newer than such tables: AWS chooses where the program does not say"

_OLDER = {
    "description": _DEFAULT,
    "key": "a name that is left out is made up, by Check and not by AWS",
    **dict.fromkeys(
        (
            "actionAfterCompletion", "applyOnTransformedLogs", "authorizedAwsRegion", "autoRetryLimit",
            "availabilityMode", "availabilityZoneRebalancing", "availableSecurityUpdatesComplianceStatus",
            "bucketNamespace", "cidrBlock", "deletionProtectionEnabled", "enablePrefixForIpv6SourceNat",
            "ipv6CidrBlock", "keySpec", "maximumMessageSize", "meteredAccount", "mode", "netmaskLength",
            "networkCardIndex", "placementGroupId", "responseTransferMode", "routingMode", "routingRuleDetails",
            "ruleState", "secondaryAllocationIds", "secondaryIpsAutoAssignedPerSubnet", "securityPolicy",
            "tunnelBandwidth", "vpcId",
        ),
        _NEWER,
    ),
}  # fmt: skip

_OPTIONAL = "the SDK does not promise it, so at preview the SDK itself makes it unknown"

#: (token, property), or (token, "") for a whole type, that a table has and the model has not.
_KNOWN = {
    ("aws:autoscaling/group:Group", "tagsAll"): "the SDK has no such output: a group's tags are a list",
    ("aws:ec2/instance:Instance", "userData"): _OPTIONAL,
    ("aws:ec2/launchConfiguration:LaunchConfiguration", "associatePublicIpAddress"): _OPTIONAL,
    ("aws:ec2/spotInstanceRequest:SpotInstanceRequest", "userData"): _OPTIONAL,
}
