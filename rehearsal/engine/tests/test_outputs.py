"""What providers would compute has the right form, is the same in every run, and agrees with itself."""

import json
import re

import pytest
from pulumi_rehearsal import UNKNOWN, unknown_paths

PROVIDER = """
    import json
    import pulumi
    import pulumi_aws as aws

    provider = aws.Provider("mine", region="ap-northeast-1", allowed_account_ids=["111111111111"])
    opts = pulumi.ResourceOptions(provider=provider)
    vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", opts=opts)
"""
HERE = "ap-northeast-1:111111111111"


def made(project, expression):
    project.program(PROVIDER + f"\n    made = {expression}\n    pulumi.export('urn', made.urn)\n")
    run = project.rehearse("up")
    assert run.ok, run.errors
    return run.get(run.exports["urn"])


@pytest.mark.parametrize(
    ("expression", "arn", "identifier"),
    [
        ("aws.s3.Bucket('b', bucket='goods', opts=opts)", "arn:aws:s3:::goods", "goods"),
        (
            "aws.iam.Role('r', name='ci', path='/team/', assume_role_policy='{}', opts=opts)",
            "arn:aws:iam::111111111111:role/team/ci",
            "ci",
        ),
        (
            "aws.iam.Policy('p', name='ci', policy='{}', opts=opts)",
            "arn:aws:iam::111111111111:policy/ci",
            "arn:aws:iam::111111111111:policy/ci",
        ),
        (
            (
                "aws.iam.OpenIdConnectProvider('o', url='https://token.actions.githubusercontent.com', opts=opts,"
                " client_id_lists=['x'])"
            ),
            "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com",
            "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com",
        ),
        ("aws.sns.Topic('t', name='news', opts=opts)", f"arn:aws:sns:{HERE}:news", f"arn:aws:sns:{HERE}:news"),
        (
            "aws.sqs.Queue('q', name='orders', opts=opts)",
            f"arn:aws:sqs:{HERE}:orders",
            "https://sqs.ap-northeast-1.amazonaws.com/111111111111/orders",
        ),
        (
            "aws.ecr.Repository('r', name='dev/api/app', opts=opts)",
            f"arn:aws:ecr:{HERE}:repository/dev/api/app",
            "dev/api/app",
        ),
        ("aws.cloudwatch.LogGroup('l', name='/ecs/a', opts=opts)", f"arn:aws:logs:{HERE}:log-group:/ecs/a", "/ecs/a"),
        (
            "aws.cloudwatch.EventRule('e', name='r', opts=opts, event_pattern='{}')",
            f"arn:aws:events:{HERE}:rule/r",
            "r",
        ),
        (
            "aws.ecs.Service('s', name='api', cluster='arn:aws:ecs:x:y:cluster/dev', opts=opts)",
            f"arn:aws:ecs:{HERE}:service/dev/api",
            f"arn:aws:ecs:{HERE}:service/dev/api",
        ),
        (
            "aws.ecs.TaskDefinition('t', family='api', container_definitions='[]', opts=opts)",
            f"arn:aws:ecs:{HERE}:task-definition/api:1",
            "api",
        ),
        (
            "aws.lambda_.Function('f', name='gate', role='arn:aws:iam::111111111111:role/r', opts=opts)",
            f"arn:aws:lambda:{HERE}:function:gate",
            "gate",
        ),
        (
            "aws.ssm.Parameter('p', name='/a/b', type='String', value='x', opts=opts)",
            f"arn:aws:ssm:{HERE}:parameter/a/b",
            "/a/b",
        ),
    ],
)
def test_arn_and_id_have_the_form_of_the_type(project, expression, arn, identifier):
    resource = made(project, expression)

    assert resource.outputs["arn"] == arn
    assert resource.id == identifier


