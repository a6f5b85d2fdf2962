"""The pipeline's Verify stage: between what CI handed over and what the Deploy stage gets.

A Lambda action of CodePipeline, `${env}-${service}-gate`, with the input artifacts `Handoff` (CI's, hostile) and
`Template` (infrastructure's) and the output artifact `Release`. It answers every job: with success, a continuation
(a scan is still running) or one sentence of refusal.

AWS calls, and on what:

| call | resource | whose credentials |
| --- | --- | --- |
| s3:GetObject | the two input artifacts in the artifact bucket | the job's |
| s3:PutObject | the output artifact in the artifact bucket | the job's |
| codepipeline:PutJobSuccessResult, PutJobFailureResult | `*`: these two take no resource (Service Authorization Reference, AWS CodePipeline) | the function's |
| ecr:BatchGetImage, DescribeImageScanFindings, DescribeImages, GetDownloadUrlForLayer | the service's repositories, the cache not among them | the function's |
| inspector2:ListFindings | `*`: it takes no resource; Amazon Inspector asks it of whoever calls DescribeImageScanFindings where the registry's scanning is enhanced (Amazon ECR user guide, "IAM permissions required for enhanced scanning") | the function's |
| ecs:DescribeServices | `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE` | the function's |
| ecs:DescribeTaskDefinition | `*`: it takes no resource (Service Authorization Reference, Amazon ECS) | the function's |

The job's credentials may only do to the artifacts what the pipeline's role may; KMS likewise. They are used for the
two artifacts and stand in no log line and no message.

GetDownloadUrlForLayer is needed for the image that will run: its architecture stands in its configuration, whatever an
index says of it, and that is fetched from the address that ECR gives (layers lie in an S3 bucket of ECR's, so a function
in a VPC needs the S3 endpoint).

Environment variables: `SCAN_WAIT_MINUTES` (how long a pending scan is waited for in all; 30), `SCAN_GRACE_SECONDS`
(how long a scan may take to begin before scanning counts as off; 120).

An image that the service runs, or ran in one of the revisions just before, passes whatever scanning has found since: a
roll-back must not wait for that (`rollback`). The findings stand in the variable `scan` all the same.

Output variables (namespace `Gate`): `images` ("app=prod-1a2b3c4…"), `digests` ("app=sha256:…"), `commit`, `scan`,
`changes`. An action's configuration value takes 1,000 characters (API reference, ActionConfigurationValue), variables
counted as they are resolved (github.com/awsdocs/aws-codepipeline-user-guide/issues/24). So all but the digests fit
together in one approval's CustomData and leave 150 characters for its own words.
"""  # noqa: E501

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from contract import files, variables
from functions.gate import changes, handoff, images, rendering, rollback, scans
from functions.shared import aws, deadline, errors
from functions.shared.errors import CONFIGURATION, HANDOFF, MISSING, UNAVAILABLE, Refusal
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contract.release import Contract
    from functions.gate.images import PinnedImage
    from functions.gate.scans import Scan
    from functions.shared.aws import Client

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

