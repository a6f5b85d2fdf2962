"""The account of one rehearsal with all of AWS's services in it, and the releases that run through it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from contract import variables

from .account import Account, Answer
from .ci import Ci
from .codepipeline import CodePipeline
from .declared import Declared, Service
from .deployer import Deployer
from .ecs import Ecs
from .events import Bus, Event
from .executions import Question
from .handoffs import named_images
from .lambdas import Lambdas
from .load_balancers import LoadBalancers
from .network import Network
from .permissions import Permissions
from .registry import PLATFORM_OF, PLATFORMS, push
from .steps import BAD_IMAGE, REJECTED_APPROVAL, Step
from .timeline import Entry, Timeline


class Stage:
    """Everything that takes part in a release of one stack. Use as a context manager, inside `account.emulator`."""

    def __init__(
        self,
        declared: Declared,
        *,
        step: Step | None,
        first_release: bool,
        twice: bool,
        approve: Callable[[Question], bool],
        on_entry: Callable[[Entry], None] | None,
    ) -> None:
        self.declared, self.step, self._first_release, self._twice = declared, step, first_release, twice
        self.timeline = Timeline(on_entry)
        self.permissions = Permissions(declared)
        self.account = Account(declared, self.permissions)
        self.network = Network()
        self.deployers: dict[str, Deployer] = {}
        """By the strategy's name."""
        self.rejected: set[str] = set()
        """Services whose release a person rejected, because the step says so or by themselves."""
        self._approve = approve
        self._exits = ExitStack()
        self._scans: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._exits.enter_context(self.network.up())
        home = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="release")))
        self.account.fill(first_release=self._first_release)
        self.bus = Bus(self.account, self.timeline)
        self.lambdas = Lambdas(self.account, self.timeline, twice=self._twice)
        self.bus.invoke = self._invoked_by_rule
        self._receivers()
        self.ecs = Ecs(self.account, self.timeline)
        self.load_balancers = LoadBalancers(self.declared, self.network, self.account.live_before, home)
        self.lambdas.trusted = self.load_balancers.trusted
        self.codepipeline = CodePipeline(
            account=self.account,
            bus=self.bus,
            lambdas=self.lambdas,
            timeline=self.timeline,
            approve=self._asked,
            deployer_of=self.deployer_of,
        )
        self.account.stub_handlers["ecr:DescribeImageScanFindings"] = self._scanned
        self.account.stub_handlers["ecr:GetDownloadUrlForLayer"] = self.account.layer
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def deployer_of(self, service: Service) -> Deployer:
        """What carries out the service's deployments."""
        return self.deployers[service.strategy]

    # ------------------------------------------------------------ stand-ins

    def _receivers(self) -> None:
        """Slack and Chatwork on loopback, each channel with a token of its own."""
        at = self.network.receiver
        self.lambdas.environment = {
            variables.SLACK_API_BASE: at,
            variables.SLACK_WEBHOOK_BASE: at,
            variables.CHATWORK_API_BASE: at,
        }
        self.channels: list[tuple[str, str, str]] = []
        for function in self.declared.functions.values():
            for number, channel in enumerate(json.loads(function.environment.get(variables.NOTIFY_CHANNELS, "[]"))):
                token = f"stand-in-{number}"
                webhook = channel["kind"] == "slack-webhook"
                self.account.keep_secret(channel["secret"], f"{at}/services/{token}" if webhook else token)
                room = f"/services/{token}" if webhook else channel.get("channel") or channel["room"]
                kind = "chatwork" if channel["kind"] == "chatwork" else "slack"
                self.channels.append((kind, room, "" if webhook else token))

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
                if outcome != "sent":
                    self.timeline.note("People", f"channel {channel} gets no message: {outcome}", trouble=True)
        elif isinstance(said, dict) and any(isinstance(steps, list) and steps for steps in said.values()):
            done = "; ".join(f"{name}: {', '.join(steps)}" for name, steps in said.items() if steps)
            self.timeline.note("Scaling guard", f"on {state}: {done}", function.role)

    # ------------------------------------------------------------ releases

    def release(self, service: Service, handoff: bytes | None = None, *, of: str = "") -> None:
        """Hand one release of a service over, and let its pipeline and its deployment come to their ends.

        Args:
            service: which.
            handoff: an archive to put in place of what CI's script makes.
            of: tells the commit of this release from those of the service's other releases.
        """
        ci = self._hand_over(service, handoff, of)
        events = self.bus.of_put(ci.put, ci.role)
        if not events:
            self.timeline.note("EventBridge", "the put makes no event: no trail logs it", trouble=True)
        for event in events:
            self.bus.send(event)
        for execution in self.codepipeline.waiting:
            self.codepipeline.run(execution)
        self.codepipeline.waiting.clear()
        self.deployer_of(service).settle(service)

    def _hand_over(self, service: Service, handoff: bytes | None, of: str) -> Ci:
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
