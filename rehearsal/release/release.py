"""A whole release of one stack, from CI's hand-off to the end of the last old task, or as far as it is made to fail."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from rehearsal import Rehearsal

from . import network
from .account import Account, Answer, emulator
from .ci import Ci
from .codedeploy import CodeDeploy, Deployment, steps
from .codepipeline import CodePipeline, Execution, Question
from .declared import Declared, Rule, Service
from .ecs import Ecs, short
from .events import Bus, Event
from .handoffs import named_images
from .lambdas import Lambdas
from .permissions import Call, Grant, Permissions
from .registry import PLATFORM_OF, PLATFORMS, push
from .timeline import Entry, Timeline

BAD_IMAGE: Final = "bad-image"
FAILED_SMOKE_TEST: Final = "failed-smoke-test"
ALARM: Final = "alarm"
REJECTED_APPROVAL: Final = "rejected-approval"
STOP: Final = "stop"
LOST_EVENT: Final = "lost-event"
STEPS: Final = {
    BAD_IMAGE: "an image that the gate refuses",
    FAILED_SMOKE_TEST: "the new tasks do not answer (a rolling service: they never become healthy)",
    ALARM: "an alarm is raised while traffic shifts",
    REJECTED_APPROVAL: "a person rejects the release",
    STOP: "a person stops the deployment while traffic shifts",
    LOST_EVENT: "the end of the deployment never reaches the scaling guard",
}
"""Where a release can be made to fail."""


class StepError(Exception):
    """The step cannot happen in this stack; one sentence."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that must be so at the end, whether it is, and what was found."""

    service: str
    what: str
    ok: bool
    found: str


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


def applies(service: Service, step: str | None) -> str | None:
    """Why this step cannot happen to this service; None when it can."""
    if step in {ALARM, STOP, LOST_EVENT} and not service.blue_green:
        return "it is a rolling service, and this step is one of a blue/green deployment"
    if step == REJECTED_APPROVAL and not service.pipeline.approves():
        return "its pipeline asks nobody for approval"
    if step == ALARM and service.group is not None and not _alarms(service):
        return "its deployments watch no alarm"
    return None


def _alarms(service: Service) -> list[str]:
    watched = (service.group or {}).get("alarmConfiguration") or {}
    return list(watched.get("alarms", [])) if watched.get("enabled") else []


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
        checks: list[Check] = []
        for service in released:
            began = time.perf_counter()
            checks += stage.release(service, handoff)
            phases[service.name] = time.perf_counter() - began
    return Outcome(
        stack=run.stack,
        step=step,
        entries=stage.timeline.entries,
        checks=checks,
        problems=stage.permissions.problems,
        calls=stage.permissions.calls,
        used=stage.permissions.used,
        granted=stage.permissions.granted(),
        told=stage.network.posted,
        left_out=left_out,
        phases=phases,
    )


