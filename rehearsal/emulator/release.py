"""A whole release of one stack, from CI's hand-off to the end of the last old task, or as far as it is made to fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pulumi_rehearsal import Rehearsal

from . import network, strategy
from .account import emulator
from .declared import Declared, Service
from .errors import StepError
from .executions import Question
from .permissions import Call, Grant
from .post_release_checks import Check, checks, flags, service_state
from .stage import Stage
from .timeline import Entry


@dataclass(kw_only=True)
class Outcome:
    """What one rehearsal of a release found."""

    stack: str
    step: str | None
    entries: list[Entry]
    checks: list[Check]
    problems: list[str]
    """Calls that the declared roles do not allow."""
    calls: list[Call]
    used: frozenset[Grant]
    granted: frozenset[Grant]
    messages: list[network.Posted]
    left_out: dict[str, str] = field(default_factory=dict)
    """Services that were not released, and why."""
    phases: dict[str, float] = field(default_factory=dict)
    """Wall seconds."""

    @property
    def ok(self) -> bool:
        """Whether every check passed and every call is allowed."""
        return all(c.ok for c in self.checks) and not self.problems


def rehearse_release(
    run: Rehearsal,
    *,
    services: Sequence[str] = (),
    handoff: bytes | None = None,
    step: str | None = None,
    first_release: bool = False,
    twice: bool = False,
    approve: Callable[[Question], bool] = lambda _question: True,
    on_entry: Callable[[Entry], None] | None = None,
) -> Outcome:
    """Release the services of a rehearsed stack (mode `up`), each by itself.

    Args:
        run: the stack.
        services: which; all of them by default.
        handoff: a hand-off archive to put in place of what CI's script makes.
        step: the name of a step at which the release is made to fail.
        first_release: whether nothing was ever released before; otherwise an earlier release runs.
        twice: whether every event and job reaches its function a second time.
        approve: asked at every manual approval.
        on_entry: called with every entry of the time line as it happens.

    Raises:
        StepError: the step can happen to none of the services, or a service is not declared.
        NotDeclaredError: the stack lacks something without which no release runs.
    """
    declared, failing = Declared(run), strategy.step_named(step) if step is not None else None
    wanted = list(services) or list(declared.services)
    for name in wanted:
        if name not in declared.services:
            has = ", ".join(sorted(declared.services))
            raise StepError(f"Stack {run.stack} has no service {name}; it has {has}.")
    left_out = {}
    for name in wanted:
        strategy.of(declared.services[name])
        if failing is not None and (why := strategy.impossible(declared.services[name], failing)):
            left_out[name] = why
    released = [declared.services[name] for name in wanted if name not in left_out]
    if not released:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise StepError(f"--fail-at {step} can happen to no service of stack {run.stack} ({reasons}).")
    started = time.perf_counter()
    with (
        emulator(declared.region),
        Stage(
            declared, step=failing, first_release=first_release, twice=twice, approve=approve, on_entry=on_entry
        ) as stage,
    ):
        stage.deployers = {name: own.set_up(stage) for name, own in strategy.found().items()}
        phases = {"account": time.perf_counter() - started}
        found: list[Check] = []
        for service in released:
            began = time.perf_counter()
            found += _released(stage, service, handoff)
            phases[service.name] = time.perf_counter() - began
    return Outcome(
        stack=run.stack,
        step=step,
        entries=stage.timeline.entries,
        checks=found,
        problems=stage.permissions.problems,
        calls=stage.permissions.calls,
        used=stage.permissions.used,
        granted=stage.permissions.granted(),
        messages=stage.network.posted,
        left_out=left_out,
        phases=phases,
    )


def _released(stage: Stage, service: Service, handoff: bytes | None) -> list[Check]:
    """Release one service and check how it ended."""
    stage.timeline.begin(service.name)
    deployer = stage.deployer_of(service)
    deployer.prepare(service)
    before = service_state(stage, service)
    stage.timeline.note("ECS", f"{before.live} is live; {flags(before.suspended)}, by a person")
    stage.release(service, handoff)
    deployer.finish(service)
    return list(checks(stage, service, before))
