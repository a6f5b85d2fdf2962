"""An embedded rehearsal of Pulumi Python programs: no cloud, no account, no Pulumi CLI.

`rehearse(project_dir, stack)` runs a program and its policy packs and gives back plain data; on the command
line it is `python -m pulumi_rehearsal preview` and `python -m pulumi_rehearsal up`.
"""

from __future__ import annotations

from .engine import rehearse
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
)

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
]
