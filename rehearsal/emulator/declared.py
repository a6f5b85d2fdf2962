"""What a stack declares of its releases, read from a rehearsal of the whole program: nothing here is made up."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulumi_rehearsal import Archive, Asset, Rehearsal, Resource, unwrapped

from contract import files, partition
from contract import tags as contract_tags
from contract.release import Contract, InvalidReleaseError

from .errors import NotDeclaredError


@dataclass(frozen=True, kw_only=True)
class Role:
    """An IAM role with the texts of its documents; `label` is its name without environment and service."""

    arn: str
    name: str
    purpose: str
    label: str
    trust: str
    documents: tuple[str, ...]
    boundary: str | None


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function."""

    name: str
    arn: str
    handler: str
    environment: Mapping[str, str]
    timeout: int
    role: str
    in_vpc: bool


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target of a rule; `paths` and `template` are its input transformer, where it has one."""

    arn: str
    role: str | None
    paths: Mapping[str, str]
    template: str | None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An EventBridge rule, by pattern or by schedule."""

    name: str
    arn: str
    pattern: Mapping[str, Any] | None
    schedule: str | None
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a pipeline; `role` is None where the pipeline's own role acts."""

    stage: str
    name: str
    category: str
    provider: str
    namespace: str
    role: str | None
    configuration: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline: its actions stage by stage."""

    name: str
    arn: str
    role: str
    artifact_bucket: str
    stages: Mapping[str, tuple[Action, ...]]

    def actions(self) -> Iterator[Action]:
        """Every action, in order."""
        for actions in self.stages.values():
            yield from actions

    def approves(self) -> bool:
        """Whether a person has to approve."""
        return any(a.category == "Approval" for a in self.actions())


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A listener of a load balancer, with the target group that it forwards to."""

    arn: str
    host: str
    port: int
    tls: bool
    target_group: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: its release contract, its pipeline, what ECS and CodeDeploy are given of it."""

    name: str
    contract: Contract
    """`release.json` of its template."""
    template: bytes
    template_at: tuple[str, str]
    """Bucket and key."""
    handoff_at: tuple[str, str]
    pipeline: Pipeline
    ecs: Mapping[str, Any]
    """Inputs of the ECS service."""
    first_revision: Mapping[str, Any]
    """Inputs of the first task definition."""
    scaling: Mapping[str, Any]
    """Inputs of the scalable target."""
    group: Mapping[str, Any] | None
    """Inputs of CodeDeploy's deployment group, where CodeDeploy deploys it."""

    @property
    def strategy(self) -> str:
        """Name of its deployment strategy."""
        return self.contract.strategy

    @property
    def base(self) -> str:
        """Name of its ECS service."""
        return self.contract.ecs_service

    @property
    def cluster(self) -> str:
        """Name of its cluster."""
        return self.contract.cluster


