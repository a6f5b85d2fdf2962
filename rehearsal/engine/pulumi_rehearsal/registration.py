"""One registered resource while a program runs: what the engine keeps of it, in wire form."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulumi.runtime.proto import analyzer_pb2

from . import wire
from .model import UNKNOWN, CustomTimeouts, Options, Resource, SourceLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi.runtime.proto import alias_pb2, resource_pb2

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


@dataclass(kw_only=True)
class Registration:
    """A resource from its registration on; `inputs` and `outputs` change as policies and the program say."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    remote: bool = False
    read: bool = False
    id: str | None = None
    """Wire form: the unknown sentinel where it is not known yet; None for components."""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    provider: Registration | None = None
    providers: dict[str, str] = field(default_factory=dict)
    """Of a component: the provider URNs that its children inherit, by package."""
    source: tuple[SourceLine, ...] = ()
    order: tuple[int, int] = (0, 0)
    """As which the program made it. The order in which the SDK registers differs from run to run."""

    @functools.cached_property
    def options_proto(self) -> analyzer_pb2.AnalyzerResourceOptions:
        """The options as the engine sends them to an analyzer; custom timeouts are always there."""
        options = self.options
        timeouts = options.custom_timeouts
        return analyzer_pb2.AnalyzerResourceOptions(
            protect=options.protect,
            ignoreChanges=options.ignore_changes,
            deleteBeforeReplace=bool(options.delete_before_replace),
            deleteBeforeReplaceDefined=options.delete_before_replace is not None,
            additionalSecretOutputs=options.additional_secret_outputs,
            aliases=options.aliases,
            customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
                create=timeouts.create, update=timeouts.update, delete=timeouts.delete
            ),
            parent=self.parent,
        )

    @functools.cached_property
    def provider_proto(self) -> analyzer_pb2.AnalyzerProviderResource:
        """This resource, a provider, as the engine describes it beside the resources that use it."""
        return analyzer_pb2.AnalyzerProviderResource(
            type=self.type,
            urn=self.urn,
            name=self.name,
            properties=wire.struct_of(wire.without_internal(self.inputs)),
        )

    def request(self, *, internal: bool) -> analyzer_pb2.AnalyzeRequest:
        """What Analyze gets, or, with the provider's internal keys, Remediate."""
        return analyzer_pb2.AnalyzeRequest(
            type=self.type,
            urn=self.urn,
            name=self.name,
            properties=wire.struct_of(self.inputs if internal else wire.without_internal(self.inputs)),
            options=self.options_proto,
            provider=None if self.provider is None else self.provider.provider_proto,
        )

    def stack_resource(self) -> analyzer_pb2.AnalyzerResource:
        """What AnalyzeStack gets: outputs, and how the resource hangs together with the others."""
        return analyzer_pb2.AnalyzerResource(
            type=self.type,
            urn=self.urn,
            name=self.name,
            properties=wire.struct_of(wire.without_internal(self.outputs)),
            options=self.options_proto,
            provider=None if self.provider is None else self.provider.provider_proto,
            parent=self.parent,
            dependencies=self.dependencies,
            propertyDependencies={
                key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                for key, urns in self.property_dependencies.items()
                if urns
            },
        )

    def recorded(self) -> Resource:
        """The resource as plain data."""
        return Resource(
            urn=self.urn,
            type=self.type,
            name=self.name,
            parent=self.parent,
            custom=self.custom,
            remote=self.remote,
            read=self.read,
            id=None if self.id is None else UNKNOWN if self.id in ("", wire.UNKNOWN_WIRE) else self.id,
            inputs=wire.plain_of(self.inputs),
            outputs=wire.plain_of(self.outputs),
            options=self.options,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            provider="" if self.provider is None else self.provider.urn,
            source=self.source,
        )


def qualified_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN that the engine makes: the type is qualified by all parents but the stack."""
    parent_type = parent.split("::", 3)[2] if parent else ""
    qualified = type_ if parent_type in ("", STACK_TYPE) else f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def options_of(request: resource_pb2.RegisterResourceRequest, urn: str, parent_aliases: Sequence[str]) -> Options:
    """The options of a registration request, aliases resolved to URNs."""
    hooks = request.hooks
    timeouts = request.customTimeouts
    return Options(
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=alias_urns(request.aliases, request.aliasURNs, urn, request.parent, parent_aliases),
        custom_timeouts=CustomTimeouts(
            create=seconds(timeouts.create), update=seconds(timeouts.update), delete=seconds(timeouts.delete)
        )
        if request.HasField("customTimeouts")
        else _NO_TIMEOUTS,
        replace_on_changes=tuple(request.replaceOnChanges),
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        import_id=request.importId,
        version=request.version,
        hooks=tuple(f"{kind}: {name}" for kind in _HOOKS for name in getattr(hooks, kind))
        if request.HasField("hooks")
        else (),
    )


_NO_TIMEOUTS = CustomTimeouts()
_HOOKS = (
    "before_create",
    "after_create",
    "before_update",
    "after_update",
    "before_delete",
    "after_delete",
    "on_error",
)


def alias_urns(
    aliases: Sequence[alias_pb2.Alias],
    urns: Sequence[str],
    urn: str,
    parent: str,
    parent_aliases: Sequence[str],
) -> tuple[str, ...]:
    """The URNs that a resource may have had: those of its own aliases, and those of its parent's."""
    if not (aliases or urns or parent_aliases):
        return ()
    prefix, project, qualified, name = urn.split("::", 3)
    stack = prefix.removeprefix("urn:pulumi:")
    type_ = qualified.rsplit("$", 1)[-1]
    own: list[tuple[str, str, str]] = []
    result: list[str] = []
    for alias in aliases:
        if alias.WhichOneof("alias") == "urn":
            result.append(alias.urn)
            continue
        spec = alias.spec
        alias_parent = "" if spec.noParent else (spec.parentUrn or parent)
        result.append(
            qualified_urn(
                spec.stack or stack, spec.project or project, alias_parent, spec.type or type_, spec.name or name
            )
        )
        if not spec.parentUrn and not spec.noParent:
            own.append((spec.stack or stack, spec.type or type_, spec.name or name))
    result.extend(urns)
    parent_name = parent.rsplit("::", 1)[-1]
    for parent_alias in parent_aliases:
        # A child named after its parent was named after the parent's old name as well.
        old_parent_name = parent_alias.rsplit("::", 1)[-1]
        for alias_stack, alias_type, alias_name in [(stack, type_, name), *own]:
            old = alias_name
            if alias_name.startswith(parent_name):
                old = old_parent_name + alias_name[len(parent_name) :]
            result.append(qualified_urn(alias_stack, project, parent_alias, alias_type, old))
    return tuple(dict.fromkeys(result))


_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """A duration of the engine's form (`90s`, `1h30m`) in seconds; 0 where there is none.

    Raises:
        ValueError: it is not a duration.
    """
    if not duration:
        return 0
    total, rest = 0.0, 0
    for part in _DURATION.finditer(duration):
        if part.start() != rest:
            break
        total += float(part[1]) * _UNITS[part[2]]
        rest = part.end()
    if rest != len(duration):
        raise ValueError(f"custom timeout {duration!r} is not a duration; write 90s, 10m or 1h30m")
    return total
