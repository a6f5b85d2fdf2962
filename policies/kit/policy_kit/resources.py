"""A stack's resources as plain data: unknown values marked, AWS types by their service's own name.

A pack's rules read these and nothing of Pulumi: this is the one place that normalises what providers answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final


class _Unknown:
    """The mark of a value that only the provider will compute."""

    def __repr__(self) -> str:
        return "<unknown until the update>"


UNKNOWN: Final = _Unknown()

_ACCOUNT_IN_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:(\d{12}):")
_FIRST_NAME = re.compile(r"[.\[]")
"""What ends the first name of a property path."""
_TYPE = re.compile(r"aws:([a-z0-9]+)/[A-Za-z0-9]+:([A-Za-z0-9]+)")
_RENAMED_MODULES: Final = {"alb": "lb", "elasticloadbalancingv2": "lb", "applicationloadbalancing": "lb"}


@lru_cache(maxsize=1024)
def kind_of(type_token: str) -> str:
    """`aws:s3/bucketV2:BucketV2` is `s3.Bucket`; a type of another provider keeps its token."""
    match = _TYPE.fullmatch(type_token)
    if not match:
        return type_token
    module, name = match.groups()
    return f"{_RENAMED_MODULES.get(module, module)}.{name.removesuffix('V2').removesuffix('v2')}"


@dataclass(kw_only=True, eq=False)
class Resource:
    """One resource, as the program declares it and as its provider answered."""

    type: str
    name: str
    urn: str
    read: Callable[[], Mapping[str, Any]] = dict
    """Gives the outputs; called once, when they are first asked for."""
    read_declared: Callable[[], Mapping[str, Any]] | None = None
    """Gives the inputs; None where the program declares none, or where they were not shown."""
    read_provider: Callable[[], Mapping[str, Any]] = dict
    """Gives the inputs of the resource's provider."""
    ignored: tuple[str, ...] = ()
    """Properties whose changes are ignored."""
    parent: Resource | None = None
    refers: Mapping[str, Sequence[Resource]] = field(default_factory=dict)
    """Property to the resources that its value comes from."""

    @cached_property
    def kind(self) -> str:
        """Service and type, such as `iam.Role`."""
        return kind_of(self.type)

    @cached_property
    def declared(self) -> Mapping[str, Any] | None:
        """What the program itself says; None where that was not shown."""
        return None if self.read_declared is None else self.read_declared()

    @cached_property
    def props(self) -> Mapping[str, Any]:
        """Plain properties: what the program declares, and beside it what the provider answered.

        An input that is not known at preview is `UNKNOWN`. What the provider will compute by itself (a property that
        nobody set) is not there: it comes from no resource.
        """
        answered, declared = self.read(), self.declared or {}
        over = {k: v for k, v in declared.items() if self._takes_effect(k, v, answered.get(k))}
        return {
            k: v for k, v in {**answered, **over}.items() if v is not UNKNOWN or k in declared or self.refers.get(k)
        }

    def _takes_effect(self, key: str, declared: Any, answered: Any) -> bool:
        """Whether AWS will hold what the program declares there, and not what the provider answered.

        An empty value of a property that the provider computes changes nothing on AWS. What `ignoreChanges` names stays
        as it is, also where a resource is imported: what the program declares there never gets to AWS.
        """
        if says_nothing(answered):
            return True
        if says_nothing(declared) or (holds_unknown(declared) and not holds_unknown(answered)):
            return False
        return not any(_FIRST_NAME.split(path, maxsplit=1)[0] in (key, "*") for path in self.ignored)

    def written_back(self, key: str) -> bool:
        """Whether the program declares nothing there: the value, if there is one, is AWS's or somebody else's."""
        return self.declared is not None and says_nothing(self.declared.get(key))

    @cached_property
    def provider(self) -> Mapping[str, Any]:
        """Inputs of the provider, decoded (a provider's lists and objects travel as JSON)."""
        return {key: decoded(value) for key, value in self.read_provider().items()}

    def get(self, key: str, default: Any = None) -> Any:
        """The property's value, or `default` when it is absent."""
        value = self.props.get(key)
        return default if value is None else value

    def text(self, key: str) -> str:
        """The property's text; empty when it is absent, unknown or something else."""
        value = self.props.get(key)
        return value if isinstance(value, str) else ""

    def unknown(self, key: str) -> bool:
        """Whether the property is there and not known yet."""
        return self.props.get(key) is UNKNOWN

    def objects(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """The objects of a property."""
        return objects_in(self.props.get(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a property."""
        return texts_in(self.props.get(key))

    @cached_property
    def region(self) -> str:
        """Region by the resource or its provider; empty when neither says."""
        own = self.text("region")
        return own or _text(self.provider.get("region"))

    @cached_property
    def partition(self) -> str:
        """AWS partition of the region."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @cached_property
    def account(self) -> str:
        """Account that the provider is held to, or the one of the resource's ARN; empty when neither is known."""
        allowed = self.provider.get("allowedAccountIds")
        if isinstance(allowed, list) and len(allowed) == 1:
            return _text(allowed[0])
        match = _ACCOUNT_IN_ARN.match(self.text("arn"))
        return match.group(1) if match else ""

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """Tags of the provider's defaults, then the resource's own."""
        defaults = self.provider.get("defaultTags")
        out: dict[str, str] = {}
        for tags in (
            defaults.get("tags") if isinstance(defaults, Mapping) else None,
            self.props.get("tagsAll"),
            self.props.get("tags"),
        ):
            if isinstance(tags, Mapping):
                out.update({k: v for k, v in tags.items() if isinstance(v, str)})
        return out

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """ARN in this resource's account and region; its own `arn` property wins where it is known."""
        return self.text("arn") or self.arn_beside(service, resource, regional=regional)

    def arn_beside(self, service: str, resource: str, *, regional: bool = True) -> str:
        """ARN of another resource in this one's account and region."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{resource}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def decoded(value: Any) -> Any:
    """A JSON object or list that is written as text, as what it says; anything else as it is."""
    return _decoded(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") else value


@lru_cache(maxsize=4096)
def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def objects_in(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects of a list; a single object counts as a list of one."""
    return tuple(v for v in (value if isinstance(value, list) else [value]) if isinstance(v, Mapping))


def texts_in(value: Any) -> tuple[str, ...]:
    """The texts of a list; a single text counts as a list of one."""
    return tuple(v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str))


def every_text(value: Any) -> Iterator[str]:
    """Every text inside a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from every_text(item)


def plain(value: Any, is_unknown: type[BaseException]) -> Any:
    """Any value of the policy SDK as dict, list and scalar; what raises `is_unknown` when read is `UNKNOWN`."""
    if isinstance(value, Mapping):
        out: dict[str, Any] = {}
        for key in value:
            try:
                out[key] = plain(value[key], is_unknown)
            except is_unknown:
                out[key] = UNKNOWN
        return out
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items: list[Any] = []
        for at in range(len(value)):
            try:
                items.append(plain(value[at], is_unknown))
            except is_unknown:
                items.append(UNKNOWN)
        return items
    if isinstance(value, str | int | float) or value is None:
        return value
    # The SDK's own assets and archives: what they hold matters, their classes do not.
    held = {key: getattr(value, key) for key in ("assets", "text", "path", "uri") if hasattr(value, key)}
    return plain(held, is_unknown) if held else value


_CONTENTS: Final = frozenset({"assets", "text", "path", "uri"})


def says_nothing(value: Any) -> bool:
    """Whether a value is absent or an empty text, list or map; so is a file whose contents a refresh left out."""
    if isinstance(value, Mapping):
        return not value or (value.keys() <= _CONTENTS and all(says_nothing(v) for v in value.values()))
    return value is None or (isinstance(value, str | list) and not value)


def holds_unknown(value: Any) -> bool:
    """Whether anything in the value is unknown."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Mapping):
        return any(holds_unknown(v) for v in value.values())
    return isinstance(value, list) and any(holds_unknown(v) for v in value)


def by_kind(resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    """The resources grouped by kind, in the order of the stack."""
    out: dict[str, list[Resource]] = {}
    for resource in resources:
        out.setdefault(resource.kind, []).append(resource)
    return out
