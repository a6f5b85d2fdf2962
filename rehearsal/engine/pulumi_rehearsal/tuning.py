"""What makes a rehearsal fast without making it another run: nothing here changes a resource or a result.

Each measure is held against the SDK's own way by a test (`tests/test_tuning.py`).
"""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.output import _OutputData
from pulumi.runtime import _callbacks, known_types, resource, rpc
from pulumi.runtime.proto import source_pb2

from .loading import is_own, is_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

ORDER_URI = "rehearsal:order"
_SDK_CALL = "pulumi.runtime._context"


class Stuck(pulumi.RunError):
    """The program waits for a value that nothing can give any more."""


class InlineLoop(asyncio.SelectorEventLoop):
    """An event loop that makes the SDK's calls to the monitor at once, not in another thread.

    The SDK hands each call to a thread because the engine answers over a network; ours answers at once. What
    the program itself gives to an executor goes there. Once the program has registered a transform, calls go
    to threads, too: the monitor then waits for the loop to run it.

    Where the engine would wait for ever, this loop notices: nothing is ready, no timer runs, nothing is open,
    and there is no thread that could still say something.
    """

    _ready: Any
    _scheduled: Any
    _selector: Any

    def __init__(self) -> None:
        super().__init__()
        self._threads_before = threading.active_count()
        self._quiet = len(self._selector.get_map())

    def _run_once(self) -> None:
        if (
            not self._ready
            and not self._scheduled
            and len(self._selector.get_map()) == self._quiet
            and threading.active_count() <= self._threads_before
        ):
            raise Stuck("the program waits for a value that nothing will ever give; look for a future left open")
        super()._run_once()  # type: ignore[misc]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call at once what the SDK calls; leave the rest to the executor."""
        if executor is not None or func.__module__ != _SDK_CALL or _callbacks._CallbackServicer._servicers:  # noqa: SLF001
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as problem:  # noqa: BLE001  it belongs to the one who awaits the call
            future.set_exception(problem)
        return future


async def settled() -> None:
    """Let everything run that can run now.

    The SDK waits for outputs by going through all that are not done after each that is: quadratic in their
    number, unless they are done before it begins to wait.
    """
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110  it is the loop's own list, which sets no event
        await asyncio.sleep(0)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Leave cycles alone while a program builds up what it keeps; they cost a third of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def lean_sdk(program: Path) -> Iterator[None]:
    """Spare the SDK work whose result nobody sees, or which it does in more steps than it takes.

    - Messages for debugging, which no engine shows by default, are not put together.
    - A resource's stack trace is taken without reading source lines, and holds the program's frames only; its
      last frame, of `ORDER_URI`, says as which the program made the resource.
    - An output property of a resource waits for one future, as its URN and id do, instead of a task that waits
      for four: half the memory of a large program.
    - The look for unknown values inside a value leaves no cycle behind that only a collector could free.
    """

    def lean_trace() -> source_pb2.StackTrace:
        trace = _trace_of(program, positions, sys._getframe(1))  # noqa: SLF001
        order = source_pb2.SourcePosition(uri=ORDER_URI, line=next(counter))
        trace.frames.append(source_pb2.StackFrame(pc=order))
        return trace

    counter = itertools.count(1)
    positions: dict[str, str] = {}
    measures: list[tuple[Any, str, Any]] = [
        (pulumi.log, "debug", _say_nothing),
        (resource, "_get_stack_trace", lean_trace),
        (rpc, "transfer_properties", transfer_properties),
        (rpc, "contains_unknowns", contains_unknowns),
    ]
    replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in measures]
    for owner, name, measure in measures:
        setattr(owner, name, measure)
    try:
        yield
    finally:
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _trace_of(program: Path, positions: dict[str, str], frame: FrameType | None) -> source_pb2.StackTrace:
    """The frames of the program above a resource's constructor; `positions` remembers each file's URI."""
    frames = []
    frame = _above_constructors(frame)
    while frame is not None:
        file = frame.f_code.co_filename
        if is_own(file):  # what called the rehearsal is no part of the program
            break
        uri = positions.get(file)
        if uri is None:
            uri = positions[file] = Path(file).as_uri() if is_programs(file, program) else ""
        if uri:
            pc = source_pb2.SourcePosition(uri=uri, line=frame.f_lineno)
            frames.append(source_pb2.StackFrame(pc=pc))
        frame = frame.f_back
    return source_pb2.StackTrace(frames=frames)


def transfer_properties(res: pulumi.Resource, props: Mapping[str, Any], custom: bool) -> dict[str, Any]:
    """As the SDK's own: an output for each property, and for each the function that will resolve it."""
    resolvers: dict[str, Any] = {}
    for name in props:
        if name == "urn" or (name == "id" and custom):
            continue
        data: asyncio.Future[Any] = asyncio.Future()
        resolvers[name] = functools.partial(_resolve, res, data)
        res.__dict__[name] = pulumi.Output._from_data(data)  # noqa: SLF001
    return resolvers


def _resolve(  # noqa: PLR0917  the SDK calls it so
    res: pulumi.Resource,
    data: asyncio.Future[Any],
    value: Any,
    is_known: bool,
    is_secret: bool,
    deps: set[pulumi.Resource] | None,
    failed: Exception | None,
) -> None:
    if failed is not None:
        data.set_exception(failed)
        return
    resources = {*(deps or ()), res}
    data.set_result(_OutputData(resources=resources, value=value, is_known=is_known, is_secret=is_secret))


def contains_unknowns(value: Any) -> bool:
    """As the SDK's own: whether a value is unknown, or holds one that is, in dictionaries and lists."""
    if not isinstance(value, dict | list):
        return bool(known_types.is_unknown(value))
    return _holds_unknown(value, set())


def _holds_unknown(value: Any, seen: set[int]) -> bool:
    if known_types.is_unknown(value):
        return True
    if not isinstance(value, dict | list) or id(value) in seen:
        return False
    seen.add(id(value))
    inner = [value[key] for key in value] if isinstance(value, dict) else value
    return any(_holds_unknown(item, seen) for item in inner)


_CONSTRUCTORS = 3  # Resource, CustomResource or ComponentResource, and the resource's own class


def _above_constructors(frame: FrameType | None) -> FrameType | None:
    """The frame that called a resource's constructor: above the third `__init__`, as the SDK counts."""
    seen = 0
    start = frame
    while frame is not None:
        if frame.f_code.co_name == "__init__":
            seen += 1
            if seen == _CONSTRUCTORS:
                return frame.f_back
        frame = frame.f_back
    return start


def _say_nothing(*_: Any, **__: Any) -> None:
    return None
