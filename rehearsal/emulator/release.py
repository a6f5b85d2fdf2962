"""A whole release of one stack, from CI's hand-off to the end of the last old task, or as far as it is made to fail."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pulumi_rehearsal import Rehearsal

from . import network
from .account import Account, Answer, emulator
from .ci import Ci
from .codedeploy import CodeDeploy, Deployment, steps
from .codepipeline import CodePipeline, Question
from .declared import Declared, Rule, Service
from .ecs import Ecs
from .events import Bus, Event
from .handoffs import named_images
from .lambdas import Lambdas
from .permissions import Call, Grant, Permissions
from .post_release_checks import Check, checks, flags, service_state
from .registry import PLATFORM_OF, PLATFORMS, push
from .steps import (
    ALARM,
    BAD_IMAGE,
    FAILED_SMOKE_TEST,
    LATE_JOB,
    LOST_EVENT,
    REJECTED_APPROVAL,
    STOP,
    StepError,
    alarms_of,
    applies,
)
from .timeline import Entry, Timeline


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
    told: list[network.Posted]
    left_out: dict[str, str] = field(default_factory=dict)
    """Services that were not released, and why."""
    phases: dict[str, float] = field(default_factory=dict)
    """Wall seconds."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
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
    tell: Callable[[Entry], None] | None = None,
) -> Outcome:
    """Release the services of a rehearsed stack (mode `up`), each by itself.

    Args:
        run: the stack.
        services: which; all of them by default.
        handoff: a hand-off archive to put in place of what CI's script makes.
        step: one of STEPS, at which the release is made to fail.
        first_release: whether nothing was ever released before; otherwise an earlier release runs.
        twice: whether every event and job reaches its function a second time.
        approve: asked at every manual approval.
        tell: told of every entry of the time line as it happens.

    Raises:
        StepError: the step can happen to none of the services, or a service is not declared.
        NotDeclaredError: the stack lacks something without which no release runs.
    """
    declared = Declared(run)
    wanted = list(services) or list(declared.services)
    for name in wanted:
        if name not in declared.services:
            has = ", ".join(sorted(declared.services))
            raise StepError(f"Stack {run.stack} has no service {name}; it has {has}.")
    left_out = {name: why for name in wanted if (why := applies(declared.services[name], step))}
    released = [declared.services[name] for name in wanted if name not in left_out]
    if not released:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise StepError(f"--fail-at {step} can happen to no service of stack {run.stack} ({reasons}).")
    started = time.perf_counter()
    with (
        emulator(declared.region),
        Stage(declared, step=step, first_release=first_release, twice=twice, approve=approve, tell=tell) as stage,
    ):
        phases = {"account": time.perf_counter() - started}
        found: list[Check] = []
        for service in released:
            began = time.perf_counter()
            found += stage.release(service, handoff)
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
        told=stage.network.posted,
        left_out=left_out,
        phases=phases,
    )


