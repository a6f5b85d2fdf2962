"""A rehearsal of Pulumi Python programs: no cloud, no account, no Pulumi CLI.

`rehearse(project_dir, stack)` runs a program and its policy packs and gives back plain data; on the command
line it is `pulumi-rehearsal preview` and `pulumi-rehearsal up`. The README names what else is public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import PolicyPackError, RehearsalError, UsageError
from .model import (
    UNKNOWN,
    Archive,
    Asset,
    Diagnostic,
    LookupFailed,
    Options,
    Pack,
    Rehearsal,
    Remediation,
    Resource,
    Secret,
    SourceLine,
    Violation,
    unknown_paths,
    unwrapped,
)

if TYPE_CHECKING:
    from .engine import rehearse

__all__ = [
    "UNKNOWN",
    "Archive",
    "Asset",
    "Diagnostic",
    "LookupFailed",
    "Options",
    "Pack",
    "PolicyPackError",
    "Rehearsal",
    "RehearsalError",
    "Remediation",
    "Resource",
    "Secret",
    "SourceLine",
    "UsageError",
    "Violation",
    "rehearse",
    "unknown_paths",
    "unwrapped",
]


def __getattr__(name: str) -> Any:
    # Pulumi's SDK takes half a second to import; `--help` and a mistyped option do without it.
    if name == "rehearse":
        from .engine import rehearse  # noqa: PLC0415

        return rehearse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