@pytest.mark.parametrize(
    ("expression", "key", "form"),
    [
        ("aws.ec2.SecurityGroup('s', vpc_id=vpc.id, opts=opts)", "id", r"sg-[0-9a-f]{17}"),
        ("aws.ec2.Subnet('s', vpc_id=vpc.id, cidr_block='10.0.1.0/24', opts=opts)", "id", r"subnet-[0-9a-f]{17}"),
        ("aws.ec2.Subnet('s', vpc_id=vpc.id, opts=opts)", "vpcId", r"vpc-[0-9a-f]{17}"),
        ("aws.ec2.Subnet('s', vpc_id=vpc.id, opts=opts)", "availabilityZone", r"ap-northeast-1a"),
        (
            "aws.lb.LoadBalancer('l', name='front', opts=opts)",
            "dnsName",
            r"front-[0-9a-f]+\.ap-northeast-1\.elb\.amazonaws\.com",
        ),
        (
            "aws.lb.LoadBalancer('l', name='front', opts=opts)",
            "arn",
            rf"arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/front/[0-9a-f]{{16}}",
        ),
        ("aws.lb.LoadBalancer('l', name='front', opts=opts)", "arnSuffix", r"app/front/[0-9a-f]{16}"),
        ("aws.lb.TargetGroup('t', name='blue', opts=opts)", "arnSuffix", r"targetgroup/blue/[0-9a-f]{16}"),
        (
            "aws.kms.Key('k', opts=opts)",
            "arn",
            rf"arn:aws:kms:{HERE}:key/[0-9a-f]{{8}}-[0-9a-f]{{4}}-4[0-9a-f]{{3}}-.*",
        ),
        (
            "aws.ecr.Repository('r', name='dev/api', opts=opts)",
            "repositoryUrl",
            r"111111111111\.dkr\.ecr\.ap-northeast-1\.amazonaws\.com/dev/api",
        ),
        (
            "aws.secretsmanager.Secret('s', name='a', opts=opts)",
            "arn",
            rf"arn:aws:secretsmanager:{HERE}:secret:a-\w{{6}}",
        ),
        ("aws.s3.Bucket('Goods', opts=opts)", "bucket", r"Goods-[0-9a-f]{7}"),
        ("aws.iam.Role('r', name_prefix='ci-', assume_role_policy='{}', opts=opts)", "name", r"ci-[0-9a-f]{7}"),
    ],
)
def test_a_computed_property_has_its_form(project, expression, key, form):
    value = made(project, expression).outputs[key]

    assert re.fullmatch(form, value), value


def test_an_automatic_name_is_the_same_in_name_arn_and_id(project):
    role = made(project, "aws.iam.Role('r', assume_role_policy='{}', opts=opts)")

    assert role.outputs["name"] == role.id
    assert role.outputs["arn"].endswith(f":role/{role.id}")


@pytest.mark.parametrize(
    ("expression", "output", "value"),
    [
        ("aws.s3.Bucket('b', bucket='goods', opts=opts)", "policy", ""),
        ("aws.s3.Bucket('b', bucket='goods', opts=opts)", "website", None),
        ("aws.s3.Bucket('b', bucket='goods', opts=opts)", "requestPayer", "BucketOwner"),
        ("aws.s3.Bucket('b', bucket='goods', opts=opts)", "versioning", {"enabled": False, "mfaDelete": False}),
        ("aws.iam.Role('r', name='ci', assume_role_policy='{}', opts=opts)", "inlinePolicies", []),
        ("aws.iam.Role('r', name='ci', assume_role_policy='{}', opts=opts)", "managedPolicyArns", []),
        ("aws.ec2.SecurityGroup('s', vpc_id=vpc.id, opts=opts)", "egress", []),
        (
            "aws.lb.TargetGroup('t', name='blue', protocol='HTTP', port=80, opts=opts)",
            "stickiness",
            {"cookieDuration": 86400, "cookieName": "", "enabled": False, "type": "lb_cookie"},
        ),
        (
            "aws.lb.LoadBalancer('l', subnets=['s-1'], opts=opts)",
            "subnetMappings",
            [{"subnetId": "s-1", "outpostId": ""}],
        ),
    ],
)
def test_what_a_program_leaves_out_is_what_aws_writes_there(project, expression, output, value):
    assert made(project, expression).outputs.get(output) == value


def test_a_bucket_grants_its_owner_everything(project):
    (grant,) = made(project, "aws.s3.Bucket('b', bucket='goods', opts=opts)").outputs["grants"]

    assert (grant["type"], grant["permissions"]) == ("CanonicalUser", ["FULL_CONTROL"])
    assert re.fullmatch(r"[0-9a-f]{64}", grant["id"])


