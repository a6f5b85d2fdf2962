"""What every component of every stack keeps to, whoever writes the next one."""

import ast
import importlib
import json
from collections import Counter
from contextvars import ContextVar

import pulumi
import pytest
from pulumi_rehearsal import rehearse, unknown_paths

from tests.rehearsed import (
    ACCOUNTS,
    REGION,
    ROOT,
    STACKS,
    documents,
    physical_name,
    rehearse_stack,
    rehearsed,
    stack_settings,
)

PER_STACK = pytest.mark.parametrize("stack", STACKS)
COMPONENT, PROVIDER = "ecs-release:index:", "pulumi:providers:"
ROLE = "aws:iam/role:Role"


def components(run):
    return [r for r in run.resources if r.type.startswith(COMPONENT)]


def of_aws(run):
    return [r for r in run.resources if r.type.startswith("aws:")]


def sdk_class(type_):
    """The SDK's class of a type token: `aws:s3/bucket:Bucket` is `pulumi_aws.s3.Bucket`."""
    _, module, name = type_.split(":")
    module = module.split("/", maxsplit=1)[0]
    return getattr(importlib.import_module(f"pulumi_aws.{'lambda_' if module == 'lambda' else module}"), name)


# ---------------------------------------------------------------- parents, names


@PER_STACK
def test_every_resource_stands_under_a_component(stack):
    run = rehearsed(stack)
    by_urn = {r.urn: r for r in run.resources}

    homeless = []
    for resource in run.resources[1:]:
        if resource.type.startswith((COMPONENT, PROVIDER)):
            continue
        parent = by_urn.get(resource.parent)
        while parent is not None and not parent.type.startswith(COMPONENT):
            parent = by_urn.get(parent.parent)
        if parent is None:
            homeless.append(resource)

    assert len(run.resources) > 100
    assert homeless == []


@PER_STACK
def test_only_components_and_the_provider_stand_right_under_the_stack(stack):
    run = rehearsed(stack)

    under_the_stack = {r.type for r in run.children(run.root)}

    assert {t for t in under_the_stack if not t.startswith((COMPONENT, PROVIDER))} == set()
    assert {t for t in under_the_stack if t.startswith(PROVIDER)} <= {"pulumi:providers:aws", "pulumi:providers:awsx"}


@PER_STACK
def test_no_two_resources_have_one_urn(stack):
    counted = Counter(r.urn for r in rehearsed(stack).resources)

    assert [urn for urn, times in counted.items() if times > 1] == []


@PER_STACK
def test_no_two_resources_have_one_physical_name(stack):
    counted = Counter(physical_name(r) for r in of_aws(rehearsed(stack, "up")))

    assert [name for name, times in counted.items() if times > 1] == []


@PER_STACK
def test_no_resource_leaves_its_name_to_the_provider(stack):
    unnamed = [
        r
        for r in of_aws(rehearsed(stack))
        if hasattr(sdk_class(r.type), "name_prefix") and "name" not in r.inputs and "bucket" not in r.inputs
    ]

    assert unnamed == []


SERVICES_WHOSE_NAMES_NEST = ("api", "api-deploy", "api-gate", "api-pipeline", "api-ci", "api-task", "api-smoke")


def test_services_whose_names_begin_alike_share_no_name():
    services = [
        {
            "name": name,
            "strategy": "rolling",
            "containers": [{"name": "app"}],
            "ci": {"github": {"repository": "acme/x"}},
        }
        for name in SERVICES_WHOSE_NAMES_NEST
    ]

    run = rehearsed("dev", "up", services=services)

    counted = Counter(physical_name(r) for r in of_aws(run))
    assert [name for name, times in counted.items() if times > 1] == []


CERTIFICATE = "arn:aws:acm:ap-northeast-1:111111111111:certificate/7c1f0e52-93b4-4d0a-8a6e-5f2b1c9d3e47"


def secure():
    services = stack_settings("dev")["services"]
    services[0]["loadBalancer"]["hostName"] = "api.example.com"
    return {"services": services, "loadBalancer": {"certificateArn": CERTIFICATE}}


