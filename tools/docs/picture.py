"""Diagram of the release flow, drawn from the resources of a rehearsed stack."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_rehearsal import Rehearsal, Resource

from contract import tags


def flow(rehearsal: Rehearsal) -> str:
    """A Mermaid flow chart of one blue/green pipeline of the stack, with what feeds it and what it deploys."""
    pipelines = rehearsal.all("aws:codepipeline/pipeline:Pipeline")
    pipeline = next(p for p in pipelines if p.inputs["stages"][-1]["actions"][0]["provider"] == "CodeDeployToECS")
    service = str(pipeline.inputs["name"]).partition("-")[2]
    return "\n".join(["```mermaid", "flowchart LR", *_lines(rehearsal, pipeline, service), "```"])


def _lines(rehearsal: Rehearsal, pipeline: Resource, service: str) -> Iterator[str]:
    roles = [r for r in _of(rehearsal, "aws:iam/role:Role", service) if _purpose(r) == "ci"]
    repositories = [
        r for r in rehearsal.all("aws:ecr/repository:Repository") if f"/{service}/" in str(r.inputs["name"])
    ]
    yield '  subgraph CI ["CI: may push and hand over, nothing else"]'
    for role in roles:
        yield f'    {_id(role)}(["{role.inputs["name"]}"])'
    yield "  end"
    yield '  subgraph ECR ["ECR"]'
    for repository in repositories:
        yield f'    {_id(repository)}[("{repository.inputs["name"]}")]'
    yield "  end"
    rule = next(r for r in rehearsal.all("aws:cloudwatch/eventRule:EventRule") if r.name == f"{service}-handoff")
    stages = pipeline.inputs["stages"]
    source = stages[0]["actions"][0]["configuration"]
    yield f'  handoff[("s3://{source["S3Bucket"]}/{source["S3ObjectKey"]}")]'
    yield "  CI -- push --> ECR"
    yield "  CI -- put --> handoff"
    yield f'  handoff -- "{_what_it_matches(rule)}" --> {_id(rule)}{{{{"rule {rule.inputs["name"]}"}}}}'
    yield f'  subgraph CD ["pipeline {pipeline.inputs["name"]}"]'
    names = [f"{stage['name']}_stage" for stage in stages]
    for name, stage in zip(names, stages, strict=True):
        providers = "<br/>".join(f"{a['name']}: {a['provider']}" for a in stage["actions"])
        yield f'    {name}["<b>{stage["name"]}</b><br/>{providers}"]'
    yield f"    {' --> '.join(names)}"
    yield "  end"
    yield f"  {_id(rule)} --> {names[0]}"
    for running in rehearsal.all("aws:ecs/service:Service"):
        if running.inputs["name"] == pipeline.inputs["name"]:
            yield f'  {names[-1]} --> running["ECS service {running.inputs["name"]}"]'


def _of(rehearsal: Rehearsal, kind: str, service: str) -> list[Resource]:
    return [r for r in rehearsal.all(kind) if (r.inputs.get("tags") or {}).get(tags.SERVICE) == service]


def _purpose(role: Resource) -> str:
    return str(role.inputs["tags"][tags.PURPOSE])


def _what_it_matches(rule: Resource) -> str:
    return str(json.loads(rule.inputs["eventPattern"])["detail-type"][0])


def _id(resource: Resource) -> str:
    kind = resource.type.rpartition(":")[2]
    return f"{kind}_{resource.name}".replace("-", "_")
