import io
import json
import logging
import zipfile
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import boto3
import botocore.loaders
import botocore.session
import pytest
from moto import mock_aws
from moto.ecs.models import ecs_backends

from functions.deploy import ecs_deploy, revisions
from functions.deploy.revisions import same
from functions.deploy.rollout import Token, judge, update
from functions.shared import codepipeline_job, deadline
from functions.shared.codepipeline_job import Failure, Success, Wait

#: Read once for all tests: reading them is most of what a new session costs.
MODELS = botocore.loaders.create_loader()
ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
BUCKET = "prod-ecsartifacts-123456789012"
KEY = "prod-worker/Release/a1b2c3d"
CREDENTIALS = {
    "accessKeyId": "ASIAJOBACCESSKEY",
    "secretAccessKey": "job-secret-text",
    "sessionToken": "job-token-text",
}
CLUSTER = "prod"
SERVICE = "prod-worker"
EXECUTION = "aaaaaaaa-0000-4000-8000-000000000001"
PARAMETERS = {
    "cluster": CLUSTER,
    "service": SERVICE,
    "pipeline": SERVICE,
    "stage": "Deploy",
    "execution": EXECUTION,
}
DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/prod/worker/app@{DIGEST}"
TASKDEF = {
    "family": SERVICE,
    "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/prod-worker-task",
    "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/prod-worker-execution",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "containerDefinitions": [
        {
            "name": "app",
            "image": IMAGE,
            "essential": True,
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "LEVEL", "value": "info"}, {"name": "EMPTY", "value": ""}],
            "readonlyRootFilesystem": False,
            "mountPoints": [{"sourceVolume": "app-tmp", "containerPath": "/tmp", "readOnly": False}],  # noqa: S108
            "stopTimeout": 60,
            "healthCheck": {"command": ["CMD", "true"]},
        }
    ],
    "volumes": [{"name": "app-tmp"}],
    "tags": [{"key": "ecs-release:service", "value": "worker"}],
}
#: How Amazon ECS gives TASKDEF back: with defaults, empty lists and an order of its own.
DESCRIBED = {
    **{key: value for key, value in TASKDEF.items() if key != "tags"},
    "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/prod-worker:7",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
    "compatibilities": ["EC2", "FARGATE"],
    "registeredAt": datetime(2026, 11, 21, tzinfo=UTC),
    "registeredBy": f"arn:aws:sts::{ACCOUNT}:assumed-role/prod-worker-deploy/prod-worker-deploy",
    "placementConstraints": [],
    "volumes": [{"name": "app-tmp", "host": {}}],
    "containerDefinitions": [
        {
            **TASKDEF["containerDefinitions"][0],
            "cpu": 0,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": "EMPTY", "value": ""}, {"name": "LEVEL", "value": "info"}],
            "volumesFrom": [],
            "systemControls": [],
            "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
        }
    ],
    "tags": [{"key": "ecs-release:service", "value": "worker"}, {"key": "cost-centre", "value": "42"}],
}


def arn(revision, family=SERVICE):
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}"


def stage(execution, status):
    return {"stageName": "Deploy", "latestExecution": {"pipelineExecutionId": execution, "status": status}}


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes | str) else json.dumps(content))
    return buffer.getvalue()


def with_container(definition, **changes):
    return {**definition, "containerDefinitions": [{**definition["containerDefinitions"][0], **changes}]}


def deployment(revision, status="PRIMARY", state="IN_PROGRESS", reason=None, **more):
    return {
        "id": f"ecs-svc/{revision:019}",
        "status": status,
        "taskDefinition": arn(revision),
        "rolloutState": state,
        "rolloutStateReason": reason or f"ECS deployment ecs-svc/{revision:019} in progress.",
        "desiredCount": 2,
        "runningCount": 1,
        "pendingCount": 1,
        "failedTasks": 0,
        "createdAt": datetime.now(tz=UTC),
        **more,
    }


def service_deployment(revision, status="IN_PROGRESS", *, running=1, failed=0, created=None, **more):
    """ECS's record of a deployment; its service revision is numbered as the revision of the task definition is."""
    place = f"{CLUSTER}/{SERVICE}"
    return {
        "serviceDeploymentArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{place}/D{revision}",
        "createdAt": created or datetime.now(tz=UTC),
        "status": status,
        "targetServiceRevision": {
            "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-revision/{place}/{revision}",
            "requestedTaskCount": 2,
            "runningTaskCount": running,
            "pendingTaskCount": 2 - running,
        },
        "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": failed, "threshold": 3},
        "alarms": {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []},
        **more,
    }


