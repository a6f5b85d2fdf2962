"""A rehearsed release as text for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pulumi_rehearsal.terminal import Paint

from .accepted_grants import accepted, obsolete, unaccepted
from .permissions import Grant
from .release import Outcome
from .timeline import Entry

_STAGE_WIDTH = 13
_OK, _FAILED = "ok    ", "FAILED"


def clock(seconds: float) -> str:
    """The release's own clock: minutes and seconds, hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def line(entry: Entry, paint: Paint) -> str:
    """One line of the time line: when, where, what, and under which role."""
    mark = paint("!", "red") if entry.trouble else " "
    role = paint(f"  ({entry.role})", "dim") if entry.role else ""
    return f"{clock(entry.seconds):>8} {mark} {entry.stage:<{_STAGE_WIDTH}} {entry.text}{role}"


def checks(outcome: Outcome, paint: Paint) -> str:
    """Every check after the release, what was not allowed, what was left out."""
    out, passed, failed = [], paint(_OK, "green"), paint(_FAILED, "red")
    width = max((len(check.what) for check in outcome.checks), default=0)
    for service in dict.fromkeys(check.service for check in outcome.checks):
        out += ["", paint(f"{service}: checks after the release", "bold")]
        for check in (c for c in outcome.checks if c.service == service):
            mark = passed if check.ok else failed
            out.append(f"  {mark} {check.what:<{width}}  {paint(check.found, 'dim')}")
    out += ["", paint("Permissions", "bold")]
    roles = {call.role for call in outcome.calls}
    if outcome.problems:
        out += [f"  {failed} {problem}" for problem in outcome.problems]
    else:
        out.append(f"  {passed} {len(outcome.calls)} calls by {len(roles)} roles, each allowed by its own documents")
    for name, why in outcome.left_out.items():
        out.append(f"\n{name} is left out: {why}.")
    return "\n".join(out) + "\n"


def grants(granted: Iterable[Grant], unused: Iterable[Grant], paint: Paint) -> str:
    """What is allowed and was never called, and exceptions that nothing needs."""
    left = list(unused)
    out = [paint("Grants that no release used", "bold")]
    out += [f"  {paint('unused grant', 'red')} {grant}" for grant in unaccepted(left)]
    out += [f"  {paint('obsolete exception', 'red')} {entry}, which is used" for entry in obsolete(granted, left)]
    out += [f"  {paint('accepted', 'green')} {grant}: {paint(why, 'dim')}" for grant, why in accepted(left)]
    return "\n".join(out) + "\n"


def for_machines(outcomes: Sequence[Outcome], unused: Iterable[Grant] | None = None) -> str:
    """One JSON document for every rehearsal that ran."""
    document: dict[str, Any] = {"ok": all(o.ok for o in outcomes), "releases": [_plain(o) for o in outcomes]}
    if unused is not None:
        left = list(unused)
        document["obsolete"] = [str(entry) for entry in obsolete(outcomes[0].granted, left)]
        document["ok"] = document["ok"] and not document["obsolete"] and not unaccepted(left)
        document["unused"] = [
            *({**asdict(grant), "reason": None} for grant in unaccepted(left)),
            *({**asdict(grant), "reason": why} for grant, why in accepted(left)),
        ]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "stack": outcome.stack,
        "failAt": outcome.step,
        "ok": outcome.ok,
        "timeline": [asdict(entry) for entry in outcome.entries],
        "checks": [asdict(check) for check in outcome.checks],
        "notAllowed": outcome.problems,
        "messages": [{"kind": p.kind, "room": p.room, "text": p.text} for p in outcome.messages],
        "leftOut": outcome.left_out,
        "calls": sorted({f"{c.role.rpartition('/')[2]} {c.action}" for c in outcome.calls}),
        "seconds": outcome.phases,
    }
