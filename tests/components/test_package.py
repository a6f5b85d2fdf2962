"""The components that other programs use: their schema, and what they make when Pulumi's component host makes them."""

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import grpc
import pulumi
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from pulumi_rehearsal import rehearse

from components import arguments, package
from components.foundation.bucket import PrivateBucketArgs
from components.foundation.dead_letters import DeadLettersArgs
from components.foundation.network import NetworkArgs
from components.handoff.ci_identity import CiIdentityArgs, ReleaseFrom
from components.naming import Names, ServiceNames
from components.notices.notifier import NotifierArgs
from contract import loading
from tests.rehearsed import ROOT
from tests.snapshots import COMMAND, PACKAGE, package_schema

PROGRAM = Path(__file__).parent / "package"
NAMES = {"environment": "shop", "account": "111111111111", "region": "eu-west-1"}


def test_the_schema_is_the_kept_one():
    assert package_schema() == PACKAGE.read_text(), (
        f"`{COMMAND}` writes it anew; git diff shows what other programs see"
    )


OF_THE_APPLICATION = {"ServiceArgs"}
"""They hold a stack's or a service's settings on purpose: they carry out a whole service of this application."""


def test_a_component_takes_what_it_needs_and_no_settings():
    rooms = ("foundation", "handoff", "notices", "release", "strategies", "workload")
    found = [module for room in rooms for module in loading.modules_of(f"components.{room}")]
    holding = {
        name
        for module in found
        for name, args in vars(module).items()
        if name.endswith("Args") and is_dataclass(args)
        for field in fields(args)
        if re.search("settings[.](Settings|Service|ResolvedService|stack|service|resolved)\\b", str(field.type))
    }

    assert len(found) > len(rooms)
    assert holding <= OF_THE_APPLICATION


# ---------------------------------------------------------------- made by the host


@cache
def made(via, mode="up"):
    run = rehearse(PROGRAM, "main", mode, config_overrides={"via": via}, on_disk=False, packs=[])
    assert run.errors == ()
    return run


def plain(run):
    """Each resource as what it is, whoever made it."""
    name_of = {r.urn: f"{r.type} {r.name}" for r in run.resources[1:]}
    return {
        name_of[r.urn]: (r.inputs, name_of.get(r.parent), sorted(name_of.get(d, d) for d in r.dependencies))
        for r in run.resources[1:]
    }


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_the_host_makes_what_a_python_program_makes(mode):
    python, host = plain(made("python", mode)), plain(made("host", mode))

    assert set(host) == set(python)
    assert {c.__name__ for c in package.PUBLIC} <= {name.split()[0].rsplit(":", 1)[1] for name in host}
    assert {name: host[name] for name in host if host[name] != python[name]} == {}


def test_every_output_of_the_schema_is_set():
    resources = json.loads(package_schema())["resources"]
    given = made("host").root.outputs

    assert {name.split()[0] for name in given} == {c.__name__ for c in package.PUBLIC}
    for name, outputs in given.items():
        assert outputs == sorted(resources[f"ecs-release:index:{name.split()[0]}"]["properties"])


def test_every_output_of_the_schema_is_registered():
    resources = json.loads(package_schema())["resources"]

    for component in (r for r in made("python").resources if r.type in resources):
        assert set(component.outputs) == set(resources[component.type]["properties"]), component.type


# ---------------------------------------------------------------- what a program may give


def test_arguments_are_the_same_from_either_side():
    wire = {"names": {"stack": NAMES, "service": "api"}, "containers": ["app"], "release_from": "tag"}
    github = {"repository": "acme/api", "owner_id": 7.0, "repository_id": 8.0}

    read = arguments.read(CiIdentityArgs, {**wire, "github": github})

    assert read.names == ServiceNames(stack=Names(**NAMES), service="api")
    assert read.release_from is ReleaseFrom.TAG
    assert (read.github.owner_id, type(read.github.owner_id)) == (7, int)
    assert arguments.read(CiIdentityArgs, read) == read


def output(value):
    return pulumi.Output.from_input(value)


BUCKET = {"names": NAMES, "bucket": "b", "expire_old_versions_days": 1.0}
REFUSED = {
    "an output for a name": (PrivateBucketArgs, lambda: BUCKET | {"bucket": output("b")}, "PrivateBucketArgs.bucket: an Output"),
    "an output inside": (PrivateBucketArgs, lambda: BUCKET | {"names": NAMES | {"account": output("1")}}, "names.account: an Output"),
    "one missing": (PrivateBucketArgs, lambda: {"names": NAMES, "bucket": "b"}, "PrivateBucketArgs.expire_old_versions_days: missing"),
    "one unknown": (PrivateBucketArgs, lambda: BUCKET | {"expires": 1}, "PrivateBucketArgs.expires: not known; allowed: names, bucket"),
    "half a day": (PrivateBucketArgs, lambda: BUCKET | {"expire_days": 1.5}, "expire_days: 1.5; allowed: int"),
    "a text for a list": (CiIdentityArgs, lambda: {"names": {"stack": NAMES, "service": "api"}, "containers": "app", "release_from": "tag"}, "containers: 'app'"),
    "no such choice": (
        CiIdentityArgs,
        lambda: {"names": {"stack": NAMES, "service": "api"}, "containers": [], "release_from": "fork"},
        "release_from: 'fork'; allowed: ['branch', 'tag', 'environment']",
    ),
    "no object": (NetworkArgs, lambda: {"names": "shop"}, "names: 'shop'; allowed: Names, or a dict of environment, account, region"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "said"), REFUSED.values(), ids=REFUSED)
