"""What a rehearsal gives back: plain data that tests, policies' authors and reports read.

Nothing here knows how a program is run; nothing here holds a live Pulumi object.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .changes import Step

Mode = Literal["preview", "up"]
"""`preview`: what a provider computes is unknown. `up`: it is filled with well-formed values."""

Level = Literal["advisory", "mandatory", "remediate", "disabled"]
"""How much a policy weighs; a violation is only ever reported as advisory or mandatory."""


@final
class _Unknown:
    """The one value that stands for what only the provider can tell, once it has run."""

    _instance: _Unknown | None = None

    def __new__(cls) -> _Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> NoReturn:
        # An unknown is neither true nor false: `assert bucket.inputs["arn"]` must not pass by accident.
        raise TypeError("an unknown value is neither true nor false: compare it with `is UNKNOWN`")

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unknown:
        return self

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the program marked as secret, wherever it stands in inputs, outputs or exports."""

    value: Any

    def __repr__(self) -> str:
        return "Secret([secret])"


@dataclass(frozen=True)
class Asset:
    """A single file handed to a provider: exactly one of the three is set."""

    path: str | None = None
    text: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class Archive:
    """A collection of files handed to a provider: exactly one of the three is set."""

    path: str | None = None
    uri: str | None = None
    assets: Mapping[str, Asset | Archive] | None = None


@dataclass(frozen=True)
class CustomTimeouts:
    """How long an operation may take, in seconds; 0 means that the program did not say."""

    create: float = 0
    update: float = 0
    delete: float = 0


@dataclass(frozen=True, kw_only=True)
class Options:
    """The resource options that the engine keeps and that policies can see."""

    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: CustomTimeouts = CustomTimeouts()
    replace_on_changes: tuple[str, ...] = ()
    retain_on_delete: bool = False
    deleted_with: str = ""
    import_id: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceLine:
    """A line of the program: the file's path and the line number, from 1."""

    file: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as the engine would record it.

    `inputs` and `outputs` are plain dictionaries in the provider's names (camelCase). A value that is not
    known is `UNKNOWN`, a secret is wrapped in `Secret`, files are `Asset` or `Archive`.
    """

    urn: str
    type: str
    name: str
    parent: str
    """URN of the parent; empty for the stack itself and for default providers."""
    custom: bool
    """True for what a provider manages, False for components and the stack."""
    remote: bool = False
    """True for a component that a provider plugin constructs (awsx, for example)."""
    read: bool = False
    """True for what the program only looks up (`Type.get(...)`)."""
    id: Any = None
    """Physical id: a string, `UNKNOWN` at preview, None for components."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    options: Options
    dependencies: tuple[str, ...] = ()
    """URNs, those of depends_on and those that values came from, sorted."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    """URN of the provider resource; empty for components."""
    source: tuple[SourceLine, ...] = ()
    """Where the program made it: innermost line first."""

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}>"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What one policy said of one resource, or of the stack."""

    policy: str
    pack: str
    pack_version: str
    level: Level
    message: str
    """The policy's description, a line break, and what was found; or why the policy could not run."""
    description: str
    urn: str
    severity: str = ""
    remediation_steps: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Remediation:
    """A policy that changed a resource's inputs before they were looked at."""

    policy: str
    pack: str
    pack_version: str
    description: str
    urn: str


@dataclass(frozen=True, kw_only=True)
class NotApplicable:
    """A policy that said it has nothing to say, and why."""

    policy: str
    pack: str
    reason: str
    urn: str


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A message of the program or of the rehearsal: `info`, `warning` or `error`."""

    severity: Literal["info", "warning", "error"]
    message: str
    urn: str = ""
    traceback: str = ""
    """The program's traceback, where the error is not the user's mistake."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A policy pack that took part."""

    name: str
    version: str
    path: str
    policies: tuple[str, ...]


