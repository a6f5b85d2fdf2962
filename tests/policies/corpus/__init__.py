"""The corpus: for every document that is refused, the clean one that it breaks, and the policy that says so.

A case either adds resources to the small world (`tests.policies.world`) or puts others in the place of some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.policies.judges import Thing


@dataclass(frozen=True, kw_only=True)
class Case:
    """One refusal with its clean counterpart."""

    id: str
    policy: str
    """The policy that must refuse."""
    refused: Sequence[Thing]
    clean: Sequence[Thing]
    replaces: bool = False
    """Whether the things stand in the place of the world's own, so that the case needs a stack to itself."""
    production: bool = True


def gathered() -> list[Case]:
    """All cases, of both packs."""
    from tests.policies.corpus import ci, credentials, escalations, outsiders, releases, roles, spelling, trust  # noqa: PLC0415

    cases = [
        *escalations.cases(), *ci.cases(), *trust.cases(), *roles.cases(), *spelling.cases(), *outsiders.cases(),
        *credentials.cases(), *releases.cases(),
    ]  # fmt: skip
    ids = [c.id for c in cases]
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)
    return cases
