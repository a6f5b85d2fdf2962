"""Rules on pipelines: what starts a release, what checks it, who approves it.

Sources: CodePipeline user guide, "Pipeline structure reference" and the action references; EventBridge user guide,
"Event patterns"; CloudTrail user guide, "Validating log files".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_kit.findings import Finding, Unknown, Verdict
from policy_kit.resources import UNKNOWN

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .releases import ReleasePipeline, Releases

_WRITES: Final = frozenset({"PutObject", "CompleteMultipartUpload", "CopyObject", "PostObject"})
_POLLED: Final = {("AWS", "S3"), ("AWS", "CodeCommit"), ("ThirdParty", "GitHub")}


def production_releases_are_approved(releases: Releases) -> Iterator[Verdict]:
    """An approval before every deployment in production, and none elsewhere."""
    for pipeline in releases.release_pipelines:
        if not pipeline.deployments:
            continue
        if not releases.settings.production(pipeline.resource):
            for approval in pipeline.approvals:
                yield Finding(
                    resource=pipeline.resource,
                    found=f"the pipeline {pipeline.name} waits for approval in {approval.stage}, outside production",
                    why="Approval is for production alone; elsewhere it trains people to approve without looking.",
                    remedy="Set approval: none in this stack, or mark it production: true.",
                )
            continue
        for deployment in pipeline.deployments:
            if not any(a.before(deployment) for a in pipeline.approvals):
                yield Finding(
                    resource=pipeline.resource,
                    found=f"the pipeline {pipeline.name} reaches {deployment.stage}/{deployment.name} in production "
                    "without an approval before it",
                    why="In production a person sees what the gate saw before anything changes.",
                    remedy="Set approval: required in this stack: a stage with a Manual approval action between the "
                    "gate and the deployment.",
                )


def every_deployment_passes_the_gate(releases: Releases) -> Iterator[Verdict]:
    """A gate before each deployment, and deployments that take the gate's output artifact and nothing else."""
    why = "Without the gate a deployment takes images that nobody checked, or a task definition that CI wrote."
    remedy = "Call the release gate in a stage before the deployment, and give the deployment the gate's artifact only."
    for pipeline in releases.release_pipelines:
        given = {o for g in pipeline.gate for o in g.outputs}
        for deployment in pipeline.deployments:
            gates = [g for g in pipeline.gate if g.before(deployment)]
            where = f"the pipeline {pipeline.name} deploys in {deployment.stage}/{deployment.name}"
            if not gates:
                yield Finding(
                    resource=pipeline.resource, found=f"{where} with no gate before it", why=why, remedy=remedy
                )
                continue
            foreign = sorted({*deployment.inputs} - given)
            if foreign:
                yield Finding(
                    resource=pipeline.resource,
                    found=f"{where} from the artifact {', '.join(foreign)}, which is not an output of the gate",
                    why=why,
                    remedy=remedy,
                )


def sources_are_never_polled(releases: Releases) -> Iterator[Verdict]:
    """Sources with PollForSourceChanges absent or true."""
    for pipeline in releases.release_pipelines:
        for source in pipeline.sources:
            if (source.owner or "AWS", source.provider) not in _POLLED:
                continue
            stated = source.configuration.get("PollForSourceChanges")
            if stated is UNKNOWN:
                yield Unknown(resource=pipeline.resource, what=f"PollForSourceChanges of {source.name}")
            elif str(stated).lower() != "false":
                yield Finding(
                    resource=pipeline.resource,
                    found=f"the source {source.name} of the pipeline {pipeline.name} is polled "
                    f"(PollForSourceChanges {'is absent' if stated is None else f'is {stated}'})",
                    why="A polled source starts a second release beside the event's, and does so minutes late.",
                    remedy='Set PollForSourceChanges to "false" and start the pipeline by an event rule.',
                )


# ---------------------------------------------------------------- what starts a pipeline


