"""The pipeline's Verify stage: checks the hand-off and renders the release for the Deploy stage.

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

GetDownloadUrlForLayer is needed for the image that will run: its architecture is in its configuration, whatever an
index says of it, and that is fetched from the address that ECR gives (layers lie in an S3 bucket of ECR's, so a function
in a VPC needs the S3 endpoint).

Environment variables: `SCAN_WAIT_MINUTES` (how long a pending scan is waited for in all; 30), `SCAN_GRACE_SECONDS`
(how long a scan may take to begin before scanning counts as off; 120).

An image that the service runs, or ran in one of the revisions just before, passes whatever scanning has found since: a
rollback must not wait for that (`rollback`). The findings stand in the variable `scan` all the same.

Output variables (namespace `Gate`): `images` ("app=prod-1a2b3c4…"), `digests` ("app=sha256:…"), `commit`, `scan`,
`changes`. An action's configuration value takes 1,000 characters (API reference, ActionConfigurationValue), variables
counted as they are resolved (github.com/awsdocs/aws-codepipeline-user-guide/issues/24). So all but the digests fit
together in one approval's CustomData and leave 150 characters for its own words.
"""  # noqa: E501

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from contract import files, variables
from functions.gate import changes, handoff, images, rendering, rollback, scans
from functions.shared import aws, codepipeline_job
from functions.shared.codepipeline_job import Success, Wait
from functions.shared.errors import CONFIGURATION, HANDOFF, UNAVAILABLE, Refusal, cut
from functions.shared.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_ecs import ECSClient

    from contract.release import Contract
    from functions.gate.images import PinnedImage
    from functions.gate.scans import Scan
    from functions.shared import deadline
    from functions.shared.codepipeline_job import Answer, Job

#: Characters of each output variable; all but the digests stand in one text of 1,000.
VARIABLE_CAPS: Final = {"images": 250, "commit": 120, "scan": 200, "changes": 280, "digests": 900}


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, str]:
    """Answer one job of the Verify stage; `codepipeline_job.handle` says with what."""
    return codepipeline_job.handle(event, context, lambda job: examine(job, time.time()), name="gate")


def examine(job: Job, now: float) -> Answer:
    """Decide about a release and, when it is good, write its artifact.

    Args:
        job: the job.
        now: epoch seconds.

    Raises:
        Refusal: the release does not go on.
    """
    since = _since(job, now)
    template = rendering.members(
        job.read(files.TEMPLATE_ARTIFACT, cap=rendering.ARCHIVE_CAP, name=rendering.ARCHIVE, kind=CONFIGURATION)
    )
    terms = rendering.contract(template[files.RELEASE])
    if (service := job.parameters.get("service")) != terms.service:
        raise Refusal(
            f"The pipeline's UserParameters name the service {shown(service)} and its template is "
            f"{terms.service}'s; bring the stack up again.",
            CONFIGURATION,
        )
    spec = rendering.app_spec(template.get(files.APPSPEC), terms, job.parameters.get("network"))
    archive = job.read(files.HANDOFF_ARTIFACT, cap=handoff.ARCHIVE_CAP, name=handoff.ARCHIVE, kind=HANDOFF)
    named = handoff.read(archive, terms)
    registry = images.Registry(aws.client("ecr", terms.region), terms, images.fetch)
    pinned = [registry.pin(image) for image in named]
    task = rendering.task_definition(
        template[files.TASK_DEFINITION], {image.container: images.uri(image, terms) for image in pinned}
    )
    running = _running(aws.client("ecs", terms.region), terms)
    earlier = rollback.Earlier(aws.client("ecs", terms.region), running)
    scanned = [(image, registry.scan(image, digest)) for image in pinned for digest in image.runs]
    if waiting := _waiting(scanned, terms, earlier, since, now):
        return Wait(token={"since": since}, summary=waiting)
    change = changes.described(pinned, running, task, registry.tags)
    job.write(files.RELEASE_ARTIFACT, rendering.artifact(task, spec, images.definitions(pinned, terms)))
    found = _variables(pinned, scanned, change)
    return Success(summary=found["changes"], variables=found)


def _since(job: Job, now: float) -> float:
    """When the first job of this release came, in epoch seconds."""
    since = now if job.token is None else job.token.get("since")
    if not isinstance(since, int | float):
        found = shown(job.token)
        raise Refusal(f"The job's continuation token is {found}, which the gate did not write.", CONFIGURATION)
    return float(since)


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


def _running(ecs: ECSClient, terms: Contract) -> Mapping[str, Any] | None:
    """The task definition that runs now; None when the service is not there or has none."""
    try:
        said = ecs.describe_services(cluster=terms.cluster, services=[terms.ecs_service])
    except ecs.exceptions.ClusterNotFoundException:
        return None
    active = [service for service in said.get("services", []) if service.get("status") != "INACTIVE"]
    name = changes.live_task_definition(active[0]) if active else None
    if name is None:
        return None
    return ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]


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
    return {key: cut(value, VARIABLE_CAPS[key]) for key, value in values.items()}