class World:
    """One service in an emulated account; `job` runs the handler and gives what CodePipeline was told."""

    def __init__(self):
        session = botocore.session.Session()
        session.register_component("data_loader", MODELS)
        boto3.setup_default_session(botocore_session=session, region_name=REGION)
        self.calls = []
        self.callers = {}
        self.answers = []
        self.faults = {}
        self.records = []
        self.stages = [{"stageName": "Source"}, stage(EXECUTION, "InProgress")]
        boto3.DEFAULT_SESSION.events.register("before-call", self._meet)
        self.s3 = boto3.client("s3")
        self.ecs = boto3.client("ecs")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.ecs.create_cluster(clusterName=CLUSTER)
        first = with_container(TASKDEF, image="stand-in")
        self.ecs.register_task_definition(**first)
        self.ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, taskDefinition=f"{SERVICE}:1", desiredCount=2)
        self.release(TASKDEF)
        self.calls.clear()

    def _meet(self, model, params, request_signer, **_):
        """Note each call; answer it here when it shall fail or when the emulator does not know it."""
        name = f"{model.service_model.service_name}:{model.name}"
        self.calls.append(name)
        self.callers[name] = request_signer._credentials.access_key
        if code := self.faults.get(name):
            status = 500 if code == "ServerException" else 400
            error = {"Code": code, "Message": f"{code} for somebody."}
            return SimpleNamespace(status_code=status), {
                "Error": error,
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
        if name == "codepipeline:GetPipelineState":
            return SimpleNamespace(status_code=200), {"stageStates": self.stages}
        if name in RECORDS:
            return SimpleNamespace(status_code=200), RECORDS[name](self, json.loads(params["body"]))
        if name.startswith("codepipeline:PutJob"):
            self.answers.append((model.name, json.loads(params["body"])))
            return SimpleNamespace(status_code=200), {}
        return None

    def release(self, taskdef, **others):
        self.put(zipped({"taskdef.json": taskdef, "imagedefinitions.json": [], **others}))

    def put(self, data):
        self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=data)

    @property
    def service(self):
        return ecs_backends[ACCOUNT][REGION].services[f"{CLUSTER}:{SERVICE}"]

    def watch_requests(self, operation, see):
        """Show the body of each request of an operation of ECS as it goes out."""

        def sent(request, **_):
            if request.headers["X-Amz-Target"].decode().endswith(operation):
                see(json.loads(request.body))

        boto3.DEFAULT_SESSION.events.register_first("before-send.ecs", sent)

    def _list(self, asked):
        place = {"serviceDeploymentArn", "status", "createdAt"}
        return {
            "serviceDeployments": [
                {key: one[key] for key in place} | {"targetServiceRevisionArn": one["targetServiceRevision"]["arn"]}
                for one in self.records
                if one["createdAt"].timestamp() >= asked["createdAt"]["after"]
            ]
        }

    def _describe(self, asked):
        return {
            "serviceDeployments": [
                r for r in self.records if r["serviceDeploymentArn"] in asked["serviceDeploymentArns"]
            ]
        }

    def _revisions(self, asked):
        return {
            "serviceRevisions": [
                {"serviceRevisionArn": one, "taskDefinition": arn(int(one.rpartition("/")[2]))}
                for one in asked["serviceRevisionArns"]
            ]
        }

    def rolls_out(self, *deployments, events=()):
        self.service.deployments[:] = deployments
        self.service.events = [
            {"id": str(number), "createdAt": datetime.now(tz=UTC), "message": text}
            for number, text in enumerate(events)
        ]

    def event(self, token=None, user_parameters=None, artifact="Release", **data):
        parameters = PARAMETERS if user_parameters is None else user_parameters
        text = parameters if isinstance(parameters, str) else json.dumps(parameters)
        location = {"type": "S3", "s3Location": {"bucketName": BUCKET, "objectKey": KEY}}
        return {
            "CodePipeline.job": {
                "id": "11111111-abcd-1111-abcd-111111abcdef",
                "accountId": ACCOUNT,
                "data": {
                    "actionConfiguration": {
                        "configuration": {"FunctionName": "prod-worker-deploy", "UserParameters": text}
                    },
                    "inputArtifacts": [{"name": artifact, "revision": None, "location": location}],
                    "outputArtifacts": [],
                    "artifactCredentials": CREDENTIALS,
                    **({} if token is None else {"continuationToken": token}),
                    **data,
                },
            }
        }

    def job(self, token=None, milliseconds=60_000, **event):
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
        ecs_deploy.handler(self.event(token, **event), context)
        return self.answers[-1]

    def begun(self):
        """The continuation token of a first job that went well."""
        name, said = self.job()
        assert name == "PutJobSuccessResult", said
        return said["continuationToken"]

    def refused(self, token=None, **event):
        name, said = self.job(token, **event)
        assert name == "PutJobFailureResult", said
        return said["failureDetails"]["type"], said["failureDetails"]["message"]

    def revisions(self):
        return self.ecs.list_task_definitions(familyPrefix=SERVICE)["taskDefinitionArns"]


RECORDS = {
    "ecs:ListServiceDeployments": World._list,
    "ecs:DescribeServiceDeployments": World._describe,
    "ecs:DescribeServiceRevisions": World._revisions,
}


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("DEPLOYMENT_TIMEOUT_MINUTES", raising=False)
    with mock_aws():
        yield World()
    boto3.DEFAULT_SESSION = None


# The first job.


def test_the_first_job_registers_the_release_and_updates_the_service(world):
    name, said = world.job()

    token = json.loads(said["continuationToken"])
    registered = world.ecs.describe_task_definition(taskDefinition=arn(2), include=["TAGS"])
    assert name == "PutJobSuccessResult"
    assert token["taskDefinition"] == arn(2)
    assert token["deadline"] - token["since"] == 60 * 60 + 5
    assert world.service.task_definition == arn(2)
    assert registered["taskDefinition"]["containerDefinitions"][0]["image"] == IMAGE
    assert registered["taskDefinition"]["taskRoleArn"] == TASKDEF["taskRoleArn"]
    assert registered["tags"] == TASKDEF["tags"]
    assert "outputVariables" not in said


