"""What an update of this project's stacks would change: nothing where nothing was changed, and no more than was."""

import pytest
from pulumi_rehearsal import changes, refresh, unknown_paths

from tests.rehearsed import STACKS, rehearse_stack, rehearsed, services_with

SERVICE = "aws:ecs/service:Service"


def test_every_type_that_the_stacks_make_is_in_the_table():
    made = {r.type for stack in STACKS for r in rehearsed(stack).resources if r.custom and r.type.startswith("aws:")}

    assert sorted(token for token in made if changes.replacing(token) is None) == []


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_that_stands_plans_nothing(stack):
    assert [s for s in changes.plan(rehearsed(stack, "up"), rehearsed(stack)) if s.op != "same"] == []


def test_other_memory_is_a_new_task_definition_and_template_of_that_service_alone():
    service = rehearsed("prod").all(SERVICE)[0].name
    after = rehearsed("prod", services=services_with("prod", service, cpu=2048, memory=8192))

    steps = changes.changing(changes.plan(rehearsed("prod", "up"), after))

    assert {(s.type.rsplit(":", 1)[-1], s.op) for s in steps} >= {
        ("TaskDefinition", "replace"),
        ("BucketObjectv2", "update"),
    }
    assert SERVICE not in {s.type for s in steps}
    assert all(service in s.name for s in steps)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stack_of_this_project_that_stands_is_wholly_known_at_preview(stack):
    again = rehearse_stack(stack, packs=[], previous=rehearsed(stack, "up"))

    assert [step for step in again.steps if step.op != "same"] == []
    assert [r for r in again.resources if unknown_paths([r.inputs, r.outputs, r.id])] == []


@pytest.mark.parametrize("moment", refresh.MOMENTS)
@pytest.mark.parametrize("stack", STACKS)
def test_a_shipped_stack_plans_nothing_whatever_happened_since(stack, moment):
    before = refresh.after(moment, rehearsed(stack, "up"))

    again = rehearse_stack(stack, packs=[], previous=before)

    assert not again.errors
    planned = [(step.type, change.path) for step in changes.changing(again.steps) for change in step.changes]
    if moment == "deployment":  # the guard suspends scaling again for as long as the deployment goes on
        planned = [one for one in planned if one[0] != refresh._TARGET or not one[1].startswith("suspendedState.")]
    assert planned == []


@pytest.mark.parametrize("moment", ["refresh", "release"])
def test_a_stack_stays_allowed_whatever_aws_writes_back(moment):
    again = rehearse_stack("prod", previous=refresh.after(moment, rehearsed("prod", "up")))

    assert again.packs
    assert again.ok, [v.message for v in again.mandatory]


def test_a_release_moves_what_releases_own_and_a_failed_one_less():
    up = rehearsed("prod", "up")
    released, failed, going_on = refresh.released(up), refresh.rolled_back(up), refresh.deploying(up)
    listener = next(r for r in up.all("aws:lb/listener:Listener") if "targetGroupArn" in r.inputs["defaultActions"][0])
    service = next(
        r for r in up.all("aws:ecs/service:Service") if r.inputs["deploymentController"]["type"] == "CODE_DEPLOY"
    )

    def at(run, resource, *path):
        value = run.get(resource.urn).outputs
        for part in path:
            value = value[part]
        return value

    group = ("defaultActions", 0, "targetGroupArn")
    assert at(released, listener, *group) != at(up, listener, *group) == at(failed, listener, *group)
    assert at(released, service, "loadBalancers", 0, "targetGroupArn") == at(released, listener, *group)
    assert at(released, service, "taskDefinition") == f"{at(up, service, 'taskDefinition')[:-1]}2"
    assert at(failed, service, "taskDefinition") == at(up, service, "taskDefinition")
    assert at(failed, service, "desiredCount") > at(up, service, "desiredCount")
    shared = at(going_on, listener, "defaultActions", 0, "forward", "targetGroups")
    assert [g["arn"] for g in shared] == [at(up, listener, *group), at(released, listener, *group)]
    assert all(at(going_on, r, "suspendedState", "dynamicScalingInSuspended") for r in up.all(refresh._TARGET))


@pytest.mark.parametrize(
    ("type_", "ignored"),
    [
        ("aws:lb/listener:Listener", "defaultActions"),
        ("aws:ecs/service:Service", "taskDefinition"),
        ("aws:ecs/service:Service", "desiredCount"),
        ("aws:ecs/service:Service", "loadBalancers"),
    ],
)
def test_the_release_would_be_undone_by_up_if_its_properties_were_not_ignored(type_, ignored):
    """What the tests above rest on: each of these is moved, and planned back where nobody leaves it alone."""
    before = refresh.released(rehearsed("prod", "up"))
    planned = [
        change.path
        for old in before.all(type_)
        if ignored in old.options.ignore_changes
        for change in changes.difference(type_, old.inputs, rehearsed("prod", "up").get(old.urn).inputs).changes
    ]

    assert any(path.startswith(ignored) for path in planned)