def test_a_key_without_a_policy_has_the_default_one_of_its_account(project):
    (statement,) = json.loads(made(project, "aws.kms.Key('k', opts=opts)").outputs["policy"])["Statement"]

    assert statement["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}


def test_a_topic_without_a_policy_has_the_default_one_of_its_account(project):
    (statement,) = json.loads(made(project, "aws.sns.Topic('t', name='news', opts=opts)").outputs["policy"])[
        "Statement"
    ]

    assert statement["Principal"] == {"AWS": "*"}
    assert statement["Resource"] == f"arn:aws:sns:{HERE}:news"
    assert "SNS:SetTopicAttributes" in statement["Action"]
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceOwner": "111111111111"}}


def test_nobody_makes_up_lists_maps_and_objects(project):
    text = """api = aws.appsync.GraphQLApi('api', authentication_type='API_KEY', opts=opts)
balancer = aws.lb.LoadBalancer('l', opts=opts)
pulumi.export('url', api.uris['GRAPHQL'])
pulumi.export('groups', balancer.security_groups)
aws.sqs.Queue('q', kms_master_key_id=api.uris['GRAPHQL'], opts=opts)"""

    project.program(PROVIDER + "    " + text.replace("\n", "\n    "))
    run = project.rehearse("up")

    assert not run.errors
    assert run.exports == {"url": UNKNOWN, "groups": UNKNOWN}
    assert run.one(name="api").outputs["uris"] is UNKNOWN
    (said,) = [d for d in run.diagnostics if d.severity == "warning"]
    assert said.urn == run.one(name="q").urn
    assert said.message == (
        "kmsMasterKeyId stays unknown: a rehearsal cannot make up uris of aws:appsync/graphQLApi:GraphQLApi api; give it "
        "under outputs: in a file with --answers"
    )


@pytest.mark.parametrize(
    "by", ["aws:appsync/graphQLApi:GraphQLApi", "urn:pulumi:dev::shop::aws:appsync/graphQLApi:GraphQLApi::api"]
)
def test_what_nobody_makes_up_can_be_given(project, by):
    text = """api = aws.appsync.GraphQLApi('api', authentication_type='API_KEY', opts=opts)
pulumi.export('url', api.uris['GRAPHQL'])"""

    assert exports(project, text, "up", given_outputs={by: {"uris": {"GRAPHQL": "https://x"}}}) == {"url": "https://x"}


def test_what_a_plugin_makes_in_a_component_stays_unknown(project):
    text = """import pulumi_awsx as awsx
balancer = awsx.lb.ApplicationLoadBalancer('lb')
pulumi.export('host', balancer.load_balancer.dns_name)"""

    assert exports(project, text, "up") == {"host": UNKNOWN}


def test_nothing_is_unknown_at_up_and_values_are_the_same_in_every_run(project):
    project.program(
        PROVIDER
        + """
    lb = aws.lb.LoadBalancer("l", subnets=["subnet-1"], security_groups=["sg-1"], opts=opts)
    group = aws.lb.TargetGroup("g", vpc_id=vpc.id, opts=opts)
    aws.lb.Listener("h", load_balancer_arn=lb.arn, port=80, opts=opts,
                    default_actions=[{"type": "forward", "target_group_arn": group.arn}])
    for name in ("a", "b"):
        aws.ec2.SecurityGroup(name, vpc_id=vpc.id, opts=opts)
    """
    )

    first, second = project.rehearse("up"), project.rehearse("up")

    assert first.resources == second.resources
    assert [unknown_paths(r.inputs) + unknown_paths(r.outputs) for r in first.resources] == [[]] * len(first.resources)
    assert all(r.id is not UNKNOWN for r in first.resources)
    groups = first.all("aws:ec2/securityGroup:SecurityGroup")
    assert groups[0].id != groups[1].id


def test_an_imported_resource_keeps_its_id(project):
    group = made(
        project,
        "aws.ec2.SecurityGroup('s', vpc_id=vpc.id, opts=pulumi.ResourceOptions(provider=provider, import_='sg-0123'))",
    )

    assert group.id == "sg-0123"
    assert group.outputs["arn"] == f"arn:aws:ec2:{HERE}:security-group/sg-0123"
    assert group.options.import_id == "sg-0123"


@pytest.mark.parametrize(("region", "partition", "suffix"), [
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
])  # fmt: skip
def test_other_partitions_have_their_own_names(project, region, partition, suffix):
    project.write("Pulumi.dev.yaml", f"config:\n  aws:region: {region}\n")
    project.program("import pulumi_aws as aws\naws.sqs.Queue('q', name='q')\n")

    queue = project.rehearse("up").one("aws:sqs/queue:Queue")

    assert queue.outputs["arn"] == f"arn:{partition}:sqs:{region}:123456789012:q"
    assert queue.outputs["url"] == f"https://sqs.{region}.{suffix}/123456789012/q"


# -- look-ups -------------------------------------------------------------------------------------------------


def exported(project, expression, **options):
    project.program(
        PROVIDER + f"\n    at = pulumi.InvokeOptions(provider=provider)\n    pulumi.export('it', {expression})\n"
    )
    run = project.rehearse(**options)
    assert run.ok, run.errors
    return run.exports["it"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("aws.get_caller_identity(opts=at).account_id", "111111111111"),
        ("aws.get_caller_identity_output(opts=at).account_id", "111111111111"),
        ("aws.get_region(opts=at).region", "ap-northeast-1"),
        ("aws.get_partition(opts=at).partition", "aws"),
        ("aws.get_availability_zones(opts=at).names", ["ap-northeast-1a", "ap-northeast-1b", "ap-northeast-1c"]),
        ("aws.ec2.get_vpc(id='vpc-1', opts=at).id", "vpc-1"),
        ("aws.ec2.get_vpc(id='vpc-1', opts=at).cidr_block", "10.0.0.0/16"),
        ("aws.iam.get_role(name='ci', opts=at).arn", "arn:aws:iam::111111111111:role/ci"),
        ("len(aws.ec2.get_subnets(opts=at).ids)", 3),
        ("aws.get_service_principal(service_name='ecs', opts=at).name", "ecs.amazonaws.com"),
    ],
)
def test_what_can_be_known_is_answered_at_preview(project, expression, value):
    assert exported(project, expression) == value