class LookupFailed(AssertionError):  # noqa: N818  it fails a test; nothing is wrong with the run
    """No resource, or more than one, is what a finder was asked for; the message lists what there is."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """One run of a program for one stack, with what every policy said about it."""

    project: str
    stack: str
    mode: Mode
    resources: tuple[Resource, ...]
    """In the order in which the program made them; the stack itself first."""
    exports: dict[str, Any]
    violations: tuple[Violation, ...] = ()
    remediations: tuple[Remediation, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    packs: tuple[Pack, ...] = ()
    steps: tuple[Step, ...] = ()
    """What the engine would do to the state that the run started from; nothing where it started from none."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Wall seconds by phase: `config`, `packs`, `program`, `policies`."""

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make the run fail."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def mandatory(self) -> tuple[Violation, ...]:
        """The violations that would stop a real update."""
        return tuple(v for v in self.violations if v.level == "mandatory")

    @property
    def unseen(self) -> tuple[Resource, ...]:
        """The components that a plugin constructs: what is in them is not in this run, and nobody judged it."""
        return tuple(r for r in self.resources if r.remote)

    @property
    def ok(self) -> bool:
        """Whether the engine would let this stack through: no error, no mandatory violation.

        Of what was seen: see `unseen`.
        """
        return not self.errors and not self.mandatory

    @property
    def root(self) -> Resource:
        """The stack resource itself."""
        return self.resources[0]

    def get(self, urn: str) -> Resource | None:
        """The resource of that URN, or None."""
        return self._by_urn.get(urn)

    def all(self, type: str | None = None, name: str | None = None) -> list[Resource]:  # noqa: A002
        """Every resource of a type token (`aws:s3/bucket:Bucket`) and, where given, of a logical name."""
        return [r for r in self.resources if type in (None, r.type) and name in (None, r.name)]

    def one(self, type: str | None = None, name: str | None = None) -> Resource:  # noqa: A002
        """The only resource of a type token and logical name.

        Raises:
            LookupFailed: none or several match; says which there are.
        """
        found = self.all(type, name)
        if len(found) == 1:
            return found[0]
        wanted = " ".join(part for part in (type, name and f"named {name!r}") if part) or "resource"
        if found:
            raise LookupFailed(f"{len(found)} of {wanted} where one was wanted: {_names(found)}")
        same_type = [r for r in self.resources if r.type == type]
        near = _names(same_type) if same_type else ", ".join(sorted({r.type for r in self.resources}))
        problems = "; ".join(d.message.splitlines()[0] for d in self.errors)
        raise LookupFailed(f"no {wanted}; there is {near}" + (f"; the run failed with: {problems}" if problems else ""))

    def children(self, parent: Resource | str) -> list[Resource]:
        """The resources directly under one, given as a resource or its URN, in registration order."""
        return list(self._by_parent.get(parent if isinstance(parent, str) else parent.urn, ()))

    def descendants(self, parent: Resource | str) -> Iterator[Resource]:
        """Everything under one, at any depth, depth first."""
        for child in self.children(parent):
            yield child
            yield from self.descendants(child)

    @functools.cached_property
    def _by_urn(self) -> dict[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    @functools.cached_property
    def _by_parent(self) -> dict[str, list[Resource]]:
        children: dict[str, list[Resource]] = {}
        for resource in self.resources:
            children.setdefault(resource.parent, []).append(resource)
        return children

    def violations_of(self, policy: str) -> list[Violation]:
        """What one policy said, by its name."""
        return [v for v in self.violations if v.policy == policy]


def _names(resources: Sequence[Resource]) -> str:
    return ", ".join(f"{r.name} ({r.type})" for r in resources)


def unknown_paths(value: Any, path: str = "") -> list[str]:
    """The dotted paths inside a value at which something is unknown (`policy.Statement.0.Resource`)."""
    if value is UNKNOWN:
        return [path]
    if isinstance(value, Secret):
        return unknown_paths(value.value, path)
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in unknown_paths(v, f"{path}.{k}" if path else str(k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in unknown_paths(v, f"{path}.{i}" if path else str(i))]
    return []


def unwrapped(value: Any, *, nulls: bool = True) -> Any:
    """A value without its `Secret` marks, at any depth; with `nulls=False`, without keys that hold None either."""
    if isinstance(value, Secret):
        return unwrapped(value.value, nulls=nulls)
    if isinstance(value, dict):
        return {key: unwrapped(item, nulls=nulls) for key, item in value.items() if nulls or item is not None}
    if isinstance(value, list):
        return [unwrapped(item, nulls=nulls) for item in value]
    return value
