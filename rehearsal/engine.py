"""The rehearsal itself: a Pulumi program run for one stack, in process, and judged by its policy packs."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import os
import runpy
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi.runtime
from pulumi._utils import ContextProperty
from pulumi.runtime import settings as runtime_settings

from . import changes, outputs, refresh, tuning, wire
from .analyzer import EngineServer, ProcessAnalyzer
from .config import load_project, load_stack, read_yaml
from .errors import PolicyPackError, UsageError
from .leaf_imports import leaf_imports
from .model import Diagnostic, Mode, Rehearsal
from .monitor import EngineLog, Monitor, Stopped
from .packs import (
    InProcessAnalyzer,
    RunSettings,
    find_packs,
    load_folder,
    modules_under,
)
from .policies import PolicyRun
from .registration import STACK_TYPE
from .source import is_programs
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .config import Project, StackConfig
    from .lookups import Answer
    from .packs import Analyzer

ORGANIZATION = "organization"
"""What a program is told where the state backend knows no organizations, as with a bucket or a local file."""


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
        packs: directories of policy packs; None takes every pack under the project's `policies/`.
        policy_configs: one configuration file (JSON or YAML) per pack, in order, or none.
        real_analyzers: start each pack as its real analyzer process instead of evaluating it in process.
        answers: what provider functions answer, by token: a dictionary, or a function of the arguments.
        stack_outputs: outputs of other stacks by `organization/project/stack`, for stack references.
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
        )
        for note in config.notes:
            monitor.note("warning", note)
        try:
            policies.start(settings, configs)
            clock.mark("packs")
            context = contextvars.copy_context()
            _apart(
                context.run,
                _run_program,
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
    outputs.forget_classes()
    if previous is not None:
        return replace(result, steps=changes.plan(previous, result, settled=True))
    return result


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


# -- the program ----------------------------------------------------------------------------------------------


def _run_program(
    *, project: Project, stack: str, mode: Mode, config: StackConfig, monitor: Monitor, tuned: bool
) -> None:
    """Run `__main__.py` as the language host does; what goes wrong becomes a diagnostic."""
    pulumi.runtime.set_all_config(dict(config.values), sorted(config.secret_keys))
    runtime_settings.ROOT.set(None)
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=project.name,
            stack=stack,
            monitor=monitor,
            engine=EngineLog(monitor),
            dry_run=mode == "preview",
            organization=ORGANIZATION,
            root_directory=str(project.root),
        )
    )
    loop = tuning.InlineLoop() if tuned else asyncio.new_event_loop()
    monitor.callbacks.loop = loop
    environment = {
        "PULUMI_CONFIG": json.dumps(dict(config.values)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(config.secret_keys)),
    }
    with (
        _runtime_left_alone(),
        _quiet_asyncio(),
        _inside(project.program, environment),
        redirect_stdout(_Lines(lambda line: monitor.note("info", line))),
    ):
        asyncio.set_event_loop(loop)
        try:
            program = pulumi.runtime.run_in_stack(lambda: _run_main(project.program, tuned))
            loop.run_until_complete(program)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # noqa: BLE001  whatever a program raises is its error
            _note_failure(monitor, problem, project.program)
        finally:
            _close(loop)
            asyncio.set_event_loop(None)


async def _run_main(program: Path, tuned: bool) -> None:
    runpy.run_path(str(program), run_name="__main__")
    if tuned:
        await tuning.settled()


def _note_failure(monitor: Monitor, problem: BaseException, program: Path) -> None:
    if monitor.stopped is not None:
        return  # the engine ended the run and said why; what the program made of it is no news
    broken = _first(problem, PolicyPackError)
    if broken is not None:
        monitor.stopped = Stopped(str(broken))
        monitor.note("error", str(broken))
        return
    if isinstance(problem, SystemExit):
        if problem.code not in (None, 0):
            monitor.note("error", f"the program ended itself with exit code {problem.code}")
        return
    if isinstance(problem, pulumi.RunError) or getattr(type(problem), "user_error", False):
        monitor.note("error", str(problem))
        return
    monitor.diagnostics.append(
        Diagnostic(
            severity="error",
            message=f"the program failed: {type(problem).__name__}: {problem}",
            traceback=_program_traceback(problem, program),
        )
    )


def _first(problem: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The exception of a kind among an exception and its causes."""
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        if isinstance(problem, kind):
            return problem
        seen.add(id(problem))
        problem = problem.__cause__ or problem.__context__
    return None


def _program_traceback(problem: BaseException, program: Path) -> str:
    """The traceback from the program's first line on: what ran the program is nobody's concern."""
    entry = problem.__traceback__
    while entry is not None and not is_programs(entry.tb_frame.f_code.co_filename, program):
        entry = entry.tb_next
    return "".join(traceback.format_exception(type(problem), problem, entry or problem.__traceback__))


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End what a failed program left behind, so that nothing of it reaches into the next run."""
    waiting = asyncio.all_tasks(loop)
    for task in waiting:
        task.cancel()
    if waiting:
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@contextmanager
def _quiet_asyncio() -> Iterator[None]:
    """As the language host: a failing graph leaves futures that nobody asks, and asyncio would complain."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _inside(program: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The program's directory as working directory, its arguments, environment, path and modules.

    Modules of the program's directory that were imported before are set aside, and those that the program
    imports are forgotten afterwards: each run starts with fresh module state, and two projects may have modules
    of the same name. The rehearsal's own modules stay, also where they lie inside the project.
    """
    directory = Path.cwd()
    argv, path = list(sys.argv), list(sys.path)
    variables = dict(os.environ)
    own = __name__.split(".", 1)[0]

    def of_program() -> dict[str, Any]:
        found = modules_under(program)
        return {
            name: module
            for name, module in found.items()
            if name != "__main__" and name.split(".", 1)[0] not in (own, "conftest", "tests")
        }

    aside = of_program()
    for name in aside:
        del sys.modules[name]
    os.chdir(program)
    os.environ.update(environment)
    sys.argv[:] = [str(program)]
    try:
        yield
    finally:
        for name in of_program():
            sys.modules.pop(name, None)
        sys.modules.update(aside)
        sys.argv[:] = argv
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(directory)


class _Lines(io.TextIOBase):
    """Standard output while a program runs: each line becomes a message, as it does under the engine."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        return None

    def close(self) -> None:
        if self._rest:
            self._say(self._rest)
            self._rest = ""
        super().close()


@contextmanager
def _runtime_left_alone() -> Iterator[None]:
    """Take back what the SDK's settings keep beside their context, so that no run shows outside of it."""
    properties = [p for p in vars(runtime_settings.Settings).values() if isinstance(p, ContextProperty)]
    defaults = [getattr(p, _DEFAULT) for p in properties]
    try:
        yield
    finally:
        for item, default in zip(properties, defaults, strict=True):
            setattr(item, _DEFAULT, default)


_DEFAULT = "_ContextProperty__default"