class Declared:
    """A rehearsed stack (mode `up`) as a release meets it.

    Raises:
        NotDeclaredError: when something is missing without which no release runs.
    """

    def __init__(self, run: Rehearsal) -> None:
        self.run = run
        pipeline = next(iter(self._all("aws:codepipeline/pipeline:Pipeline")), None)
        if pipeline is None:
            raise NotDeclaredError(f"Stack {run.stack} declares no pipeline; add a service to Pulumi.{run.stack}.yaml.")
        _, _, _, self.region, self.account, _ = str(pipeline.outputs["arn"]).split(":", 5)
        self.environment = str(pipeline.inputs["tagsAll"][contract_tags.ENVIRONMENT])

    def _all(self, type_token: str) -> list[Resource]:
        return self.run.all(type_token)

    def inputs(self, type_token: str) -> list[dict[str, Any]]:
        """The inputs of every resource of a type, secrets unwrapped."""
        return [_inputs(r) for r in self._all(type_token)]

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the stack's account and region."""
        return partition.arn(service, self.region, self.account, resource)

    # ------------------------------------------------------------ identities

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Every role, by ARN."""
        boundaries = {str(r.outputs["arn"]): str(_inputs(r)["policy"]) for r in self._all("aws:iam/policy:Policy")}
        policies = self.inputs("aws:iam/rolePolicy:RolePolicy")
        out = {}
        for resource in self._all("aws:iam/role:Role"):
            given = _inputs(resource)
            name, tags = given["name"], given.get("tagsAll") or given.get("tags") or {}
            service = tags.get(contract_tags.SERVICE, "")
            label = name.removeprefix(f"{self.environment}-").removeprefix(f"{service}-" if service else "")
            boundary = given.get("permissionsBoundary")
            out[str(resource.outputs["arn"])] = Role(
                arn=str(resource.outputs["arn"]),
                name=name,
                purpose=tags.get(contract_tags.PURPOSE, ""),
                label=label,
                trust=given["assumeRolePolicy"],
                documents=tuple(p["policy"] for p in policies if p["role"] == name),
                boundary=boundaries[boundary] if boundary else None,
            )
        return out

    # ------------------------------------------------------------ what runs on events

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Every function, by ARN."""
        out = {}
        for resource in self._all("aws:lambda/function:Function"):
            given = _inputs(resource)
            out[str(resource.outputs["arn"])] = Function(
                name=given["name"],
                arn=str(resource.outputs["arn"]),
                handler=given["handler"],
                environment=(given.get("environment") or {}).get("variables", {}),
                timeout=int(given.get("timeout", 3)),
                role=given["role"],
                in_vpc="vpcConfig" in given,
            )
        return out

    def function_named(self, name: str) -> Function:
        """The function of that name.

        Raises:
            NotDeclaredError: the stack has none of that name.
        """
        found = [f for f in self.functions.values() if f.name == name]
        if not found:
            has = ", ".join(sorted(f.name for f in self.functions.values()))
            raise NotDeclaredError(f"The function {name} is called and not declared; the stack declares {has}.")
        return found[0]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of EventBridge with its targets."""
        targets = self.inputs("aws:cloudwatch/eventTarget:EventTarget")
        out = []
        for resource in self._all("aws:cloudwatch/eventRule:EventRule"):
            given = _inputs(resource)
            own = []
            for target in (t for t in targets if t["rule"] == given["name"]):
                transformer = target.get("inputTransformer") or {}
                own.append(
                    Target(
                        arn=target["arn"],
                        role=target.get("roleArn"),
                        paths=transformer.get("inputPaths", {}),
                        template=transformer.get("inputTemplate"),
                    )
                )
            pattern = given.get("eventPattern")
            out.append(
                Rule(
                    name=given["name"],
                    arn=str(resource.outputs["arn"]),
                    pattern=json.loads(pattern) if pattern else None,
                    schedule=given.get("scheduleExpression"),
                    targets=tuple(own),
                )
            )
        return tuple(out)

    # ------------------------------------------------------------ services

    @cached_property
    def services(self) -> dict[str, Service]:
        """Every service of the stack, by name."""
        out = {}
        for given in self.inputs("aws:s3/bucketObjectv2:BucketObjectv2"):
            if not given["key"].endswith(f"/{files.TEMPLATE_ARCHIVE}"):
                continue
            archive = given["source"]
            try:
                contract = Contract.parse(json.loads(text_of(archive, files.RELEASE)))
            except InvalidReleaseError as error:
                raise NotDeclaredError(
                    f"The template {given['key']} is not one that a release can be made by: {error}."
                ) from None
            out[contract.service] = self._service(contract, zipped(archive), (given["bucket"], given["key"]))
        return out

    def _service(self, contract: Contract, template: bytes, template_at: tuple[str, str]) -> Service:
        name, base = contract.service, contract.ecs_service
        pipeline, handoff_at = self._pipeline_of(template_at)
        ecs = _only(self.inputs("aws:ecs/service:Service"), "name", base, f"service {name}")
        family = ecs["taskDefinition"].rpartition("/")[2].partition(":")[0]  # its revision may be an earlier one
        first = _only(self.inputs("aws:ecs/taskDefinition:TaskDefinition"), "family", family, f"service {name}")
        resource_id = f"service/{contract.cluster}/{base}"
        scaling = _only(self.inputs("aws:appautoscaling/target:Target"), "resourceId", resource_id, f"service {name}")
        groups = self.inputs("aws:codedeploy/deploymentGroup:DeploymentGroup")
        group = [g for g in groups if g["ecsService"]["serviceName"] == base]
        return Service(
            name=name,
            contract=contract,
            template=template,
            template_at=template_at,
            handoff_at=handoff_at,
            pipeline=pipeline,
            ecs=ecs,
            first_revision=first,
            scaling=scaling,
            group=group[0] if group else None,
        )

    def _pipeline_of(self, template_at: tuple[str, str]) -> tuple[Pipeline, tuple[str, str]]:
        """The pipeline that takes this template, and the hand-off that it takes beside it."""
        for pipeline in self.pipelines.values():
            sources = {
                (a.configuration["S3Bucket"], a.configuration["S3ObjectKey"])
                for a in pipeline.actions()
                if a.category == "Source"
            }
            if template_at in sources:
                others = sources - {template_at}
                if len(others) != 1:
                    break
                return pipeline, others.pop()
        raise NotDeclaredError(
            f"No pipeline takes the template s3://{'/'.join(template_at)} and one hand-off as its sources."
        )

    @cached_property
    def pipelines(self) -> dict[str, Pipeline]:
        """Every pipeline, by ARN."""
        out = {}
        for resource in self._all("aws:codepipeline/pipeline:Pipeline"):
            given = _inputs(resource)
            stages = {s["name"]: tuple(_action(s["name"], a) for a in s["actions"]) for s in given["stages"]}
            out[str(resource.outputs["arn"])] = Pipeline(
                name=given["name"],
                arn=str(resource.outputs["arn"]),
                role=given["roleArn"],
                artifact_bucket=given["artifactStores"][0]["location"],
                stages=stages,
            )
        return out

    @cached_property
    def listeners(self) -> dict[str, Listener]:
        """The listeners that forward to a target group, by ARN."""
        hosts = {
            str(r.outputs["arn"]): str(r.outputs["dnsName"]) for r in self._all("aws:lb/loadBalancer:LoadBalancer")
        }
        out = {}
        for resource in self._all("aws:lb/listener:Listener"):
            given = _inputs(resource)
            forwards = [a["targetGroupArn"] for a in given["defaultActions"] if a.get("targetGroupArn")]
            if forwards:
                arn = str(resource.outputs["arn"])
                out[arn] = Listener(
                    arn=arn,
                    host=hosts[given["loadBalancerArn"]],
                    port=int(given["port"]),
                    tls=given["protocol"] == "HTTPS",
                    target_group=forwards[0],
                )
        return out

    @cached_property
    def target_groups(self) -> dict[str, str]:
        """Target groups: ARN to name."""
        return {str(r.outputs["arn"]): str(_inputs(r)["name"]) for r in self._all("aws:lb/targetGroup:TargetGroup")}


def _action(stage: str, given: Mapping[str, Any]) -> Action:
    return Action(
        stage=stage,
        name=given["name"],
        category=given["category"],
        provider=given["provider"],
        namespace=given.get("namespace", ""),
        role=given.get("roleArn"),
        configuration=given.get("configuration", {}),
        inputs=tuple(given.get("inputArtifacts", ())),
        outputs=tuple(given.get("outputArtifacts", ())),
    )


def _only(found: list[dict[str, Any]], key: str, value: str, whose: str) -> dict[str, Any]:
    same = [one for one in found if one.get(key) == value]
    if len(same) != 1:
        raise NotDeclaredError(f"The stack declares {len(same)} resources with the {key} {value} for {whose}, not one.")
    return same[0]


def _inputs(resource: Resource) -> dict[str, Any]:
    """What the program gave a resource: secrets unwrapped, nothing that is None."""
    given: dict[str, Any] = unwrapped(resource.inputs, nulls=False)
    return given


def text_of(archive: Archive, member: str) -> str:
    """The text of one member of an archive that the program put together."""
    asset = (archive.assets or {})[member]
    if not isinstance(asset, Asset) or asset.text is None:
        raise NotDeclaredError(f"The template's {member} is not given as text.")
    return asset.text


def zipped(archive: Archive) -> bytes:
    """The archive as the provider would upload it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for member in sorted(archive.assets or {}):
            out.writestr(member, text_of(archive, member))
    return buffer.getvalue()
