"""Differences between engine and rehearsal that are explained: each with its reason, and none that is stale."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .compare import Difference


@dataclass(frozen=True, kw_only=True)
class Known:
    """A difference that may be there; `*` stands for anything."""

    reason: str
    what: str
    type: str = "*"
    step: str = "*"

    def covers(self, difference: Difference) -> bool:
        """Whether this is the one."""
        return (
            fnmatchcase(difference.what, self.what)
            and fnmatchcase(difference.type, self.type)
            and fnmatchcase(difference.step, self.step)
        )


KNOWN: tuple[Known, ...] = ()
"""A difference is a fault of the rehearsal until it is explained here."""


def reason(difference: Difference, known: Sequence[Known] = KNOWN) -> str:
    """Why a difference is there; empty where nobody knows."""
    return next((entry.reason for entry in known if entry.covers(difference)), "")


def stale(differences: Iterable[Difference], known: Sequence[Known] = KNOWN) -> list[Known]:
    """The entries that no difference needs any more."""
    there = list(differences)
    return [entry for entry in known if not any(entry.covers(difference) for difference in there)]
