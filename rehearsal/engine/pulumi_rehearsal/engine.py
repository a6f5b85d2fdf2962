"""The rehearsal itself: a Pulumi program run for one stack, in process, and judged by its policy packs."""

from __future__ import annotations

import asyncio
import contextvars
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import changes, refresh, sdk_types, tuning, wire
from .config import load_project, load_stack, read_yaml
from .errors import PolicyPackError, UsageError
from .leaf_imports import leaf_imports
from .model import Diagnostic, Mode, Rehearsal
from .monitor import Monitor
from .packs import EngineServer, InProcessAnalyzer, PolicyRun, ProcessAnalyzer, RunSettings, find_packs, load_folder
from .program import ORGANIZATION, run_program
from .registration import STACK_TYPE
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .changes import Step
    from .config import Project
    from .lookups import Answer
    from .packs import Analyzer


def rehearse(
    project_dir: str | Path,
    stack: str,
    mode: Mode = "preview",
    *,
    config_overrides: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    config_file: str | Path | None = None,
    on_disk: bool = True,
    packs: Sequence[str | Path] | None = None,
    policy_configs: Sequence[str | Path] = (),
    real_analyzers: bool = False,
    answers: Mapping[str, Answer] | None = None,
    stack_outputs: Mapping[str, Mapping[str, Any]] | None = None,
    given_outputs: Mapping[str, Mapping[str, Any]] | None = None,
    previous: Rehearsal | None = None,
    refreshed: bool = False,
    tuned: bool = True,
) -> Rehearsal:
    """Run a Pulumi Python project for one stack, without provider, engine or network.

    Args:
        project_dir: the directory with `Pulumi.yaml`.
        stack: the stack's name.
        mode: `preview` leaves what providers compute unknown; `up` fills it with well-formed values.
        config_overrides: configuration values by key (`name` or `namespace:name`) that stand over the stack's
            file; lists and dictionaries as such; None removes a key.
        secrets: plain values for what the stack's file holds encrypted, by key or path inside a key.
        config_file: a stack file to read in place of `Pulumi.<stack>.yaml`, wherever it lies.
        on_disk: False allows a stack that has no file; its configuration is then `config_overrides` alone.
        packs: directories of policy packs; None takes every pack up to two directories below the project.
        policy_configs: one configuration file (JSON or YAML) per pack, in order, or none.
        real_analyzers: start each pack as its real analyzer process instead of evaluating it in process.
        answers: what provider functions answer, by token: a dictionary, or a function of the arguments.
        stack_outputs: outputs of other stacks by `organization/project/stack`, for stack references.
        given_outputs: outputs that `up` cannot make up, by type token or URN: the provider's names to values.
        previous: what an earlier `up` left, as the state that this run starts from; without one, nothing stands.
        refreshed: whether that state was refreshed since (`pulumi refresh`), as `refresh.refreshed` makes it.
        tuned: False runs the SDK with nothing spared, to compare.

    Returns:
        What the program registered and exported and what the policies said; errors of the program are in
        `diagnostics`, not raised.

    Raises:
        UsageError: project, configuration or packs are not what they must be, or `previous` is no `up`.
    """
    clock = _Clock()
    if previous is not None and refreshed:
        previous = refresh.refreshed(previous)
    before = None if previous is None else State(previous)
    project = load_project(Path(project_dir))
    config = load_stack(
        project,
        stack,
        overrides=config_overrides,
        secrets=secrets,
        on_disk=on_disk,
        file=None if config_file is None else Path(config_file),
    )
    directories = find_packs(project.root) if packs is None else [Path(pack) for pack in packs]
    folders = [load_folder(path) for path in directories]
    configs = _policy_configs(policy_configs, len(folders))
    clock.mark("config")

    settings = RunSettings(
        project=project.name,
        stack=stack,
        organization=ORGANIZATION,
        dry_run=mode == "preview",
        config=config.values,
        secret_keys=sorted(config.secret_keys),
    )
    with ExitStack() as cleanup:
        if tuned:
            cleanup.enter_context(tuning.without_garbage_collection())
            cleanup.enter_context(tuning.lean_sdk(project.program))
            cleanup.enter_context(leaf_imports())
        engine_log: list[Diagnostic] = []
        analyzers: list[Analyzer] = []
        server: EngineServer | None = None
        for folder in folders:
            if real_analyzers or not folder.shares_interpreter:
                if server is None:
                    server = EngineServer(lambda r: engine_log.append(Diagnostic(severity="info", message=r.message)))
                    cleanup.callback(server.close)
                analyzers.append(ProcessAnalyzer(folder, server.address))
            else:
                analyzers.append(InProcessAnalyzer(folder))
        policies = PolicyRun(analyzers)
        cleanup.callback(policies.close)
        monitor = Monitor(
            project=project.name,
            stack=stack,
            mode=mode,
            config=config.values,
            program=project.program,
            judge=policies.judge,
            answers=answers or {},
            stack_outputs=stack_outputs or {},
            before=before,
            given_outputs=given_outputs,
        )
        for note in config.notes:
            monitor.note("warning", note)
        try:
            policies.start(settings, configs)
            clock.mark("packs")
            context = contextvars.copy_context()
            _apart(
                context.run,
                run_program,
                project=project,
                stack=stack,
                mode=mode,
                config=config,
                monitor=monitor,
                tuned=tuned,
            )
            clock.mark("program")
            monitor.finish()
            policies.put_in_order(monitor.registrations())
            stopping = [d for d in monitor.diagnostics if d.severity == "error" and d not in monitor.refusals]
            if not stopping and monitor.stopped is None:
                policies.judge_stack(monitor.registrations())
        except PolicyPackError as problem:
            clock.mark("program")
            monitor.note("error", str(problem))
        clock.seconds["policies"] = policies.seconds
        clock.seconds["program"] -= min(policies.judging, clock.seconds["program"])
        result = _collected(
            project=project,
            stack=stack,
            mode=mode,
            monitor=monitor,
            policies=policies,
            engine_log=engine_log,
            phases=clock.seconds,
        )
    sdk_types.forget_classes()
    return result if previous is None else replace(result, steps=_steps(previous, result, complete=monitor.complete))