def test_a_continuation_token_is_within_what_codepipeline_takes(world):
    longest = Token(
        task_definition=arn(10**9, family="f" * 255),
        since=1763.123456789e6,
        deadline=1763.987654321e6,
        deployment=f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{'c' * 255}/{'s' * 255}/{'d' * 40}",
    )

    assert len(json.dumps(longest.dump())) <= 2048
    assert Token.parse(longest.dump()) == longest


def test_the_artifact_is_read_with_the_jobs_credentials_and_nothing_else_is(world):
    world.callers.clear()

    world.job()

    with_the_jobs = {call for call, key in world.callers.items() if key == CREDENTIALS["accessKeyId"]}
    assert with_the_jobs == {"s3:GetObject"}
    assert set(world.callers) - with_the_jobs == {
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        "codepipeline:GetPipelineState",
        "codepipeline:PutJobSuccessResult",
    }


def test_the_same_first_job_twice_registers_once(world):
    first = world.begun()

    second = world.begun()

    assert json.loads(first)["taskDefinition"] == json.loads(second)["taskDefinition"] == arn(2)
    assert world.revisions() == [arn(1), arn(2)]


@pytest.mark.parametrize("taskdef_is_there", [True, False])
@pytest.mark.parametrize(
    ("latest", "now"),
    [
        ([stage("the-next", "InProgress")], "is InProgress with the execution the-next"),
        ([stage(EXECUTION, "Stopped")], f"is Stopped with the execution {EXECUTION}"),
        ([stage(EXECUTION, "Succeeded")], f"is Succeeded with the execution {EXECUTION}"),
        ([{"stageName": "Deploy"}], "is not begun"),
        ([], "is not begun"),
    ],
)
def test_a_first_job_that_comes_late_changes_nothing(world, latest, now, taskdef_is_there):
    if taskdef_is_there:
        world.ecs.register_task_definition(**TASKDEF)
        world.calls.clear()
    world.stages = latest

    kind, sentence = world.refused()

    assert kind == "RevisionUnavailable"
    assert sentence == (
        f"The job came too late: it is of the execution {EXECUTION}, and the stage Deploy of the pipeline prod-worker "
        f"{now}; nothing was changed, and nothing has to be done."
    )
    assert not {"ecs:RegisterTaskDefinition", "ecs:UpdateService"} & set(world.calls)


def test_codepipeline_is_asked_after_everything_that_takes_time(world):
    world.job()

    assert world.calls[world.calls.index("ecs:UpdateService") - 1] == "codepipeline:GetPipelineState"


def test_a_job_repeated_before_the_service_was_updated_takes_the_familys_latest_revision(world):
    world.ecs.register_task_definition(**TASKDEF)

    token = world.begun()

    assert json.loads(token)["taskDefinition"] == arn(2)
    assert world.revisions() == [arn(1), arn(2)]
    assert world.service.task_definition == arn(2)


def test_a_service_that_already_runs_an_identical_revision_is_not_touched(world):
    world.ecs.register_task_definition(**TASKDEF)
    world.ecs.register_task_definition(**with_container(TASKDEF, image="another"))
    world.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=arn(2))
    world.rolls_out(deployment(2, state="COMPLETED"))
    world.calls.clear()

    token = world.begun()

    assert json.loads(token)["taskDefinition"] == arn(2)
    assert "ecs:RegisterTaskDefinition" not in world.calls
    assert "ecs:UpdateService" not in world.calls


def test_a_deregistered_revision_is_not_used_again(world):
    world.begun()
    world.ecs.deregister_task_definition(taskDefinition=arn(2))

    token = world.begun()

    assert json.loads(token)["taskDefinition"] == arn(3)


def test_what_infrastructure_changed_in_the_template_rolls_out(world):
    world.begun()
    world.release({**TASKDEF, "memory": "1024"})

    token = world.begun()

    assert json.loads(token)["taskDefinition"] == arn(3)
    assert world.service.task_definition == arn(3)


def test_the_timeout_is_infrastructures_to_set(world, monkeypatch):
    monkeypatch.setenv("DEPLOYMENT_TIMEOUT_MINUTES", "15")

    token = json.loads(world.begun())

    assert token["deadline"] - token["since"] == 15 * 60 + 5


@pytest.mark.parametrize("minutes", ["", "soon", "0", "1381", "nan", "-5", "inf"])
def test_a_timeout_that_makes_no_sense_is_refused_before_anything_is_changed(world, monkeypatch, minutes):
    monkeypatch.setenv("DEPLOYMENT_TIMEOUT_MINUTES", minutes)

    kind, sentence = world.refused()

    assert kind == "ConfigurationError"
    assert sentence == (
        f'The function\'s DEPLOYMENT_TIMEOUT_MINUTES is "{minutes}"; allowed are 1 to 1380; '
        "correct it and bring the stack up again."
    )
    assert not {"ecs:RegisterTaskDefinition", "ecs:UpdateService"} & set(world.calls)


def test_a_retry_after_ecs_gave_up_begins_again_by_force(world):
    world.begun()
    world.rolls_out(deployment(2, state="FAILED"))
    before = world.service.deployments[0]["id"]

    world.begun()

    # The emulator gives a deployment a new id only when it is forced.
    assert world.service.deployments[0]["id"] != before
    assert world.revisions() == [arn(1), arn(2)]


