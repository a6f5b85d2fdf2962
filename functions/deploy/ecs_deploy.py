"""The pipeline's Deploy stage of a `rolling` service: the release's own task definition, rolled out by Amazon ECS.

A Lambda action of CodePipeline with the input artifact `Release` (the gate's: taskdef.json with pinned images) and
the UserParameters `{"cluster": "prod", "service": "prod-worker", "pipeline": "prod-worker", "stage": "Deploy",
"execution": "#{codepipeline.PipelineExecutionId}"}`. CodePipeline's own ECS action would clone the task
definition that runs and replace images in it, so what infrastructure changes in the template would never roll out;
here the task definition is infrastructure's.

The first job registers taskdef.json and updates the service; the later ones, marked by the continuation token, look
how far ECS is. Every job is answered: success, a continuation, or one sentence of failure. Nothing here sleeps.

A job that Lambda delivers twice registers once: a revision that says the same (the service's own, or the family's
latest) is used again. Two deliveries at the very same moment can register two equal revisions, since
RegisterTaskDefinition takes no client token; the first answer that CodePipeline gets is the one it follows.

A job may also come late: Lambda delivers an event again without any error, and holds a throttled one back for as long
as the function's maximum event age (Lambda developer guide, "Asynchronous invocation"). By then another release may run,
or the execution may have been stopped. So right before it changes anything, the function asks CodePipeline whether the
stage is still in progress with the job's own execution.

AWS calls, and on what:

| call | resource | whose credentials |
| --- | --- | --- |
| s3:GetObject | the input artifact in the artifact bucket | the job's |
| ecs:DescribeServices, UpdateService | `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE` | the function's |
| ecs:RegisterTaskDefinition, and ecs:TagResource where taskdef.json has tags | `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:*` (ecs:CreateAction of TagResource is RegisterTaskDefinition) | the function's |
| iam:PassRole, which RegisterTaskDefinition and UpdateService ask for | exactly the task's role and its execution role, iam:PassedToService ecs-tasks.amazonaws.com | the function's |
| ecs:DescribeTaskDefinition | `*`: it takes no resource | the function's |
| codepipeline:GetPipelineState | `arn:aws:codepipeline:REGION:ACCOUNT:PIPELINE` | the function's |
| codepipeline:PutJobSuccessResult, PutJobFailureResult | `*`: these two take no resource | the function's |

(Service Authorization Reference, "Amazon Elastic Container Service" and "AWS CodePipeline".) The job's credentials
read one artifact, decrypt it where the bucket has a customer key, and stand in no log line and no message.

Environment variables: `DEPLOYMENT_TIMEOUT_MINUTES` (how long a deployment may take; 60, allowed are 1 to 1,380).

Limits: a continuation token has at most 2,048 characters (CodePipeline API reference, PutJobSuccessResult); each job
has 20 minutes to be answered and the whole action 24 hours (CodePipeline user guide, "Quotas in AWS CodePipeline").

Output variables: `taskDefinition` (the ARN that runs now) and `deploymentId` ("ecs-svc/…").
"""  # noqa: E501

from __future__ import annotations

import json
import logging
import math
import os
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from contract import variables
from contract.files import APPSPEC, IMAGE_DEFINITIONS, IMAGE_PLACEHOLDER
from contract.files import TASK_DEFINITION as TASKDEF
from functions.shared import archives, aws, deadline, errors
from functions.shared.errors import CONFIGURATION, HANDOFF, MISSING, UNAVAILABLE, Refusal
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.shared.aws import Client

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

