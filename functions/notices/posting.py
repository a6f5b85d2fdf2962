"""One message to one address, tried again while that makes sense; redirects would carry the token off, and are not
followed.
"""  # noqa: D205

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OK: Final = 200
_BUSY: Final = 429
_FAULT: Final = 500
_BODY_CAP: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a receiver answered; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    backoff: float,
    verdict: Callable[[Reply], str | None],
    hide: str = "",
) -> str | None:
    """Post until it is taken, is refused for good, or `seconds` are over; None when taken, else a sentence.

    Waits `backoff` seconds after the first try and twice as long after each further one, or exactly as long as the
    receiver asks by `Retry-After` (seconds) or `x-ratelimit-reset` (epoch seconds; Chatwork's).

    Args:
        url: http or https; never part of what is returned, as it may be a secret.
        body: as sent.
        headers: as sent; never part of what is returned.
        seconds: for all tries together.
        backoff: seconds of the first pause.
        verdict: reads a reply of status 200; None when the message was taken, "" to try again, else why not.
        hide: the secret that was sent, blotted out where the receiver's refusal repeats it.
    """
    end = time.monotonic() + seconds
    pause = backoff
    while True:
        wait, why = pause, ""
        try:
            reply = _send(url, body, headers, max(0.1, min(5.0, end - time.monotonic())))
        except (OSError, http.client.HTTPException) as error:
            why = f"no answer ({type(error).__name__})"
        else:
            if reply.status // 100 == _OK // 100:
                refused = verdict(reply)
                if refused is None:
                    return None
                if refused:
                    return refused
                why = "it asked to try again"
            elif reply.status == _BUSY or reply.status >= _FAULT:
                why = f"it answered {reply.status}"
            else:
                text = reply.body.decode("utf-8", "replace")
                return f"it answered {reply.status}: {(text.replace(hide, '***') if hide else text)[:120]!r}"
            wait = _asked(reply, pause)
        if time.monotonic() + wait >= end:
            return f"{why}, and there is no time for another try"
        time.sleep(wait)
        pause *= 2


def _asked(reply: Reply, pause: float) -> float:
    """How long the receiver asks to wait, `pause` when it does not say."""
    try:
        if text := reply.headers.get("retry-after"):
            return max(0.0, float(text))
        if reply.status == _BUSY and (text := reply.headers.get("x-ratelimit-reset")):
            return max(0.0, float(text) - time.time())
    except ValueError:
        # Retry-After may be a date too; the own pause does.
        return pause
    return pause


def _send(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("POST", target, body=body, headers=dict(headers))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(status=response.status, headers=found, body=response.read(_BODY_CAP))
    finally:
        connection.close()