# Later jobs.


def test_a_deployment_in_progress_goes_on_and_is_remembered(world):
    first = json.loads(world.begun())
    world.records = [service_deployment(2, failed=1)]

    name, said = world.job(json.dumps(first))

    assert name == "PutJobSuccessResult"
    record = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/prod/prod-worker/D2"
    assert json.loads(said["continuationToken"]) == {**first, "deployment": record}
    assert said["executionDetails"] == {
        "summary": "Deploying prod-worker:2 to service prod-worker: 1 of 2 tasks running, 1 failed."
    }


def test_later_jobs_only_look_and_list_once(world):
    token = world.begun()
    world.records = [service_deployment(2)]
    world.calls.clear()

    _, said = world.job(token)
    looked = list(world.calls)
    world.calls.clear()
    world.job(said["continuationToken"])

    assert looked == [
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServiceDeployments",
        "codepipeline:PutJobSuccessResult",
    ]
    assert world.calls == ["ecs:DescribeServices", "ecs:DescribeServiceDeployments", "codepipeline:PutJobSuccessResult"]


def test_a_successful_deployment_succeeds_with_its_variables(world):
    token = world.begun()
    world.records = [service_deployment(1, "STOPPED"), service_deployment(2, "SUCCESSFUL", running=2)]

    name, said = world.job(token)

    assert name == "PutJobSuccessResult"
    assert "continuationToken" not in said
    assert said["outputVariables"] == {"taskDefinition": arn(2), "deploymentId": "D2"}
    assert said["executionDetails"] == {"summary": "prod-worker:2 is deployed.", "externalExecutionId": "D2"}


def test_an_earlier_deployment_of_the_same_revision_is_not_this_one(world):
    token = world.begun()
    world.records = [service_deployment(2, "ROLLBACK_SUCCESSFUL", created=datetime.now(tz=UTC) - timedelta(minutes=5))]

    name, said = world.job(token)

    assert name == "PutJobSuccessResult"
    assert said["continuationToken"] == token


def test_the_newest_of_two_deployments_of_the_same_revision_is_this_one(world):
    token = world.begun()
    first = service_deployment(2, "STOPPED", created=datetime.now(tz=UTC) - timedelta(seconds=1))
    world.records = [first, {**service_deployment(2), "serviceDeploymentArn": "arn:forced"}]

    _, said = world.job(token)

    assert json.loads(said["continuationToken"])["deployment"] == "arn:forced"


def test_a_rollback_is_waited_for(world):
    token = world.begun()
    world.records = [service_deployment(2, "ROLLBACK_IN_PROGRESS", running=0, failed=3)]

    name, said = world.job(token)

    assert name == "PutJobSuccessResult"
    assert said["executionDetails"]["summary"] == (
        "Rolling back prod-worker:2 to service prod-worker: 0 of 2 tasks running, 3 failed."
    )


def test_a_rollback_fails_with_ecss_own_reason_and_the_latest_event(world):
    token = world.begun()
    world.rolls_out(
        deployment(1, state="COMPLETED"),
        deployment(2, status="ACTIVE", state="FAILED"),
        events=["(service prod-worker) was unable to place a task."],
    )
    world.records = [
        service_deployment(
            2,
            "ROLLBACK_SUCCESSFUL",
            failed=3,
            statusReason="No rollback candidate.",
            rollback={"reason": "Service deployment rolled back because the circuit breaker threshold was exceeded."},
        )
    ]

    kind, sentence = world.refused(token)

    assert kind == "JobFailed"
    assert sentence == (
        "ECS rolled back the deployment of prod-worker:2 to service prod-worker (Service deployment rolled back because "
        "the circuit breaker threshold was exceeded; failed tasks: 3), latest event: (service prod-worker) was unable "
        "to place a task; the service runs prod-worker:1: look at the stopped tasks, correct the release and release "
        "again."
    )


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("ROLLBACK_FAILED", "ECS could not roll back the deployment of prod-worker:2"),
        ("STOPPED", "ECS stopped the deployment of prod-worker:2"),
    ],
)
def test_every_state_in_which_a_release_does_not_run_fails(world, status, says):
    token = world.begun()
    alarms = {"status": "TRIGGERED", "alarmNames": ["a", "b"], "triggeredAlarmNames": ["prod-api-errors"]}
    world.records = [service_deployment(2, status, statusReason="By a person.", alarms=alarms)]

    kind, sentence = world.refused(token)

    assert kind == "JobFailed"
    assert sentence.startswith(f"{says} to service prod-worker (By a person; alarms: prod-api-errors); ")


def test_every_state_that_the_sdk_knows_is_waited_for_or_ends(world):
    shape = world.ecs.meta.service_model.shape_for("ServiceDeploymentStatus")
    ongoing = {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}

    answers = {
        status: judge(shown_service(deployment(1)), service_deployment(7, status), TOKEN, LONG_AFTER, 60)
        for status in shape.enum
    }

    assert {status for status, answer in answers.items() if isinstance(answer, Wait)} == ongoing
    assert {status for status, answer in answers.items() if isinstance(answer, Success)} == {"SUCCESSFUL"}