ARTIFACT: Final = "The Release artifact"
#: Bytes; the gate reads its template under the same caps.
ARCHIVE_CAP: Final = 3 * 1024 * 1024
MEMBER_CAP: Final = 1024 * 1024
#: CodePipeline API reference: FailureDetails.message and ExecutionDetails.summary.
MESSAGE_CAP: Final = 5000
SUMMARY_CAP: Final = 2048
#: Characters of one text of AWS's (a reason, an event) inside a sentence.
QUOTE_CAP: Final = 500
#: Seconds kept of the function's time to answer CodePipeline in.
RESERVE: Final = 5.0
#: Seconds in which DescribeServices may still show the service as it was before UpdateService.
SETTLING: Final = 60.0
#: Seconds by which our clock and Amazon ECS's may differ.
CLOCKS: Final = 5.0
#: The action ends after 24 hours; an hour of them is left for the last answer.
LONGEST_MINUTES: Final = 23 * 60.0

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PARAMETERS: Final = {
    "cluster": "the name of one ECS cluster",
    "service": "the name of one ECS service",
    "pipeline": "the name of one pipeline",
    "stage": "the name of one of its stages",
    "execution": "#{codepipeline.PipelineExecutionId}",
}
_REVISION = re.compile(r"arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]+:[0-9]+")
#: What DescribeTaskDefinition says beyond what RegisterTaskDefinition was told (ECS API reference, TaskDefinition).
_ADDED: Final = frozenset(
    {
        "compatibilities",
        "deleteRequestedAt",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "tags",
        "taskDefinitionArn",
    }
)
#: Lists whose order means nothing, and which AWS may give back in another one.
_UNORDERED: Final = frozenset(
    {
        "containerDefinitions",
        "dependsOn",
        "environment",
        "mountPoints",
        "portMappings",
        "requiresCompatibilities",
        "secrets",
        "systemControls",
        "ulimits",
        "volumes",
    }
)


@dataclass(frozen=True, kw_only=True)
class Token:
    """What one job tells the next: the revision that is rolled out, when that began, when it must be done.

    Both times are epoch seconds.
    """

    task_definition: str
    began: float
    deadline: float

    def text(self) -> str:
        """The continuation token, JSON."""
        return json.dumps({"taskDefinition": self.task_definition, "began": self.began, "deadline": self.deadline})


@dataclass(frozen=True, kw_only=True)
class Job:
    """One CodePipeline job (user guide, "JSON event example" of the Lambda action).

    `pipeline`, `stage` and `execution` say what the job is part of; `bucket` and `key` where the Release artifact is;
    `token` is None in the first job.
    """

    cluster: str
    service: str
    pipeline: str
    stage: str
    execution: str
    bucket: str
    key: str
    token: Token | None
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Success:
    """The release runs."""

    task_definition: str
    deployment: str


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Ask again: ECS is at it."""

    token: Token
    summary: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The release does not run, or nobody can say that it does."""

    sentence: str
    kind: str


Answer = Success | Wait | Failure


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, str]:
    """Answer one job of the Deploy stage.

    Args:
        event: `{"CodePipeline.job": {...}}`.
        context: Lambda's, asked for the time that is left.

    Raises:
        ValueError: when the event is no CodePipeline job, so that there is nobody to answer.
    """
    job = event.get("CodePipeline.job") if isinstance(event, dict) else None
    if not isinstance(job, dict) or not isinstance(job.get("id"), str):
        sentence = "The event is not a CodePipeline job: it has no CodePipeline.job with an id."
        raise ValueError(sentence)  # noqa: TRY004  (wrong as a value, whatever its type)
    job_id: str = job["id"]
    answer = _answer(job, deadline.seconds_left(context, RESERVE))
    log.info("%s", json.dumps({"job": job_id, **_record(answer)}))
    pipeline = aws.client("codepipeline")
    try:
        _deliver(pipeline, job_id, answer)
    except Exception as error:
        fault = errors.of_aws(error)
        # A busy CodePipeline is asked again: Lambda delivers the job a second time, and the answer is the same.
        if fault is None or fault.kind == UNAVAILABLE or isinstance(answer, Failure):
            raise
        answer = Failure(sentence=f"CodePipeline did not take the deployment's answer. {fault}", kind=fault.kind)
        _deliver(pipeline, job_id, answer)
    return {"job": job_id, **_record(answer)}


def _answer(event: Mapping[str, Any], seconds: float) -> Answer:
    """Do what the job asks; whatever goes wrong becomes an answer."""
    late = threading.Event()
    token: Token | None = None
    try:
        job = read_job(event)
        token = job.token
        return deadline.run(lambda: _follow(job, token) if token else _begin(job, late), seconds)
    except Refusal as refusal:
        fault = refusal
    except deadline.OutOfTimeError:
        late.set()
        fault = Refusal("The deployment's function ran out of its own time; retry the stage.", UNAVAILABLE)
    except Exception as error:
        # Everything, since a job without an answer blocks its pipeline for twenty minutes.
        found = errors.of_aws(error)
        if found is None:
            log.exception("The deployment's function failed")
            name = type(error).__name__
            found = Refusal(f"The deployment's function itself failed ({name}); its log says where.", HANDOFF)
        fault = found
    # A look that could not be taken says nothing about the deployment: the next one will.
    if token and fault.kind == UNAVAILABLE and time.time() < token.deadline:
        log.warning("%s", json.dumps({"job": event["id"], "fault": str(fault)}))
        return Wait(token=token, summary="The service could not be looked at this time.")
    return Failure(sentence=str(fault), kind=fault.kind)