def on_ports(*ports, retiring=()):
    services = stack_settings("dev")["services"]
    services[0]["containers"][0]["ports"], services[0]["loadBalancer"]["port"] = list(ports), ports[0]
    services[0]["retiring"] = {"ports": list(retiring)}
    return {"services": services}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, secure()),
        ({}, {"loadBalancer": {"testPort": 9443}}),
        ({}, {"loadBalancer": {"allowedCidrs": ["192.168.0.0/16", "10.0.0.0/8"]}}),
        ({"loadBalancer": {"testCidrs": ["10.0.0.0/8"]}}, {"loadBalancer": {"allowedCidrs": ["172.16.0.0/12"]}}),
        (on_ports(8080, 8081), on_ports(8081, 8080)),
        (on_ports(8080), on_ports(8081, retiring=[8080])),
    ],
)
def test_nothing_that_aws_tells_apart_passes_from_one_resource_to_another(one, other):
    """The engine changes two resources at once: a port or a name that both want is refused to one of them by AWS."""
    first, second = (
        {physical_name(r): r.urn for r in of_aws(rehearsed("dev", "up", **overrides))} for overrides in (one, other)
    )

    assert {name: (first[name], second[name]) for name in first.keys() & second if first[name] != second[name]} == {}


# ---------------------------------------------------------------- tags, provider


@PER_STACK
def test_every_taggable_resource_carries_the_environment_s_tags(stack):
    run = rehearsed(stack)
    [provider] = run.all("pulumi:providers:aws")
    default = json.loads(provider.inputs["defaultTags"])["tags"]
    taggable = [r for r in of_aws(run) if hasattr(sdk_class(r.type), "tags")]

    assert default == {
        "ecs-release:environment": stack,
        "ecs-release:production": "true" if stack == "prod" else "false",
        "ecs-release:managed-by": "pulumi",
    }
    assert len(taggable) > 50
    assert [r for r in taggable if r.provider != provider.urn] == []
    assert [r for r in taggable if not default.items() <= r.inputs["tagsAll"].items()] == []


@PER_STACK
def test_every_aws_resource_is_made_in_the_stack_s_account_and_region(stack):
    run = rehearsed(stack)
    [provider] = run.all("pulumi:providers:aws")

    assert {r.provider for r in of_aws(run)} == {provider.urn}
    assert json.loads(provider.inputs["allowedAccountIds"]) == [ACCOUNTS[stack]]
    assert provider.inputs["region"] == REGION


PURPOSES = {
    "ci", "pipeline", "pipeline-action", "deployment", "task", "task-execution", "function", "event-rule", "chatbot",
}  # fmt: skip


@PER_STACK
def test_every_role_says_what_it_is_for(stack):
    roles = rehearsed(stack).all(ROLE)

    untold = [r for r in roles if r.inputs.get("tags", {}).get("ecs-release:purpose") not in PURPOSES]

    assert len(roles) > 15
    assert untold == []


@PER_STACK
def test_every_role_of_a_service_says_whose_it_is(stack):
    for role in rehearsed(stack).all(ROLE):
        name = role.inputs["name"].removeprefix(f"{stack}-")
        of_service = next((s for s in ("api", "worker") if name.startswith(f"{s}-")), None)

        assert role.inputs["tags"].get("ecs-release:service") == of_service, role.inputs["name"]


# ---------------------------------------------------------------- how components are written


@PER_STACK
def test_the_same_resources_stand_in_a_preview_in_which_nothing_is_known(stack):
    """What is made inside `apply` is not there when the value is unknown."""
    preview, up = ({r.urn for r in rehearsed(stack, mode).resources} for mode in ("preview", "up"))

    assert preview == up


@PER_STACK
def test_no_resource_is_made_inside_apply(stack, monkeypatch):
    """Every callback of `apply` runs in `up` mode, where all is known; none of them makes a resource."""
    inside, made, applied = ContextVar("inside", default=False), [], []
    apply, begin = pulumi.Output.apply, pulumi.Resource.__init__

    def watched_apply(self, func, *args, **kwargs):
        def watched(value):
            token = inside.set(True)
            applied.append(func)
            try:
                return func(value)
            finally:
                inside.reset(token)

        return apply(self, watched, *args, **kwargs)

    def watched_begin(self, t, name, *args, **kwargs):
        if inside.get():
            made.append(f"{t} {name}")
        begin(self, t, name, *args, **kwargs)

    monkeypatch.setattr(pulumi.Output, "apply", watched_apply)
    monkeypatch.setattr(pulumi.Resource, "__init__", watched_begin)

    run = rehearse_stack(stack, "up", packs=[])

    assert run.ok
    assert applied, "the program uses apply somewhere, else this test sees nothing"
    assert made == []


