"""What happens to a stack on AWS after an `up`, as the next run finds it."""

import pytest
from pulumi_rehearsal import changes, refresh

from tests.rehearsed import STACKS, rehearse_stack, rehearsed

MADE = """
    import json
    import pulumi
    import pulumi_aws as aws

    t = aws.sns.Topic('t', name='t')
    aws.sns.TopicPolicy('tp', arn=t.arn, policy='{"a": 1}')
    b = aws.s3.Bucket('b', bucket='b')
    aws.s3.BucketPolicy('bp', bucket=b.id, policy='{"b": 1}')
    aws.s3.BucketVersioning('bv', bucket=b.id, versioning_configuration={'status': 'Enabled'})
    r = aws.iam.Role('r', name='r', assume_role_policy='{}')
    aws.iam.RolePolicy('rp', role=r.name, name='inner', policy='{"r": 1}')
    aws.iam.RolePolicyAttachment('ra', role=r.name, policy_arn='arn:aws:iam::aws:policy/X')
    s = aws.ec2.SecurityGroup('s', name='s')
    aws.vpc.SecurityGroupIngressRule('si', security_group_id=s.id, ip_protocol='tcp', from_port=80, to_port=81,
                                     cidr_ipv4='10.0.0.0/8')
    aws.vpc.SecurityGroupEgressRule('se', security_group_id=s.id, ip_protocol='-1', cidr_ipv4='0.0.0.0/0')
    q = aws.sqs.Queue('q', policy='own')
    aws.sqs.QueuePolicy('qp', queue_url=q.url, policy='other')
"""


@pytest.fixture
def made(project):
    project.program(MADE)
    return project.rehearse("up")


@pytest.mark.parametrize(
    ("name", "output", "value"),
    [
        ("t", "policy", '{"a": 1}'),
        ("b", "policy", '{"b": 1}'),
        ("b", "versioning", {"enabled": True, "mfaDelete": False}),
        ("r", "inlinePolicies", [{"name": "inner", "policy": '{"r": 1}'}]),
        ("r", "managedPolicyArns", ["arn:aws:iam::aws:policy/X"]),
        ("q", "policy", "own"),  # what the program says itself is not what another says
    ],
)
def test_a_refresh_reads_what_others_have_set(made, name, output, value):
    assert refresh.refreshed(made).one(name=name).outputs[output] == value


def test_a_security_group_is_read_with_its_rules(made):
    group = refresh.refreshed(made).one(name="s").outputs

    assert [(r["protocol"], r["fromPort"], r["toPort"], r["cidrBlocks"]) for r in group["ingress"]] == [
        ("tcp", 80, 81, ["10.0.0.0/8"])
    ]
    assert [(r["protocol"], r["fromPort"], r["cidrBlocks"]) for r in group["egress"]] == [("-1", 0, ["0.0.0.0/0"])]


def test_what_a_refresh_read_plans_nothing(project, made):
    assert changes.changing(project.rehearse(previous=made, refreshed=True).steps) == ()


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