def read_job(event: Mapping[str, Any]) -> Job:
    """Take the job's event apart.

    Raises:
        Refusal: of kind ConfigurationError when the pipeline does not give what the deployment needs.
    """
    data = event.get("data") or {}
    text = data.get("actionConfiguration", {}).get("configuration", {}).get("UserParameters") or "{}"
    parameters = loads(str(text).encode(), "The action's UserParameters", CONFIGURATION)
    names: dict[str, str] = {}
    for name, what in _PARAMETERS.items():
        value = parameters.get(name) if isinstance(parameters, dict) else None
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise Refusal(
                f"The action's UserParameters have {shown(value)} at {name}; allowed is {what}; "
                "bring the stack up again.",
                CONFIGURATION,
            )
        names[name] = value
    artifacts = data.get("inputArtifacts") or []
    release = [artifact for artifact in artifacts if artifact.get("name") == "Release"]
    if not release:
        has = shown([artifact.get("name") for artifact in artifacts])
        raise Refusal(
            f"The pipeline's Deploy action has {has} as inputArtifacts; it must have Release among them.",
            CONFIGURATION,
        )
    place = release[0].get("location", {}).get("s3Location", {})
    credentials = data.get("artifactCredentials") or {}
    token = data.get("continuationToken")
    return Job(
        **names,
        bucket=str(place.get("bucketName")),
        key=str(place.get("objectKey")),
        token=read_token(token) if token else None,
        credentials={
            "aws_access_key_id": str(credentials.get("accessKeyId", "")),
            "aws_secret_access_key": str(credentials.get("secretAccessKey", "")),
            "aws_session_token": str(credentials.get("sessionToken", "")),
        },
    )


def read_token(text: str) -> Token:
    """Read what an earlier job wrote.

    Raises:
        Refusal: of kind ConfigurationError when no job of this function wrote it.
    """
    read = loads(str(text).encode(), "The job's continuation token", CONFIGURATION)
    values = [read.get(key) for key in ("taskDefinition", "began", "deadline")] if isinstance(read, dict) else []
    match values:
        case [str() as arn, int() | float() as began, int() | float() as end] if _REVISION.fullmatch(arn):
            return Token(task_definition=arn, began=float(began), deadline=float(end))
    raise Refusal(
        f"The job's continuation token is {shown(text)}, which this function did not write; retry the stage.",
        CONFIGURATION,
    )


