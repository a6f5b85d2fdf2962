"""This project's program and packs: judged the same in process as by the real analyzers, also when broken."""

import json
from dataclasses import fields

import pytest
import yaml
from pulumi_rehearsal import rehearse

from tests.rehearsed import ROOT, STACKS, rehearse_stack, stack_file


def assert_same(one, other):
    for field in fields(one):
        if field.name != "phases":
            assert getattr(one, field.name) == getattr(other, field.name), field.name


def same_both_ways(stack, mode="preview", **options):
    in_process = rehearse_stack(stack, mode, **options)
    in_its_own = rehearse_stack(stack, mode, real_analyzers=True, **options)
    assert_same(in_process, in_its_own)
    return in_process


@pytest.mark.parametrize(("stack", "mode"), [*((stack, "preview") for stack in STACKS), ("prod", "up")])
def test_every_stack_is_allowed_and_judged_the_same_both_ways(stack, mode):
    run = same_both_ways(stack, mode)

    assert run.ok, [*run.errors, *run.mandatory]
    assert len(run.packs) == 2


# Each breaks what one of the packs looks at, by a transform that the program itself knows nothing of.
BREAKS = {
    "a CI role may do one more thing": """
        def broken(args):
            if args.type_ == "aws:iam/rolePolicy:RolePolicy" and "-ci" in str(args.props.get("role")):
                document = json.loads(args.props["policy"])
                document["Statement"][0]["Action"] = ["ecs:UpdateService", "s3:GetObject"]
                return {**args.props, "policy": json.dumps(document)}
    """,
    "a role can be assumed by anybody": """
        def broken(args):
            if args.type_ == "aws:iam/role:Role":
                document = json.loads(args.props["assumeRolePolicy"])
                document["Statement"][0]["Principal"] = "*"
                return {**args.props, "assumeRolePolicy": json.dumps(document)}
    """,
    "repositories are mutable": """
        def broken(args):
            if args.type_ == "aws:ecr/repository:Repository":
                return {**args.props, "imageTagMutability": "MUTABLE"}
    """,
    "buckets keep no versions": """
        def broken(args):
            if args.type_ == "aws:s3/bucketVersioning:BucketVersioning":
                return {**args.props, "versioningConfiguration": {"status": "Suspended"}}
    """,
    "the approval is gone": """
        def broken(args):
            if args.type_ == "aws:codepipeline/pipeline:Pipeline":
                stages = [s for s in args.props["stages"] if s["name"] != "Approve"]
                return {**args.props, "stages": stages}
    """,
    "a task is privileged": """
        def broken(args):
            if args.type_ == "aws:ecs/taskDefinition:TaskDefinition":
                containers = json.loads(args.props["containerDefinitions"])
                containers[0]["privileged"] = True
                return {**args.props, "containerDefinitions": json.dumps(containers)}
    """,
    "a policy is not known yet": """
        def broken(args):
            if args.type_ == "aws:iam/rolePolicy:RolePolicy":
                return {**args.props, "policy": pulumi.Output.from_input(args.props["policy"]).apply(
                    lambda text: pulumi.UNKNOWN)}
    """,
}
TRANSFORM = """
import json, runpy
import pulumi
{break_}
def transform(args):
    props = broken(args)
    return None if props is None else pulumi.ResourceTransformResult(props=props, opts=args.opts)

pulumi.runtime.register_resource_transform(transform)
"""


@pytest.fixture
def broken_project(tmp_path):
    """This project with a transform in front of its program."""

    def make(break_):
        lines = [line.removeprefix("        ") for line in break_.splitlines()]
        for name in ("components", "contract", "functions", "policies"):
            (tmp_path / name).symlink_to(ROOT / name)
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project["runtime"] = "python"
        (tmp_path / "Pulumi.yaml").write_text(json.dumps(project))
        for stack in STACKS:
            (tmp_path / f"Pulumi.{stack}.yaml").symlink_to(stack_file(stack))
        program = (ROOT / "__main__.py").read_text()
        (tmp_path / "__main__.py").write_text(TRANSFORM.format(break_="\n".join(lines)) + program)
        return tmp_path

    return make


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_stack_is_judged_the_same_both_ways(broken_project, broken):
    project = broken_project(BREAKS[broken])
    packs = sorted((ROOT / "policies").glob("*/PulumiPolicy.yaml"))

    in_process, in_its_own = (
        rehearse(project, "prod", packs=[p.parent for p in packs], real_analyzers=real) for real in (False, True)
    )

    assert_same(in_process, in_its_own)
    assert not in_process.errors
    assert in_process.violations


@pytest.mark.parametrize("stack", ["dev", "stg", "prod"])
def test_a_tuned_run_of_this_projects_stacks_gives_what_the_plain_sdk_gives(stack):
    tuned, plain = rehearse_stack(stack, packs=[]), rehearse_stack(stack, packs=[], tuned=False)

    # The plain SDK registers children of different parents in another order.
    assert {r.urn: r for r in tuned.resources} == {r.urn: r for r in plain.resources}
    assert tuned.exports == plain.exports
