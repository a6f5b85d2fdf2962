"""Source, Verify, Approve where the stack asks, Deploy: in this order, each under a role that can do this alone."""

import json

import pytest

from components.naming import Names
from tests.rehearsed import ACCOUNTS, REGION, STACKS, actions, depends_on, granted, named, rehearsed, role, trust

PIPELINE = "aws:codepipeline/pipeline:Pipeline"
BOTH = pytest.mark.parametrize("service", ["api", "worker"])


def pipeline(stack, service="api", mode="preview", **overrides):
    return named(rehearsed(stack, mode, **overrides), PIPELINE, f"{stack}-{service}").inputs


def stages(stack, service="api", mode="preview", **overrides):
    return {s["name"]: s["actions"] for s in pipeline(stack, service, mode, **overrides)["stages"]}


# ---------------------------------------------------------------- the stages


@BOTH
@pytest.mark.parametrize(
    ("stack", "order"),
    [
        ("dev", ["Source", "Verify", "Deploy"]),
        ("stg", ["Source", "Verify", "Deploy"]),
        ("prod", ["Source", "Verify", "Approve", "Deploy"]),
    ],
)
def test_a_release_is_verified_and_where_asked_approved_before_it_is_deployed(stack, order, service):
    assert list(stages(stack, service)) == order


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_no_source_polls(stack, service):
    sources = stages(stack, service)["Source"]

    assert {a["configuration"]["PollForSourceChanges"] for a in sources} == {"false"}


@BOTH
def test_the_sources_are_ci_s_hand_off_and_infrastructure_s_template(service):
    sources = {a["name"]: a["configuration"] for a in stages("prod", service)["Source"]}

    assert {n: (c["S3Bucket"], c["S3ObjectKey"]) for n, c in sources.items()} == {
        "Handoff": ("prod-ecsdef-222222222222", f"{service}/imagedefinitions.json.zip"),
        "Template": ("prod-ecstemplate-222222222222", f"{service}/template.zip"),
    }
    assert not [c for c in sources.values() if c.get("AllowOverrideForS3ObjectKey") == "true"]


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_what_is_deployed_is_what_the_gate_let_through(stack, service):
    found = stages(stack, service)
    [gate], [deploy] = found["Verify"], found["Deploy"]

    assert gate["inputArtifacts"] == ["Handoff", "Template"]
    assert deploy["inputArtifacts"] == gate["outputArtifacts"] == ["Release"]


@BOTH
def test_the_gate_is_this_service_s_function_that_exists(service):
    run = rehearsed("prod")
    [gate] = stages("prod", service)["Verify"]

    function = named(run, "aws:lambda/function:Function", gate["configuration"]["FunctionName"])

    assert function.inputs["handler"] == "functions.gate.release_gate.handler"


def told_to_the_gate(service, **overrides):
    [gate] = stages("prod", service, "up", **overrides)["Verify"]
    return gate["configuration"]["UserParameters"]


def test_the_gate_of_a_blue_green_service_is_told_where_its_tasks_stand():
    service = named(rehearsed("prod", "up"), "aws:ecs/service:Service", "prod-api").inputs["networkConfiguration"]

    told = json.loads(told_to_the_gate("api"))

    assert told["service"] == "api"
    assert told["network"] == {
        "subnets": sorted(service["subnets"]),
        "securityGroups": service["securityGroups"],
    }


def test_the_gate_of_a_rolling_service_is_told_its_service_alone_since_up_moves_its_tasks():
    assert json.loads(told_to_the_gate("worker")) == {"service": "worker"}


def test_as_many_subnets_as_a_task_may_have_fit_into_what_codepipeline_takes_of_a_value():
    subnets = [f"subnet-{n:017x}" for n in range(16)]
    existing = {"vpcId": "vpc-0a1b2c3d4e5f60718", "privateSubnetIds": subnets, "publicSubnetIds": subnets[:2]}

    told = told_to_the_gate("api", network={"existing": existing})

    assert json.loads(told)["network"]["subnets"] == subnets
    assert len(told) <= 1000