def read_task_definition(artifact: bytes, service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task definition that the Release artifact brings for `service`.

    Args:
        artifact: the zip's bytes.
        service: one of DescribeServices' services.

    Raises:
        Refusal: when it is not there, no task definition, another family's, or still has a placeholder.
    """
    members = archives.read(
        artifact,
        ARTIFACT,
        required={TASKDEF: MEMBER_CAP},
        optional={APPSPEC: MEMBER_CAP, IMAGE_DEFINITIONS: MEMBER_CAP},
        kind=CONFIGURATION,
    )
    name = f"{ARTIFACT}'s {TASKDEF}"
    document = loads(members[TASKDEF], name, CONFIGURATION)
    containers = document.get("containerDefinitions") if isinstance(document, dict) else None
    if not isinstance(containers, list) or not containers or not all(isinstance(one, dict) for one in containers):
        raise Refusal(
            f"{name} has no list of objects at containerDefinitions; bring the stack up and release again.",
            CONFIGURATION,
        )
    # Not the family that runs: before the first release that is the stand-in's.
    family = service.get("serviceName")
    if document.get("family") != family:
        raise Refusal(
            f"{name} is of the family {shown(document.get('family'))} and releases of service {family} are of the "
            f"family {family}; bring the stack up and release again.",
            CONFIGURATION,
        )
    for container in containers:
        if container.get("image") == IMAGE_PLACEHOLDER:
            raise Refusal(
                f"{name} has no image for the container {shown(container.get('name'))}, only {IMAGE_PLACEHOLDER}; "
                "release again.",
                CONFIGURATION,
            )
    return dict(document)


def same(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether registering `wanted` would only repeat `found`.

    AWS gives back more than it was told: empty lists, defaults, another order. Known defaults count as said;
    anything else that only one side says makes the two different, which costs a revision and hides no change.
    Of the tags those wanted must be there; an organisation's own may be there as well.

    Args:
        wanted: the request of RegisterTaskDefinition.
        found: a task definition as DescribeTaskDefinition gives it, with its tags in it.
    """
    tags = {(tag.get("key"), tag.get("value")) for tag in found.get("tags") or []}
    if not {(tag.get("key"), tag.get("value")) for tag in wanted.get("tags") or []} <= tags:
        return False
    return bool(_plain(wanted) == _plain(found))


def _plain(definition: Mapping[str, Any]) -> Any:
    """A task definition with the defaults spelled out, nothing empty in it, and its unordered lists in order."""
    known = {key: value for key, value in definition.items() if key not in _ADDED}
    containers = [_container(one) for one in known.get("containerDefinitions") or []]
    return _pruned({**known, "containerDefinitions": containers})


def _container(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Spell out a container's defaults (ECS API reference: ContainerDefinition, PortMapping, HealthCheck)."""
    out = {"cpu": 0, **definition}
    # Not a plain value, so that a container that is not essential differs although False counts as nothing.
    out["essential"] = "no" if out.get("essential") is False else "yes"
    if ports := out.get("portMappings"):
        out["portMappings"] = [{"hostPort": one.get("containerPort"), "protocol": "tcp", **one} for one in ports]
    if check := out.get("healthCheck"):
        out["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0, **check}
    return out


def _pruned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        pairs = {name: _pruned(one, name) for name, one in value.items()}
        return {name: one for name, one in pairs.items() if not (one is None or one is False or one in ([], {}))}
    if isinstance(value, list):
        items = [_pruned(one) for one in value]
        return sorted(items, key=lambda one: json.dumps(one, sort_keys=True)) if key in _UNORDERED else items
    return value


def update(service: Mapping[str, Any], task_definition: str) -> dict[str, Any] | None:
    """What UpdateService has to be told; None when the service already is at it or done.

    A deployment that ECS gave up is begun again only by force, since the task definition does not change then.
    """
    primary = _primary(service)
    if primary.get("taskDefinition") != task_definition:
        return {"taskDefinition": task_definition}
    if primary.get("rolloutState") == "FAILED":
        return {"taskDefinition": task_definition, "forceNewDeployment": True}
    return None


def judge(service: Mapping[str, Any], token: Token, now: float) -> Answer:
    """Say how the deployment stands.

    A roll-back by the circuit breaker makes a deployment of an earlier revision PRIMARY; the failed one stays in
    the list until its tasks are gone (ECS API reference, Deployment). In the first minute a PRIMARY that is older
    than our UpdateService may be what DescribeServices still sees, so it decides nothing yet.

    Args:
        service: one of DescribeServices' services.
        token: what is rolled out.
        now: epoch seconds.
    """
    name, revision = service.get("serviceName"), short(token.task_definition)
    primary = _primary(service)
    listed = [one for one in service.get("deployments") or [] if one.get("taskDefinition") == token.task_definition]
    ours = primary if primary in listed else next(iter(listed), {})
    state = ours.get("rolloutState")
    event = _latest_event(service, token.began)
    if ours is primary and state == "COMPLETED":
        return Success(task_definition=token.task_definition, deployment=str(primary.get("id")))
    now_runs = short(str(primary.get("taskDefinition"))) if primary else "nothing"
    old_view = now - token.began < SETTLING and _created(primary) < token.began - CLOCKS
    if ours is not primary and not old_view:
        reason = _because(ours) if state == "FAILED" else _because(primary)
        return _failed(
            f"Service {name} is not deploying {revision} any more but {now_runs}, by a roll-back or another "
            f"deployment{reason}{event}; look at the stopped tasks, mend the release and release again."
        )
    if ours is primary and state == "FAILED" and not old_view:
        return _failed(
            f"ECS gave up deploying {revision} to service {name}{_because(ours)}{event}; nothing was rolled back: "
            "mend the release and release again, or put an earlier hand-off again."
        )
    tasks = f"{primary.get('runningCount', 0)} of {primary.get('desiredCount', 0)} tasks running"
    if failed := ours.get("failedTasks"):
        tasks += f", {failed} failed"
    if now >= token.deadline:
        minutes = (token.deadline - token.began) / 60
        return _failed(
            f"The deployment of {revision} to service {name} is not done after {minutes:g} minutes "
            f"({tasks}){event}; ECS goes on with it: look at it there, then retry the stage or release again."
        )
    return Wait(token=token, summary=f"Deploying {revision} to service {name}: {tasks}.")


def short(arn: str) -> str:
    """A task definition's family and revision."""
    return arn.rpartition("/")[2]


def _failed(sentence: str) -> Failure:
    return Failure(sentence=sentence, kind=HANDOFF)


def _primary(service: Mapping[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in service.get("deployments") or [] if one.get("status") == "PRIMARY"]
    return found[0] if found else {}


def _because(deployment: Mapping[str, Any]) -> str:
    reason = _quoted(deployment.get("rolloutStateReason"))
    return f" ({reason})" if reason else ""


def _latest_event(service: Mapping[str, Any], since: float) -> str:
    """The newest service event since the deployment began, as part of a sentence; a steady state is no news.

    DescribeServices gives the newest first.
    """
    for event in service.get("events") or []:
        if _created(event) < since - CLOCKS:
            break
        text = _quoted(event.get("message"))
        if text and "has reached a steady state" not in text:
            return f", latest event: {text}"
    return ""


def _created(thing: Mapping[str, Any]) -> float:
    """When AWS made `thing`, in epoch seconds; infinity when it does not say."""
    created = thing.get("createdAt")
    return created.timestamp() if isinstance(created, datetime) else math.inf


def _quoted(text: Any) -> str:
    return _cut(" ".join(str(text or "").split()).rstrip("."), QUOTE_CAP)


def _begin(job: Job, late: threading.Event) -> Answer:
    """Register the release's task definition, unless it is there, and make the service deploy it.

    Nothing is changed any more once `late` is set: the job has been answered by then.
    """
    minutes = _timeout_minutes()
    ecs = aws.client("ecs")
    service = _service(ecs, job)
    definition = read_task_definition(_artifact(job), service)
    _refuse_unless_valid(ecs, definition)
    revision = _existing(ecs, definition, service)
    if revision is None:
        _refuse_unless_current(job)
        _refuse_if(late)
        revision = str(ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"])
    began = time.time()
    if change := update(service, revision):
        _refuse_unless_current(job)
        _refuse_if(late)
        ecs.update_service(cluster=job.cluster, service=job.service, **change)
    token = Token(task_definition=revision, began=began, deadline=began + minutes * 60)
    return Wait(token=token, summary=f"Deploying {short(revision)} to service {job.service}.")


def _follow(job: Job, token: Token) -> Answer:
    """Look how far the deployment is."""
    return judge(_service(aws.client("ecs"), job), token, time.time())


def _refuse_unless_current(job: Job) -> None:
    """Refuse a job whose stage has gone on without it.

    Source: CodePipeline API reference, GetPipelineState (StageState.latestExecution).
    """
    said = aws.client("codepipeline").get_pipeline_state(name=job.pipeline)
    stages = [one for one in said.get("stageStates") or [] if one.get("stageName") == job.stage]
    latest = stages[0].get("latestExecution") or {} if stages else {}
    if (latest.get("pipelineExecutionId"), latest.get("status")) == (job.execution, "InProgress"):
        return
    now = f"is {latest.get('status')} with the execution {latest['pipelineExecutionId']}" if latest else "is not begun"
    raise Refusal(
        f"The job came too late: it is of the execution {job.execution}, and the stage {job.stage} of the pipeline "
        f"{job.pipeline} {now}; nothing was changed, and nothing has to be done.",
        MISSING,
    )


def _timeout_minutes() -> float:
    text = os.environ.get(variables.DEPLOYMENT_TIMEOUT_MINUTES, "60")
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise Refusal(
            f"The function's DEPLOYMENT_TIMEOUT_MINUTES is {shown(text)}; allowed are 1 to {LONGEST_MINUTES:g}; "
            "correct it and bring the stack up again.",
            CONFIGURATION,
        )
    return minutes


def _service(ecs: Client, job: Job) -> dict[str, Any]:
    """The service, which must be there and be ECS's own to deploy."""
    try:
        found = ecs.describe_services(cluster=job.cluster, services=[job.service]).get("services") or []
    except ecs.exceptions.ClusterNotFoundException:
        found = []
    if not found or found[0].get("status") != "ACTIVE":
        what = f"it is {found[0].get('status')}" if found else "it is missing"
        raise Refusal(
            f"Cluster {job.cluster} has no active service {job.service} ({what}); bring the stack up again.",
            CONFIGURATION,
        )
    service: dict[str, Any] = found[0]
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise Refusal(
            f"Service {job.service} has the deployment controller {controller}; this action deploys services with the "
            "controller ECS (strategy rolling) only; bring the stack up again.",
            CONFIGURATION,
        )
    return service


def _artifact(job: Job) -> bytes:
    store = aws.client("s3", **job.credentials)
    try:
        said = store.get_object(Bucket=job.bucket, Key=job.key)
    except (store.exceptions.NoSuchKey, store.exceptions.NoSuchBucket):
        raise Refusal(f"{ARTIFACT} is not in the artifact bucket any more; release again.", MISSING) from None
    with said["Body"] as body:
        data: bytes = body.read(ARCHIVE_CAP + 1)
    if len(data) > ARCHIVE_CAP:
        raise Refusal(f"{ARTIFACT} is larger than {ARCHIVE_CAP} bytes; at most that many are allowed.", CONFIGURATION)
    return data


def _existing(ecs: Client, definition: Mapping[str, Any], service: Mapping[str, Any]) -> str | None:
    """The revision that says what `definition` says: the service's own or the family's latest; None for neither."""
    for name in (str(service["taskDefinition"]), str(definition["family"])):
        try:
            said = ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        except ecs.exceptions.ClientException:
            # No active revision is left in the family.
            continue
        found = {**said["taskDefinition"], "tags": said.get("tags", [])}
        # A service can go on running a revision that was deregistered, but not be updated to it.
        if found.get("status") == "ACTIVE" and same(definition, found):
            return str(found["taskDefinitionArn"])
    return None


def _refuse_unless_valid(ecs: Client, definition: Mapping[str, Any]) -> None:
    """Hold `definition` against RegisterTaskDefinition's own model, before anything is compared or called.

    The sentence leaves out the value that stood there, which may be nobody's business.
    """
    from botocore.exceptions import ParamValidationError  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.validate import validate_parameters  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        validate_parameters(definition, ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape)
    except ParamValidationError as error:
        first = re.split(r", (?:value|must|valid)", str(error.kwargs["report"]))[0].splitlines()[0]
        raise Refusal(
            f"{ARTIFACT}'s {TASKDEF} is no request of RegisterTaskDefinition ({_cut(first, QUOTE_CAP)}); "
            "correct the template, bring the stack up and release again.",
            CONFIGURATION,
        ) from None


def _refuse_if(late: threading.Event) -> None:
    if late.is_set():
        raise deadline.OutOfTimeError


def _record(answer: Answer) -> dict[str, str]:
    """What the log says of an answer."""
    if isinstance(answer, Success):
        return {
            "outcome": "success",
            "taskDefinition": answer.task_definition,
            "deploymentId": answer.deployment,
        }
    if isinstance(answer, Wait):
        return {"outcome": "wait", "summary": answer.summary}
    return {"outcome": "failed", "kind": answer.kind, "sentence": answer.sentence}


def _deliver(pipeline: Client, job_id: str, answer: Answer) -> None:
    """Tell CodePipeline. A job that was answered before (Lambda delivered it twice) needs no second answer."""
    try:
        if isinstance(answer, Failure):
            pipeline.put_job_failure_result(
                jobId=job_id,
                failureDetails={"type": answer.kind, "message": _cut(answer.sentence, MESSAGE_CAP)},
            )
        elif isinstance(answer, Wait):
            pipeline.put_job_success_result(
                jobId=job_id,
                continuationToken=answer.token.text(),
                executionDetails={"summary": _cut(answer.summary, SUMMARY_CAP)},
            )
        else:
            pipeline.put_job_success_result(
                jobId=job_id,
                executionDetails={
                    "summary": f"{short(answer.task_definition)} runs.",
                    "externalExecutionId": answer.deployment,
                },
                outputVariables={"taskDefinition": answer.task_definition, "deploymentId": answer.deployment},
            )
    except (pipeline.exceptions.InvalidJobStateException, pipeline.exceptions.JobNotFoundException):
        log.info("%s", json.dumps({"job": job_id, "outcome": "answered before"}))


def _cut(text: str, cap: int) -> str:
    return text if len(text) <= cap else f"{text[: cap - 1]}…"