def test_what_no_component_can_be_made_of_is_refused_in_a_sentence(kind, given, said):
    async def read():  # an output needs an event loop
        arguments.read(kind, given())

    with pytest.raises(arguments.ArgumentError) as refused:
        asyncio.run(read())

    assert said in str(refused.value)
    assert isinstance(refused.value, pulumi.RunError)  # the engine shows it without a traceback


CIRCLECI = {
    "organization_id": "11111111-2222-3333-4444-555555555555",
    "project_id": "11111111-2222-3333-4444-555555555555",
}
CI = {"names": {"stack": NAMES, "service": "api"}, "containers": ["app"], "release_from": "tag"}
GITHUB = {"github": {"repository": "acme/api"}}
ON_FAILURE = {"queue_arn": "q", "topic_arn": "t"}
WIDER = {
    "every environment": (CiIdentityArgs, CI | GITHUB | {"names": {"stack": NAMES | {"environment": "*"}, "service": "api"}}, "Names.environment: '*'"),
    "every account": (CiIdentityArgs, CI | GITHUB | {"names": {"stack": NAMES | {"account": "*"}, "service": "api"}}, "Names.account: '*'"),
    "another partition": (CiIdentityArgs, CI | GITHUB | {"names": {"stack": NAMES | {"region": "cn-north-1"}, "service": "api"}}, "Names.region: 'cn-north-1'"),
    "every service": (CiIdentityArgs, CI | GITHUB | {"names": {"stack": NAMES, "service": "*"}}, "ServiceNames.service: '*'"),
    "every repository": (CiIdentityArgs, CI | {"github": {"repository": "acme/*"}}, "GitHubRepository.repository: 'acme/*'; allowed: OWNER/REPOSITORY"),
    "half an id": (CiIdentityArgs, CI | {"github": {"repository": "acme/api", "owner_id": 7}}, "GitHubRepository.repositoryId: None; allowed: ownerId and"),
    "every project": (CiIdentityArgs, CI | {"circleci": CIRCLECI | {"project_id": "*", "vcs_origin": "github.com/acme/api"}}, "CircleCiProject.project_id: '*'; allowed: a UUID"),
    "tags for an environment": (
        CiIdentityArgs,
        CI | {"release_from": "environment", "circleci": CIRCLECI | {"vcs_origin": "github.com/acme/api"}},
        "release_from: 'environment' beside circleci",
    ),
    "nobody": (CiIdentityArgs, CI, "neither github nor circleci"),
    "every parameter": (
        NotifierArgs,
        {"names": NAMES, "log_retention_days": 30, "on_failure": ON_FAILURE, "chatwork": [{"room": "1", "token": {"ssm": "/*"}}]},
        "ChatworkRoom.token.ssm: '/*'; allowed: a parameter name",
    ),
    "every rule": (DeadLettersArgs, {"names": NAMES, "rules": ["*"], "topic_arn": "t"}, "DeadLettersArgs.rules: '*'"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "said"), WIDER.values(), ids=WIDER)
def test_what_would_open_more_than_a_name_says_is_refused(kind, given, said):
    with pytest.raises(arguments.ArgumentError) as refused:
        arguments.read(kind, given)

    assert said in str(refused.value)


def test_the_name_of_a_container_is_no_pattern():
    with pytest.raises(arguments.ArgumentError, match=r"containers: '[*]'"):
        ServiceNames(stack=Names(**NAMES), service="api").repository("*")


# ---------------------------------------------------------------- as a stranger has them


DOCS = ROOT / "docs" / "components.md"


def test_the_page_names_every_component():
    assert set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE)) == {c.__name__ for c in package.PUBLIC}


def test_the_pages_program_is_allowed_by_both_packs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    pack_config = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)[0]
    (tmp_path / "__main__.py").write_text(program)
    (tmp_path / "least-privilege.json").write_text(pack_config)
    (tmp_path / "release-safety.json").write_text("{}\n")
    (tmp_path / "Pulumi.yaml").write_text("name: cart\nruntime: python\n")
    (tmp_path / "Pulumi.main.yaml").write_text("config: {}\n")
    packs = [
        option
        for name in ("least-privilege", "release-safety")
        for option in (f"--policy-pack={ROOT / 'policies' / name}", f"--policy-config={name}.json")
    ]

    run = subprocess.run(
        [sys.executable, "-m", "pulumi_rehearsal", "preview", "--json", *packs],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    (stack,) = json.loads(run.stdout)["stacks"]
    made = {r["type"] for r in stack["resources"]}
    assert {"ecs-release:index:CiIdentity", "aws:iam/role:Role", "aws:ecr/repository:Repository"} <= made


def test_the_folder_is_the_plugin():
    """It starts as Pulumi starts it, by its path, and answers with the kept schema."""
    plugin = subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "components"), "127.0.0.1:1"],
        cwd=PROGRAM,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(plugin.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer = provider_pb2_grpc.ResourceProviderStub(channel).GetSchema(provider_pb2.GetSchemaRequest())
    finally:
        plugin.kill()
        plugin.wait()

    assert json.loads(answer.schema) == json.loads(PACKAGE.read_text())
