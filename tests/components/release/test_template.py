"""What infrastructure owns of a release is rendered once, for the template and for the first revision alike."""

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from socket import socket

import yaml

from components import settings, strategies
from components.release import template
from tests.components.test_settings import broken, stack_file


def prod():
    return settings.load(stack_file("prod"), strategies.ALL)


def rendered(stack, index=0):
    service = settings.resolved(stack)[index]
    return template.files(stack, service, strategies.of(service))


def test_the_first_revision_differs_from_the_template_in_what_the_stand_in_needs_and_nothing_else():
    stack = prod()
    definition = template.task_definition(stack, settings.resolved(stack)[0])

    first = template.first_revision(stack, settings.resolved(stack)[0])

    for of_template, of_first in zip(definition["containerDefinitions"], first["containerDefinitions"], strict=True):
        changed = {k for k in of_template | of_first if of_template.get(k) != of_first.get(k)}
        assert changed <= {"image", "command", "secrets", "healthCheck", "user"}
    own = {"containerDefinitions", "family"}
    assert {k: v for k, v in first.items() if k not in own} == {k: v for k, v in definition.items() if k not in own}


def test_the_stand_in_is_in_no_family_that_a_release_or_another_service_can_have():
    stack = prod()

    families = {template.first_revision(stack, s)["family"] for s in settings.resolved(stack)}

    assert families == {"prod-api_stand-in", "prod-worker_stand-in"}
    assert not families & {template.task_definition(stack, s)["family"] for s in settings.resolved(stack)}


def test_every_image_of_the_template_is_left_to_the_gate():
    definition = json.loads(rendered(prod())["taskdef.json"])

    assert {c["image"] for c in definition["containerDefinitions"]} == {"<IMAGE>"}


def test_the_appspec_carries_the_capacity_provider_strategy_and_a_number_as_port():
    document = yaml.safe_load(rendered(prod())["appspec.yaml"])

    properties = document["Resources"][0]["TargetService"]["Properties"]
    assert properties == {
        "TaskDefinition": "<TASK_DEFINITION>",
        "LoadBalancerInfo": {"ContainerName": "nginx", "ContainerPort": 8080},
        "CapacityProviderStrategy": [
            {"Base": 2, "CapacityProvider": "FARGATE", "Weight": 1},
            {"Base": 0, "CapacityProvider": "FARGATE_SPOT", "Weight": 3},
        ],
        "NetworkConfiguration": "<NETWORK>",
    }


def test_the_smoke_test_and_the_services_own_hooks_stand_in_the_appspec():
    own = "arn:aws:lambda:ap-northeast-1:222222222222:function:migrate"
    stack = settings.load(broken(("services", 0, "hooks"), {"beforeInstall": own}), strategies.ALL)

    document = yaml.safe_load(rendered(stack)["appspec.yaml"])

    smoke = "arn:aws:lambda:ap-northeast-1:222222222222:function:prod-api-smoke"
    assert document["Hooks"] == [{"BeforeInstall": own}, {"AfterAllowTestTraffic": smoke}]


def test_a_rolling_service_has_no_appspec():
    assert rendered(prod(), index=1).keys() == {"taskdef.json", "release.json"}


def test_the_contract_names_each_containers_own_repository():
    contract = json.loads(rendered(prod())["release.json"])

    assert contract["containers"] == {
        "nginx": {"repository": "prod/api/nginx"},
        "app": {"repository": "prod/api/app"},
    }
    assert (contract["account"], contract["production"], contract["architecture"]) == ("222222222222", True, "ARM64")


def test_a_services_own_capacity_and_architecture_win():
    values = broken(("services", 0, "capacity"), [{"provider": "FARGATE", "weight": 1}])
    values["services"][0]["architecture"] = "X86_64"
    stack = settings.load(values, strategies.ALL)

    files = rendered(stack)

    appspec = yaml.safe_load(files["appspec.yaml"])["Resources"][0]["TargetService"]["Properties"]
    assert appspec["CapacityProviderStrategy"] == [{"Base": 0, "CapacityProvider": "FARGATE", "Weight": 1}]
    assert json.loads(files["taskdef.json"])["runtimePlatform"]["cpuArchitecture"] == "X86_64"


def test_secrets_go_by_arn_and_never_by_value():
    app = json.loads(rendered(prod())["taskdef.json"])["containerDefinitions"][1]

    assert app["secrets"] == [
        {
            "name": "DATABASE_URL",
            "valueFrom": "arn:aws:ssm:ap-northeast-1:222222222222:parameter/prod/api/database-url",
        },
        {
            "name": "SESSION_KEY",
            "valueFrom": "arn:aws:secretsmanager:ap-northeast-1:222222222222:secret:prod/api/session:key::",
        },
    ]


def test_a_writable_path_is_a_volume_of_its_container():
    stack = settings.load(
        broken(("services", 0, "containers", 0, "writablePaths"), ["/tmp", "/var/cache/nginx"]),  # noqa: S108
        strategies.ALL,
    )

    definition = json.loads(rendered(stack)["taskdef.json"])

    nginx = definition["containerDefinitions"][0]
    assert [m["containerPath"] for m in nginx["mountPoints"]] == ["/tmp", "/var/cache/nginx"]  # noqa: S108
    assert [v["name"] for v in definition["volumes"]] == [m["sourceVolume"] for m in nginx["mountPoints"]]
    assert nginx["readonlyRootFilesystem"] is True


def test_the_stand_in_answers_on_its_port_and_ends_when_told():
    stack = prod()
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = template.first_revision(stack, settings.resolved(stack)[0])
    _, *words, _ = first["containerDefinitions"][0]["command"]

    with subprocess.Popen([sys.executable, *words, str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            status = answered(f"http://127.0.0.1:{port}/any/path")
        finally:
            process.terminate()
            code = process.wait(timeout=10)

    assert (status, code) == (200, 0)


def answered(url):
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  (loopback)
                return response.status
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} never answered")
