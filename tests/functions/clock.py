"""A clock on which pauses take no time: the real one, and whatever was slept on top."""

from __future__ import annotations

import time


class Clock:
    """Stands for the module `time`, so that a test may give a function minutes and still be done at once.

    Real time goes on, so a slow machine uses up some of the minutes; no test depends on how little.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def time(self) -> float:
        return time.time() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