def test_a_failed_deployment_without_rollback_fails_in_one_sentence(world):
    token = world.begun()
    world.rolls_out(
        deployment(2, state="FAILED"),
        events=["(service prod-worker) (task 0123) failed container health checks."],
    )
    world.records = [service_deployment(2, running=0, failed=3, statusReason="The breaker was\n triggered.")]

    kind, sentence = world.refused(token)

    assert kind == "JobFailed"
    assert sentence == (
        "ECS gave up, and did not roll back, the deployment of prod-worker:2 to service prod-worker (The breaker was "
        "triggered; failed tasks: 3), latest event: (service prod-worker) (task 0123) failed container health checks; "
        "the service runs prod-worker:2: look at the stopped tasks, correct the release and release again."
    )


def test_a_service_deleted_meanwhile_fails(world):
    token = world.begun()
    world.service.status = "INACTIVE"

    kind, sentence = world.refused(token)

    assert kind == "ConfigurationError"
    assert sentence == ("Cluster prod has no active service prod-worker (it is INACTIVE); bring the stack up again.")


@pytest.mark.parametrize("call", ["ecs:DescribeServices", *RECORDS])
@pytest.mark.parametrize("code", ["ThrottlingException", "ServerException"])
def test_a_look_that_aws_could_not_answer_is_taken_again(world, code, call):
    token = world.begun()
    world.records = [service_deployment(2)]
    world.faults[call] = code

    name, said = world.job(token)

    assert name == "PutJobSuccessResult"
    assert said["continuationToken"] == token


def test_a_look_that_hung_is_taken_again(world):
    token = world.begun()

    name, said = world.job(token, milliseconds=5_000)

    assert name == "PutJobSuccessResult"
    assert said["continuationToken"] == token


def test_a_look_that_aws_could_not_answer_after_the_deadline_fails(world):
    token = json.loads(world.begun())
    world.faults["ecs:DescribeServices"] = "ThrottlingException"

    kind, sentence = world.refused(json.dumps({**token, "deadline": token["since"] - 1}))

    assert kind == "SystemUnavailable"
    assert sentence == "AWS could not answer DescribeServices now (ThrottlingException); retry the stage."


@pytest.mark.parametrize(
    "token",
    [
        "{}",
        "[]",
        "not json",
        '{"taskDefinition": "prod-worker:2", "since": 1, "deadline": 2}',
        '{"taskDefinition": "' + arn(2) + '", "since": "1", "deadline": 2}',
        '{"taskDefinition": "' + arn(2) + '", "since": 1}',
        '{"taskDefinition": "' + arn(2) + '", "since": 1, "deadline": 2, "deployment": 3}',
    ],
)
def test_a_token_that_this_function_did_not_write_is_refused(world, token):
    kind, sentence = world.refused(token)

    assert kind == "ConfigurationError"
    assert sentence.startswith("The job's continuation token is ")
    assert world.revisions() == [arn(1)]


# Every job is answered.


def test_a_service_in_another_cluster_is_refused(world):
    kind, sentence = world.refused(user_parameters={**PARAMETERS, "cluster": "stg"})

    assert kind == "ConfigurationError"
    assert sentence == "Cluster stg has no active service prod-worker (it is missing); bring the stack up again."


def test_a_service_that_is_missing_is_refused(world):
    kind, sentence = world.refused(user_parameters={**PARAMETERS, "service": "prod-gone"})

    assert kind == "ConfigurationError"
    assert sentence == "Cluster prod has no active service prod-gone (it is missing); bring the stack up again."


def test_a_service_that_codedeploy_owns_is_refused(world):
    world.service.deployment_controller = {"type": "CODE_DEPLOY"}

    kind, sentence = world.refused()

    assert kind == "ConfigurationError"
    assert "has the deployment controller CODE_DEPLOY" in sentence
    assert "ecs:UpdateService" not in world.calls


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ("", "have null at cluster"),
        ("[]", "UserParameters is []; allowed is a JSON object"),
        ("{", "UserParameters is not JSON"),
        ({"cluster": CLUSTER}, "have null at service"),
        ({"cluster": CLUSTER, "service": "a/b"}, 'have "a/b" at service'),
        ({"cluster": ["prod"], "service": SERVICE}, 'have ["prod"] at cluster'),
        ({"cluster": CLUSTER, "service": SERVICE}, "have null at pipeline"),
        ({**PARAMETERS, "execution": "#{codepipeline.PipelineExecutionId}"}, "at execution"),
    ],
)
def test_user_parameters_that_name_no_service_are_refused(world, parameters, sentence):
    kind, said = world.refused(user_parameters=parameters)

    assert kind == "ConfigurationError"
    assert sentence in said


def test_a_job_without_the_release_artifact_is_refused(world):
    kind, sentence = world.refused(artifact="Handoff")

    assert kind == "ConfigurationError"
    assert sentence == (
        'The pipeline\'s action has ["Handoff"] as inputArtifacts; it must have Release among them; '
        "bring the stack up again."
    )