def test_a_blue_green_release_names_the_deployment_group_that_exists():
    run = rehearsed("prod")
    group = run.one("aws:codedeploy/deploymentGroup:DeploymentGroup").inputs
    [deploy] = stages("prod")["Deploy"]

    assert (deploy["owner"], deploy["provider"]) == ("AWS", "CodeDeployToECS")
    assert deploy["configuration"] == {
        "ApplicationName": group["appName"],
        "DeploymentGroupName": group["deploymentGroupName"],
        "TaskDefinitionTemplateArtifact": "Release",
        "TaskDefinitionTemplatePath": "taskdef.json",
        "AppSpecTemplateArtifact": "Release",
        "AppSpecTemplatePath": "appspec.yaml",
    }


def test_a_rolling_release_names_the_cluster_and_service_that_exist():
    run = rehearsed("prod")
    [deploy] = stages("prod", "worker")["Deploy"]

    parameters = json.loads(deploy["configuration"]["UserParameters"])

    assert parameters["service"] == named(run, "aws:ecs/service:Service", "prod-worker").inputs["name"]
    assert parameters["cluster"] == run.one("aws:ecs/cluster:Cluster").inputs["name"]
    assert named(run, "aws:lambda/function:Function", deploy["configuration"]["FunctionName"])


@BOTH
def test_the_approval_shows_what_the_gate_saw_to_those_who_are_told(service):
    run = rehearsed("prod", "up")
    [approval] = stages("prod", service, "up")["Approve"]
    configuration = approval["configuration"]

    assert (approval["category"], approval["provider"]) == ("Approval", "Manual")
    assert approval["timeoutInMinutes"] == 1440
    topic = named(run, "aws:sns/topic:Topic", "prod-approvals")
    assert configuration["NotificationArn"] == topic.outputs["arn"]
    for variable in ("commit", "images", "scan", "changes"):
        assert f"#{{Gate.{variable}}}" in configuration["CustomData"]
    [gate] = stages("prod", service, "up")["Verify"]
    assert gate["namespace"] == "Gate"
    assert configuration["ExternalEntityLink"].startswith("https://")


def test_no_stack_says_prod_but_its_settings_ask_for_the_approval():
    assert "Approve" in stages("dev", approval="required")
    assert "Approve" not in stages("prod", approval="none")


# ---------------------------------------------------------------- the pipeline itself


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_artifacts_lie_in_the_environment_s_own_bucket(stack, service):
    [store] = pipeline(stack, service)["artifactStores"]

    assert store["location"] == f"{stack}-ecsartifacts-{ACCOUNTS[stack]}"
    assert named(rehearsed(stack), "aws:s3/bucket:Bucket", store["location"], key="bucket")


@pytest.mark.parametrize("mode", ["SUPERSEDED", "QUEUED"])
def test_the_execution_mode_is_a_setting_of_a_v2_pipeline(mode):
    found = pipeline("dev", executionMode=mode)

    assert (found["pipelineType"], found["executionMode"]) == ("V2", mode)


@pytest.mark.parametrize(
    ("service", "what", "names"),
    [
        ("api", "aws:codedeploy/deploymentGroup:DeploymentGroup", {"api"}),
        ("api", "aws:ecs/service:Service", {"api"}),
        ("api", "aws:lambda/function:Function", {"api-gate"}),
        ("worker", "aws:lambda/function:Function", {"worker-gate", "worker-deploy"}),
        ("worker", "aws:s3/bucketVersioning:BucketVersioning", {"handoff", "artifacts"}),
        ("worker", "aws:s3/bucketPolicy:BucketPolicy", {"handoff", "artifacts"}),
    ],
)
def test_a_pipeline_begins_when_what_it_calls_is_there(service, what, names):
    run = rehearsed("prod")

    waited = depends_on(run, named(run, PIPELINE, f"prod-{service}"), what)

    assert names <= {r.name for r in waited}


