"""A stack's releases: its pipelines action by action, the buckets they read, and what they deploy.

Built once from a stack's resources; every rule reads this and walks no resources of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import yaml
from policy_kit.resources import UNKNOWN, Resource, every_text
from policy_kit.stack import Action, Pipeline, Stack

from .settings import Settings


@dataclass(frozen=True, kw_only=True)
class ReleasePipeline(Pipeline):
    """A pipeline with its sources, gate, approvals and deployments."""

    gates: tuple[str, ...]

    @cached_property
    def sources(self) -> tuple[Action, ...]:
        """Its source actions."""
        return tuple(a for a in self.actions if a.category == "Source")

    @cached_property
    def approvals(self) -> tuple[Action, ...]:
        """Its manual approvals."""
        return tuple(a for a in self.actions if a.category == "Approval" and a.provider == "Manual")

    @cached_property
    def gate(self) -> tuple[Action, ...]:
        """The functions that verify: those named as gates, or the first that reads what a source brought."""
        named = tuple(a for a in self.actions if a.provider == "Lambda" and a.text("FunctionName") in self.gates)
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


class Releases(Stack):
    """A stack's releases: its pipelines, the buckets they read, and what they deploy."""

    def __init__(self, resources: Iterable[Resource], settings: Settings) -> None:
        super().__init__(resources)
        self.settings = settings

    @cached_property
    def release_pipelines(self) -> list[ReleasePipeline]:
        """The stack's pipelines with their sources, gates, approvals and deployments."""
        return [
            ReleasePipeline(resource=p.resource, actions=p.actions, gates=self.settings.gates) for p in self.pipelines
        ]

    # ------------------------------------------------------------ buckets

    @cached_property
    def release_buckets(self) -> list[tuple[Resource, str, Resource | None]]:
        """(pipeline, what the bucket is and its name, the bucket where the stack holds it)."""
        out: list[tuple[Resource, str, Resource | None]] = []
        seen: set[str] = set()
        for pipeline in self.release_pipelines:
            names: list[tuple[str, Any, str]] = [
                (f"source {a.name}", a.configuration.get("S3Bucket"), "stages")
                for a in pipeline.sources
                if a.provider == "S3"
            ]
            names += [("artifact store", s.get("location"), "artifactStores") for s in pipeline.stores]
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
    def appspecs(self) -> list[tuple[Resource, Mapping[str, Any] | None]]:
        """(object, AppSpec) of each template that the stack writes; None for one that is not YAML."""
        return [(resource, _yaml(text)) for resource, text in self.appspec_texts]

    @cached_property
    def blue_green(self) -> set[int]:
        """`id()` of the listeners that deployment groups shift."""
        out: set[int] = set()
        by_arn = {a: r for r in self.of("lb.Listener") if (a := r.text("arn"))}
        for group in self.of("codedeploy.DeploymentGroup"):
            out |= {id(r) for r in group.refers.get("loadBalancerInfo", ()) if r.kind == "lb.Listener"}
            out |= {id(by_arn[a]) for a in every_text(group.props.get("loadBalancerInfo")) if a in by_arn}
        return out


@lru_cache(maxsize=1024)
def _yaml(text: str) -> Mapping[str, Any] | None:
    try:
        value = yaml.load(text, Loader=_LOADER)  # noqa: S506 the C variant of the safe loader
    except yaml.YAMLError:
        return None
    return value if isinstance(value, dict) else None


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