def test_the_same_look_up_finds_the_same_and_another_finds_another(project):
    ids = exported(project, "[aws.ec2.get_vpc(tags={'Name': n}, opts=at).id for n in ('a', 'a', 'b')]")

    assert re.fullmatch(r"vpc-[0-9a-f]{17}", ids[0])
    assert ids[0] == ids[1] != ids[2]


def test_a_policy_document_is_put_together_as_the_provider_does(project):
    document = exported(
        project,
        """json.loads(aws.iam.get_policy_document(statements=[
            {"sid": "Push", "actions": ["ecr:PutImage"], "resources": ["a", "b"],
             "principals": [{"type": "AWS", "identifiers": ["111111111111"]}],
             "conditions": [{"test": "StringEquals", "variable": "aws:x", "values": ["y"]}]},
            aws.iam.GetPolicyDocumentStatementArgs(effect="Deny", not_actions=["s3:*"], not_resources=["*"]),
        ], opts=at).json)""",
    )

    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Push",
                "Effect": "Allow",
                "Action": "ecr:PutImage",
                "Resource": ["b", "a"],
                "Principal": {"AWS": "111111111111"},
                "Condition": {"StringEquals": {"aws:x": "y"}},
            },
            {"Effect": "Deny", "NotAction": "s3:*", "NotResource": "*"},
        ],
    }


def test_a_policy_document_with_a_misspelt_element_is_refused(project):
    project.program("import pulumi_aws as aws\naws.iam.get_policy_document(statements=[{'not_actions': ['a']}])\n")

    assert "has 'not_actions', which the provider does not know" in project.rehearse().errors[0].message


def test_a_look_up_that_cannot_be_known_is_refused_with_the_way_to_answer_it(project):
    project.program("import pulumi_aws as aws\naws.ec2.get_ami(owners=['self'])\n")

    run = project.rehearse()

    assert len(run.errors) == 1
    assert "aws:ec2/getAmi:getAmi, which a rehearsal cannot know" in run.errors[0].message
    assert "--answers" in run.errors[0].message


def test_an_answer_can_depend_on_the_arguments(project):
    answers = {"aws:ec2/getAmi:getAmi": lambda args: {"id": f"ami-of-{args['owners'][0]}"}}

    assert exported(project, "aws.ec2.get_ami(owners=['me'], opts=at).id", answers=answers) == "ami-of-me"


def test_a_look_up_with_an_unknown_argument_is_unknown(project):
    assert exported(project, "aws.ec2.get_vpc_output(id=vpc.id, opts=at).cidr_block") is UNKNOWN


# -- what is not known yet ------------------------------------------------------------------------------------


def exports(project, text, mode="preview", **options):
    project.program(PROVIDER + "    at = pulumi.InvokeOptions(provider=provider)\n    " + text.replace("\n", "\n    "))
    run = project.rehearse(mode, **options)
    assert not run.errors, run.errors
    return run.exports