# ---------------------------------------------------------------- roles


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_each_action_acts_under_a_role_of_its_own(stack, service):
    found = stages(stack, service, "up")
    prefix = f"arn:aws:iam::{ACCOUNTS[stack]}:role/{stack}-{service}"

    assert {a["roleArn"] for a in found["Source"]} == {f"{prefix}-source-action"}
    assert {a["roleArn"] for a in found["Verify"]} == {f"{prefix}-verify-action"}
    assert {a["roleArn"] for a in found["Deploy"]} == {f"{prefix}-deploy-action"}
    assert pipeline(stack, service, "up")["roleArn"] == f"{prefix}-pipeline"


@BOTH
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("action", ["source", "verify", "deploy"])
def test_an_action_s_role_is_taken_by_this_pipeline_s_role_only(stack, service, action):
    [statement] = trust(rehearsed(stack), f"{stack}-{service}-{action}-action")

    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNTS[stack]}:role/{stack}-{service}-pipeline"}
    assert statement["Action"] == ["sts:AssumeRole"]


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_the_pipeline_s_role_is_taken_by_this_pipeline_only(stack, service):
    [statement] = trust(rehearsed(stack), f"{stack}-{service}-pipeline")

    assert statement["Principal"] == {"Service": "codepipeline.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:codepipeline:{REGION}:{ACCOUNTS[stack]}:{stack}-{service}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNTS[stack]},
    }


@BOTH
@pytest.mark.parametrize("stack", STACKS)
def test_the_pipeline_s_own_role_does_nothing_but_know_its_store_take_its_actions_roles_and_ask(stack, service):
    allowed = granted(rehearsed(stack), f"{stack}-{service}-pipeline")
    roles = f"arn:aws:iam::{ACCOUNTS[stack]}:role/{stack}-{service}"

    assert set(allowed.pop("ActThroughItsActionsRoles")["Resource"]) == {
        f"{roles}-{action}-action" for action in ("source", "verify", "deploy")
    }
    store = allowed.pop("KnowItsArtifactStore")
    assert store["Resource"] == [f"arn:aws:s3:::{stack}-ecsartifacts-{ACCOUNTS[stack]}"]
    assert all(action.startswith("s3:GetBucket") for action in store["Action"])
    asks = {s["Action"][0]: s["Resource"] for s in allowed.values()}
    topic = {"sns:Publish": [f"arn:aws:sns:{REGION}:{ACCOUNTS[stack]}:prod-approvals"]}
    assert asks == (topic if stack == "prod" else {})


@pytest.mark.parametrize("stack", STACKS)
def test_the_source_role_reads_its_two_objects_and_writes_artifacts(stack):
    allowed = granted(rehearsed(stack), f"{stack}-api-source-action")
    account = ACCOUNTS[stack]

    reads = {r for s in allowed.values() if "s3:GetObject" in s["Action"] for r in s["Resource"]}
    writes = {r for s in allowed.values() if "s3:PutObject" in s["Action"] for r in s["Resource"]}

    assert reads == {
        f"arn:aws:s3:::{stack}-ecsdef-{account}/api/imagedefinitions.json.zip",
        f"arn:aws:s3:::{stack}-ecstemplate-{account}/api/template.zip",
    }
    assert writes == {f"arn:aws:s3:::{stack}-ecsartifacts-{account}/{stack}-api/*"}
    assert {"s3:PutObject", "s3:PutObjectTagging"} == set(allowed["CarryArtifacts"]["Action"])
    assert {"s3:GetObjectVersion", "s3:GetBucketVersioning"} <= actions(allowed)


