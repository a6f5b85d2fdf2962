"""What happens to a stack on AWS after an `up`, as the next run finds it."""

import pytest
from pulumi_rehearsal import changes, refresh

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
