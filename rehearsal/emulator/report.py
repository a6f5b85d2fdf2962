"""A rehearsed release as text for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from .accepted_grants import explained, stale, unexplained
from .permissions import Grant
from .release import Outcome
from .timeline import Entry

_STAGE_WIDTH = 13


class Paint:
    """Colours, where they are wanted."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on and text else text

    def bad(self, text: str) -> str:
        """Red."""
        return self._in("31", text)

    def good(self, text: str) -> str:
        """Green."""
        return self._in("32", text)

    def dim(self, text: str) -> str:
        """Grey."""
        return self._in("2", text)

    def bold(self, text: str) -> str:
        """Bold."""
        return self._in("1", text)


def clock(seconds: float) -> str:
    """The release's own clock: minutes and seconds, hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def line(entry: Entry, paint: Paint) -> str:
    """One line of the time line: when, where, what, and under which role."""
    mark = paint.bad("!") if entry.trouble else " "
    role = paint.dim(f"  ({entry.role})") if entry.role else ""
    return f"{clock(entry.seconds):>8} {mark} {entry.stage:<{_STAGE_WIDTH}} {entry.text}{role}"


def ending(outcome: Outcome, paint: Paint) -> str:
    """How it ended: every check, what was not allowed, what was left out."""
    out = []
    width = max((len(check.what) for check in outcome.checks), default=0)
    for service in dict.fromkeys(check.service for check in outcome.checks):
        out += ["", paint.bold(f"{service}: how it ended")]
        for check in (c for c in outcome.checks if c.service == service):
            mark = paint.good("ok   ") if check.ok else paint.bad("WRONG")
            out.append(f"  {mark} {check.what:<{width}}  {paint.dim(check.found)}")
    out += ["", paint.bold("Who was allowed to do it")]
    roles = {call.role for call in outcome.calls}
    if outcome.problems:
        out += [f"  {paint.bad('WRONG')} {problem}" for problem in outcome.problems]
    else:
        out.append(f"  {paint.good('ok   ')} {len(outcome.calls)} calls by {len(roles)} roles, each allowed by its own")
    for name, why in outcome.left_out.items():
        out.append(f"\n{name} is left out: {why}.")
    return "\n".join(out) + "\n"


def grants(granted: Iterable[Grant], unused: Iterable[Grant], paint: Paint) -> str:
    """What is allowed and was never called."""
    left = list(unused)
    out = [paint.bold("Allowed and never called")]
    out += [f"  {paint.bad('candidate to remove')} {grant}" for grant in unexplained(left)]
    out += [f"  {paint.bad('reason for nothing')} {reason}, which is used" for reason in stale(granted, left)]
    out += [f"  {paint.good('stays')} {grant}: {paint.dim(why)}" for grant, why in explained(left)]
    return "\n".join(out) + "\n"


def for_machines(outcomes: Sequence[Outcome], unused: Iterable[Grant] | None = None) -> str:
    """One JSON document for every rehearsal that ran."""
    document: dict[str, Any] = {"ok": all(o.ok for o in outcomes), "releases": [_plain(o) for o in outcomes]}
    if unused is not None:
        left = list(unused)
        document["unused"] = [
            *({**asdict(grant), "reason": None} for grant in unexplained(left)),
            *({**asdict(grant), "reason": why} for grant, why in explained(left)),
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
        "messages": [{"kind": p.kind, "room": p.room, "text": p.text} for p in outcome.told],
        "leftOut": outcome.left_out,
        "calls": sorted({f"{c.role.rpartition('/')[2]} {c.action}" for c in outcome.calls}),
        "seconds": outcome.phases,
    }