def test_a_resource_made_inside_apply_would_be_missing_from_the_preview(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: inside\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi\nimport pulumi_aws as aws\n"
        "topic = aws.sns.Topic('topic')\n"
        "topic.arn.apply(lambda arn: aws.sns.Topic('inside', display_name=arn))\n"
    )

    preview, up = ({r.urn for r in rehearse(tmp_path, "dev", mode, packs=[]).resources} for mode in ("preview", "up"))

    assert {urn.rpartition("::")[2] for urn in up - preview} == {"inside"}


@PER_STACK
def test_every_component_registers_its_outputs(stack, monkeypatch):
    registered = []
    register = pulumi.ComponentResource.register_outputs

    def watched(self, outputs):
        registered.append((self._type, self._name))
        register(self, outputs)

    monkeypatch.setattr(pulumi.ComponentResource, "register_outputs", watched)

    run = rehearse_stack(stack, packs=[])

    counted = Counter(r for r in registered if r[0].startswith(COMPONENT))
    assert counted == Counter((c.type, c.name) for c in components(run))


def test_the_last_that_a_component_does_is_to_register_its_outputs():
    constructors = [
        (f"{path.name}: {owner.name}", method)
        for path in sorted((ROOT / "components").rglob("*.py"))
        for owner in ast.walk(ast.parse(path.read_text()))
        if isinstance(owner, ast.ClassDef) and any("ComponentResource" in ast.unparse(b) for b in owner.bases)
        for method in owner.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
    ]

    late = [
        name for name, method in constructors if not ast.unparse(method.body[-1]).startswith("self.register_outputs(")
    ]

    assert len(constructors) > 15
    assert late == []


@PER_STACK
def test_a_component_s_type_is_its_class(stack):
    classes = {
        owner.name
        for path in (ROOT / "components").rglob("*.py")
        for owner in ast.walk(ast.parse(path.read_text()))
        if isinstance(owner, ast.ClassDef)
    }

    assert {c.type.removeprefix(COMPONENT) for c in components(rehearsed(stack))} <= classes


# ---------------------------------------------------------------- known at preview

UNKNOWN_AT_PREVIEW: dict[tuple[str, str], str] = {}
"""(type, input) of a document that may hold what only the provider knows, to the reason. There is none."""


@PER_STACK
@pytest.mark.parametrize("trigger", ["cloudtrail", "s3-events"])
def test_every_iam_document_is_known_at_preview(stack, trigger):
    """A policy that meets an unknown value at preview becomes advisory: it would let through what it forbids."""
    run = rehearsed(stack, trigger=trigger)

    found = list(documents(run))
    unknown = [
        f"{r.type} {r.name} {key}: {paths}"
        for r, key, value in found
        if (paths := unknown_paths(value, key)) and (r.type, key) not in UNKNOWN_AT_PREVIEW
    ]

    assert unknown == []
    types = {r.type for r, _, _ in found}
    assert {
        ROLE,
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/policy:Policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:sns/topicPolicy:TopicPolicy",
    } <= types
    assert all(isinstance(json.loads(value), dict) for _, _, value in found)


@PER_STACK
def test_whom_a_function_lets_call_it_is_known_at_preview(stack):
    permissions = rehearsed(stack).all("aws:lambda/permission:Permission")

    assert permissions
    for permission in permissions:
        assert unknown_paths(permission.inputs) == []
        assert permission.inputs["sourceArn"].startswith(f"arn:aws:events:{REGION}:{ACCOUNTS[stack]}:rule/{stack}-")


@PER_STACK
def test_no_document_is_larger_than_iam_takes(stack):
    """2,048 characters of trust, 10,240 of a role's inline policies (IAM user guide, "IAM quotas")."""
    run = rehearsed(stack)

    trusts = {r.name: len(r.inputs["assumeRolePolicy"]) for r in run.all(ROLE)}
    inline = Counter()
    for policy in run.all("aws:iam/rolePolicy:RolePolicy"):
        inline[policy.inputs["role"]] += len("".join(policy.inputs["policy"].split()))

    assert {n: size for n, size in trusts.items() if size > 2_048} == {}
    assert {n: size for n, size in inline.items() if size > 10_240} == {}
