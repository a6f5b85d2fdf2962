"""A stack's releases: its pipelines action by action, the buckets they read, and what they deploy.

Built once from a stack's resources; every rule reads this and walks no resources of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import yaml
from policy_kit.resources import UNKNOWN, Resource, by_kind

from .settings import Settings


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a pipeline; `order` is its place: (stage, run order)."""

    stage: str
    order: tuple[int, int]
    name: str
    category: str
    provider: str
    owner: str
    configuration: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def said(self, key: str) -> str:
        """A text of the configuration; empty when it is absent or unknown."""
        value = self.configuration.get(key)
        return value if isinstance(value, str) else ""

    def before(self, other: Action) -> bool:
        """Whether the action has ended when the other begins."""
        return self.order < other.order


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline with its actions in order."""

    resource: Resource
    actions: tuple[Action, ...]
    gates: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its physical name; the logical one where that is not known."""
        return self.resource.text("name") or self.resource.name

    @cached_property
    def sources(self) -> tuple[Action, ...]:
        """Where it begins."""
        return tuple(a for a in self.actions if a.category == "Source")

    @cached_property
    def approvals(self) -> tuple[Action, ...]:
        """Where a person says yes."""
        return tuple(a for a in self.actions if a.category == "Approval" and a.provider == "Manual")

    @cached_property
    def gate(self) -> tuple[Action, ...]:
        """The functions that verify: those named as gates, or the first that reads what a source brought."""
        named = tuple(a for a in self.actions if a.provider == "Lambda" and a.said("FunctionName") in self.gates)
        if named or self.gates:
            return named
        brought = {o for s in self.sources for o in s.outputs}
        reads = [a for a in self.actions if a.provider == "Lambda" and a.category == "Invoke" and brought & {*a.inputs}]
        first = min(reads, key=lambda a: a.order, default=None)
        return () if first is None else (first,)

    @cached_property
    def deployments(self) -> tuple[Action, ...]:
        """Whatever changes what runs: deploy actions of AWS, and calls of anything that is not the gate."""
        return tuple(
            a
            for a in self.actions
            if a.category == "Deploy"
            or (a.category in ("Invoke", "Compute") and a not in self.gate)
            or (a.category not in ("Source", "Approval", "Build", "Test", "Invoke", "Compute", "Deploy"))
        )


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A task definition: a resource, or the template that releases are rendered from."""

    resource: Resource
    family: str
    containers: tuple[Mapping[str, Any], ...]
    volumes: tuple[Mapping[str, Any], ...]
    modes: Mapping[str, str]
    """`networkMode`, `pidMode` and `ipcMode`."""


class Releases:
    """A stack's pipelines, buckets, task definitions and services."""

    def __init__(self, resources: Iterable[Resource], settings: Settings) -> None:
        self.settings = settings
        self.resources = list(resources)
        self.kinds = by_kind(self.resources)

    def of(self, *kinds: str) -> list[Resource]:
        """The stack's resources of these kinds."""
        return [r for kind in kinds for r in self.kinds.get(kind, ())]

    @cached_property
    def pipelines(self) -> list[Pipeline]:
        """The stack's pipelines."""
        return [
            Pipeline(resource=r, actions=tuple(_actions(r)), gates=self.settings.gates)
            for r in self.of("codepipeline.Pipeline")
        ]

    # ------------------------------------------------------------ buckets

    def bucket_of(self, resource: Resource, key: str = "bucket") -> Resource | None:
        """The bucket of the stack that a property names: by reference, or by its name."""
        referred = next((r for r in resource.refers.get(key, ()) if r.kind == "s3.Bucket"), None)
        return referred or self.buckets.get(resource.text(key))

    @cached_property
    def buckets(self) -> dict[str, Resource]:
        """The stack's buckets by name."""
        return {name: b for b in self.of("s3.Bucket") if (name := b.text("bucket"))}

    @cached_property
    def release_buckets(self) -> list[tuple[Resource, str, Resource | None]]:
        """(pipeline, what the bucket is and its name, the bucket where the stack holds it)."""
        out: list[tuple[Resource, str, Resource | None]] = []
        seen: set[str] = set()
        for pipeline in self.pipelines:
            names: list[tuple[str, Any, str]] = [
                (f"source {a.name}", a.configuration.get("S3Bucket"), "stages")
                for a in pipeline.sources
                if a.provider == "S3"
            ]
            names += [
                ("artifact store", s.get("location"), "artifactStores")
                for s in pipeline.resource.objects("artifactStores")
            ]
            for what, name, key in names:
                if isinstance(name, str):
                    if name not in seen:
                        seen.add(name)
                        out.append((pipeline.resource, f"{what} {name}", self.buckets.get(name)))
                elif name is UNKNOWN:
                    for bucket in pipeline.resource.refers.get(key, ()):
                        if bucket.kind == "s3.Bucket" and bucket.urn not in seen:
                            seen.add(bucket.urn)
                            out.append((pipeline.resource, f"{what} {bucket.name}", bucket))
        return out

    def settings_of_bucket(self, kind: str, bucket: Resource) -> list[Resource]:
        """The resources of one kind that configure a bucket."""
        return self._by_bucket.get((kind, id(bucket)), [])

    @cached_property
    def _by_bucket(self) -> dict[tuple[str, int], list[Resource]]:
        out: dict[tuple[str, int], list[Resource]] = {}
        for kind in (
            "s3.BucketVersioning",
            "s3.BucketPublicAccessBlock",
            "s3.BucketServerSideEncryptionConfiguration",
            "s3.BucketOwnershipControls",
        ):
            for resource in self.of(kind):
                bucket = self.bucket_of(resource)
                if bucket is not None:
                    out.setdefault((kind, id(bucket)), []).append(resource)
        return out

    # ------------------------------------------------------------ what runs

    @cached_property
    def revisions(self) -> list[Revision]:
        """Every task definition that the stack holds, templates among its objects included."""
        out = [
            Revision(
                resource=r,
                family=r.text("family"),
                containers=_objects(_json(r.text("containerDefinitions"))),
                volumes=tuple(r.objects("volumes")),
                modes={k: r.text(k) for k in ("networkMode", "pidMode", "ipcMode")},
            )
            for r in self.of("ecs.TaskDefinition")
        ]
        for resource in self.of("s3.BucketObject"):
            for text in _members(resource):
                value = _json(text) if '"containerDefinitions"' in text else None
                if isinstance(value, Mapping):
                    out.append(
                        Revision(
                            resource=resource,
                            family=str(value.get("family", "")),
                            containers=_objects(value.get("containerDefinitions")),
                            volumes=_objects(value.get("volumes")),
                            modes={k: str(value.get(k) or "") for k in ("networkMode", "pidMode", "ipcMode")},
                        ),
                    )
        return out

    @cached_property
    def appspecs(self) -> list[tuple[Resource, Mapping[str, Any] | None]]:
        """(object, AppSpec) of each template that the stack writes; None for one that is not YAML."""
        out: list[tuple[Resource, Mapping[str, Any] | None]] = []
        for resource in self.of("s3.BucketObject"):
            out += [(resource, _yaml(t)) for t in _members(resource) if "AWS::ECS::Service" in t]
        return out

    @cached_property
    def blue_green(self) -> set[int]:
        """`id()` of the listeners that deployment groups shift."""
        out: set[int] = set()
        by_arn = {a: r for r in self.of("lb.Listener") if (a := r.text("arn"))}
        for group in self.of("codedeploy.DeploymentGroup"):
            out |= {id(r) for r in group.refers.get("loadBalancerInfo", ()) if r.kind == "lb.Listener"}
            out |= {id(by_arn[a]) for a in _texts(group.props.get("loadBalancerInfo")) if a in by_arn}
        return out


