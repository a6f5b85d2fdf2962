"""What makes a rehearsal fast without making it another run: nothing here changes a resource or a result.

Each measure is held against the SDK's own way by a test (`tests/rehearsal/test_tuning.py`).
"""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime import _callbacks, resource
from pulumi.runtime.proto import source_pb2

from .source import is_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SDK_CALL = "pulumi.runtime._context"


class InlineLoop(asyncio.SelectorEventLoop):
    """An event loop that makes the SDK's calls to the monitor at once, not in another thread.

    The SDK hands each call to a thread because the engine answers over a network; ours answers at once. What
    the program itself gives to an executor goes there. Once the program has registered a transform, calls go
    to threads, too: the monitor then waits for the loop to run it.
    """

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
    """Spare the SDK work whose result nobody sees.

    Messages for debugging, which no engine shows by default, are not put together; a resource's stack trace is
    taken without reading source lines, and holds the frames of the program only.
    """
    debug, trace = pulumi.log.debug, resource._get_stack_trace  # noqa: SLF001
    positions: dict[str, str] = {}

    def uri_of(file: str) -> str:
        found = positions.get(file)
        if found is None:
            found = positions[file] = Path(file).as_uri() if is_programs(file, program) else ""
        return found

    def lean_trace() -> source_pb2.StackTrace:
        frame: FrameType | None = _above_constructors(sys._getframe(1))  # noqa: SLF001
        frames = []
        while frame is not None:
            uri = uri_of(frame.f_code.co_filename)
            if uri:
                pc = source_pb2.SourcePosition(uri=uri, line=frame.f_lineno)
                frames.append(source_pb2.StackFrame(pc=pc))
            frame = frame.f_back
        return source_pb2.StackTrace(frames=frames)

    pulumi.log.debug = _say_nothing
    resource._get_stack_trace = lean_trace  # noqa: SLF001
    try:
        yield
    finally:
        pulumi.log.debug = debug
        resource._get_stack_trace = trace  # noqa: SLF001


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
