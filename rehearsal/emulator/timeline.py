"""What happened, in what order, who did it: the release's own clock and the notes on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the time line.

    `seconds` on the release's own clock, which waits as long as the stack declares without anybody waiting;
    `role` is the name of the IAM role under which it was done, empty where none acts.
    """

    seconds: float
    service: str
    stage: str
    text: str
    role: str = ""
    trouble: bool = False


class Timeline:
    """The entries so far; `on_entry` is called with each as it happens."""

    def __init__(self, on_entry: Callable[[Entry], None] | None = None) -> None:
        self.entries: list[Entry] = []
        self.seconds = 0.0
        self.service = ""
        self._on_entry = on_entry

    def begin(self, service: str) -> None:
        """Start the clock of one service's release."""
        self.service, self.seconds = service, 0.0

    def note(self, stage: str, text: str, role: str = "", *, trouble: bool = False) -> None:
        """Write down what happens now; `role` is a name or an ARN."""
        entry = Entry(
            seconds=self.seconds,
            service=self.service,
            stage=stage,
            text=" ".join(text.split()),
            role=role.rpartition("/")[2],
            trouble=trouble,
        )
        self.entries.append(entry)
        if self._on_entry is not None:
            self._on_entry(entry)

    def wait(self, seconds: float) -> None:
        """Let time pass on the release's clock."""
        self.seconds += seconds