@pytest.mark.parametrize(
    ("artifact", "sentence"),
    [
        (b"", "The Release artifact is empty"),
        (b"no zip at all", "The Release artifact is not a zip archive"),
        (zipped({"taskdef.json": TASKDEF})[:-30], "make it again and put it again"),
        (b"\x00" * (3 * 1024 * 1024 + 1), "The Release artifact is larger than 3145728 bytes"),
        (zipped({"imagedefinitions.json": "[]"}), "The Release artifact lacks taskdef.json"),
        (zipped({"taskdef.json": TASKDEF, "run.sh": "x"}), 'The Release artifact holds "run.sh"'),
        (zipped({"taskdef.json": b" " * (1024 * 1024 + 1)}), "declares taskdef.json to be 1048577 bytes"),
        (zipped({"taskdef.json": b"{"}), "The Release artifact's taskdef.json is not JSON"),
        (zipped({"taskdef.json": b"\xff"}), "The Release artifact's taskdef.json is not UTF-8"),
        (zipped({"taskdef.json": []}), "has no list of objects at containerDefinitions"),
        (zipped({"taskdef.json": {"family": SERVICE}}), "has no list of objects at containerDefinitions"),
        (
            zipped({"taskdef.json": {**TASKDEF, "containerDefinitions": ["app"]}}),
            "has no list of objects at containerDefinitions",
        ),
        (
            zipped({"taskdef.json": {**TASKDEF, "family": "prod-api"}}),
            'is of the family "prod-api" and releases of service prod-worker are of the family prod-worker',
        ),
        (
            zipped({"taskdef.json": with_container(TASKDEF, image="<IMAGE>")}),
            'has no image for the container "app", only <IMAGE>',
        ),
        (
            zipped({"taskdef.json": {**TASKDEF, "revision": 3}}),
            "is no request of RegisterTaskDefinition (revision is for ECS to say)",
        ),
        (
            zipped({"taskdef.json": with_container(TASKDEF, portMappings=[8080])}),
            "(Invalid type for parameter containerDefinitions[0].portMappings[0])",
        ),
    ],
)
def test_a_bad_artifact_is_refused_in_one_sentence_and_changes_nothing(world, artifact, sentence):
    world.put(artifact)

    kind, said = world.refused()

    assert kind == "ConfigurationError"
    assert sentence in said
    assert "\n" not in said
    assert world.revisions() == [arn(1)]
    assert "ecs:UpdateService" not in world.calls


def aws_knows(**fields):
    """Let the emulated ECS give back fields of a container that no SDK here knows, in the answer as it comes in."""

    def answer(response_dict, **_):
        said = json.loads(response_dict["body"])
        for one in said["taskDefinition"]["containerDefinitions"]:
            one.update(fields)
        response_dict["body"] = json.dumps(said).encode()

    for operation in ("RegisterTaskDefinition", "DescribeTaskDefinition"):
        boto3.DEFAULT_SESSION.events.register(f"before-parse.ecs.{operation}", answer)


def test_a_field_that_the_functions_sdk_does_not_know_yet_is_sent_to_aws_as_it_is(world):
    aws_knows(laterThanTheSdk={"mode": "new"})
    world.release(with_container(TASKDEF, laterThanTheSdk={"mode": "new"}))
    sent = []
    world.watch_requests("RegisterTaskDefinition", sent.append)

    first = json.loads(world.begun())
    second = json.loads(world.begun())

    (request,) = sent
    assert request["containerDefinitions"][0]["laterThanTheSdk"] == {"mode": "new"}
    assert {key: value for key, value in request.items() if key != "containerDefinitions"} == {
        key: value for key, value in TASKDEF.items() if key != "containerDefinitions"
    }
    assert first["taskDefinition"] == second["taskDefinition"] == arn(2)


def test_a_field_that_aws_does_not_know_either_is_never_dropped_silently(world):
    world.release(with_container(TASKDEF, commmand=["run"]))

    kind, sentence = world.refused()

    assert kind == "ConfigurationError"
    assert sentence == (
        "The Release artifact's taskdef.json has containerDefinitions[0].commmand, which Amazon ECS passed over as it "
        "does not know it; correct or remove it in the template, bring the stack up and release again (prod-worker:2 is "
        "registered, not deployed)."
    )
    assert "ecs:UpdateService" not in world.calls


def test_a_field_of_later_that_changed_is_another_revision(world):
    aws_knows(laterThanTheSdk="old")
    world.release(with_container(TASKDEF, laterThanTheSdk="new"))
    world.ecs.register_task_definition(**TASKDEF)

    assert json.loads(world.begun())["taskDefinition"] == arn(3)


def test_a_wrong_value_in_the_task_definition_is_not_told(world):
    world.release(with_container(TASKDEF, environment="the-secret-value"))

    _, sentence = world.refused()

    assert "Invalid type for parameter containerDefinitions[0].environment" in sentence
    assert "the-secret-value" not in sentence


def test_an_artifact_that_is_gone_is_refused(world):
    world.s3.delete_object(Bucket=BUCKET, Key=KEY)

    kind, sentence = world.refused()

    assert kind == "RevisionUnavailable"
    assert sentence == "The Release artifact is not in the artifact bucket any more; release again."


@pytest.mark.parametrize(
    "call",
    [
        "s3:GetObject",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        "codepipeline:GetPipelineState",
    ],
)
@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", "PermissionError"), ("ThrottlingException", "SystemUnavailable")],
)
def test_every_fault_of_aws_in_the_first_job_is_one_sentence(world, call, code, kind):
    world.faults[call] = code

    said, sentence = world.refused()

    assert said == kind
    assert call.partition(":")[2] in sentence
    assert code in sentence