#: Characters of each output variable; all but the digests stand in one text of 1,000.
VARIABLE_CAPS: Final = {"images": 250, "commit": 120, "scan": 200, "changes": 280, "digests": 900}
#: CodePipeline API reference: FailureDetails.message and ExecutionDetails.summary.
MESSAGE_CAP: Final = 5000
SUMMARY_CAP: Final = 2048
#: Seconds kept of the function's time to answer CodePipeline in.
RESERVE: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Location:
    """An artifact's place; `key_id` is the KMS key that CodePipeline wants it encrypted with, if any."""

    bucket: str
    key: str
    key_id: str | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One CodePipeline job (user guide, "JSON event example" of the Lambda action).

    `network` is where a blue/green service's next tasks stand, as the pipeline tells it and nobody has looked at yet.
    """

    id: str
    service: str | None
    network: Any
    handoff: Location
    template: Location
    release: Location
    since: float | None
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Success:
    """The release is good: variables for the later stages."""

    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Ask again: a scan is running since `since` (epoch seconds of the first job)."""

    since: float
    summary: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The release goes no further."""

    sentence: str
    kind: str


Answer = Success | Wait | Failure


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, str]:
    """Answer one job of the Verify stage.

    Args:
        event: `{"CodePipeline.job": {...}}`.
        context: Lambda's, asked for the time that is left.

    Raises:
        ValueError: when the event is no CodePipeline job, so that there is nobody to answer.
    """
    job_id = _job_id(event)
    answer = _answer(event["CodePipeline.job"], deadline.seconds_left(context, RESERVE))
    log.info("%s", json.dumps({"job": job_id, **_record(answer)}))
    pipeline = aws.client("codepipeline")
    try:
        _deliver(pipeline, job_id, answer)
    except Exception as error:
        fault = errors.of_aws(error)
        # A busy CodePipeline is asked again: Lambda delivers the job a second time, and the answer is the same.
        if fault is None or fault.kind == UNAVAILABLE or isinstance(answer, Failure):
            raise
        answer = Failure(sentence=f"CodePipeline did not take the gate's answer. {fault}", kind=fault.kind)
        _deliver(pipeline, job_id, answer)
    return {"job": job_id, **_record(answer)}


def _job_id(event: Mapping[str, Any]) -> str:
    job = event.get("CodePipeline.job") if isinstance(event, dict) else None
    if not isinstance(job, dict) or not isinstance(job.get("id"), str):
        sentence = "The event is not a CodePipeline job: it has no CodePipeline.job with an id."
        raise ValueError(sentence)  # noqa: TRY004  (wrong as a value, whatever its type)
    return str(job["id"])


def _answer(event: Mapping[str, Any], seconds: float) -> Answer:
    """Examine the job; whatever goes wrong becomes an answer."""
    try:
        return deadline.run(lambda: examine(read_job(event), time.time()), seconds)
    except Refusal as refusal:
        return Failure(sentence=str(refusal), kind=refusal.kind)
    except deadline.OutOfTimeError:
        sentence = "The gate ran out of its own time before it could decide; retry the stage."
        return Failure(sentence=sentence, kind=UNAVAILABLE)
    except Exception as error:
        # Everything, since a job without an answer blocks its pipeline for twenty minutes.
        if fault := errors.of_aws(error):
            return Failure(sentence=str(fault), kind=fault.kind)
        log.exception("The gate failed")
        sentence = f"The gate itself failed ({type(error).__name__}); its log says where."
        return Failure(sentence=sentence, kind=UNAVAILABLE)


def read_job(event: Mapping[str, Any]) -> Job:
    """Take the job's event apart.

    Raises:
        Refusal: of kind ConfigurationError when the pipeline does not give what the gate needs.
    """
    data = event.get("data", {})
    text = data.get("actionConfiguration", {}).get("configuration", {}).get("UserParameters") or "{}"
    parameters = loads(str(text).encode(), "The action's UserParameters", CONFIGURATION)
    told = parameters if isinstance(parameters, dict) else {}
    key = data.get("encryptionKey") or {}
    credentials = data.get("artifactCredentials") or {}
    token = data.get("continuationToken")
    for name in ("accessKeyId", "secretAccessKey", "sessionToken"):
        if not credentials.get(name):
            raise Refusal(f"The job's artifactCredentials lack {name}; retry the stage.", CONFIGURATION)
    return Job(
        id=str(event.get("id")),
        service=told.get("service"),
        network=told.get("network"),
        handoff=_location(data, "inputArtifacts", "Handoff", key),
        template=_location(data, "inputArtifacts", "Template", key),
        release=_location(data, "outputArtifacts", "Release", key),
        since=_since(token) if token else None,
        credentials={
            "aws_access_key_id": str(credentials["accessKeyId"]),
            "aws_secret_access_key": str(credentials["secretAccessKey"]),
            "aws_session_token": str(credentials["sessionToken"]),
        },
    )


def _location(data: Mapping[str, Any], side: str, name: str, key: Mapping[str, Any]) -> Location:
    for artifact in data.get(side, []):
        if artifact.get("name") == name:
            place = artifact.get("location", {}).get("s3Location", {})
            return Location(bucket=str(place.get("bucketName")), key=str(place.get("objectKey")), key_id=key.get("id"))
    has = [artifact.get("name") for artifact in data.get(side, [])]
    raise Refusal(
        f"The pipeline's Verify action has {shown(has)} as {side}; it must have {name} among them.",
        CONFIGURATION,
    )


def _since(token: str) -> float:
    read = loads(str(token).encode(), "The job's continuation token", CONFIGURATION)
    since = read.get("since") if isinstance(read, dict) else None
    if not isinstance(since, int | float):
        raise Refusal(f"The job's continuation token is {shown(token)}, which the gate did not write.", CONFIGURATION)
    return float(since)


def examine(job: Job, now: float) -> Answer:
    """Decide about a release and, when it is good, write its artifact.

    Args:
        job: the job.
        now: epoch seconds.

    Raises:
        Refusal: the release does not go on.
    """
    store = aws.client("s3", **job.credentials)
    template = rendering.members(_get(store, job.template, rendering.ARCHIVE_CAP, rendering.ARCHIVE, CONFIGURATION))
    terms = rendering.contract(template[files.RELEASE])
    if job.service != terms.service:
        raise Refusal(
            f"The pipeline's UserParameters name the service {shown(job.service)} and its template is "
            f"{terms.service}'s; bring the stack up again.",
            CONFIGURATION,
        )
    spec = rendering.app_spec(template.get(files.APPSPEC), terms, job.network)
    named = handoff.read(_get(store, job.handoff, handoff.ARCHIVE_CAP, handoff.ARCHIVE, HANDOFF), terms)
    registry = images.Registry(aws.client("ecr", terms.region), terms, images.fetch)
    pinned = [registry.pin(image) for image in named]
    task = rendering.task_definition(
        template[files.TASK_DEFINITION], {image.container: images.uri(image, terms) for image in pinned}
    )
    since = now if job.since is None else job.since
    running = _running(aws.client("ecs", terms.region), terms)
    earlier = rollback.Earlier(aws.client("ecs", terms.region), running)
    scanned = [(image, registry.scan(image, digest)) for image in pinned for digest in image.runs]
    if waiting := _waiting(scanned, terms, earlier, since, now):
        return Wait(since=since, summary=waiting)
    change = changes.described(pinned, running, task, registry.tags)
    _put(store, job.release, rendering.artifact(task, spec, images.definitions(pinned, terms)))
    return Success(variables=_variables(pinned, scanned, change))


def _waiting(
    scanned: Sequence[tuple[PinnedImage, Scan]], terms: Contract, earlier: rollback.Earlier, since: float, now: float
) -> str | None:
    """Say what is waited for, None when everything is decided."""
    pending = []
    for image, scan in scanned:
        try:
            waits = _waits(image, scan, terms, now - since)
        except Refusal:
            if scan.status == scans.ARCHIVED or not earlier.ran(image.container, images.uri(image, terms)):
                raise
            continue
        if waits:
            pending.append(image.container)
    return f"Waiting for the scan of {', '.join(sorted(set(pending)))}." if pending else None


def _waits(image: PinnedImage, scan: Scan, terms: Contract, waited: float) -> bool:
    """Whether the scan's result has to be waited for, after so many seconds."""
    started = waited >= float(os.environ.get(variables.SCAN_GRACE_SECONDS, "120"))
    if not scans.judge(image.name, scan, terms, waited_enough=started):
        return False
    minutes = float(os.environ.get(variables.SCAN_WAIT_MINUTES, "30"))
    if waited >= minutes * 60:
        raise Refusal(
            f"{image.name}: its scan is {scan.status} after {minutes:g} minutes; look at it in ECR and retry the stage "
            "when it is done.",
            UNAVAILABLE,
        )
    return True


