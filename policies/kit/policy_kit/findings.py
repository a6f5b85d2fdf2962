"""What a rule says: a violation, or that a value cannot be known yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .resources import Resource


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One violation: which resource, what was found, why it matters, the remedy."""

    resource: Resource
    found: str
    why: str
    remedy: str

    @property
    def message(self) -> str:
        """The violation in one paragraph."""
        return f"{self.resource.name}: {self.found}. {self.why} {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A value that only the update will know; the rule is asked again then."""

    resource: Resource
    what: str

    @property
    def message(self) -> str:
        """What cannot be judged yet, in one sentence."""
        return f"{self.resource.name}: {self.what} is computed by the provider and is judged at the update"


Verdict = Finding | Unknown
