"""Runs a callable with a time-out that ends before the Lambda invocation does, so that a response is always sent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Context(Protocol):
    """The part of Lambda's context object that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class OutOfTimeError(Exception):
    """The work was still going on when the answer was due."""


def seconds_left(context: Context, reserve: float) -> float:
    """Seconds that work may take when `reserve` seconds are kept for the answer; never negative."""
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - reserve)


def run(work: Callable[[], T], seconds: float) -> T:
    """Return what `work` returns or raise what it raises; after `seconds`, raise OutOfTimeError.

    With no time left at all, nothing is begun.

    A socket's own time-out does not bound name resolution, nor a peer that sends one byte at a time; waiting
    beside the work does. Work left behind ends with the process and must not answer anyone by itself.
    """
    if seconds <= 0:
        raise OutOfTimeError
    results: list[T] = []
    errors: list[BaseException] = []

    def aside() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  (handed over to the caller, whatever it is)
            errors.append(error)

    thread = threading.Thread(target=aside, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if results:
        return results[0]
    raise OutOfTimeError
