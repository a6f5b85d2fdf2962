"""The pipeline's Deploy stage of a rolling service: registers the release's task definition, updates the service.

A Lambda action of CodePipeline with the input artifact `Release` (the gate's: taskdef.json with pinned images) and
the UserParameters `{"cluster": "prod", "service": "prod-worker", "pipeline": "prod-worker", "stage": "Deploy",
"execution": "#{codepipeline.PipelineExecutionId}"}`. CodePipeline's own ECS action would clone the task
definition that runs and replace images in it, so what infrastructure changes in the template would never roll out;
here the task definition is infrastructure's.

The first job registers taskdef.json (`revisions`) and updates the service; the later ones, marked by the continuation
token, read how far ECS's own record of the deployment is (`rollout`). Every job is answered: success, a continuation,
or one sentence of failure (`codepipeline_job`). Nothing here sleeps.

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
| ecs:DescribeServices, UpdateService, ListServiceDeployments | `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE` | the function's |
| ecs:DescribeServiceDeployments | the service, and `arn:aws:ecs:REGION:ACCOUNT:service-deployment/CLUSTER/SERVICE/*` | the function's |
| ecs:DescribeServiceRevisions | the service, and `arn:aws:ecs:REGION:ACCOUNT:service-revision/CLUSTER/SERVICE/*` | the function's |
| ecs:RegisterTaskDefinition, and ecs:TagResource where taskdef.json has tags | `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:*` (ecs:CreateAction of TagResource is RegisterTaskDefinition) | the function's |
| iam:PassRole, which RegisterTaskDefinition and UpdateService ask for | exactly the task's role and its execution role, iam:PassedToService ecs-tasks.amazonaws.com | the function's |
| ecs:DescribeTaskDefinition | `*`: it takes no resource | the function's |
| codepipeline:GetPipelineState | `arn:aws:codepipeline:REGION:ACCOUNT:PIPELINE` | the function's |
| codepipeline:PutJobSuccessResult, PutJobFailureResult | `*`: these two take no resource | the function's |

(Service Authorization Reference, "Amazon Elastic Container Service" and "AWS CodePipeline".)

Environment variables: `DEPLOYMENT_TIMEOUT_MINUTES` (how long a deployment may take; 60, allowed are 1 to 1,380).

Limits: a continuation token has at most 2,048 characters (CodePipeline API reference, PutJobSuccessResult); each job
has 20 minutes to be answered and the whole action 24 hours (CodePipeline user guide, "Quotas in AWS CodePipeline").

Output variables: `taskDefinition` (the ARN that runs now) and `deploymentId` (of ECS's service deployment).
"""  # noqa: E501

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from contract import files, variables
from functions.deploy import rollout
from functions.deploy.revisions import ARCHIVE_CAP, ARTIFACT, Revisions, released, short
from functions.deploy.rollout import Token
from functions.shared import aws, codepipeline_job
from functions.shared.codepipeline_job import Wait
from functions.shared.errors import CONFIGURATION, MISSING, Refusal
from functions.shared.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_ecs import ECSClient

    from functions.shared import deadline
    from functions.shared.codepipeline_job import Answer, Job

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


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the action's UserParameters name: the service, and what the job is part of."""

    cluster: str
    service: str
    pipeline: str
    stage: str
    execution: str

    @classmethod
    def parse(cls, parameters: Mapping[str, Any]) -> Self:
        """Read the UserParameters.

        Raises:
            Refusal: of kind ConfigurationError when a name is missing or is none.
        """
        names: dict[str, str] = {}
        for name, what in _PARAMETERS.items():
            value = parameters.get(name)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise Refusal(
                    f"The action's UserParameters have {shown(value)} at {name}; allowed is {what}; "
                    "bring the stack up again.",
                    CONFIGURATION,
                )
            names[name] = value
        return cls(**names)


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, str]:
    """Answer one job of the Deploy stage; `codepipeline_job.handle` says with what."""
    return codepipeline_job.handle(event, context, deploy, name="deployer", again=_look_again)


def deploy(job: Job) -> Answer:
    """Begin the deployment, or look how far it is.

    Raises:
        Refusal: nothing is deployed, or nobody can say how far it is.
    """
    target = Target.parse(job.parameters)
    if job.token is None:
        return _begin(job, target)
    token = Token.parse(job.token)
    ecs = aws.client("ecs")
    service = _service(ecs, target)
    found = rollout.record(ecs, target.cluster, target.service, token)
    return rollout.judge(service, found, token, time.time(), _timeout_minutes())


def _look_again(job: Job) -> Wait | None:
    """A look that could not be taken says nothing about the deployment: the next one will."""
    if job.token is None or time.time() >= Token.parse(job.token).deadline:
        return None
    return Wait(token=job.token, summary="The service could not be looked at this time.")


def _begin(job: Job, target: Target) -> Answer:
    """Register the release's task definition, unless it is there, and make the service deploy it."""
    minutes = _timeout_minutes()
    ecs = aws.client("ecs")
    revisions = Revisions(ecs)
    service = _service(ecs, target)
    artifact = job.read(files.RELEASE_ARTIFACT, cap=ARCHIVE_CAP, name=ARTIFACT, kind=CONFIGURATION)
    definition = released(artifact, target.service)
    revisions.refuse_unless_valid(definition)
    revision = revisions.find(definition, str(service["taskDefinition"]), target.service)
    if revision is None:
        _refuse_unless_current(job, target)
        revision = revisions.register(definition)
    now = time.time()
    since = rollout.began(service, now)
    if change := rollout.update(service, revision):
        _refuse_unless_current(job, target)
        ecs.update_service(cluster=target.cluster, service=target.service, **change)
        since = now - rollout.CLOCKS
    token = Token(task_definition=revision, since=since, deadline=now + minutes * 60)
    return Wait(token=token.dump(), summary=f"Deploying {short(revision)} to service {target.service}.")


def _refuse_unless_current(job: Job, target: Target) -> None:
    """Refuse a job whose stage has gone on without it, or that was answered meanwhile.

    Source: CodePipeline API reference, GetPipelineState (StageState.latestExecution).
    """
    said = aws.client("codepipeline").get_pipeline_state(name=target.pipeline)
    job.refuse_if_answered()
    stages = [one for one in said.get("stageStates") or [] if one.get("stageName") == target.stage]
    latest: Mapping[str, Any] = (stages[0].get("latestExecution") or {}) if stages else {}
    if (latest.get("pipelineExecutionId"), latest.get("status")) == (target.execution, "InProgress"):
        return
    now = f"is {latest.get('status')} with the execution {latest['pipelineExecutionId']}" if latest else "is not begun"
    raise Refusal(
        f"The job came too late: it is of the execution {target.execution}, and the stage {target.stage} of the "
        f"pipeline {target.pipeline} {now}; nothing was changed, and nothing has to be done.",
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


def _service(ecs: ECSClient, target: Target) -> Mapping[str, Any]:
    """The service, which must be there and be ECS's own to deploy."""
    try:
        found = ecs.describe_services(cluster=target.cluster, services=[target.service]).get("services") or []
    except ecs.exceptions.ClusterNotFoundException:
        found = []
    if not found or found[0].get("status") != "ACTIVE":
        what = f"it is {found[0].get('status')}" if found else "it is missing"
        raise Refusal(
            f"Cluster {target.cluster} has no active service {target.service} ({what}); bring the stack up again.",
            CONFIGURATION,
        )
    service = found[0]
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise Refusal(
            f"Service {target.service} has the deployment controller {controller}; this action deploys services with "
            "the controller ECS only; bring the stack up again.",
            CONFIGURATION,
        )
    return service
