"""Earlier revisions are started, reached and brought back under a later stack: each way of docs/operations.md, walked."""

import re

import pytest

from rehearsal.emulator.declared import Declared
from rehearsal.emulator.restart import cannot_start, released
from tests.rehearsed import ROOT, rehearse_stack, rehearsed, services_with, stack_settings

TABLE = "arn:aws:dynamodb:ap-northeast-1:111111111111:table/dev-orders"
CERTIFICATE = "arn:aws:acm:ap-northeast-1:111111111111:certificate/7c1f0e52-93b4-4d0a-8a6e-5f2b1c9d3e47"
HOOK = "arn:aws:lambda:ap-northeast-1:111111111111:function:look-first"
UP, RELEASE = "up", "release"


def start():
    """The stack in which each way begins: a hook, and a rolling service behind a load balancer."""
    stack = stack_settings("dev")
    api, worker = stack["services"]
    api["hooks"] = {"beforeInstall": HOOK}
    worker["containers"][0]["ports"] = [9000]
    worker["loadBalancer"] = {"container": "worker", "port": 9000}
    return stack


def secret(stack, api, _):
    del api["containers"][1]["secrets"]["DATABASE_URL"]
    api["retiring"] = {"secrets": [{"ssm": "/dev/api/database-url"}]}


def container(stack, api, _):
    api["containers"][1]["name"] = "php"
    api["retiring"] = {"containers": ["app"]}


def port(stack, api, _):
    api["containers"][0]["ports"], api["loadBalancer"]["port"] = [8081], 8081
    api["retiring"] = {"ports": [8080]}


def second_port(stack, _, worker):
    worker["containers"][0]["ports"] = [9000, 9001]


def rolling_port(stack, _, worker):
    worker["containers"][0]["ports"], worker["loadBalancer"]["port"] = [9001], 9001
    worker["retiring"] = {"ports": [9000]}


def behind_another(stack, api, _):
    api["loadBalancer"] |= {"container": "app", "port": 8000}
    api["containers"][0]["ports"] = []
    api["retiring"] = {"ports": [8080]}


def hook(stack, api, _):
    del api["hooks"]
    api["retiring"] = {"hooks": [HOOK]}


def subnets(stack, *_):
    stack["network"]["lookUp"]["privateSubnetTags"] = {"Tier": "inner"}


def permission(stack, api, _):
    api["permissions"][0]["actions"] = ["dynamodb:GetItem"]
    gone = {"sid": "Orders", "actions": ["dynamodb:PutItem", "dynamodb:Query"], "resources": [TABLE]}
    api["retiring"] = {"permissions": [gone]}


def secure(stack, api, _):
    stack["loadBalancer"] = {"certificateArn": CERTIFICATE}
    api["loadBalancer"] |= {"hostName": "api.example.com", "traffic": "blue"}


def nothing_retires(stack, api, worker):
    api.pop("retiring", None)
    worker.pop("retiring", None)


WAYS = {
    "take a secret out, or move it": [secret],
    "take a container out, or rename it": [container],
    "move the port of a blue/green service": [port],
    "move the port of a rolling service": [second_port, rolling_port],
    "move the load balancer to another container": [behind_another],
    "take a hook out, or exchange it": [hook],
    "move a blue/green service to other subnets": [subnets],
    "take a permission away": [permission],
    "HTTP to HTTPS": [secure],
}
"""First column of the table in docs/operations.md, to the changes of the way: after each an `up` and a release."""


def up(stack, previous=None):
    given = {f"ecs-release:{key}": value for key, value in stack.items()}
    run = rehearse_stack("dev", "up", packs=[], config_overrides=given, previous=previous)
    assert [d.message for d in run.errors] == []
    return run


def revisions(run):
    return [released(run, name) for name in Declared(run).services]


def problems(earlier, run):
    declared = Declared(run)
    return [sentence for revision in earlier for sentence in cannot_start(revision, declared)]


@pytest.fixture(scope="module")
def standing():
    return up(start())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_documented_way_is_walked_and_every_revision_of_it_can_be_started_until_it_ends(standing, way):
    stack, run = start(), standing
    earlier = revisions(run)

    for change in way:
        change(stack, *stack["services"])
        run = up(stack, run)
        assert problems(earlier, run) == []
        earlier += revisions(run)

    nothing_retires(stack, *stack["services"])
    run = up(stack, run)
    assert problems(revisions(run), run) == []


def test_every_way_of_the_document_is_walked():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("## Changing what runs")[2].partition("\n## ")[0].partition("| to do |")[2]

    first_column = re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)

    assert first_column[1:] == list(WAYS)


# ---------------------------------------------------------------- what is seen


def without_secret(api):
    del api["containers"][1]["secrets"]["DATABASE_URL"]


def without_container(api):
    api["containers"] = api["containers"][:1]


def moved(api):
    api["containers"][0]["ports"], api["loadBalancer"]["port"] = [8081], 8081


def without_permission(api):
    api["permissions"] = []


def without_hook(api):
    api.pop("hooks", None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without_secret, "dev-api-execution may not call ssm:GetParameters on"),
        (without_container, "dev-api-execution may not call ecr:BatchGetImage on"),
        (moved, "No rule lets port 8080 out of the load balancer of dev-api."),
        (without_permission, "dev-api-task"),
        (without_hook, f"dev-api-codedeploy may not call lambda:InvokeFunction on {HOOK}"),
    ],
)
def test_what_an_earlier_revision_cannot_do_any_more_is_named(change, sentence):
    before = services_with("dev", "api", hooks={"beforeInstall": HOOK})
    after = services_with("dev", "api", hooks={"beforeInstall": HOOK})
    change(after[0])

    # Two first updates, so that nothing refuses the second.
    old, new = (rehearsed("dev", "up", services=services) for services in (before, after))

    assert any(sentence in found for found in cannot_start(released(old, "api"), Declared(new)))
    assert cannot_start(released(old, "api"), Declared(old)) == []


def test_a_service_that_left_can_start_nothing():
    old, new = rehearsed("dev", "up"), rehearsed("dev", "up", services=stack_settings("dev")["services"][:1])

    assert cannot_start(released(old, "worker"), Declared(new)) == ["The service worker no longer exists."]
