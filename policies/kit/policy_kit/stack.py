"""A stack's resources by kind, and what a release system declares in them: pipelines, task definitions, AppSpecs.

Built once from a stack's resources; a pack's rules read it and walk no resources of their own. Sources: CodePipeline
user guide, "Pipeline structure reference"; Amazon ECS API reference, RegisterTaskDefinition; CodeDeploy user guide,
"AppSpec file structure for Amazon ECS deployments".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .resources import Resource, by_kind, decoded, objects_in, texts_in


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a pipeline; `order` is its place: (stage, run order)."""

    stage: str = ""
    order: tuple[int, int] = (0, 1)
    name: str = ""
    category: str = ""
    provider: str = ""
    owner: str = ""
    role: Any = None
    """ARN of the action's own role, as the program writes it; None for the pipeline's."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def text(self, key: str) -> str:
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

    @property
    def name(self) -> str:
        """Its physical name; the logical one where that is not known."""
        return self.resource.text("name") or self.resource.name

    @property
    def stores(self) -> tuple[Mapping[str, Any], ...]:
        """Its artifact stores."""
        return self.resource.objects("artifactStores")


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A task definition: one of the stack's resources, or the template that releases are rendered from."""

    resource: Resource
    document: Mapping[str, Any]
    """As ECS has it: `family`, `taskRoleArn`, `networkMode`, ..."""
    template: bool

    @property
    def family(self) -> str:
        """Its family; empty when it is absent or unknown."""
        value = self.document.get("family")
        return value if isinstance(value, str) else ""

    @cached_property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        """Its container definitions."""
        return objects_in(decoded(self.document.get("containerDefinitions")))


class Stack:
    """A stack's resources."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = list(resources)
        self._kinds = by_kind(self.resources)

    def of(self, *kinds: str) -> list[Resource]:
        """The stack's resources of these kinds."""
        return [r for kind in kinds for r in self._kinds.get(kind, ())]

    @cached_property
    def pipelines(self) -> list[Pipeline]:
        """The stack's pipelines."""
        return [Pipeline(resource=r, actions=tuple(_actions(r))) for r in self.of("codepipeline.Pipeline")]

    @cached_property
    def task_definitions(self) -> list[TaskDefinition]:
        """Every task definition that the stack holds, templates among its objects included."""
        out = [TaskDefinition(resource=r, document=r.props, template=False) for r in self.of("ecs.TaskDefinition")]
        for resource, text in self._object_texts:
            document = decoded(text) if '"containerDefinitions"' in text else None
            if isinstance(document, Mapping):
                out.append(TaskDefinition(resource=resource, document=document, template=True))
        return out

    @cached_property
    def appspec_texts(self) -> list[tuple[Resource, str]]:
        """(object, text) of each AppSpec that the stack writes."""
        return [(resource, text) for resource, text in self._object_texts if "AWS::ECS::Service" in text]

    @cached_property
    def _object_texts(self) -> list[tuple[Resource, str]]:
        """(object of a bucket, text) of all that it holds: itself, or its archive's members."""
        out = []
        for resource in self.of("s3.BucketObject"):
            source = resource.props.get("source")
            assets = source.get("assets") if isinstance(source, Mapping) else None
            members = (source, *(assets.values() if isinstance(assets, Mapping) else ()))
            texts = [resource.text("content"), *(m.get("text") for m in members if isinstance(m, Mapping))]
            out += [(resource, text) for text in texts if isinstance(text, str) and text]
        return out

    def bucket_of(self, resource: Resource, key: str = "bucket") -> Resource | None:
        """The bucket of the stack that a property names: by reference, or by its name."""
        referred = next((r for r in resource.refers.get(key, ()) if r.kind == "s3.Bucket"), None)
        return referred or self.buckets.get(resource.text(key))

    @cached_property
    def buckets(self) -> dict[str, Resource]:
        """The stack's buckets by name."""
        return {name: b for b in self.of("s3.Bucket") if (name := b.text("bucket"))}

    def rule_of(self, target: Resource) -> Resource | None:
        """The event rule of a target, where the stack holds it."""
        referred = next((r for r in target.refers.get("rule", ()) if r.kind == "cloudwatch.EventRule"), None)
        return referred or self._rules.get(target.text("rule"))

    @cached_property
    def _rules(self) -> dict[str, Resource]:
        return {name: r for r in self.of("cloudwatch.EventRule") if (name := r.text("name"))}


def _actions(pipeline: Resource) -> Iterator[Action]:
    for number, stage in enumerate(pipeline.objects("stages")):
        for action in objects_in(stage.get("actions")):
            configuration, order = action.get("configuration"), action.get("runOrder")
            yield Action(
                stage=str(stage.get("name", "")),
                order=(number, int(order) if isinstance(order, int | float) else 1),
                name=str(action.get("name", "")),
                category=str(action.get("category", "")),
                provider=str(action.get("provider", "")),
                owner=str(action.get("owner", "")),
                role=action.get("roleArn"),
                configuration=configuration if isinstance(configuration, Mapping) else {},
                inputs=texts_in(action.get("inputArtifacts")),
                outputs=texts_in(action.get("outputArtifacts")),
            )