def _get(store: Client, place: Location, cap: int, name: str, kind: str) -> bytes:
    """Read an artifact of at most `cap` bytes."""
    try:
        said = store.get_object(Bucket=place.bucket, Key=place.key)
    except (store.exceptions.NoSuchKey, store.exceptions.NoSuchBucket):
        raise Refusal(f"{name} is not in the artifact bucket any more; release again.", MISSING) from None
    with said["Body"] as body:
        data: bytes = body.read(cap + 1)
    if len(data) > cap:
        raise Refusal(f"{name} is larger than {cap} bytes; at most that many are allowed.", kind)
    return data


def _put(store: Client, place: Location, data: bytes) -> None:
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.key_id} if place.key_id else {}
    store.put_object(Bucket=place.bucket, Key=place.key, Body=data, ContentType="application/zip", **encryption)


def _running(ecs: Client, terms: Contract) -> dict[str, Any] | None:
    """The task definition that runs now; None when the service is not there or has none."""
    try:
        said = ecs.describe_services(cluster=terms.cluster, services=[terms.ecs_service])
    except ecs.exceptions.ClusterNotFoundException:
        return None
    active = [service for service in said.get("services", []) if service.get("status") != "INACTIVE"]
    name = changes.live_task_definition(active[0]) if active else None
    if name is None:
        return None
    found: dict[str, Any] = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    return found


