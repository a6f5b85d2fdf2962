"""Between the policy SDK and the rules: the resources that Pulumi shows, as plain `Resource`s.

The engine shows each resource's inputs before it is made, and all outputs at the end (pulumi/pulumi,
`pkg/resource/deploy/step_generator.go`). Outputs also hold what AWS wrote by itself, such as a topic's default policy,
and after a refresh they hold no contents of files (`sdk/go/common/resource/plugin/provider_plugin.go`,
`ElideAssetContents`). One process sees both, so the declared inputs are kept until the stack is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, Generic, TypeVar

from pulumi_policy import PolicyResource, ResourceValidationArgs
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from .resources import Resource, plain

S = TypeVar("S")
T = TypeVar("T")


class NotYetKnown(UnknownValueError):  # noqa: N818  what it says is not an error
    """Ends a policy that cannot judge yet: the SDK reports it as advisory, with this message."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        self.message = "; ".join(dict.fromkeys(messages))


class DeclaredInputs:
    """The inputs of each resource that the program declares, by URN, until the next run begins."""

    def __init__(self) -> None:
        self._inputs: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._judged = False

    def record(self, args: ResourceValidationArgs) -> None:
        """Keep a resource's inputs; the first one after a stack was judged begins a new run."""
        if self._judged:
            self._inputs.clear()
            self._judged = False
        self._inputs[args.urn] = cache(partial(plain_of, args.props))

    def of(self, urn: str) -> Callable[[], Mapping[str, Any]] | None:
        """Reads the declared inputs; None for what the program only reads, or where nobody showed it."""
        self._judged = True
        return self._inputs.get(urn)


def plain_of(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The SDK's properties as plain data."""
    found: Mapping[str, Any] = plain(properties, UnknownValueError)
    return found


def declared_resource(args: ResourceValidationArgs) -> Resource:
    """One resource as the program declares it, before it is made."""
    return Resource(type=args.resource_type, name=args.name, urn=args.urn, read_declared=partial(plain_of, args.props))


def resources_of(resources: Iterable[PolicyResource], declared: DeclaredInputs) -> list[Resource]:
    """A stack's resources as the rules read them."""
    given = list(resources)
    out = {
        id(r): Resource(
            type=r.resource_type,
            name=r.name,
            urn=r.urn,
            read=partial(plain_of, r.props),
            read_declared=declared.of(r.urn),
            read_provider=partial(plain_of, r.provider.props if r.provider else {}),
            ignored=tuple(r.opts.ignore_changes or ()),
        )
        for r in given
    }
    for r in given:
        own = out[id(r)]
        own.parent = out.get(id(r.parent)) if r.parent else None
        own.refers = _References(r.property_dependencies, out)
    return [out[id(r)] for r in given]


class _References(Mapping[str, "Sequence[Resource]"]):
    """A resource's property dependencies, as the rules' own resources."""

    def __init__(self, dependencies: Mapping[str, Sequence[PolicyResource]], known: Mapping[int, Resource]) -> None:
        self._dependencies = dependencies
        self._known = known

    def __getitem__(self, key: str) -> Sequence[Resource]:
        return [self._known[id(r)] for r in self._dependencies[key] if id(r) in self._known]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dependencies)

    def __len__(self) -> int:
        return len(self._dependencies)


class PerStack(Generic[S, T]):
    """What a pack makes of a stack, made once for all policies that are given the same resources and settings."""

    def __init__(self, make: Callable[[Sequence[PolicyResource], S], T]) -> None:
        self._make = make
        self._last: list[tuple[Sequence[PolicyResource], S, T]] = []

    def of(self, resources: Sequence[PolicyResource], settings: S) -> T:
        """The one of these resources and settings."""
        for known, with_settings, made in self._last:
            if with_settings is settings and _same(known, resources):
                return made
        if self._last and not _same(self._last[0][0], resources):
            self._last.clear()
        made = self._make(resources, settings)
        self._last.append((resources, settings, made))
        return made


def _same(known: Sequence[PolicyResource], resources: Sequence[PolicyResource]) -> bool:
    return len(known) == len(resources) and all(a is b for a, b in zip(known, resources, strict=True))
