"""Between the SDK's protobuf messages and plain values: the one place where a property is converted.

A *wire* value is what `google.protobuf.json_format.MessageToDict` makes of a property as the engine sends it
to an analyzer: dictionaries and lists in which secrets, assets and archives stand under their signatures and
an unknown is the SDK's own sentinel. A *plain* value is the same for people and tests (`pulumi_rehearsal.model`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime import rpc

from .model import UNKNOWN, Archive, Asset, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNATURE = rpc._special_sig_key  # noqa: SLF001  the protocol's constants have no public name
ASSET = rpc._special_asset_sig  # noqa: SLF001
ARCHIVE = rpc._special_archive_sig  # noqa: SLF001
SECRET = rpc._special_secret_sig  # noqa: SLF001
RESOURCE = rpc._special_resource_sig  # noqa: SLF001
OUTPUT = rpc._special_output_value_sig  # noqa: SLF001
UNKNOWN_WIRE = rpc.UNKNOWN


def wire_of(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The wire form of a resource's properties, as an analyzer would receive them.

    Like the engine, resolves what only lives between program and engine: an output value becomes its value,
    unknown or secret; a reference to a resource becomes its id, or its URN where it has no id.
    """
    # A protobuf map has no order; sorted, what a policy says of its keys is the same in every run.
    fields = struct.fields
    return {key: _wire(fields[key]) for key in sorted(fields)}


def _wire(value: struct_pb2.Value) -> Any:  # noqa: PLR0911  one for each kind
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields:
            return _signed({key: _wire(item) for key, item in fields.items()})
        return {key: _wire(fields[key]) for key in sorted(fields)}
    if kind == "list_value":
        return [_wire(item) for item in value.list_value.values]
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        return value.number_value
    return None


def _signed(value: dict[str, Any]) -> Any:
    signature = value[SIGNATURE]
    if signature == OUTPUT:
        inner = value.get("value", UNKNOWN_WIRE)
        return {SIGNATURE: SECRET, "value": inner} if value.get("secret") else inner
    if signature == RESOURCE:
        if "id" not in value:
            return value["urn"]
        return value["id"] or UNKNOWN_WIRE
    return value


def struct_of(wire: Mapping[str, Any]) -> struct_pb2.Struct:
    """The protobuf form of wire properties."""
    struct = struct_pb2.Struct()
    struct.update(wire)
    return struct


def without_internal(wire: Any) -> Any:
    """The same without keys that begin with `__`, which the engine keeps from Analyze and AnalyzeStack."""
    if isinstance(wire, dict):
        return {k: without_internal(v) for k, v in wire.items() if not k.startswith("__")}
    if isinstance(wire, list):
        return [without_internal(item) for item in wire]
    return wire


def plain_of(wire: Any) -> Any:  # noqa: PLR0911  one for each kind
    """The plain form of a wire value."""
    if isinstance(wire, str):
        return UNKNOWN if wire == UNKNOWN_WIRE else wire
    if isinstance(wire, list):
        return [plain_of(item) for item in wire]
    if not isinstance(wire, dict):
        # The protocol knows no integers; a person reads 443, not 443.0.
        return int(wire) if isinstance(wire, float) and wire.is_integer() else wire
    signature = wire.get(SIGNATURE)
    if signature is None:
        return {key: plain_of(value) for key, value in wire.items()}
    if signature == SECRET:
        return Secret(plain_of(wire.get("value")))
    if signature == ASSET:
        return Asset(path=wire.get("path"), text=wire.get("text"), uri=wire.get("uri"))
    if signature == ARCHIVE:
        assets = wire.get("assets")
        return Archive(
            path=wire.get("path"),
            uri=wire.get("uri"),
            assets=None if assets is None else {name: plain_of(item) for name, item in assets.items()},
        )
    raise ValueError(f"a property carries the signature {signature!r}, which this engine does not know")


def wire_from_plain(value: Any) -> Any:  # noqa: PLR0911  one for each kind
    """The wire form of a plain value; the inverse of `plain_of`."""
    if value is UNKNOWN:
        return UNKNOWN_WIRE
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": wire_from_plain(value.value)}
    if isinstance(value, Asset):
        kept = {"path": value.path, "text": value.text, "uri": value.uri}
        return {SIGNATURE: ASSET, **{k: v for k, v in kept.items() if v is not None}}
    if isinstance(value, Archive):
        archive: dict[str, Any] = {SIGNATURE: ARCHIVE}
        if value.path is not None:
            archive["path"] = value.path
        if value.uri is not None:
            archive["uri"] = value.uri
        if value.assets is not None:
            archive["assets"] = {name: wire_from_plain(item) for name, item in value.assets.items()}
        return archive
    if isinstance(value, dict):
        return {key: wire_from_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [wire_from_plain(item) for item in value]
    # The protocol's numbers are all of one kind.
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def is_secret(wire: Any) -> bool:
    """Whether a wire value is a secret as a whole."""
    return isinstance(wire, dict) and wire.get(SIGNATURE) == SECRET


def opened(wire: Any) -> Any:
    """A wire value with its secrets opened, at any depth."""
    if isinstance(wire, dict):
        if wire.get(SIGNATURE) == SECRET:
            return opened(wire.get("value"))
        return {key: opened(value) for key, value in wire.items()}
    if isinstance(wire, list):
        return [opened(item) for item in wire]
    return wire


def contains_unknown(wire: Any) -> bool:
    """Whether anything inside a wire value is unknown."""
    if isinstance(wire, dict):
        return any(contains_unknown(value) for value in wire.values())
    if isinstance(wire, list):
        return any(contains_unknown(item) for item in wire)
    return isinstance(wire, str) and wire == UNKNOWN_WIRE


def contains_secret(wire: Any) -> bool:
    """Whether anything inside a wire value is a secret."""
    if isinstance(wire, dict):
        return is_secret(wire) or any(contains_secret(value) for value in wire.values())
    return isinstance(wire, list) and any(contains_secret(item) for item in wire)


def file_paths(wire: Any) -> Iterator[str]:
    """The paths of all files and directories that assets and archives inside a wire value name."""
    if isinstance(wire, dict):
        if wire.get(SIGNATURE) in (ASSET, ARCHIVE) and isinstance(wire.get("path"), str):
            yield wire["path"]
        for value in wire.values():
            if isinstance(value, dict | list):
                yield from file_paths(value)
    elif isinstance(wire, list):
        for item in wire:
            if isinstance(item, dict | list):
                yield from file_paths(item)
