"""Nothing that anyone can put under the hand-off's key crashes the gate or gets past the service's repositories."""

import io
import json
import stat
import string
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.release import Contract
from functions.gate import handoff, images, manifests, rendering
from functions.shared import archives
from functions.shared.errors import Refusal
from functions.shared.strict_json import loads
from tests.functions.hostile import lone, member, raw_zip
from tests.functions.world import COMMIT, REGISTRY, RELEASE, both, uri, zipped

TERMS = Contract.parse(RELEASE)
REPOSITORIES = {f"{REGISTRY}/{name}" for name in TERMS.containers.values()}
GOOD = zipped({"imagedefinitions.json": both()})
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def outcome(read):
    """Either what was accepted, or a refusal in one line; any other exception fails the test by itself."""
    try:
        return read()
    except Refusal as refusal:
        said = str(refusal)
        assert said.endswith(".")
        assert said.isprintable()
        assert len(said) < 1_500
        return None


def only_own_images(accepted):
    """Whatever was accepted names each container once, by the one repository that is the container's own."""
    if accepted is None:
        return
    assert {image.container: image.repository for image in accepted} == dict(TERMS.containers)
    for image in accepted:
        assert image.tag == f"prod-{image.commit}"
        pinned = images.PinnedImage(
            container=image.container,
            repository=image.repository,
            tag=image.tag,
            commit=image.commit,
            digest="sha256:" + "0" * 64,
            runs=(),
        )
        assert images.uri(pinned, TERMS).partition("@")[0] in REPOSITORIES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "imageUri", "x"]) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
PIECES = [
    REGISTRY,
    REGISTRY.replace("123456789012", "999999999999"),
    "docker.io",
    "/",
    "//",
    "prod",
    "dev",
    "api",
    "app",
    "nginx",
    "cache",
    "prod/api/app",
    ":",
    "@",
    "..",
    "prod-",
    "dev-",
    COMMIT,
    "latest",
    "sha256:",
    "0" * 64,
    "",
    "\n",
    "%2e",
    "\u0430",
]
URIS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=9).map("".join),
    st.builds(
        lambda at, cut, new: uri("app")[:at] + new + uri("app")[at + cut :],
        st.integers(0, len(uri("app"))),
        st.integers(0, 6),
        st.text(string.printable, max_size=6) | st.sampled_from(PIECES),
    ),
)
ENTRIES = st.fixed_dictionaries(
    {"name": st.sampled_from(["app", "nginx", "db", "App"]), "imageUri": URIS | st.just(uri("app"))},
    optional={"extra": st.none()},
)


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    only_own_images(outcome(lambda: handoff.read(data, TERMS)))


@QUICK
@given(
    st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, len(GOOD)),
)
def test_any_damage_to_a_good_archive_is_read_or_refused(changes, cut):
    data = bytearray(GOOD)
    for position, value in changes:
        data[position] = value

    only_own_images(outcome(lambda: handoff.read(bytes(data), TERMS)))
    only_own_images(outcome(lambda: handoff.read(bytes(data[:cut]), TERMS)))


@QUICK
@given(
    content=st.binary(max_size=60),
    name=st.sampled_from([b"imagedefinitions.json", b"a/b", b"..", b"", b"\xff\xfe", b"a\x00b"])
    | st.binary(max_size=9),
    method=st.sampled_from([0, 8, 9, 12, 14, 99]),
    flags=st.integers(0, 0xFFFF),
    declared=st.none() | st.integers(0, 0xFFFFFFFF),
    packed_size=st.none() | st.integers(0, 0xFFFFFFFF),
    mode=st.integers(0, 0xFFFF),
    entries=st.none() | st.integers(0, 0xFFFF),
    comment=st.binary(max_size=30),
)
def test_any_lie_in_an_archives_fields_is_read_or_refused(
    *, content, name, method, flags, declared, packed_size, mode, entries, comment
):
    one = member(content, name, method=method, flags=flags, declared=declared, packed_size=packed_size, mode=mode)

    only_own_images(outcome(lambda: handoff.read(raw_zip(one, comment=comment, entries=entries), TERMS)))


@QUICK
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_document_is_read_or_refused(content):
    only_own_images(outcome(lambda: handoff.read(lone(content), TERMS)))


@QUICK
@given(JSON)
def test_any_json_is_read_or_refused(document):
    data = json.dumps(document).encode()

    only_own_images(outcome(lambda: handoff.read(lone(data), TERMS)))


@settings(QUICK, max_examples=400)
@given(st.lists(ENTRIES, min_size=1, max_size=3) | st.builds(lambda app: both(app=app), URIS))
@example(both())
@example(both(app=f"{uri('app')}@sha256:{'0' * 64}"))
def test_no_image_outside_the_services_repositories_is_accepted(document):
    only_own_images(outcome(lambda: handoff.check(document, TERMS)))


@QUICK
@given(JSON | st.fixed_dictionaries({"manifests": st.lists(JSON, max_size=4)}))
def test_any_manifest_is_read(manifest):
    if not isinstance(manifest, dict):
        return

    fits, silent = manifests.runnable(manifest, "arm64")

    assert len(fits) + len(silent) <= len(manifest.get("manifests") or [])
    assert all(isinstance(name, str) for name in manifests.platforms(manifest))
    outcome(lambda: manifests.is_index(manifest, None, "It"))
    outcome(lambda: manifests.configuration(manifest, "It"))


@QUICK
@example({"containers": {"\x1f": None}})
@given(st.dictionaries(st.sampled_from(sorted(RELEASE)), JSON, max_size=3))
def test_any_contract_is_read_or_refused(changed):
    data = json.dumps({**RELEASE, **changed}).encode()

    outcome(lambda: rendering.contract(data))


@QUICK
@given(JSON, st.binary(max_size=80), JSON)
def test_any_template_is_rendered_or_refused(document, spec, network):
    data = json.dumps({"containerDefinitions": document} if not isinstance(document, dict) else document).encode()

    outcome(lambda: rendering.task_definition(data, {"app": "x"}))
    outcome(lambda: rendering.app_spec(spec, TERMS, network))
    outcome(
        lambda: rendering.app_spec(
            b"<TASK_DEFINITION>\nCapacityProviderStrategy: [a]\nNetworkConfiguration: <NETWORK>\n", TERMS, network
        )
    )


@QUICK
@given(st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=8), st.binary(max_size=50), min_size=1))
def test_an_archive_that_is_written_reads_back_and_is_the_same_whatever_the_order(members):
    data = archives.write(members)

    assert archives.read(data, "It", required=dict.fromkeys(members, 50)) == members
    assert archives.write(dict(reversed(members.items()))) == data


def test_the_files_of_an_archive_that_is_written_can_be_read_by_everyone_who_unpacks_it():
    data = archives.write({"taskdef.json": b"{}"})

    (member,) = zipfile.ZipFile(io.BytesIO(data)).infolist()

    assert stat.filemode(member.external_attr >> 16) == "-rw-r--r--"
    assert member.date_time == (1980, 1, 1, 0, 0, 0)


def test_a_member_of_exactly_the_cap_is_read_and_one_byte_more_is_not():
    def read(size):
        return archives.read(lone(b"x" * size), "It", required={"imagedefinitions.json": 100})

    assert len(read(100)["imagedefinitions.json"]) == 100
    with pytest.raises(Refusal, match="101 bytes; at most 100"):
        read(101)


def test_a_key_given_twice_deep_inside_is_refused():
    with pytest.raises(Refusal, match='"b" twice'):
        loads(b'{"a": [{"b": 1, "b": 1}]}', "It")