def pipelines_start_from_their_own_key(releases: Releases) -> Iterator[Verdict]:
    """Event rules and schedules that start a pipeline from something else than its own hand-off."""
    by_arn = {a: p for p in releases.release_pipelines if (a := p.resource.text("arn"))}
    by_id = {id(p.resource): p for p in releases.release_pipelines}
    by_name = {p.resource.text("name"): p for p in releases.release_pipelines}
    started: dict[int, list[str]] = {}
    for target in releases.of("cloudwatch.EventTarget"):
        pipeline = next((by_id[id(r)] for r in target.refers.get("arn", ()) if id(r) in by_id), None)
        arn = target.text("arn")
        pipeline = (
            pipeline or by_arn.get(arn) or (by_name.get(arn.rsplit(":", 1)[-1]) if ":codepipeline:" in arn else None)
        )
        rule = releases.rule_of(target)
        if pipeline is None:
            if ":codepipeline:" in arn:
                yield _start(target, f"it starts the pipeline {arn}, which this stack does not declare")
            continue
        if rule is None:
            yield _start(target, f"it starts the pipeline {pipeline.name} from a rule that this stack does not declare")
            continue
        started.setdefault(id(rule), []).append(pipeline.name)
        problem = _pattern_problem(rule, pipeline)
        if problem:
            yield _start(rule, f"it starts the pipeline {pipeline.name} {problem}")
        if len(set(started[id(rule)])) > 1:
            yield _start(rule, f"it starts several pipelines: {', '.join(sorted(set(started[id(rule)])))}")
    for schedule in releases.of("scheduler.Schedule"):
        for aim in schedule.objects("target"):
            started_by_clock = aim.get("arn")
            if isinstance(started_by_clock, str) and "codepipeline:" in started_by_clock:
                yield _start(schedule, f"it starts {started_by_clock} by the clock")


def _start(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="A release begins with one hand-off of its own service, and with nothing else.",
        remedy="Match the exact bucket and key of the pipeline's own hand-off, and for CloudTrail events errorCode "
        "absent; one rule, one pipeline.",
    )


def _pattern_problem(rule: Resource, pipeline: ReleasePipeline) -> str | None:  # noqa: PLR0911  a verdict a line
    if rule.text("scheduleExpression"):
        return "by the clock"
    if rule.unknown("eventPattern"):
        return None
    try:
        pattern = json.loads(rule.text("eventPattern"))
    except ValueError:
        return "on an event pattern that is not JSON"
    if not isinstance(pattern, dict) or not isinstance(pattern.get("detail"), dict):
        return "on events of any kind"
    if pattern.get("source") != ["aws.s3"]:
        return "on events that are not S3's"
    kind, detail = pattern.get("detail-type"), pattern["detail"]
    if kind == ["AWS API Call via CloudTrail"]:
        found = _one(detail, "requestParameters", "bucketName"), _one(detail, "requestParameters", "key")
        return _call_problem(detail) or _key_problem(found, pipeline)
    if kind == ["Object Created"]:
        return _key_problem((_one(detail, "bucket", "name"), _one(detail, "object", "key")), pipeline)
    return f"on events of the type {kind}"


def _call_problem(detail: Mapping[str, Any]) -> str | None:
    if detail.get("eventSource") != ["s3.amazonaws.com"]:
        return "on API calls of any service"
    names = detail.get("eventName")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n in _WRITES for n in names):
        return f"on calls other than writes ({names})"
    if detail.get("errorCode") != [{"exists": False}]:
        return "on failed calls as well (no filter on errorCode)"
    return None


def _key_problem(found: tuple[str | None, str | None], pipeline: ReleasePipeline) -> str | None:
    own = {(a.text("S3Bucket"), a.text("S3ObjectKey")) for a in pipeline.sources if a.provider == "S3"}
    if None in found:
        return "on more than one exact bucket and key"
    return None if found in own else f"from {found[0]}/{found[1]}, which is none of its sources"


def _one(detail: Mapping[str, Any], *path: str) -> str | None:
    """The only text that the pattern takes there; None when it takes several, or matches by prefix and the like."""
    value: Any = detail
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    return None


# ---------------------------------------------------------------- trail


def one_trail_records_the_hand_offs(releases: Releases) -> Iterator[Verdict]:
    """More than one trail, and trails whose files are not validated, not written, or that see too much."""
    trails = releases.of("cloudtrail.Trail")
    for trail in trails[1:]:
        yield _trail(trail, f"it is trail number {trails.index(trail) + 1} of the stack")
    for trail in trails:
        if trail.props.get("enableLogFileValidation") is not True:
            yield _trail(trail, "its log files are not validated")
        if trail.props.get("enableLogging") is False:
            yield _trail(trail, "it is switched off")
        if trail.props.get("isMultiRegionTrail") is True and trail.objects("advancedEventSelectors"):
            yield _trail(trail, "it pays for every region, while hand-offs come in one")


def _trail(resource: Resource, found: str) -> Finding:
    return Finding(
        resource=resource,
        found=found,
        why="Five trails are all that a region has, and one that can be forged is no witness of who released what.",
        remedy="Keep one trail for all services, with enableLogFileValidation: true.",
    )
