"""What CI, or somebody with CI's credentials, may put under the hand-off's key and must not get deployed."""

import json
import re
import stat
from dataclasses import dataclass
from typing import Any

import pytest

from functions.gate import images
from tests.functions.emulator import opened
from tests.functions.hostile import lone, member, raw_zip
from tests.functions.world import (
    ACCOUNT,
    COMMIT,
    REGION,
    REGISTRY,
    World,
    both,
    entry,
    hand_off,
    uri,
    zipped,
)

GOOD = json.dumps(both()).encode()
DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Bad:
    """A hand-off, and what its refusal has to name."""

    name: str
    data: Any
    says: tuple[str, ...]


def archive(name, data, *says):
    return Bad(f"archive {name}", data, says)


def text(name, data, *says):
    return Bad(f"text {name}", zipped({"imagedefinitions.json": data}), says)


def shape(name, document, *says):
    return Bad(f"shape {name}", hand_off(document), says)


def image(name, value, *says):
    """A hand-off that is good but for the image of the container app."""
    return Bad(f"image {name}", hand_off(both(app=value)), ("app", *says))


ARCHIVES = [
    archive("is empty", b"", "is empty"),
    archive("is the JSON itself", GOOD, "not a zip archive"),
    archive("is a gzip", b"\x1f\x8b\x08\x00rest", "not a zip archive"),
    archive("is a tar", b"imagedefinitions.json" + b"\0" * 500, "not a zip archive"),
    archive("is plain text", b"hello", "not a zip archive"),
    archive("has another file in front of it", b"#!/bin/sh\n" + lone(GOOD), "not a zip archive"),
    archive("holds nothing", raw_zip(), "not a zip archive"),
    archive("is cut off", lone(GOOD)[:60], "cut off"),
    archive("is cut off within its last record", lone(GOOD)[:-5], "damaged"),
    archive("is too large", b"PK\x03\x04" + b"A" * 300_000, "larger than 262144 bytes"),
    archive("holds two members", zipped({"imagedefinitions.json": GOOD, "a.txt": b""}), "a.txt", "nothing else"),
    archive("holds a task definition too", zipped({"imagedefinitions.json": GOOD, "taskdef.json": b"{}"}), "taskdef"),
    archive("holds nine members", zipped({f"{n}.json": b"" for n in range(9)}), "and 4 more"),
    archive("holds the member twice", raw_zip(member(GOOD), member(b"[]")), "2 times"),
    archive("holds another name", zipped({"images.json": GOOD}), '"images.json"'),
    archive("holds the name in capitals", zipped({"ImageDefinitions.json": GOOD}), "ImageDefinitions"),
    archive("holds it in a directory", zipped({"out/imagedefinitions.json": GOOD}), "inside a directory"),
    archive("holds it by a dot path", zipped({"./imagedefinitions.json": GOOD}), "./imagedefinitions"),
    archive("climbs out", zipped({"../imagedefinitions.json": GOOD}), "climbs out"),
    archive("climbs out in the middle", zipped({"a/../../imagedefinitions.json": GOOD}), "a/../.."),
    archive("climbs out by backslash", lone(GOOD, b"..\\imagedefinitions.json"), "climbs out", "\\\\"),
    archive("has an absolute path", zipped({"/imagedefinitions.json": GOOD}), "absolute path"),
    archive("has a drive's path", lone(GOOD, b"C:imagedefinitions.json"), "absolute path", "C:"),
    archive("has a backslash", lone(GOOD, b"out\\imagedefinitions.json"), "inside a directory", "\\\\"),
    archive("has a NUL in the name", lone(GOOD, b"imagedefinitions.json\x00.txt"), "NUL"),
    archive("holds a symbolic link", lone(b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "symbolic link"),
    archive("holds a directory", zipped({"imagedefinitions.json/": b""}), "the directory"),
    archive("holds a pipe", lone(GOOD, mode=stat.S_IFIFO | 0o644), "pipe"),
    archive("is encrypted", lone(GOOD, flags=0x1), "password"),
    archive("is compressed by bzip2", lone(GOOD, method=12), "method 12"),
    archive("is compressed by lzma", lone(GOOD, method=14), "method 14"),
    archive("declares a bomb", lone(b"[" + b" " * 200_000 + b"]"), "declares", "200002", "102400"),
    archive("hides a bomb", lone(b"[" + b" " * 190_000 + b"]", declared=10), "inflates to more than 102400"),
    archive("declares 4 GB", lone(GOOD, declared=0xFFFFFFFE), "4294967294"),
    archive("declares too little", lone(GOOD, declared=3), "declares 3 bytes"),
    archive("declares too much", lone(GOOD, declared=90_000), "declares 90000 bytes"),
    archive("has a wrong check sum", lone(GOOD, crc=1), "Bad CRC-32"),
    archive("has broken data", lone(GOOD, packed=b"\xff\xff\xff\xff"), "decompressing data"),
    archive("ends within the member", lone(GOOD, packed_size=5_000), "ends before"),
    archive("has two names for one member", lone(GOOD, local_name=b"imagedefinitions.jsox"), "File name in directory"),
    archive("has more after the deflated data", lone(GOOD, packed=b"\x03\x00more", crc=0), "and holds 0"),
]

TEXTS = [
    text("is empty", b"", "is empty"),
    text("is white space", b" \n\t ", "white space"),
    text("begins with a mark of UTF-8", b"\xef\xbb\xbf" + GOOD, "byte order mark of UTF-8"),
    text("is UTF-16", GOOD.decode().encode("utf-16"), "UTF-16"),
    text("is UTF-32", GOOD.decode().encode("utf-32"), "UTF-32"),
    text("is Latin-1", b'[{"name": "caf\xe9"}]', "not UTF-8", "0xe9"),
    text("has half a character", GOOD + b"\xe3\x81", "not UTF-8", "0xe3"),
    text("is no JSON", b"app=latest", "not JSON", "line 1 column 1"),
    text("is YAML", b"- name: app\n  imageUri: x\n", "not JSON"),
    text("has single quotes", b"[{'name': 'app'}]", "not JSON", "column 3"),
    text("ends too early", GOOD[:-1], "not JSON"),
    text("has a comma too many", GOOD[:-1] + b",]", "not JSON"),
    text("has a comment", b"// images\n" + GOOD, "not JSON"),
    text("holds two documents", GOOD + GOOD, "Extra data"),
    text(
        "is the seed's own variant",
        b'[{"registry/api:tag", "name": "app-container"}]',
        "not JSON",
        "':'",
    ),
    text("holds NaN", b"[NaN]", "NaN"),
    text("holds minus infinity", b"[-Infinity]", "-Infinity"),
    text("gives name twice", b'[{"name": "app", "name": "nginx", "imageUri": "x"}]', '"name" twice'),
    text("gives imageUri twice", b'[{"name": "app", "imageUri": "x", "imageUri": "y"}]', '"imageUri" twice'),
    text("is nested without end", b"[" * 50_000, "nested too deeply"),
    text("holds an endless number", b"[1" + b"0" * 5_000 + b"]", "too many digits"),
]

SHAPES = [
    shape("is an object", {"name": "app", "imageUri": "x"}, "must be a list", "the object"),
    shape("is a text", b'"app"', "must be a list", "the text"),
    shape("is a number", 7, "must be a list", "the number 7"),
    shape("is null", None, "must be a list", "null"),
    shape("is ecr's imageDetail", {"ImageURI": "x"}, "must be a list", "ImageURI"),
    shape("names nothing", [], "names no container"),
    shape("has a text as entry", ["app", "nginx"], "entry 1", "must be an object"),
    shape("has a list as entry", [["app", "x"]], "entry 1", "the list"),
    shape("has null as second entry", [entry("nginx"), None], "entry 2", "null"),
    shape("lacks name", [{"imageUri": uri("app")}], "lacks name"),
    shape("lacks imageUri", [{"name": "app"}], "lacks imageUri"),
    shape("has another key", [{**entry("nginx"), "tag": "x"}], '"tag"', "name and imageUri only"),
    shape("has a role", [entry("nginx"), {**entry("app"), "taskRoleArn": "x"}], "entry 2", '"taskRoleArn"'),
    shape("has a number as name", [{"name": 1, "imageUri": "x"}], "the number 1 as name"),
    shape("has null as image", [{"name": "app", "imageUri": None}], "null as imageUri"),
    shape("has a list as image", [{"name": "app", "imageUri": [uri("app")]}], "the list"),
    shape("names a container of nobody", [entry("nginx"), {**entry("app"), "name": "db"}], '"db"', "nginx, app"),
    shape("names a container in capitals", [{**entry("app"), "name": "App"}], '"App"'),
    shape("names a container with a space", [{**entry("app"), "name": "app "}], '"app "'),
    shape("names no container at all", [{**entry("app"), "name": ""}], 'container ""'),
    shape("names a half surrogate", [{**entry("app"), "name": "\ud800"}], "\\ud800"),
    shape("names app twice", [entry("app"), entry("app")], "entry 2", "app again"),
    shape("names nginx twice after all", [*both(), entry("nginx")], "entry 3", "nginx again"),
    shape("lacks app", [entry("nginx")], "lacks the container app"),
    shape("lacks nginx", [entry("app")], "lacks the container nginx"),
]

IMAGES = [
    image("is empty", "", "empty imageUri"),
    image("has a space", f"{uri('app')} ", "a space"),
    image("has a line feed", f"{uri('app')}\n", "a control character"),
    image("has a look-alike letter", uri("app").replace("app", "\u0430pp"), "outside ASCII", "\\u0430"),
    image("is endless", uri("app") + "a" * 2_000, "2108 characters"),
    image("has a scheme", f"https://{uri('app')}", "scheme"),
    image("has no registry", f"app:prod-{COMMIT}", "no registry"),
    image("is of Docker Hub", f"docker.io/library/nginx:prod-{COMMIT}", '"docker.io"'),
    image("is of Docker Hub by its short name", f"library/nginx:prod-{COMMIT}", '"library"'),
    image("is of the public ECR", f"public.ecr.aws/nginx/nginx:prod-{COMMIT}", "public.ecr.aws"),
    image("is of ghcr.io", f"ghcr.io/prod/api/app:prod-{COMMIT}", "ghcr.io"),
    image("is of an evil twin", f"{REGISTRY}.evil.example/prod/api/app:prod-{COMMIT}", "evil.example"),
    image("is of a registry with a user", f"{REGISTRY}@evil.example/prod/api/app:prod-{COMMIT}", "@evil"),
    image("is of a registry with a port", f"{REGISTRY}:443/prod/api/app:prod-{COMMIT}", ":443"),
    image("is of the FIPS endpoint", uri("app").replace(".ecr.", ".ecr-fips."), "ecr-fips"),
    image("is of China", uri("app").replace(".com/", ".com.cn/"), ".com.cn"),
    image("is of a registry in capitals", uri("app").replace("amazonaws", "AmazonAWS"), "AmazonAWS"),
    image("is of another account", uri("app").replace(ACCOUNT, "999999999999"), 'account "999999999999"'),
    image("is of half an account", uri("app").replace(ACCOUNT, ACCOUNT[:-1]), f'account "{ACCOUNT[:-1]}"'),
    image("is of another region", uri("app").replace(REGION, "us-east-1"), 'region "us-east-1"'),
    image("is another container's", uri("nginx"), "repository of the container nginx"),
    image("is of dev", uri("app").replace("/prod/", "/dev/"), 'environment "dev"'),
    image("is of another service", uri("app").replace("/api/", "/worker/"), '"prod/worker/app"'),
    image("is the build cache", uri("app").replace("/app:", "/cache:"), "build cache"),
    image("is a longer repository", uri("app").replace("/app:", "/app/x:"), '"prod/api/app/x"'),
    image("is a shorter repository", uri("app").replace("/app:", ":"), '"prod/api"'),
    image("climbs in the repository", uri("app").replace("prod/", "dev/../prod/"), "dev/../prod"),
    image("has two slashes", uri("app").replace("/api/", "//api/"), "prod//api"),
    image("has no tag", f"{REGISTRY}/prod/api/app", "no tag"),
    image("has an empty tag", f"{REGISTRY}/prod/api/app:", 'has "" as its tag'),
    image("is latest", uri("app", tag="latest"), '"latest"', "names no commit"),
    image("is of staging", uri("app", env="stg"), 'environment "stg"'),
    image("is of production's namesake", uri("app", env="prod2"), 'environment "prod2"'),
    image("is of a longer environment", uri("app", env="pre-prod"), 'environment "pre-prod"'),
    image("has no commit", uri("app", tag="prod-"), '""', "commit hash"),
    image("has a version for a commit", uri("app", tag="prod-1.2.3"), '"1.2.3"'),
    image("has a commit too short", uri("app", "abc123"), '"abc123"'),
    image("has a commit too long", uri("app", "a" * 65), "a" * 65),
    image("has a commit in capitals", uri("app", COMMIT.upper()), COMMIT.upper()),
    image("has a bare commit", uri("app", tag=COMMIT), "names no commit"),
    image("has two tags", f"{uri('app')}:{COMMIT}", "no registry takes"),
    image("has a tag too long", uri("app", tag="prod-" + "a" * 128), "no registry takes"),
    image("has a digest only", f"{REGISTRY}/prod/api/app@{DIGEST}", "a digest and no tag"),
    image("has a digest that is none", f"{uri('app')}@sha256:12", '"sha256:12"'),
    image("has a digest of another kind", f"{uri('app')}@md5:{'0' * 32}", "md5"),
    image("has two digests", f"{uri('app')}@{DIGEST}@{DIGEST}", f"{DIGEST}@"),
    image("has another digest than its tag", f"{uri('app')}@{DIGEST}", DIGEST, "stands for"),
    image("was never pushed", uri("app", "f" * 40), "does not exist in ECR"),
]

BAD = [*ARCHIVES, *TEXTS, *SHAPES, *IMAGES]


@pytest.fixture(scope="module")
def refusals():
    """What the gate says to each, and whether it wrote anything."""
    with opened(World) as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "fetch", world.fetch)
        world.push_good()
        said = {bad.name: world.refused(bad.data) for bad in BAD}
        assert world.released() is None
        return said


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_hand_off_is_refused_in_one_sentence_that_names_the_fault(bad, refusals):
    said = refusals[bad.name]

    for part in bad.says:
        assert part in said
    assert said.endswith(".")
    assert not re.search(r"\.\s+[A-Z]|\n", said), "one sentence"
    assert len(said) < 700
    assert "Traceback" not in said


def test_at_least_eighty_bad_hand_offs_get_as_many_different_refusals(refusals):
    assert len(BAD) >= 80
    assert len(set(refusals.values())) == len(BAD)


def test_an_archive_made_byte_by_byte_is_accepted_when_nothing_in_it_lies(world):
    world.push_good()

    operation, _ = world.gate(lone(GOOD))

    assert operation == "PutJobSuccessResult"
