"""A run may start from what an earlier one left, as every `pulumi up` but the first does."""

import pytest
from pulumi_rehearsal import UNKNOWN, Archive, UsageError

PROGRAM = """
    import pulumi
    import pulumi_aws as aws

    class Box(pulumi.ComponentResource):
        def __init__(self, name, props, opts=None):
            super().__init__("shop:index:Box", name, props, opts)
            self.register_outputs({{}})

    {}
"""


def run(project, text, mode="up", **options):
    project.program(PROGRAM.format(text.replace("\n", "\n    ")))
    return project.rehearse(mode, **{"packs": [], **options})


def ops(result):
    return {step.name: step.op for step in result.steps if step.op != "same"}


STACK = """t = aws.sns.Topic('t', name='{}', tags={{'x': '{}'}})
q = aws.sqs.Queue('q', policy=t.arn, redrive_policy=pulumi.Output.concat('to ', t.owner))
pulumi.export('arn', t.arn)"""


def test_what_did_not_change_is_known_at_preview_and_as_it_was(project):
    first = run(project, STACK.format("a", 1))

    again = run(project, STACK.format("a", 1), "preview", previous=first)

    assert ops(again) == {}
    assert again.one(name="t").id == first.one(name="t").id
    assert again.one(name="t").outputs == first.one(name="t").outputs
    assert again.one(name="q").inputs == first.one(name="q").inputs
    assert again.exports == first.exports


def test_what_changes_in_place_keeps_what_the_provider_computed(project):
    first = run(project, STACK.format("a", 1))

    again = run(project, STACK.format("a", 2), "preview", previous=first)

    assert ops(again) == {"t": "update"}
    assert again.one(name="t").outputs["tags"] == {"x": "2"}
    assert again.one(name="t").outputs["arn"] == first.one(name="t").outputs["arn"]


def test_what_is_made_anew_is_unknown_at_preview_and_so_is_what_comes_from_it(project):
    first = run(project, STACK.format("a", 1))

    again = run(project, STACK.format("b", 1), "preview", previous=first)

    assert ops(again) == {"t": "replace", "q": "update"}
    assert again.one(name="t").id is UNKNOWN
    assert again.exports["arn"] is UNKNOWN


def test_what_is_made_anew_is_not_the_old_one(project):
    text = """f = aws.ecs.TaskDefinition('f', family='f', cpu='{}', container_definitions='[]')
s = aws.ec2.SecurityGroup('s', description='{}')"""
    first = run(project, text.format(256, "one"))

    again = run(project, text.format(512, "two"), previous=first)

    assert ops(again) == {"f": "replace", "s": "replace"}
    assert first.one(name="f").outputs["arn"].endswith("task-definition/f:1")
    assert again.one(name="f").outputs["arn"].endswith("task-definition/f:2")
    assert again.one(name="s").id != first.one(name="s").id


def test_what_goes_with_something_deleted_first_is_made_anew_although_nothing_of_it_changes(project):
    text = """r = aws.iam.Role('r', name='r', path='{}', assume_role_policy='{{}}')
aws.iam.RolePolicy('p', role=r.name, policy='{{}}')"""
    first = run(project, text.format("/"))

    for mode in ("preview", "up"):
        assert ops(run(project, text.format("/x/"), mode, previous=first)) == {"r": "replace", "p": "replace"}


def test_an_ignored_property_is_to_everyone_as_it_was(project):
    text = "aws.sqs.Queue('q', delay_seconds={}, opts=pulumi.ResourceOptions(ignore_changes=['delaySeconds']))"
    project.pack(
        "rules",
        """
        from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
        def say(args, report):
            if args.resource_type == "aws:sqs/queue:Queue":
                report(f"delay {args.props['delaySeconds']:.0f}")
        PolicyPack("rules", policies=[ResourceValidationPolicy(
            name="say", description="d", validate=say, enforcement_level=EnforcementLevel.ADVISORY)])
        """,
    )
    first = run(project, text.format(1))

    again = run(project, text.format(2), "preview", previous=first, packs=[project.root / "policies" / "rules"])

    assert ops(again) == {}
    assert "delay 1" in again.violations[0].message
    assert again.one(name="q").outputs["delaySeconds"] == 1


@pytest.mark.parametrize(("mode", "went_on"), [("preview", True), ("up", False)])
def test_a_protected_resource_is_not_replaced(project, mode, went_on):
    text = "aws.sns.Topic('t', name='{}', opts=pulumi.ResourceOptions(protect=True))\naws.sqs.Queue('late')"
    first = run(project, text.format("a"))

    again = run(project, text.format("b"), mode, previous=first)

    assert "unable to replace resource" in again.errors[0].message
    assert bool(again.all(name="late")) == went_on