def _variables(
    pinned: Sequence[PinnedImage], scanned: Sequence[tuple[PinnedImage, Scan]], change: str
) -> dict[str, str]:
    commits = sorted({image.commit for image in pinned})
    by_container = ", ".join(f"{image.container}={image.commit[:7]}" for image in pinned)
    named = ", ".join(f"{image.container}={image.tag}" for image in pinned)
    if len(named) > VARIABLE_CAPS["images"]:
        named = ", ".join(f"{image.container}={changes.short(image.tag)}" for image in pinned)
    values = {
        "images": named,
        "digests": ", ".join(f"{image.container}={image.digest}" for image in pinned),
        "commit": commits[0] if len(commits) == 1 else by_container,
        "scan": "; ".join(f"{image.container}: {scan.words()}" for image, scan in scanned),
        "changes": change,
    }
    return {key: _cut(value, VARIABLE_CAPS[key]) for key, value in values.items()}


def _cut(text: str, cap: int) -> str:
    return text if len(text) <= cap else f"{text[: cap - 3]}..."


def _record(answer: Answer) -> dict[str, str]:
    """What the log says of an answer."""
    if isinstance(answer, Success):
        return {"outcome": "success", **answer.variables}
    if isinstance(answer, Wait):
        return {"outcome": "wait", "summary": answer.summary}
    return {"outcome": "refused", "kind": answer.kind, "sentence": answer.sentence}


def _deliver(pipeline: Client, job_id: str, answer: Answer) -> None:
    """Tell CodePipeline. A job that was answered before (Lambda delivered it twice) needs no second answer."""
    try:
        if isinstance(answer, Failure):
            pipeline.put_job_failure_result(
                jobId=job_id,
                failureDetails={"type": answer.kind, "message": _cut(answer.sentence, MESSAGE_CAP)},
            )
        elif isinstance(answer, Wait):
            token = json.dumps({"since": answer.since})
            details = {"summary": _cut(answer.summary, SUMMARY_CAP)}
            pipeline.put_job_success_result(jobId=job_id, continuationToken=token, executionDetails=details)
        else:
            details = {"summary": _cut(answer.variables["changes"], SUMMARY_CAP)}
            pipeline.put_job_success_result(
                jobId=job_id, executionDetails=details, outputVariables=dict(answer.variables)
            )
    except (pipeline.exceptions.InvalidJobStateException, pipeline.exceptions.JobNotFoundException):
        log.info("%s", json.dumps({"job": job_id, "outcome": "answered before"}))