def _steps(before: Rehearsal, run: Rehearsal, *, complete: bool) -> tuple[Step, ...]:
    """What would be done; a run that did not get to its end deletes nothing."""
    planned = changes.plan(before, run, settled=True)
    held = _held(planned)
    return tuple(step for step in planned if step.op != "delete" or (complete and step.urn not in held))


def _held(planned: Sequence[Step]) -> set[str]:
    """What is not deleted because something that depends on it may not be: the engine deletes dependents first."""
    deleted = {step.urn: step.old for step in planned if step.op == "delete" and step.old is not None}
    waiting = [step.urn for step in planned if step.refused]
    held: set[str] = set()
    while waiting:
        if (old := deleted.get(waiting.pop())) is not None:
            needed = {old.parent, *old.dependencies}.intersection(deleted) - held
            held |= needed
            waiting += needed
    return held - {step.urn for step in planned if step.refused}


def _apart(function: Callable[..., None], *args: Any, **options: Any) -> None:
    """Call a function that runs an event loop; in a thread of its own where this one has a loop running."""
    running = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        running = False
    if not running:
        function(*args, **options)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal") as thread:
        thread.submit(function, *args, **options).result()


def _policy_configs(files: Sequence[str | Path], packs: int) -> list[tuple[Mapping[str, Any], str]]:
    if not files:
        return []
    if len(files) != packs:
        raise UsageError(f"--policy-config was given {len(files)} times for {packs} policy packs: give one for each")
    configs: list[tuple[Mapping[str, Any], str]] = []
    for file in files:
        content = read_yaml(Path(file))
        if not isinstance(content, dict):
            raise UsageError(f"{file} must be a map of policy names")
        configs.append((content, str(file)))
    return configs


def _collected(
    *,
    project: Project,
    stack: str,
    mode: Mode,
    monitor: Monitor,
    policies: PolicyRun,
    engine_log: Sequence[Diagnostic],
    phases: Mapping[str, float],
) -> Rehearsal:
    registrations = monitor.registrations()
    root = next((r for r in registrations if r.type == STACK_TYPE), None)
    return Rehearsal(
        project=project.name,
        stack=stack,
        mode=mode,
        resources=tuple(registration.recorded() for registration in registrations),
        exports=wire.plain_of(root.outputs) if root is not None else {},
        violations=tuple(policies.violations),
        remediations=tuple(policies.remediations),
        not_applicable=tuple(policies.not_applicable),
        diagnostics=(*monitor.diagnostics, *engine_log),
        packs=policies.packs(),
        phases=dict(phases),
    )


class _Clock:
    """Wall seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"program": 0.0}
        self._last = time.perf_counter()

    def mark(self, phase: str) -> None:
        """Everything since the last mark was this phase."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now
