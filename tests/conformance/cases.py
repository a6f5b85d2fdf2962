"""What a stack is taken through: the steps of its life, a change of its settings, and programs that must be refused."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulumi_rehearsal import rehearse

from . import observed
from .compare import Difference, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pulumi_rehearsal.model import Mode, Rehearsal

    from .observed import Seen
    from .workspace import EngineRun, Workspace


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One step, as both saw it."""

    step: str
    mode: Mode
    engine: Seen
    rehearsal: Seen


@dataclass(kw_only=True)
class Life:
    """One stack from its first preview to its end; `differences` fills on the way."""

    workspace: Workspace
    stack: str
    say: Callable[[str], None]
    differences: list[Difference] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def lived(self, *, deviations: bool) -> None:
        """Take the stack through all steps.

        Args:
            deviations: whether to try as well what must be refused, and an update after a change.
        """
        self.workspace.begin(self.stack)
        if deviations:
            self._wrong_settings()
            self._trespass()
        self._compared("preview", self._rehearsed(), self._engine("preview", "preview"))
        stands = self._rehearsed("up")
        run = self._engine("up", "up")
        left = observed.of_up(run, self.workspace.state(self.stack), began_from_nothing=True)
        self._noted("up", "up", left, stands)
        self._compared("again", self._rehearsed(previous=stands), self._engine("again", "preview"), new=False)
        self.workspace.plugin.stands(observed.as_rehearsal(self.stack, left))
        self._must_pass("refresh", self._engine("refresh", "refresh", packs=False))
        refreshed = self._rehearsed(previous=stands, refreshed=True)
        self._compared("after refresh", refreshed, self._engine("after refresh", "preview"), new=False)
        self._changes(stands, deviations=deviations)
        self._end()

    # -- steps

    def _changes(self, stands: Rehearsal, *, deviations: bool) -> None:
        settings = self.workspace.settings(self.stack)
        for name, change in (("change", changed), ("removal", removed), ("another name", renamed)):
            if name != "change" and not deviations:
                continue
            self.workspace.write_settings(self.stack, change(settings))
            rehearsed = self._rehearsed(previous=stands, refreshed=True)
            self._compared(name, rehearsed, self._engine(name, "preview"), new=False)
            if name == "change" and deviations and rehearsed.ok:
                rehearsed = self._rehearsed("up", previous=stands, refreshed=True)
                run = self._engine("changed up", "up")
                left = observed.of_up(run, self.workspace.state(self.stack), began_from_nothing=False)
                self._noted("changed up", "up", left, rehearsed)
                stands, settings = rehearsed, change(settings)
        self.workspace.write_settings(self.stack, settings)

    def _wrong_settings(self) -> None:
        """Each mistake is told in the very same words."""
        settings = self.workspace.settings(self.stack)
        for index, wrong in enumerate(mistakes(settings), 1):
            self.workspace.write_settings(self.stack, wrong)
            name = f"mistake {index}"
            self._compared(name, self._rehearsed(), self._engine(name, "preview"))
        self.workspace.write_settings(self.stack, settings)

    def _trespass(self) -> None:
        """What the packs refuse they refuse in the very same words."""
        program = self.workspace.program / "__main__.py"
        text = program.read_text(encoding="utf-8")
        program.write_text(text + _TRESPASS, encoding="utf-8")
        self._compared("trespass", self._rehearsed(), self._engine("trespass", "preview"))
        program.write_text(text, encoding="utf-8")

    def _end(self) -> None:
        self.workspace.unprotect(self.stack)
        self._must_pass("destroy", self._engine("destroy", "destroy", packs=False))
        left = self.workspace.state(self.stack)
        if left:
            self._differs("destroy", f"{len(left)} resources are left", "nothing is left")

    # -- both sides

    def _rehearsed(self, mode: Mode = "preview", **options: Any) -> Rehearsal:
        configs = self.workspace.policy_configs
        return rehearse(self.workspace.program, self.stack, mode, policy_configs=configs, **options)

    def _engine(self, step: str, command: str, **options: bool) -> EngineRun:
        started = time.perf_counter()
        run = self.workspace.run(command, self.stack, **options)
        self.say(f"{self.stack}: {step} ({time.perf_counter() - started:.0f} s)")
        return run

    def _compared(self, step: str, rehearsal: Rehearsal, run: EngineRun, *, new: bool = True) -> None:
        self._noted(step, "preview", observed.of_preview(run, began_from_nothing=new), rehearsal)

    def _noted(self, step: str, mode: Mode, engine: Seen, rehearsal: Rehearsal) -> None:
        pair = Pair(step=step, mode=mode, engine=engine, rehearsal=observed.of_rehearsal(rehearsal))
        self.pairs.append(pair)
        self.differences += compared(pair.engine, pair.rehearsal, stack=self.stack, step=step, mode=mode)

    def _must_pass(self, step: str, run: EngineRun) -> None:
        if run.code:
            self._differs(step, run.text.strip()[-1000:], "passes")

    def _differs(self, step: str, engine: str, rehearsal: str) -> None:
        self.differences.append(
            Difference(stack=self.stack, step=step, urn="", what="outcome", engine=engine, rehearsal=rehearsal)
        )


# -- other settings -------------------------------------------------------------------------------------------

_PREFIX = "ecs-release:"


def _services(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    services: list[dict[str, Any]] = settings["config"][f"{_PREFIX}services"]
    return services


def changed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A few changes that a team makes: memory, an environment variable, log retention, one more service."""
    result = copy.deepcopy(dict(settings))
    config, services = result["config"], _services(result)
    config[f"{_PREFIX}logRetentionDays"] = 60 if config.get(f"{_PREFIX}logRetentionDays", 30) != 60 else 90
    first = services[0]
    cpu = int(first.get("cpu", 256))
    first.update(cpu=cpu, memory=cpu * 4 if first.get("memory") != cpu * 4 else cpu * 2)
    first["containers"][0].setdefault("environment", {})["CHANGED"] = "yes"
    services.append(
        {
            "name": "added",
            "strategy": "rolling",
            "cpu": 256,
            "memory": 512,
            "containers": [{"name": "added", "environment": {"NEW": "yes"}}],
            "ci": copy.deepcopy(services[-1].get("ci", {})),
        }
    )
    return result


def removed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The last service leaves."""
    result = copy.deepcopy(dict(settings))
    services = _services(result)
    if len(services) > 1:
        services.pop()
    return result


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The last container of the first service is called otherwise."""
    result = copy.deepcopy(dict(settings))
    _services(result)[0]["containers"][-1]["name"] = "renamed"
    return result


def mistakes(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings that the program refuses."""
    misspelt, impossible = copy.deepcopy(dict(settings)), copy.deepcopy(dict(settings))
    misspelt["config"][f"{_PREFIX}servicess"] = []
    _services(impossible)[0]["memory"] = 100
    return [misspelt, impossible]


_TRESPASS = """

import json as _json
import pulumi_aws as _aws

_anyone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
_all = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_role = _aws.iam.Role("trespasser", name="trespasser", assume_role_policy=_json.dumps(_anyone))
_aws.iam.RolePolicy("trespasser", name="all", role=_role.name, policy=_json.dumps(_all))
_aws.s3.Bucket("trespasser", bucket="trespasser-of-the-rehearsal")
_aws.cloudwatch.LogGroup("trespasser", name="/trespasser")
_aws.iam.Role("unnamed", assume_role_policy=_role.arn.apply(lambda arn: _json.dumps({"Version": arn})))
"""
"""Appended to the program: what both packs refuse, under a provider of its own, and a document that nobody knows."""
