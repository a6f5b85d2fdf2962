"""Resources put before the packs' real analyzer processes, as the engine would put them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pulumi_rehearsal import Rehearsal
from pulumi_rehearsal.model import Options
from pulumi_rehearsal.packs import (
    EngineServer,
    InProcessAnalyzer,
    ProcessAnalyzer,
    RunSettings,
    configuration,
    load_folder,
)
from pulumi_rehearsal.registration import Registration
from pulumi_rehearsal.wire import wire_from_plain

ROOT = Path(__file__).parents[2]
PACKS = {name: ROOT / "policies" / name for name in ("least-privilege", "release-safety")}

_RUNS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A resource of a small stack; `refers` says which of the others a property's value comes from."""

    type: str
    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()

    def but(self, **inputs: Any) -> Thing:
        """The same with other inputs; None takes one away."""
        merged = {**self.inputs, **inputs}
        return replace(self, inputs={k: v for k, v in merged.items() if v is not None})


@dataclass(frozen=True)
class Found:
    """What a policy said."""

    policy: str
    resource: str
    """Logical name."""
    level: int
    message: str


def registrations(things: Iterable[Thing], provider: Thing) -> list[Registration]:
    """The things as the engine keeps them, all under one provider."""
    run = f"urn:pulumi:run{next(_RUNS)}::test::"  # a pack keeps by URN what a program declared, and a process is asked often
    listed = list(things)
    urns = {t.name: f"{run}{t.type}::{t.name}" for t in listed}
    owner = Registration(
        urn=f"{run}{provider.type}::{provider.name}", type=provider.type, name=provider.name, parent="", custom=True,
        inputs=wire_from_plain(dict(provider.inputs)), outputs=wire_from_plain(dict(provider.inputs)),
    )  # fmt: skip
    return [
        owner,
        *(
            Registration(
                urn=urns[t.name], type=t.type, name=t.name, parent="", custom=True, provider=owner,
                inputs=wire_from_plain(dict(t.inputs)), outputs=wire_from_plain(dict(t.inputs)),
                options=Options(ignore_changes=t.ignore),
                property_dependencies={k: tuple(urns[n] for n in names if n in urns) for k, names in t.refers.items()},
            )
            for t in listed
        ),
    ]  # fmt: skip


def of_run(run: Rehearsal) -> list[Registration]:
    """A rehearsed stack's resources, to be put before a pack again, changed or not."""
    made: dict[str, Registration] = {}
    for r in run.resources:
        made[r.urn] = Registration(
            urn=r.urn, type=r.type, name=r.name, parent=r.parent, custom=r.custom,
            provider=made.get(r.provider), inputs=wire_from_plain(r.inputs), outputs=wire_from_plain(r.outputs),
            options=r.options, dependencies=r.dependencies, property_dependencies=dict(r.property_dependencies),
        )  # fmt: skip
    return list(made.values())


class Judge:
    """One pack, running."""

    def __init__(self, analyzer: Any, *, preview: bool = True) -> None:
        self._analyzer = analyzer
        self._info = analyzer.start(
            RunSettings(
                project="test", stack="test", organization="organization", dry_run=preview, config={}, secret_keys=[]
            ),
        )
        self.configure({})

    @property
    def policies(self) -> dict[str, Any]:
        """What the pack says of its policies, by name."""
        return {p.name: p for p in self._info.policies}

    @property
    def description(self) -> str:
        """What the pack says of itself."""
        return str(self._info.description)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Give the pack a configuration, as `--policy-config` would."""
        self._analyzer.configure(configuration(self._info, config, "the test's configuration"))

    def only(self, policy: str) -> None:
        """Switch every other policy off."""
        self.configure({"all": "disabled", policy: "mandatory"})

    def everywhere(self, **settings: Any) -> None:
        """Give every policy that takes them the same settings."""
        self.configure(
            {
                name: {k: v for k, v in settings.items() if k in p.configSchema.properties}
                for name, p in self.policies.items()
            },
        )

    def judge(self, resources: Sequence[Registration], only: Collection[str] | None = None) -> list[Found]:
        """Everything that the pack says of the resources one by one (of those named, if any), and of the whole stack."""
        names = {r.urn: r.name for r in resources}
        out: list[Found] = []
        responses = [(r.name, self._analyzer.analyze(r)) for r in resources if only is None or r.name in only]
        responses.append(("", self._analyzer.analyze_stack(resources)))
        for name, response in responses:
            out += [
                Found(d.policyName, names.get(d.urn, name), d.enforcementLevel, d.message) for d in response.diagnostics
            ]
        return out

    def resource(self, resource: Registration) -> list[Found]:
        """What the pack says of one resource before it is made."""
        response = self._analyzer.analyze(resource)
        return [Found(d.policyName, resource.name, d.enforcementLevel, d.message) for d in response.diagnostics]

    def stack(self, resources: Sequence[Registration]) -> list[Found]:
        """Everything that the pack says of the whole stack, by its outputs alone."""
        names = {r.urn: r.name for r in resources}
        response = self._analyzer.analyze_stack(resources)
        return [Found(d.policyName, names.get(d.urn, ""), d.enforcementLevel, d.message) for d in response.diagnostics]


@contextmanager
def process(pack: str | Path) -> Iterator[Judge]:
    """The pack as its real analyzer process."""
    server = EngineServer(lambda _: None)
    analyzer = ProcessAnalyzer(load_folder(PACKS.get(str(pack), Path(pack))), server.address)
    try:
        yield Judge(analyzer)
    finally:
        analyzer.close()
        server.close()


@contextmanager
def in_process(pack: str) -> Iterator[Judge]:
    """The pack in this process, as the rehearsal's fast path has it."""
    analyzer = InProcessAnalyzer(load_folder(PACKS[pack]))
    try:
        yield Judge(analyzer)
    finally:
        analyzer.close()