def test_a_job_that_fails_between_registering_and_updating_registers_nothing_more_when_retried(world):
    world.faults["ecs:UpdateService"] = "ThrottlingException"
    world.refused()
    world.faults.clear()

    token = world.begun()

    assert json.loads(token)["taskDefinition"] == arn(2)
    assert world.revisions() == [arn(1), arn(2)]
    assert world.service.task_definition == arn(2)


def test_a_crash_of_our_own_is_answered(world, monkeypatch):
    def crash(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(revisions, "same", crash)

    kind, sentence = world.refused()

    assert kind == "SystemUnavailable"
    assert sentence == "The deployer itself failed (ZeroDivisionError); its log says where."


@pytest.mark.parametrize("registered", [False, True])
def test_a_function_without_time_answers_and_changes_nothing_afterwards(world, monkeypatch, registered):
    if registered:
        world.ecs.register_task_definition(**TASKDEF)
    before = world.revisions()
    late = {}
    run = deadline.run

    def too_late(work, seconds):
        late["work"] = work
        raise deadline.OutOfTimeError

    monkeypatch.setattr(deadline, "run", too_late)

    kind, sentence = world.refused()
    with pytest.raises(deadline.OutOfTimeError):
        run(late["work"], 30)

    assert kind == "SystemUnavailable"
    assert sentence == "The deployer ran out of its own time; retry the stage."
    assert world.revisions() == before
    assert world.service.task_definition == arn(1)


def test_a_job_that_was_answered_before_is_left_alone(world):
    world.faults["codepipeline:PutJobSuccessResult"] = "InvalidJobStateException"
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)

    said = ecs_deploy.handler(world.event(), context)

    assert said["outcome"] == "wait"
    assert world.answers == []


def test_a_success_that_codepipeline_refuses_becomes_a_failure(world):
    world.faults["codepipeline:PutJobSuccessResult"] = "ValidationException"

    kind, sentence = world.refused()

    assert kind == "JobFailed"
    assert "AWS refused PutJobSuccessResult (ValidationException)" in sentence


def test_a_busy_codepipeline_makes_lambda_try_the_job_again(world):
    world.faults["codepipeline:PutJobSuccessResult"] = "ThrottlingException"
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)

    with pytest.raises(Exception, match="ThrottlingException"):
        ecs_deploy.handler(world.event(), context)

    assert world.answers == []


@pytest.mark.parametrize("event", [{}, {"CodePipeline.job": {}}, {"CodePipeline.job": {"id": 5}}, []])
def test_an_event_that_is_no_job_has_nobody_to_answer(world, event):
    with pytest.raises(ValueError, match="not a CodePipeline job"):
        ecs_deploy.handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000))

    assert world.calls == []


@pytest.mark.parametrize("data", [{"inputArtifacts": None}, {"actionConfiguration": 5}, {"artifactCredentials": None}])
def test_a_job_of_another_shape_is_answered(world, data):
    world.job(**data)

    assert len(world.answers) == 1


@pytest.mark.parametrize("fault", [None, ("s3:GetObject", "InvalidAccessKeyId"), ("ecs:UpdateService", "AccessDenied")])
def test_the_jobs_credentials_stand_nowhere(world, caplog, capsys, fault):
    caplog.set_level(logging.INFO)
    if fault:
        world.faults[fault[0]] = fault[1]

    said = world.job()

    logged = caplog.text + "".join(capsys.readouterr()) + json.dumps(said)
    assert "11111111-abcd-1111-abcd-111111abcdef" in logged
    assert not [secret for secret in CREDENTIALS.values() if secret in logged]
    assert not [
        secret
        for secret in CREDENTIALS.values()
        if secret in repr(codepipeline_job.read(world.event()["CodePipeline.job"]))
    ]


# Decisions.


TOKEN = Token(task_definition=arn(7), since=1_800_000_000.0, deadline=1_800_003_600.0)
LONG_AFTER = TOKEN.since + 600


def at(seconds):
    return datetime.fromtimestamp(TOKEN.since + seconds, tz=UTC)


def shown_service(*deployments, events=()):
    return {"serviceName": SERVICE, "status": "ACTIVE", "deployments": list(deployments), "events": list(events)}


def test_before_ecs_lists_the_deployment_it_is_waited_for():
    before = shown_service(deployment(6, state="COMPLETED", createdAt=at(-4000)))

    early = judge(before, None, TOKEN, TOKEN.since + 30, 60)
    later = judge(before, None, TOKEN, LONG_AFTER, 60)

    assert isinstance(early, Wait)
    assert early.token == TOKEN.dump()
    assert isinstance(later, Failure)
    assert later.sentence == (
        "ECS has no record of a deployment of prod-worker:7 to service prod-worker, which runs prod-worker:6; retry the "
        "stage."
    )


def test_a_service_that_has_run_the_revision_for_longer_than_ecs_keeps_records_is_done():
    service = shown_service(deployment(7, state="COMPLETED"))

    answer = judge(service, None, TOKEN, TOKEN.deadline + 1, 60)

    assert isinstance(answer, Success)
    assert answer.variables == {"taskDefinition": arn(7), "deploymentId": f"ecs-svc/{7:019}"}