def _actions(pipeline: Resource) -> Iterator[Action]:
    for number, stage in enumerate(pipeline.objects("stages")):
        actions = stage.get("actions")
        for action in actions if isinstance(actions, list) else []:
            if not isinstance(action, Mapping):
                continue
            configuration = action.get("configuration")
            order = action.get("runOrder")
            yield Action(
                stage=str(stage.get("name", "")),
                order=(number, int(order) if isinstance(order, int | float) else 1),
                name=str(action.get("name", "")),
                category=str(action.get("category", "")),
                provider=str(action.get("provider", "")),
                owner=str(action.get("owner", "")),
                configuration=configuration if isinstance(configuration, Mapping) else {},
                inputs=_names(action.get("inputArtifacts")),
                outputs=_names(action.get("outputArtifacts")),
            )


def _names(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _members(resource: Resource) -> Iterator[str]:
    """Texts that an object of a bucket holds: itself, or its archive's members."""
    if resource.text("content"):
        yield resource.text("content")
    source = resource.props.get("source")
    assets = source.get("assets") if isinstance(source, Mapping) else None
    for asset in (source, *(assets.values() if isinstance(assets, Mapping) else ())):
        if isinstance(asset, Mapping) and isinstance(asset.get("text"), str):
            yield asset["text"]


@lru_cache(maxsize=1024)
def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _yaml(text: str) -> Mapping[str, Any] | None:
    try:
        value = yaml.load(text, Loader=_LOADER)  # noqa: S506 the C variant of the safe loader
    except yaml.YAMLError:
        return None
    return value if isinstance(value, dict) else None


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, list) else ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