def test_a_policy_document_of_something_unknown_is_unknown_and_the_program_goes_on(project):
    document = """document = aws.iam.get_policy_document(statements=[{
    'actions': ['ecs:RunTask'], 'resources': ['b', vpc.arn, 'a'],
    'conditions': [{'test': 'ArnEquals', 'variable': 'ecs:cluster', 'values': [vpc.arn]}]}], opts=at)
aws.iam.RolePolicy('p', role='r', policy=document.json, opts=opts)
pulumi.export('json', document.json)
pulumi.export('version', document.version)"""

    assert exports(project, document) == {"json": UNKNOWN, "version": "2012-10-17"}
    assert "RunTask" in exports(project, document, "up")["json"]


@pytest.mark.parametrize("function", ["get_vpc", "get_subnet", "get_security_group"])
def test_a_function_that_is_given_something_unknown_answers_unknown(project, function):
    text = f"""found = aws.ec2.{function}(filters=[{{'name': 'vpc-id', 'values': [vpc.id]}}], opts=at)
pulumi.export('arn', found.arn)
pulumi.export('id', found.id)"""

    assert exports(project, text) == {"arn": UNKNOWN, "id": UNKNOWN}
    assert exports(project, text, "up")["arn"].startswith("arn:aws:ec2:")


def test_a_function_that_the_sdk_does_not_ask_at_all_is_said_to_need_its_other_form(project):
    project.program(PROVIDER + "    aws.ec2.get_vpc(id=vpc.id, opts=pulumi.InvokeOptions(provider=provider))\n")

    assert "not known yet, and has no answer; call its _output form" in project.rehearse().errors[0].message


@pytest.mark.parametrize("answer", [{"id": "ami-1"}, lambda args: {"id": f"ami of {args['owners'][0].upper()}"}])
def test_an_answer_is_not_asked_about_something_unknown(project, answer):
    answers = {"aws:ec2/getAmi:getAmi": answer}

    text = "pulumi.export('id', aws.ec2.get_ami(owners=[vpc.owner_id], opts=at).id)"

    assert exports(project, text, answers=answers) == {"id": UNKNOWN}
    assert exports(project, text, "up", answers=answers)["id"].startswith("ami")


# -- merging --------------------------------------------------------------------------------------------------


def document(project, arguments):
    return exported(project, f"json.loads(aws.iam.get_policy_document({arguments}, opts=at).json)")


def one(sid, action):
    return json.dumps({"Version": "2012-10-17", "Statement": {"Sid": sid, "Effect": "Allow", "Action": action}})


def test_documents_are_merged_by_sid(project):
    merged = document(
        project,
        f"statements=[{{'sid': 'A', 'actions': ['own'], 'resources': ['*']}}, {{'actions': ['free'], 'resources': ['*']}}],"
        f" source_policy_documents=[{one('A', 'source')!r}, {one('B', 'source')!r}],"
        f" override_policy_documents=[{one('B', 'override')!r}, {one('C', 'added')!r}]",
    )

    assert [(s.get("Sid"), s["Action"]) for s in merged["Statement"]] == [
        ("A", "own"), ("B", "override"), (None, "free"), ("C", "added"),
    ]  # fmt: skip


def test_a_later_version_and_an_id_are_taken_over(project):
    old = json.dumps({"Version": "2008-10-17", "Id": "theirs", "Statement": []})

    merged = document(project, f"source_policy_documents=[{old!r}], statements=[]")

    assert (merged["Version"], merged["Id"]) == ("2012-10-17", "theirs")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (f"source_policy_documents=[{one('A', 'x')!r}, {one('A', 'y')!r}]", "sourcePolicyDocuments has two statements with the Sid 'A'"),
        ("statements=[{'sid': 'A', 'actions': ['x']}, {'sid': 'A', 'actions': ['y']}]", "statements has two statements with the Sid 'A'"),
        ("override_policy_documents=['{']", "one of overridePolicyDocuments is not JSON"),
    ],
)  # fmt: skip
def test_documents_that_the_provider_would_not_merge_are_refused(project, arguments, sentence):
    project.program(f"import pulumi_aws as aws\naws.iam.get_policy_document({arguments})\n")

    (error,) = project.rehearse().errors
    assert sentence in error.message
    assert not error.traceback
