"""Properties are converted exactly as protobuf's own JSON would, and back without loss."""

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi_rehearsal import UNKNOWN, Archive, Asset, Secret, unwrapped
from pulumi_rehearsal.wire import (
    ASSET,
    OUTPUT,
    RESOURCE,
    SECRET,
    SIGNATURE,
    UNKNOWN_WIRE,
    contains_unknown,
    opened,
    plain_of,
    struct_of,
    wire_from_plain,
    wire_of,
    without_internal,
)

scalars = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
plain_values = st.recursive(
    st.just(UNKNOWN) | st.booleans() | st.integers(-1000, 1000) | st.text() | st.builds(Asset, text=st.text()),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.builds(Secret, inner)
        | st.builds(Archive, assets=st.dictionaries(st.text(), st.builds(Asset, path=st.text())))
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values))
def test_a_struct_reads_as_protobufs_own_json_does(properties):
    struct = struct_pb2.Struct()
    struct.update(properties)

    assert wire_of(struct) == json_format.MessageToDict(struct)


@given(st.dictionaries(st.text(), plain_values))
def test_plain_values_survive_the_way_there_and_back(properties):
    wire = wire_from_plain(properties)

    assert plain_of(wire_of(struct_of(wire))) == properties


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({SIGNATURE: OUTPUT}, UNKNOWN_WIRE),
        ({SIGNATURE: OUTPUT, "value": "x", "dependencies": ["urn"]}, "x"),
        ({SIGNATURE: OUTPUT, "value": "x", "secret": True}, {SIGNATURE: SECRET, "value": "x"}),
        ({SIGNATURE: OUTPUT, "secret": True}, {SIGNATURE: SECRET, "value": UNKNOWN_WIRE}),
        ({SIGNATURE: RESOURCE, "urn": "urn:c"}, "urn:c"),
        ({SIGNATURE: RESOURCE, "urn": "urn:c", "id": "i-1"}, "i-1"),
        ({SIGNATURE: RESOURCE, "urn": "urn:c", "id": ""}, UNKNOWN_WIRE),
        ({SIGNATURE: ASSET, "text": "a"}, {SIGNATURE: ASSET, "text": "a"}),
    ],
)
def test_what_lives_between_program_and_engine_is_resolved(sent, received):
    assert wire_of(struct_of({"list": [sent]})) == {"list": [received]}


def test_a_signature_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="signature 'nonsense'"):
        plain_of({SIGNATURE: "nonsense"})


def test_internal_keys_are_left_out_at_every_depth():
    assert without_internal({"__meta": 1, "a": [{"__defaults": [], "b": {"__x": 1}}]}) == {"a": [{"b": {}}]}


def test_secrets_are_opened_at_every_depth():
    plain = {"a": Secret({"b": [Secret("c")]})}

    assert unwrapped(plain) == {"a": {"b": ["c"]}}
    assert opened(wire_from_plain(plain)) == {"a": {"b": ["c"]}}


def test_an_unknown_is_found_at_every_depth():
    assert contains_unknown(wire_from_plain({"a": [Secret({"b": UNKNOWN})]}))
    assert not contains_unknown(wire_from_plain({"a": [Secret({"b": "known"})]}))