@pytest.mark.parametrize("stack", STACKS)
def test_an_action_reaches_the_artifacts_of_its_own_pipeline_alone(stack):
    run, bucket = rehearsed(stack), f"arn:aws:s3:::{stack}-ecsartifacts-{ACCOUNTS[stack]}/"
    reached = {}
    for name in (r.inputs["name"] for r in run.all("aws:iam/role:Role") if r.inputs["name"].endswith("-action")):
        for statement in granted(run, name).values():
            reached.setdefault(name, set()).update(r for r in statement["Resource"] if r.startswith(bucket))

    assert len(reached) == 6
    assert all(of == {f"{bucket}{name.rsplit('-', 2)[0]}/*"} for name, of in reached.items())


def test_artifacts_lie_in_a_folder_of_the_first_twenty_characters_of_the_pipeline_s_name():
    names = Names(environment="prod", account="222222222222", region=REGION)

    assert names.service("recommendations-engine").artifact_folder == "prod-recommendations"


@pytest.mark.parametrize("stack", STACKS)
@BOTH
def test_the_template_has_no_tags_that_the_pipeline_would_have_to_carry(stack, service):
    stored = named(rehearsed(stack), "aws:s3/bucketObjectv2:BucketObjectv2", f"{service}/template.zip", key="key")

    assert "tags" not in stored.inputs
    assert stored.inputs["overrideProvider"] == {"defaultTags": {"tags": {}}}


def test_the_verify_role_calls_the_gate_and_no_other_function():
    allowed = granted(rehearsed("prod"), "prod-api-verify-action")

    assert allowed["CallTheFunction"]["Resource"] == [f"arn:aws:lambda:{REGION}:222222222222:function:prod-api-gate"]
    assert actions(allowed) == {"lambda:InvokeFunction", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"}


@pytest.mark.parametrize("stack", STACKS)
def test_the_deploy_role_deploys_this_group_and_passes_the_two_roles_of_its_tasks(stack):
    allowed, account = granted(rehearsed(stack), f"{stack}-api-deploy-action"), ACCOUNTS[stack]
    resources = {a: s["Resource"] for s in allowed.values() for a in s["Action"]}

    assert resources["codedeploy:CreateDeployment"] == [
        f"arn:aws:codedeploy:{REGION}:{account}:deploymentgroup:{stack}-api/{stack}-api"
    ]
    assert resources["iam:PassRole"] == [
        f"arn:aws:iam::{account}:role/{stack}-api-task",
        f"arn:aws:iam::{account}:role/{stack}-api-execution",
    ]
    [passing] = [s for s in allowed.values() if "iam:PassRole" in s["Action"]]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert set(resources) == {
        "codedeploy:CreateDeployment",
        "codedeploy:GetApplication",
        "codedeploy:GetApplicationRevision",
        "codedeploy:GetDeployment",
        "codedeploy:GetDeploymentConfig",
        "codedeploy:RegisterApplicationRevision",
        "ecs:RegisterTaskDefinition",
        "ecs:TagResource",
        "iam:PassRole",
        "s3:GetObject",
        "s3:GetObjectVersion",
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_deploy_role_may_read_the_configuration_that_the_group_uses(stack):
    run = rehearsed(stack)
    allowed = granted(run, f"{stack}-api-deploy-action")
    configuration = run.one("aws:codedeploy/deploymentGroup:DeploymentGroup").inputs["deploymentConfigName"]

    assert allowed["ReadItsConfiguration"]["Resource"] == [
        f"arn:aws:codedeploy:{REGION}:{ACCOUNTS[stack]}:deploymentconfig:{configuration}"
    ]


@BOTH
def test_every_role_that_an_action_names_is_in_the_stack(service):
    run = rehearsed("prod", "up")
    named_roles = {
        a["roleArn"] for actions_ in stages("prod", service, "up").values() for a in actions_ if "roleArn" in a
    }

    for arn in named_roles:
        assert role(run, arn.rpartition("/")[2]).outputs["arn"] == arn