def test_a_service_without_any_deployment_fails():
    answer = judge(shown_service(), None, TOKEN, LONG_AFTER, 60)

    assert isinstance(answer, Failure)
    assert "which runs nothing" in answer.sentence


def test_what_failed_before_the_deployment_began_is_not_its_failure():
    service = shown_service(deployment(7, state="FAILED", createdAt=at(-4000)))

    assert isinstance(judge(service, service_deployment(7, "PENDING"), TOKEN, LONG_AFTER, 60), Wait)


def test_a_deployment_past_its_deadline_fails_in_one_sentence():
    service = shown_service(
        deployment(7, createdAt=at(1)),
        events=[{"message": "(service prod-worker) has started 1 tasks.", "createdAt": at(3000)}],
    )

    answer = judge(service, service_deployment(7, failed=3), TOKEN, TOKEN.deadline, 60)

    assert isinstance(answer, Failure)
    assert answer.sentence == (
        "ECS is not done with the deployment of prod-worker:7 to service prod-worker after 60 minutes (1 of 2 tasks "
        "running, 3 failed), latest event: (service prod-worker) has started 1 tasks; it goes on: "
        "look at it there, then retry the stage or release again."
    )


def test_a_deployment_that_succeeded_at_the_last_moment_succeeds():
    answer = judge(shown_service(deployment(7)), service_deployment(7, "SUCCESSFUL"), TOKEN, TOKEN.deadline + 1, 60)

    assert isinstance(answer, Success)


def test_events_from_before_the_deployment_and_steady_states_are_no_news():
    service = shown_service(
        deployment(6),
        events=[
            {"message": "(service prod-worker) has reached a steady state.", "createdAt": at(500)},
            {"message": "(service prod-worker) was unable to start a task.", "createdAt": at(-500)},
        ],
    )

    answer = judge(service, service_deployment(7, "STOPPED"), TOKEN, LONG_AFTER, 60)

    assert isinstance(answer, Failure)
    assert "event" not in answer.sentence


def test_a_long_event_is_cut():
    service = shown_service(deployment(6), events=[{"message": "long " * 1000, "createdAt": at(1)}])

    answer = judge(service, service_deployment(7, "STOPPED"), TOKEN, LONG_AFTER, 60)

    assert isinstance(answer, Failure)
    assert len(answer.sentence) < 1000


@pytest.mark.parametrize(
    ("primary", "change"),
    [
        (deployment(6, state="COMPLETED"), {"taskDefinition": arn(7)}),
        (deployment(6, state="IN_PROGRESS"), {"taskDefinition": arn(7)}),
        (deployment(7, state="COMPLETED"), None),
        (deployment(7, state="IN_PROGRESS"), None),
        (deployment(7, state="FAILED"), {"taskDefinition": arn(7), "forceNewDeployment": True}),
    ],
)
def test_a_service_is_updated_only_when_it_has_to_be(primary, change):
    assert update(shown_service(primary), arn(7)) == change


def test_what_aws_adds_makes_no_difference():
    assert same(TASKDEF, DESCRIBED)
    assert same(with_container(TASKDEF, privileged=False), DESCRIBED)
    assert same(TASKDEF, {**DESCRIBED, "enableFaultInjection": False})


@pytest.mark.parametrize(
    "wanted",
    [
        {**TASKDEF, "memory": "1024"},
        {key: value for key, value in TASKDEF.items() if key != "taskRoleArn"},
        {**TASKDEF, "ephemeralStorage": {"sizeInGiB": 30}},
        {**TASKDEF, "tags": [{"key": "ecs-release:service", "value": "other"}]},
        {**TASKDEF, "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}},
        {**TASKDEF, "containerDefinitions": [*TASKDEF["containerDefinitions"], {"name": "b", "image": "i"}]},
        with_container(TASKDEF, image="other"),
        with_container(TASKDEF, essential=False),
        with_container(TASKDEF, cpu=128),
        with_container(TASKDEF, command=["run"]),
        with_container(TASKDEF, environment=[{"name": "LEVEL", "value": "debug"}, {"name": "EMPTY", "value": ""}]),
        with_container(TASKDEF, environment=[{"name": "LEVEL", "value": "info"}]),
        with_container(TASKDEF, readonlyRootFilesystem=True),
        with_container(TASKDEF, stopTimeout=0),
        with_container(TASKDEF, portMappings=[{"containerPort": 8081}]),
        with_container(TASKDEF, portMappings=[{"containerPort": 8080, "protocol": "udp"}]),
        with_container(TASKDEF, healthCheck={"command": ["CMD", "true"], "retries": 5}),
        with_container(TASKDEF, healthCheck={"command": ["true", "CMD"]}),
        with_container(TASKDEF, dockerLabels={"team": ""}),
    ],
)
def test_every_change_of_the_template_makes_a_difference(wanted):
    assert not same(wanted, DESCRIBED)


@pytest.mark.parametrize("key", ["command", "user", "secrets"])
def test_what_infrastructure_took_out_of_the_template_makes_a_difference(key):
    values = {"command": ["run"], "user": "1000", "secrets": [{"name": "TOKEN", "valueFrom": "arn"}]}
    ran = with_container(DESCRIBED, **{key: values[key]})

    assert not same(TASKDEF, ran)
    assert same(with_container(TASKDEF, **{key: values[key]}), ran)