@dataclass(frozen=True, kw_only=True)
class _Before:
    """How a service stood before its release."""

    live: str
    suspended: dict[str, bool]
    posted: int
    faults: int


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
        self._forgotten: dict[str, bool] = {}
        self._rejected: set[str] = set()
        """Services whose release a person rejected, because the step says so or by themselves."""
        self._held: dict[str, bool] = {}
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
            fronts=self.fronts,
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
        self.account.players["ecr:DescribeImageScanFindings"] = self._scanned
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
        self.fronts: dict[str, network.Front] = {}
        self._addresses: dict[str, tuple[str, int, str | None]] = {}
        for service in self.declared.services.values():
            for traffic in service.ecs.get("loadBalancers", []):
                self.groups[traffic["targetGroupArn"]].revision = self.account.live_before[service.name]
        names = {arn: self._certified_name(at.host) for arn, at in self.declared.listeners.items() if at.tls}
        tls = None
        if names:
            certificate = network.certificate(sorted(set(names.values())), self._home)
            self.lambdas.trusted, tls = certificate.trusted, certificate.server
        for arn, at in self.declared.listeners.items():
            self.fronts[arn] = network.Front(arn, {at.target_group: 100}, self.groups)
            self.network.stand_in(self.fronts[arn], at.host, at.port, tls if at.tls else None)
            self._addresses[arn] = (at.host, at.port, names.get(arn))

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
            self._rejected.add(self.timeline.service)
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
            self.ecs.sick = True
            self.lambdas.hurry = {"SMOKE_SECONDS": "0.3"}
        self.codedeploy.at = self._at
        if self.step == LOST_EVENT:
            self.bus.lose = self._loses

    def _at(self, moment: str, deployment: Deployment) -> None:
        service = deployment.service
        if self.step == FAILED_SMOKE_TEST and moment == "AfterAllowTestTraffic":
            for group in self.groups.values():
                if group.revision not in {"", *self.account.live_before.values()}:
                    group.healthy = False
        shifts = list(steps(str((service.group or {})["deploymentConfigName"])))
        if moment == f"{shifts[0][0]} % of the traffic":
            self._held[service.name] = all(self.account.suspended(service).values())
        *_, last = shifts[:2]
        if moment != f"{last[0]} % of the traffic":
            return
        if self.step == ALARM:
            name = _alarms(service)[0]
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
        before = _Before(
            live=self.live(service),
            suspended=self.account.suspended(service),
            posted=len(self.network.posted),
            faults=len(self.lambdas.faults),
        )
        self.timeline.note("ECS", f"{before.live} is live; {_flags(before.suspended)}, by a person")
        ci = self._hand_over(service, handoff)
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
        if self.step == LOST_EVENT:
            held = self.account.suspended(service)
            self._forgotten[service.name] = all(held.values())
            self.timeline.note("Scaling guard", f"the deployment is over and scaling: {_flags(held)}", trouble=True)
            for rule in self.bus.scheduled():
                self.timeline.wait(15 * 60)
                self.bus.tick(rule)
        return list(self._checks(service, before))

    def _hand_over(self, service: Service, handoff: bytes | None) -> Ci:
        ci = Ci(self.account, service, self.timeline, last=self.step is not None)
        platforms: tuple[str, ...] = PLATFORMS
        if self.step == BAD_IMAGE and service.contract["scan"]["threshold"] == "NONE":
            # Findings refuse nothing here, so the image is of another machine.
            platforms = tuple(p for p in PLATFORMS if p != PLATFORM_OF[service.contract["architecture"]])
        if handoff is not None:
            for repository, tag in named_images(handoff, ci.registry, service.contract):
                push(self.account.client("ecr"), repository, tag, platforms)
            ci.put_file(handoff)
            return ci
        commit = hashlib.sha256(service.base.encode()).hexdigest()[:40]
        ci.hand_over(commit, platforms)
        return ci

    # ------------------------------------------------------------ how it ended

    def live(self, service: Service) -> str:
        """The revision that serves: what the production listener answers, or what ECS runs."""
        if service.group is None:
            (primary,) = [d for d in self.account.emulated_service(service).deployments if d["status"] == "PRIMARY"]
            return short(str(primary["taskDefinition"]))
        pair = service.group["loadBalancerInfo"]["targetGroupPairInfo"]
        arn = pair["prodTrafficRoute"]["listenerArns"][0]
        answers = {self._get(arn) for _ in range(3)}
        return ", ".join(sorted(answers))

    def _get(self, arn: str) -> str:
        """Ask a listener by its declared address."""
        host, port, name = self._addresses[arn]
        if name is None:
            connection = http.client.HTTPConnection(host, port, timeout=5)
        else:
            context = ssl.create_default_context(cafile=str(self.lambdas.trusted))
            context.check_hostname = False  # the load balancer's own name is never the certificate's
            connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read().decode().strip()
            return body if response.status == 200 else f"{response.status} of {body}"  # noqa: PLR2004
        finally:
            connection.close()

    def _checks(self, service: Service, before: _Before) -> Iterator[Check]:
        execution = next((e for e in reversed(self.codepipeline.executions) if e.service is service), None)
        if execution is None:
            yield Check(
                service=service.name, what="the hand-off starts the pipeline", ok=False, found="nothing started"
            )
            return
        step = REJECTED_APPROVAL if service.name in self._rejected else self.step
        back = step not in {None, LOST_EVENT}

        def check(what: str, ok: bool, found: str) -> Check:
            return Check(service=service.name, what=what, ok=ok, found=found)

        state = "Failed" if back else "Succeeded"
        said = f"{execution.state}{f' at {execution.failed_at}' if execution.failed_at else ''}"
        yield check(f"the pipeline has {state.lower()}", execution.state == state, said)
        live = self.live(service)
        if back:
            yield check("the version before is live", live == before.live, live)
        else:
            yield check("the new version is live, by digest", *self._released(execution, live))
        suspended = self.account.suspended(service)
        yield check("auto scaling is as it was before", suspended == before.suspended, _flags(suspended))
        if service.name in self._held:
            held = self._held[service.name]
            yield check("auto scaling was suspended while traffic shifted", held, "suspended" if held else "it was not")
        yield check("nothing is left half done", *self._left(service, execution))
        yield check("people are told", *self._told(service, step, before))
        faults = self.lambdas.faults[before.faults :]
        yield check("no function failed by itself", not faults, "; ".join(faults) or "none did")
        if self.step == LOST_EVENT:
            taken = [e.text for e in self.timeline.entries if e.stage == "Scaling guard" and e.service == service.name]
            restored = self._forgotten[service.name] and "restore" in taken[-1]
            yield check("the sweep restored what the lost event left suspended", restored, taken[-1])

    def _released(self, execution: Execution, live: str) -> tuple[bool, str]:
        """Whether what runs is what the gate pinned."""
        running = self.account.task_definition(live)
        images = {c["name"]: c["image"].partition("@")[2] for c in running["containerDefinitions"]}
        said = dict(p.split("=", 1) for p in execution.variables.get("Gate", {}).get("digests", "").split(", ") if p)
        return images == said and bool(said), f"{live}: " + ", ".join(f"{n}@{d[:14]}…" for n, d in images.items())

    def _left(self, service: Service, execution: Execution) -> tuple[bool, str]:
        left = []
        record = self.account.emulated_service(service)
        if service.blue_green:
            sets = [short(t.task_definition) for t in record.task_sets]
            left += [f"task sets of {', '.join(sets)}"] if len(sets) != 1 else []
            running = [d.id for d in self.codedeploy.deployments.values() if d.status not in _ENDED]
            left += [f"deployments {', '.join(running)}"] if running else []
        else:
            states = [d["rolloutState"] for d in record.deployments if d["status"] == "PRIMARY"]
            left += [f"a rollout that is {', '.join(states)}"] if states != ["COMPLETED"] else []
        names = [p["Name"] for p in self.account.client("ssm").describe_parameters()["Parameters"]]
        left += [f"the record {name}" for name in names if "scaling-guard" in name]
        if execution.failed_at.startswith("Verify") and self._stored(execution, "Release"):
            left.append("a Release artifact of a refused release")
        return not left, "; ".join(left) or "nothing"

    def _stored(self, execution: Execution, artifact: str) -> bool:
        bucket, key = execution.artifacts[artifact]
        return "Contents" in self.account.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)

    def _told(self, service: Service, step: str | None, before: _Before) -> tuple[bool, str]:
        """Whether every declared channel got every message that this release owes, with the channel's own token."""
        if not self.channels:
            return True, "the stack names no channel"
        posted = self.network.posted[before.posted :]
        missing = []
        for kind, room, token in self.channels:
            own = [
                p.text
                for p in posted
                if (p.kind, p.room, p.token) == (kind, room, token) or (not token and p.room == room)
            ]
            missing += [f"{kind} {room}: {t}" for t in self._owed(service, step) if not any(t in text for text in own)]
        count = f"{len(posted)} messages to {len(self.channels)} channels"
        return not missing, count if not missing else f"{count}; missing are {', '.join(missing)}"

    def _owed(self, service: Service, step: str | None) -> list[str]:
        approval = ["waiting for approval"] if service.pipeline.approves() else []
        rollback = ["rolling back", "rolled back"] if service.blue_green else []
        failed = "release failed at Deploy/Deploy"
        owed = {
            None: [*approval, "deployed"],
            LOST_EVENT: [*approval, "deployed"],
            BAD_IMAGE: ["release failed at Verify/Gate"],
            REJECTED_APPROVAL: [*approval, "approval rejected"],
            FAILED_SMOKE_TEST: [*approval, *(["deployment failed"] if rollback else []), *rollback, failed],
            ALARM: [*approval, "deployment stopped", *rollback, failed],
            STOP: [*approval, "deployment stopped", *rollback, failed],
        }
        return ["release started", *owed[step]]


_ENDED: Final = frozenset({"Succeeded", "Failed", "Stopped"})


def _flags(suspended: Mapping[str, bool]) -> str:
    held = [name for name, value in suspended.items() if value]
    return f"suspended: {', '.join(held)}" if held else "nothing is suspended"