def test_a_protected_resource_is_not_deleted(project):
    first = run(project, "aws.sns.Topic('t', opts=pulumi.ResourceOptions(protect=True))")

    again = run(project, "", "preview", previous=first)

    assert again.errors[0].message.startswith("Preview failed: resource ")
    assert "cannot be deleted\nbecause it is protected" in again.errors[0].message
    assert ops(again) == {"t": "delete", first.resources[1].name: "delete"}


def test_a_run_cannot_start_from_a_preview(project):
    first = run(project, "", "preview")

    with pytest.raises(UsageError, match="a preview leaves none"):
        run(project, "", previous=first)


def test_a_refresh_takes_the_contents_of_files_out_of_the_outputs_only(project):
    text = """b = aws.s3.Bucket('b')
aws.s3.BucketObjectv2('o', bucket=b.id, key='k', source=pulumi.AssetArchive({'a': pulumi.StringAsset('text')}))"""
    first = run(project, text)

    again = run(project, text, "preview", previous=first, refreshed=True)

    assert ops(again) == {}
    assert again.one(name="o").outputs["source"] == Archive(assets={})
    assert again.one(name="o").inputs["source"] == first.one(name="o").inputs["source"]


# -- hooks ----------------------------------------------------------------------------------------------------

HOOKED = """def guard(args):
    lost = set((args.old_inputs or {{}}).get('keep', [])) - set(args.new_inputs['keep'])
    print(args.name, args.type, sorted(lost))
    if lost:
        raise ValueError('a running revision needs ' + ', '.join(sorted(lost)))
hook = pulumi.ResourceHook('guard', guard, pulumi.ResourceHookOptions(on_dry_run={on_dry_run}, ignore_errors={ignore}))
Box('b', {{'keep': {keep}}}, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding({kind}=[hook])))
aws.sqs.Queue('late')"""


def hooked(project, keep, mode="up", previous=None, *, kind="before_update", on_dry_run=True, ignore=False):
    text = HOOKED.format(keep=keep, kind=kind, on_dry_run=on_dry_run, ignore=ignore)
    return run(project, text, mode, previous=previous)


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_a_hook_that_fails_before_an_update_ends_the_run_with_its_words(project, mode):
    first = hooked(project, ["a", "b"])

    again = hooked(project, ["b"], mode, first)

    said = 'before hook "guard" failed: a running revision needs a'
    assert [d.message for d in again.errors] == [f"Preview failed: {said}" if mode == "preview" else said]
    assert again.errors[0].urn == first.one(name="b").urn
    assert ops(again) == {"b": "update"}  # what comes after it is neither registered nor deleted


def test_a_hook_that_is_content_lets_the_update_happen(project):
    first = hooked(project, ["a"])

    again = hooked(project, ["a", "c"], "preview", first)

    assert not again.errors
    assert ops(again) == {"b": "update"}
    assert "b shop:index:Box []" in [d.message for d in again.diagnostics]


def test_a_hook_runs_for_its_kind_of_step_only(project):
    first = hooked(project, ["a"])
    unchanged = hooked(project, ["a"], "preview", first)

    said = [[d.message for d in r.diagnostics if d.message.startswith("b shop")] for r in (first, unchanged)]
    assert said == [[], []]
    created = hooked(project, ["a"], "preview", kind="before_create")
    assert "b shop:index:Box []" in [d.message for d in created.diagnostics]


def test_a_hook_that_is_not_for_previews_is_not_run_and_said_so(project):
    first = hooked(project, ["a", "b"])

    again = hooked(project, ["b"], "preview", first, on_dry_run=False)

    assert not again.errors
    assert any("'guard' is not run here" in d.message for d in again.diagnostics)


def test_errors_that_a_hook_ignores_are_warnings(project):
    first = hooked(project, ["a", "b"])

    again = hooked(project, ["b"], "preview", first, ignore=True)

    assert not again.errors
    assert [d.severity for d in again.diagnostics if 'hook "guard" failed' in d.message] == ["warning"]


def test_a_hook_that_fails_afterwards_spoils_the_run_and_does_not_end_it(project):
    first = hooked(project, ["a", "b"])

    again = hooked(project, ["b"], "up", first, kind="after_update")

    assert [d.message for d in again.errors] == ['after hook "guard" failed: a running revision needs a']
    assert again.all(name="late")


def test_what_a_protected_resource_depends_on_is_not_deleted_either(project):
    text = """topic = aws.sns.Topic('topic')
aws.sqs.Queue('kept', policy=topic.arn, opts=pulumi.ResourceOptions(protect=True))
aws.sqs.Queue('alone')"""
    first = run(project, text)

    again = run(project, "", "preview", previous=first)

    assert {step.name for step in again.steps if step.op == "delete" and not step.type.startswith("pulumi:")} == {
        "kept",
        "alone",
    }
