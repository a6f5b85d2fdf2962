"""What the engine would do between two runs: same, create, update, replace, delete, and what it refuses."""

import json
from pathlib import Path

import pulumi_aws
import pytest
from pulumi_rehearsal import UNKNOWN, Secret, changes, sdk_types

ROLE = "aws:iam/role:Role"
SERVICE = "aws:ecs/service:Service"
TASKS = "aws:ecs/taskDefinition:TaskDefinition"


@pytest.mark.parametrize(
    ("token", "old", "new", "changed", "replaces"),
    [
        (ROLE, {"name": "a", "tags": {"x": "1"}}, {"name": "a", "tags": {"x": "2"}}, ["tags.x"], []),
        (ROLE, {"name": "a"}, {"name": "b"}, ["name"], ["name"]),
        (ROLE, {"name": "a", "description": None}, {"name": "a"}, [], []),
        (ROLE, {"name": Secret("a")}, {"name": "a"}, [], []),
        (ROLE, {"name": "a"}, {"name": UNKNOWN}, ["name"], ["name"]),
        (TASKS, {"cpu": "256", "tags": {}}, {"cpu": "512", "tags": {"a": "b"}}, ["cpu", "tags.a"], ["cpu"]),
        (SERVICE, {"deploymentController": {"type": "ECS"}}, {"deploymentController": {"type": "CODE_DEPLOY"}},
         ["deploymentController.type"], []),
        (SERVICE, {"launchType": "EC2"}, {"launchType": "FARGATE"}, ["launchType"], ["launchType"]),
        ("aws:ecr/repository:Repository", {"encryptionConfigurations": [{"encryptionType": "AES256"}]},
         {"encryptionConfigurations": [{"encryptionType": "KMS"}]}, ["encryptionConfigurations[0].encryptionType"],
         ["encryptionConfigurations[0].encryptionType"]),
        ("aws:sqs/queue:Queue", {"region": "eu-west-1"}, {"region": "eu-west-2"}, ["region"], ["region"]),
    ],
)  # fmt: skip
def test_a_difference_names_what_changed_and_what_of_it_replaces(token, old, new, changed, replaces):
    found = changes.difference(token, old, new)

    assert [change.path for change in found.changes] == changed
    assert list(found.replaces) == replaces


@pytest.mark.parametrize(("force", "refused"), [(True, ""), (False, "force_new_deployment should be true when")])
def test_other_capacity_providers_need_a_new_deployment(force, refused):
    def inputs(provider):
        return {"capacityProviderStrategies": [{"capacityProvider": provider}], "forceNewDeployment": force}

    found = changes.difference(SERVICE, inputs("FARGATE"), inputs("FARGATE_SPOT"))

    assert not found.replaces
    assert found.refused.startswith(refused)
    assert bool(found.refused) == bool(refused)


def test_ignored_paths_do_not_count_and_replacing_ones_are_added():
    old, new = {"name": "a", "tags": {"x": "1", "y": "1"}}, {"name": "b", "tags": {"x": "2", "y": "2"}}

    found = changes.difference(ROLE, old, new, ignore=["name", "tags.y"], replace_on=["tags"])

    assert [(c.path, c.replaces) for c in found.changes] == [("tags.x", True)]


def test_a_fixed_name_is_freed_first_and_a_made_up_one_need_not_be():
    fixed = changes.difference(ROLE, {"name": "a", "path": "/"}, {"name": "a", "path": "/x/"})
    made_up = changes.difference(
        ROLE, {"name": "a-1", "path": "/"}, {"name": "a-1", "path": "/x/", "__defaults": ["name"]}
    )

    assert (fixed.delete_first, made_up.delete_first) == (True, False)


def test_a_type_that_nobody_looked_up_is_said_to_be_guessed():
    assert changes.difference("aws:mq/broker:Broker", {"a": 1}, {"a": 2}).assumed
    assert not changes.difference(ROLE, {"a": 1}, {"a": 2}).assumed


def test_the_table_says_where_it_is_from_and_names_properties_that_exist():
    facts = json.loads((Path(changes.__file__).parent / "replacements.json").read_text())

    assert facts["source"]
    assert facts["date"] >= "2026-11-25"
    modules = {"lambda": "lambda_"}
    missing = []
    for token, rules in facts["types"].items():
        _, module, name = token.split(":")
        package = module.split("/")[0]
        cls = getattr(getattr(pulumi_aws, modules.get(package, package)), name)
        assert cls.pulumi_type == token
        known = sdk_types.inputs_of(cls)
        missing += [
            f"{token} {rule}" for rule in rules if rule != "*" and rule.removeprefix("!").split(".")[0] not in known
        ]
    assert missing == ["aws:ecs/taskDefinition:TaskDefinition !tagsAll"]


