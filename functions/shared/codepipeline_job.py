"""CodePipeline's protocol for Lambda actions: parses the job from the event, sends its result.

`handle` answers every job once: by success, by a continuation (the action is asked again with the same token) or by one
sentence of failure. A job without an answer blocks its pipeline for twenty minutes.

The job's own credentials read and write its artifacts, decrypt them where the bucket has a customer key, and stand in
no log line and no message. The answer is given with the function's role.

Sources: CodePipeline user guide, "JSON event example" of the Lambda action, and "Quotas in AWS CodePipeline"; API
reference, PutJobSuccessResult and PutJobFailureResult.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from functions.shared import aws, deadline, errors
from functions.shared.errors import CONFIGURATION, MISSING, UNAVAILABLE, Refusal, cut
from functions.shared.strict_json import loads, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_codepipeline.type_defs import ExecutionDetailsTypeDef
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import PutObjectRequestTypeDef

    from functions.shared.errors import Kind

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

#: Characters (API reference: FailureDetails.message, ExecutionDetails.summary).
MESSAGE_CAP: Final = 5000
SUMMARY_CAP: Final = 2048
#: Seconds kept of the function's time to answer CodePipeline in.
RESERVE: Final = 5.0
_CREDENTIALS: Final = {
    "accessKeyId": "aws_access_key_id",
    "secretAccessKey": "aws_secret_access_key",
    "sessionToken": "aws_session_token",
}


@dataclass(frozen=True, kw_only=True)
class Location:
    """An artifact's place; `key_id` is the KMS key that CodePipeline wants it encrypted with, if any."""

    bucket: str
    key: str
    key_id: str | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job.

    `parameters` are the action's UserParameters; `token` is what the answer before said to go on with, None in the
    first job; `inputs` and `outputs` are the artifacts by name.
    """

    id: str
    parameters: Mapping[str, Any]
    token: Mapping[str, Any] | None
    inputs: Mapping[str, Location]
    outputs: Mapping[str, Location]
    credentials: Mapping[str, str] = field(repr=False)
    _answered: threading.Event = field(default_factory=threading.Event, repr=False)

    def refuse_if_answered(self) -> None:
        """Stop work that has been given up; called right before anything is changed.

        Raises:
            OutOfTimeError: the job was answered while this work went on.
        """
        if self._answered.is_set():
            raise deadline.OutOfTimeError

    def read(self, artifact: str, *, cap: int, name: str, kind: Kind) -> bytes:
        """The bytes of an input artifact.

        Args:
            artifact: its name in the pipeline.
            cap: most bytes that are read.
            name: how a sentence calls it.
            kind: the failure type when it is larger.

        Raises:
            Refusal: the action has no such artifact, it is gone, or it is larger than `cap`.
        """
        place = _place(self.inputs, artifact, "inputArtifacts")
        store = self._store()
        try:
            said = store.get_object(Bucket=place.bucket, Key=place.key)
        except (store.exceptions.NoSuchKey, store.exceptions.NoSuchBucket):
            raise Refusal(f"{name} is not in the artifact bucket any more; release again.", MISSING) from None
        with said["Body"] as body:
            data: bytes = body.read(cap + 1)
        if len(data) > cap:
            raise Refusal(f"{name} is larger than {cap} bytes; at most that many are allowed.", kind)
        return data

    def write(self, artifact: str, data: bytes) -> None:
        """Put an output artifact.

        Raises:
            Refusal: the action has no such artifact.
            OutOfTimeError: the job was answered already.
        """
        place = _place(self.outputs, artifact, "outputArtifacts")
        request: PutObjectRequestTypeDef = {"Bucket": place.bucket, "Key": place.key, "Body": data}
        request["ContentType"] = "application/zip"
        if place.key_id:
            request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.key_id}
        self.refuse_if_answered()
        self._store().put_object(**request)

    def _store(self) -> S3Client:
        return aws.client("s3", **self.credentials)


@dataclass(frozen=True, kw_only=True)
class Success:
    """The action is done; `variables` are its output variables, `execution_id` what it is called elsewhere."""

    summary: str
    variables: Mapping[str, str]
    execution_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Ask again, with this token."""

    token: Mapping[str, Any]
    summary: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The action fails; `kind` is one of the failure types of `errors`."""

    sentence: str
    kind: Kind


Answer = Success | Wait | Failure


def handle(
    event: Mapping[str, Any],
    context: deadline.Context,
    work: Callable[[Job], Answer],
    *,
    name: str,
    again: Callable[[Job], Wait | None] = lambda _: None,
) -> dict[str, str]:
    """Answer one job.

    Args:
        event: `{"CodePipeline.job": {...}}`.
        context: Lambda's, asked for the time that is left.
        work: does what the job asks; a Refusal is a failure.
        name: how a sentence calls the function, such as "gate".
        again: what to answer when AWS could not be asked in time; None is a failure.

    Returns:
        What the log says of the answer.

    Raises:
        ValueError: when the event is no CodePipeline job, so that there is nobody to answer.
    """
    job = event.get("CodePipeline.job") if isinstance(event, dict) else None
    if not isinstance(job, dict) or not isinstance(job.get("id"), str):
        sentence = "The event is not a CodePipeline job: it has no CodePipeline.job with an id."
        raise ValueError(sentence)  # noqa: TRY004  (wrong as a value, whatever its type)
    job_id: str = job["id"]
    answer = _answer(job, deadline.seconds_left(context, RESERVE), work, name, again)
    said = {"job": job_id, **_record(answer)}
    log.info("%s", json.dumps(said))
    pipeline = aws.client("codepipeline")
    try:
        _deliver(pipeline, job_id, answer)
    except Exception as error:
        fault = errors.of_aws(error)
        # A busy CodePipeline is asked again: Lambda delivers the job a second time, and the answer is the same.
        if fault is None or fault.kind == UNAVAILABLE or isinstance(answer, Failure):
            raise
        answer = Failure(sentence=f"CodePipeline did not take the {name}'s answer. {fault}", kind=fault.kind)
        _deliver(pipeline, job_id, answer)
        said = {"job": job_id, **_record(answer)}
    return said


def _answer(
    event: Mapping[str, Any],
    seconds: float,
    work: Callable[[Job], Answer],
    name: str,
    again: Callable[[Job], Wait | None],
) -> Answer:
    """Do what the job asks; whatever goes wrong becomes an answer."""
    job: Job | None = None
    try:
        job = read(event)
        return deadline.run(partial(work, job), seconds)
    except Refusal as refusal:
        return Failure(sentence=str(refusal), kind=refusal.kind)
    except deadline.OutOfTimeError:
        fault = Refusal(f"The {name} ran out of its own time; retry the stage.", UNAVAILABLE)
    except Exception as error:
        found = errors.of_aws(error)
        if found is None:
            log.exception("The %s failed", name)
            sentence = f"The {name} itself failed ({type(error).__name__}); its log says where."
            return Failure(sentence=sentence, kind=UNAVAILABLE)
        fault = found
    if job is not None:
        job._answered.set()  # noqa: SLF001  (what refuse_if_answered asks)
        if fault.kind == UNAVAILABLE and (wait := again(job)):
            log.warning("%s", json.dumps({"job": job.id, "fault": str(fault)}))
            return wait
    return Failure(sentence=str(fault), kind=fault.kind)


def read(event: Mapping[str, Any]) -> Job:
    """Take the job's event apart.

    Raises:
        Refusal: of kind ConfigurationError when the pipeline does not give what every action needs.
    """
    data = event.get("data") or {}
    text = data.get("actionConfiguration", {}).get("configuration", {}).get("UserParameters") or "{}"
    credentials = data.get("artifactCredentials") or {}
    for key in _CREDENTIALS:
        if not credentials.get(key):
            raise Refusal(f"The job's artifactCredentials lack {key}; retry the stage.", CONFIGURATION)
    key_id = (data.get("encryptionKey") or {}).get("id")
    token = data.get("continuationToken")
    return Job(
        id=str(event.get("id")),
        parameters=_object(text, "The action's UserParameters", "bring the stack up again"),
        token=_object(token, "The job's continuation token", "retry the stage") if token else None,
        inputs=_locations(data.get("inputArtifacts"), key_id),
        outputs=_locations(data.get("outputArtifacts"), key_id),
        credentials={name: str(credentials[key]) for key, name in _CREDENTIALS.items()},
    )


def _object(text: Any, name: str, remedy: str) -> Mapping[str, Any]:
    read = loads(str(text).encode(), name, CONFIGURATION)
    if not isinstance(read, dict):
        raise Refusal(f"{name} is {shown(read)}; allowed is a JSON object; {remedy}.", CONFIGURATION)
    return read


def _locations(artifacts: Any, key_id: str | None) -> dict[str, Location]:
    out = {}
    for artifact in artifacts or []:
        place = artifact.get("location", {}).get("s3Location", {})
        out[str(artifact.get("name"))] = Location(
            bucket=str(place.get("bucketName")), key=str(place.get("objectKey")), key_id=key_id
        )
    return out


def _place(artifacts: Mapping[str, Location], name: str, side: str) -> Location:
    if name not in artifacts:
        raise Refusal(
            f"The pipeline's action has {shown(list(artifacts))} as {side}; it must have {name} among them; "
            "bring the stack up again.",
            CONFIGURATION,
        )
    return artifacts[name]


def _record(answer: Answer) -> dict[str, str]:
    """What the log says of an answer."""
    if isinstance(answer, Success):
        return {"outcome": "success", **answer.variables}
    if isinstance(answer, Wait):
        return {"outcome": "wait", "summary": answer.summary}
    return {"outcome": "failed", "kind": answer.kind, "sentence": answer.sentence}


def _deliver(pipeline: CodePipelineClient, job_id: str, answer: Answer) -> None:
    """Tell CodePipeline. A job that was answered before (Lambda delivered it twice) needs no second answer."""
    try:
        if isinstance(answer, Failure):
            message = cut(answer.sentence, MESSAGE_CAP)
            pipeline.put_job_failure_result(jobId=job_id, failureDetails={"type": answer.kind, "message": message})
        elif isinstance(answer, Wait):
            pipeline.put_job_success_result(
                jobId=job_id,
                continuationToken=json.dumps(answer.token),
                executionDetails={"summary": cut(answer.summary, SUMMARY_CAP)},
            )
        else:
            details: ExecutionDetailsTypeDef = {"summary": cut(answer.summary, SUMMARY_CAP)}
            if answer.execution_id:
                details["externalExecutionId"] = answer.execution_id
            pipeline.put_job_success_result(
                jobId=job_id, executionDetails=details, outputVariables=dict(answer.variables)
            )
    except (pipeline.exceptions.InvalidJobStateException, pipeline.exceptions.JobNotFoundException):
        log.info("%s", json.dumps({"job": job_id, "outcome": "answered before"}))
