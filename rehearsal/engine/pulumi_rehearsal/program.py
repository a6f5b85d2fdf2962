"""The program of a rehearsal: run in process as the language host runs it, and left without a trace."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import traceback
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi.runtime
from pulumi._utils import ContextProperty
from pulumi.runtime import rpc
from pulumi.runtime import settings as runtime_settings

from . import tuning, wire
from .bytecode import never_stale
from .engine_log import EngineLog
from .errors import PolicyPackError
from .loading import inside, is_programs, run_main
from .model import Diagnostic
from .run_status import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .config import Project, StackConfig
    from .model import Mode
    from .monitor import Monitor

ORGANIZATION = "organization"
"""What a program gets where the state backend knows no organizations, as with a bucket or a local file."""


def run_program(
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
        _unknown_answers(),
        _unknown_outputs(),
        inside(project.program, environment),
        never_stale(project.program),
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
    run_main(program)
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
        reported = problem.code == _ALREADY_REPORTED and any(d.severity == "error" for d in monitor.diagnostics)
        if problem.code not in (None, 0) and not reported:
            monitor.note("error", f"the program ended itself with exit code {problem.code}")
        return
    if isinstance(problem, pulumi.RunError):
        monitor.note("error", str(problem))
        return
    if isinstance(problem, AssertionError) and str(problem).startswith(_NOTHING_TO_GET):
        problem = TypeError(
            "a function was asked plainly with something that is not known yet, and has no answer; call its "
            "_output form"
        ).with_traceback(problem.__traceback__)
    monitor.diagnostics.append(
        Diagnostic(
            severity="error",
            message=f"the program failed: {type(problem).__name__}: {problem}",
            traceback=_program_traceback(problem, program),
        )
    )


_ALREADY_REPORTED = 32
"""The status of a program that has reported what is wrong; of any other the engine says that it was not zero."""
_NOTHING_TO_GET = "get can only be used with classes decorated with"
"""What generated code says of the nothing that the SDK makes of an unknown argument."""


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
def _unknown_answers() -> Iterator[None]:
    """Hand what is unknown in a function's answer to the program as the protocol's own text for it.

    Generated code takes nothing but text where a function gives text, and the SDK sends the text back as unknown.
    """
    original = getattr(rpc, _ANSWERS)

    def kept(answer: Any) -> Any:
        result, secret = original(answer)
        if isinstance(result, dict):
            result.update({key: wire.UNKNOWN_WIRE for key, value in answer.items() if value == wire.UNKNOWN_WIRE})
        return result, secret

    setattr(rpc, _ANSWERS, kept)
    try:
        yield
    finally:
        setattr(rpc, _ANSWERS, original)


_ANSWERS = "deserialize_properties_unwrap_secrets"
"""What the SDK reads functions' answers with."""


@contextmanager
def _unknown_outputs() -> Iterator[None]:
    """Leave unknown at `up` what nobody can make up: the engine knows everything then, and the SDK counts on it."""
    original = rpc.resolve_properties

    def resolved(
        resolvers: dict[str, Any], properties: dict[str, Any], deps: Mapping[str, Any], *rest: Any, **options: Any
    ) -> None:
        unknown = () if pulumi.runtime.is_dry_run() else {k for k, v in properties.items() if rpc.contains_unknowns(v)}
        for key in unknown:
            if key in resolvers:
                resolvers[key](None, False, False, deps.get(key), None)  # noqa: FBT003  the SDK's own order
        original(
            {key: resolve for key, resolve in resolvers.items() if key not in unknown},
            {key: value for key, value in properties.items() if key not in unknown},
            deps,
            *rest,
            **options,
        )

    setattr(rpc, "resolve_properties", resolved)  # noqa: B010  not its own type
    try:
        yield
    finally:
        setattr(rpc, "resolve_properties", original)  # noqa: B010


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
