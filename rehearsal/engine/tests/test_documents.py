"""Documents given as objects become the text that the provider makes of them, before anybody looks at them."""

import json

import pytest
from pulumi_rehearsal import UNKNOWN, Secret

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": "*"}]}
TYPED = (
    "aws.iam.PolicyDocumentArgs(version='2012-10-17', statement=[aws.iam.PolicyStatementArgs("
    "effect='Allow', action='a:B', resource='*')])"
)


def made(project, text, mode="preview"):
    project.program(f"import pulumi\nimport pulumi_aws as aws\nq = aws.sqs.Queue('q')\n{text}")
    run = project.rehearse(mode)
    assert not run.errors, run.errors
    return run.one(name="it")


@pytest.mark.parametrize("document", [repr(DOCUMENT), TYPED], ids=["dictionary", "arguments"])
@pytest.mark.parametrize(
    ("call", "key"),
    [
        ("aws.iam.Role('it', assume_role_policy={})", "assumeRolePolicy"),
        ("aws.iam.RolePolicy('it', role='r', policy={})", "policy"),
        ("aws.iam.Policy('it', policy={})", "policy"),
        ("aws.s3.BucketPolicy('it', bucket='b', policy={})", "policy"),
        ("aws.sns.TopicPolicy('it', arn='a', policy={})", "policy"),
        ("aws.sqs.QueuePolicy('it', queue_url='q', policy={})", "policy"),
        ("aws.ecr.RepositoryPolicy('it', repository='r', policy={})", "policy"),
        ("aws.s3.Bucket('it', policy={})", "policy"),
        ("aws.ecr.RegistryPolicy('it', policy={})", "policy"),
    ],
)
def test_a_document_may_be_an_object(project, call, key, document):
    resource = made(project, call.format(document))

    assert json.loads(resource.inputs[key]) == DOCUMENT
    assert resource.outputs[key] == resource.inputs[key]


def test_a_document_inside_another_property_is_text_as_well(project):
    role = made(
        project,
        f"aws.iam.Role('it', assume_role_policy='{{}}', inline_policies=[{{'name': 'n', 'policy': {json.dumps(DOCUMENT)!r}}}])",
    )

    assert json.loads(role.inputs["inlinePolicies"][0]["policy"]) == DOCUMENT


def test_what_is_unknown_in_a_document_makes_it_unknown_and_what_is_secret_secret(project):
    text = "aws.iam.Policy('it', policy={{'Version': '2012-10-17', 'Statement': [{{'Resource': {}}}]}})"

    assert made(project, text.format("q.arn")).inputs["policy"] is UNKNOWN
    assert made(project, text.format("pulumi.Output.secret('x')")).inputs["policy"] == Secret(
        '{"Statement":[{"Resource":"x"}],"Version":"2012-10-17"}'
    )


def test_a_program_reads_the_text_back(project):
    project.program(
        "import json, pulumi\nimport pulumi_aws as aws\n"
        f"p = aws.iam.Policy('p', policy={DOCUMENT!r})\n"
        "pulumi.export('actions', p.policy.apply(lambda text: json.loads(text)['Statement'][0]['Action']))\n"
    )

    for mode in ("preview", "up"):
        assert project.rehearse(mode).exports["actions"] == "a:B"


def test_maps_stay_maps(project):
    assert made(project, "aws.sqs.Queue('it', tags={'a': 'b'})").inputs["tags"] == {"a": "b"}