# -- a whole stack --------------------------------------------------------------------------------------------

PROGRAM = """
    import pulumi
    import pulumi_aws as aws

    class Box(pulumi.ComponentResource):
        def __init__(self, name, props, opts=None):
            super().__init__("shop:index:Box", name, props, opts)

    {}
"""


def run(project, text, mode="up", **options):
    project.program(PROGRAM.format(text.replace("\n", "\n    ")))
    result = project.rehearse(mode, packs=[], **options)
    assert not result.errors, result.errors
    return result


def steps(before, after):
    return {step.name: step for step in changes.plan(before, after) if step.op != "same"}


def planned(project, first, second, mode="up"):
    return steps(run(project, first), run(project, second, mode))


TOPIC = "aws.sns.Topic('news', name='news', opts=pulumi.ResourceOptions({}))"


def test_an_unchanged_program_plans_nothing_at_up_and_at_preview(project):
    text = "t = aws.sns.Topic('t', name='t')\naws.sns.TopicPolicy('p', arn=t.arn, policy='{}')\nBox('b', {'a': t.arn})"

    assert planned(project, text, text) == {}
    assert planned(project, text, text, "preview") == {}


def test_what_comes_and_goes_is_made_and_deleted_dependents_first(project):
    first = "t = aws.sns.Topic('t', name='t')\naws.sns.TopicPolicy('p', arn=t.arn, policy='{}')"

    plan = changes.plan(run(project, first), run(project, "aws.sqs.Queue('q', name='q')"))

    assert [(s.op, s.name) for s in plan if s.op != "same"] == [("create", "q"), ("delete", "p"), ("delete", "t")]


def test_a_renamed_resource_with_an_alias_is_the_same(project):
    new = "aws.sns.Topic('late', name='news', opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name='news')]))"

    assert planned(project, TOPIC.format(""), new) == {}


def test_a_replacement_reaches_what_takes_its_values(project):
    text = "t = aws.sns.Topic('t', name='{}')\naws.sns.TopicPolicy('p', arn=t.arn, policy='{{}}')"

    plan = planned(project, text.format("one"), text.format("two"), "preview")

    assert {name: (s.op, s.delete_first) for name, s in plan.items()} == {
        "t": ("replace", False),
        "p": ("replace", False),
    }
    assert [(c.path, c.old, c.new) for c in plan["t"].changes if c.replaces] == [("name", "one", "two")]
    assert plan["p"].changes[0].new is UNKNOWN


def test_what_is_deleted_first_takes_dependents_along_that_would_be_made_anew(project):
    text = """r = aws.iam.Role('r', name='r', path='{}', assume_role_policy='{{}}')
aws.iam.RolePolicy('p', role=r.name, policy='{{}}')
aws.sqs.Queue('q', name='q', policy=r.arn)"""

    plan = planned(project, text.format("/"), text.format("/team/"))

    assert plan["r"].delete_first
    assert (plan["p"].op, plan["p"].because_of) == ("replace", plan["r"].urn)
    assert plan["q"].op == "update"


@pytest.mark.parametrize(
    ("first", "second", "op", "refused"),
    [
        ("protect=True", None, "delete", "cannot be deleted\nbecause it is protected"),
        ("protect=True", "protect=True", "replace", "unable to replace resource"),
        ("protect=True", "", "replace", ""),
        ("retain_on_delete=True", None, "delete", ""),
    ],
)
def test_what_is_protected_is_neither_replaced_nor_deleted(project, first, second, op, refused):
    after = "" if second is None else TOPIC.format(second).replace("name='news'", "name='other'")

    step = planned(project, TOPIC.format(first), after)["news"]

    assert step.op == op
    assert refused in step.refused
    assert bool(refused) == bool(step.refused)
    assert step.retained == ("retain" in first)


def test_an_ignored_change_plans_nothing(project):
    text = (
        "aws.sqs.Queue('q', name='q', delay_seconds={}, opts=pulumi.ResourceOptions(ignore_changes=['delaySeconds']))"
    )

    assert planned(project, text.format(1), text.format(2)) == {}


def test_a_program_may_choose_whether_the_old_one_goes_first(project):
    text = "aws.sqs.Queue('q', name='q', fifo_queue={}, opts=pulumi.ResourceOptions(delete_before_replace={}))"

    plans = [
        planned(project, text.format("False", choice), text.format("True", choice))["q"] for choice in (True, False)
    ]

    assert [(s.op, s.delete_first) for s in plans] == [("replace", True), ("replace", False)]


def test_a_component_whose_inputs_change_is_updated(project):
    step = planned(project, "Box('b', {'keep': ['a', 'b']})", "Box('b', {'keep': ['a']})")["b"]

    assert (step.op, [(c.path, c.old, c.new) for c in step.changes]) == ("update", [("keep[1]", "b", None)])