class Stage:
    """Everything that plays a part, set up for one stack. Use as a context manager, inside `emulator`."""

    def __init__(
        self,
        declared: Declared,
        *,
        step: str | None,
        first_release: bool,
        twice: bool,
        approve: Callable[[Question], bool],
        tell: Callable[[Entry], None] | None,
    ) -> None:
        self.declared, self.step, self._first_release, self._twice = declared, step, first_release, twice
        self.timeline = Timeline(tell)
        self.permissions = Permissions(declared)
        self.account = Account(declared, self.permissions)
        self.network = network.Network()
        self._approve = approve
        self._exits = ExitStack()
        self._scans: dict[str, int] = {}
        self.forgotten: dict[str, bool] = {}
        self.rejected: set[str] = set()
        """Services whose release a person rejected, because the step says so or by themselves."""
        self.held: dict[str, bool] = {}
        """Services and whether their scaling was suspended when their traffic was first shifted."""

    def __enter__(self) -> Self:
        self._exits.enter_context(self.network.up())
        self._home = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="release")))
        self.account.fill(first_release=self._first_release)
        self.bus = Bus(self.account, self.timeline)
        self.lambdas = Lambdas(self.account, self.timeline, twice=self._twice)
        self.bus.invoke = self._invoked_by_rule
        self._receivers()
        self.ecs = Ecs(self.account, self.timeline)
        self._load_balancers()
        self.codedeploy = CodeDeploy(
            account=self.account,
            bus=self.bus,
            lambdas=self.lambdas,
            ecs=self.ecs,
            timeline=self.timeline,
            listeners=self.listeners,
            groups=self.groups,
        )
        self.codepipeline = CodePipeline(
            account=self.account,
            bus=self.bus,
            lambdas=self.lambdas,
            codedeploy=self.codedeploy,
            ecs=self.ecs,
            timeline=self.timeline,
            approve=self._asked,
        )
        self.account.stub_handlers["ecr:DescribeImageScanFindings"] = self._scanned
        self.account.stub_handlers["ecr:GetDownloadUrlForLayer"] = self.account.layer
        self._arrange()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    # ------------------------------------------------------------ stand-ins

    def _receivers(self) -> None:
        """Slack and Chatwork on loopback, each channel with a token of its own."""
        at = self.network.receiver
        self.lambdas.environment = {"SLACK_API_BASE": at, "SLACK_WEBHOOK_BASE": at, "CHATWORK_API_BASE": at}
        self.channels: list[tuple[str, str, str]] = []
        for function in self.declared.functions.values():
            for number, channel in enumerate(json.loads(function.environment.get("NOTIFY_CHANNELS", "[]"))):
                token = f"stand-in-{number}"
                webhook = channel["kind"] == "slack-webhook"
                self.account.keep_secret(channel["secret"], f"{at}/services/{token}" if webhook else token)
                room = f"/services/{token}" if webhook else channel.get("channel") or channel["room"]
                kind = "chatwork" if channel["kind"] == "chatwork" else "slack"
                self.channels.append((kind, room, "" if webhook else token))

    def _load_balancers(self) -> None:
        self.groups = {arn: network.TargetGroup(name) for arn, name in self.declared.target_groups.items()}
        self.listeners: dict[str, network.ListenerStub] = {}
        self.addresses: dict[str, tuple[str, int, str | None]] = {}
        for service in self.declared.services.values():
            for traffic in service.ecs.get("loadBalancers", []):
                self.groups[traffic["targetGroupArn"]].revision = self.account.live_before[service.name]
        names = {arn: self._certified_name(at.host) for arn, at in self.declared.listeners.items() if at.tls}
        tls = None
        if names:
            certificate = network.certificate(sorted(set(names.values())), self._home)
            self.lambdas.trusted, tls = certificate.trusted, certificate.server
        for arn, at in self.declared.listeners.items():
            self.listeners[arn] = network.ListenerStub(arn, {at.target_group: 100}, self.groups)
            self.network.serve_listener(self.listeners[arn], at.host, at.port, tls if at.tls else None)
            self.addresses[arn] = (at.host, at.port, names.get(arn))

    def _certified_name(self, host: str) -> str:
        """The name that the load balancer's certificate is for: what the stack says; ACM knows, the stack does not."""
        for function in self.declared.functions.values():
            if host in function.environment.get("SMOKE_URL", "") and "SMOKE_HOST" in function.environment:
                return function.environment["SMOKE_HOST"]
        return "no-name-is-declared.example.com"

    def _scanned(self, params: Mapping[str, Any]) -> Answer:
        """A scan is still running when it is first asked for, and done the next time."""
        digest = params["imageId"]["imageDigest"]
        self._scans[digest] = self._scans.get(digest, 0) + 1
        if self._scans[digest] == 1:
            return 200, {"imageScanStatus": {"status": "IN_PROGRESS"}}
        counts = {"MEDIUM": 2, "LOW": 5}
        if self.step == BAD_IMAGE:
            counts |= {"CRITICAL": 1}
        findings = {"findingSeverityCounts": counts}
        return 200, {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": findings}

    def _asked(self, question: Question) -> bool:
        agreed = self.step != REJECTED_APPROVAL and self._approve(question)
        if not agreed:
            self.rejected.add(self.timeline.service)
        return agreed

    def _invoked_by_rule(self, arn: str, event: Event) -> None:
        function, before = self.declared.functions[arn], len(self.network.posted)
        said = self.lambdas.invoke(arn, event)
        state = event["detail"].get("state", event["detail-type"])
        if isinstance(said, dict) and said.get("title"):
            reached = ", ".join(f"{p.kind} {p.room}" for p in self.network.posted[before:]) or "nobody"
            self.timeline.note("People", f"{reached}: {said['title']}", function.role)
            for channel, outcome in said["channels"].items():
                if outcome != "told":
                    self.timeline.note("People", f"channel {channel} is not told: {outcome}", trouble=True)
        elif isinstance(said, dict) and any(isinstance(steps, list) and steps for steps in said.values()):
            done = "; ".join(f"{name}: {', '.join(steps)}" for name, steps in said.items() if steps)
            self.timeline.note("Scaling guard", f"on {state}: {done}", function.role)

    # ------------------------------------------------------------ what goes wrong

    def _arrange(self) -> None:
        """Let happen what the step says."""
        if self.step == FAILED_SMOKE_TEST:
            self.ecs.unhealthy = True
            self.lambdas.env_overrides = {"SMOKE_SECONDS": "0.3"}
        self.codedeploy.at = self._at
        if self.step == LOST_EVENT:
            self.bus.drop_event = self._loses

    def _at(self, moment: str, deployment: Deployment) -> None:
        service = deployment.service
        if self.step == FAILED_SMOKE_TEST and moment == "AfterAllowTestTraffic":
            for group in self.groups.values():
                if group.revision not in {"", *self.account.live_before.values()}:
                    group.healthy = False
        shifts = list(steps(str((service.group or {})["deploymentConfigName"])))
        if moment == f"{shifts[0][0]} % of the traffic":
            self.held[service.name] = all(self.account.suspended(service).values())
        *_, last = shifts[:2]
        if moment != f"{last[0]} % of the traffic":
            return
        if self.step == ALARM:
            name = alarms_of(service)[0]
            self.codedeploy.alarms[name] = "ALARM"
            self.timeline.note("CloudWatch", f"the alarm {name} is raised{self._rings(name)}", trouble=True)
        if self.step == STOP:
            deployment.stop_asked = True
            self.timeline.note("a person", "stops the deployment", trouble=True)

    def _rings(self, alarm: str) -> str:
        """Whom an alarm reaches, as the stack declares it."""
        alarms = self.declared.inputs("aws:cloudwatch/metricAlarm:MetricAlarm")
        topics = [topic for a in alarms if a["name"] == alarm for topic in a.get("alarmActions", [])]
        readers = [reader for topic in topics for reader in self.account.subscribers(topic)]
        return f" and told to {', '.join(readers)}" if readers else ""

    def _loses(self, rule: Rule, event: Event) -> bool:
        functions = [self.declared.functions[t.arn] for t in rule.targets if t.arn in self.declared.functions]
        guards = any("GUARDED_SERVICES" in function.environment for function in functions)
        return guards and event["detail"].get("state") == "SUCCESS"

    # ------------------------------------------------------------ one release

    def release(self, service: Service, handoff: bytes | None) -> list[Check]:
        """Release one service and say how it ended."""
        self.timeline.begin(service.name)
        if self.step == LATE_JOB:
            self._run(service, self._hand_over(service, None, of="an earlier release"))
        before, earlier = (
            service_state(self, service),
            [e for e in self.codepipeline.executions if e.service is service],
        )
        self.timeline.note("ECS", f"{before.live} is live; {flags(before.suspended)}, by a person")
        self._run(service, self._hand_over(service, handoff))
        if self.step == LATE_JOB:
            for execution in earlier:
                self.codepipeline.repeat_first_jobs(execution)
            self.ecs.settle(service)
        if self.step == LOST_EVENT:
            held = self.account.suspended(service)
            self.forgotten[service.name] = all(held.values())
            self.timeline.note("Scaling guard", f"the deployment is over and scaling: {flags(held)}", trouble=True)
            for rule in self.bus.scheduled():
                self.timeline.wait(15 * 60)
                self.bus.tick(rule)
        return list(checks(self, service, before))

    def _run(self, service: Service, ci: Ci) -> None:
        """Let the put of a hand-off start the pipeline, and the pipeline come to its end."""
        events = self.bus.of_put(ci.put, ci.role)
        if not events:
            self.timeline.note("EventBridge", "the put makes no event: no trail logs it", trouble=True)
        for event in events:
            self.bus.send(event)
        for execution in self.codepipeline.waiting:
            self.codepipeline.run(execution)
        self.codepipeline.waiting.clear()
        if not service.blue_green:
            self.ecs.settle(service)

    def _hand_over(self, service: Service, handoff: bytes | None, *, of: str = "") -> Ci:
        ci = Ci(self.account, service, self.timeline, last=self.step is not None)
        platforms: tuple[str, ...] = PLATFORMS
        if self.step == BAD_IMAGE and service.contract.scan_threshold == "NONE":
            # Findings refuse nothing here, so the image is of another machine.
            platforms = tuple(p for p in PLATFORMS if p != PLATFORM_OF[service.contract.architecture])
        if handoff is not None:
            for repository, tag in named_images(handoff, service.contract):
                push(self.account.client("ecr"), repository, tag, platforms)
            ci.put_file(handoff)
            return ci
        commit = hashlib.sha256(f"{service.base}{of}".encode()).hexdigest()[:40]
        ci.hand_over(commit, platforms)
        return ci
