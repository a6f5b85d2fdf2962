"""CodeDeploy lifecycle hook AfterAllowTestTraffic: HTTP smoke test of the replacement tasks on the test listener.

CodeDeploy calls it with `{"DeploymentId", "LifecycleEventHookExecutionId"}` and waits up to an hour for
PutLifecycleEventHookExecutionStatus (CodeDeploy user guide, "AppSpec 'hooks' section for an Amazon ECS deployment").
It is answered in every case: checks passed or not, settings wrong, the function's own fault, its time running out.

AWS call: codedeploy:PutLifecycleEventHookExecutionStatus on
`arn:aws:codedeploy:REGION:ACCOUNT:deploymentgroup:APPLICATION/GROUP` (as AWS SAM's guide grants it to a hook; the
Service Authorization Reference names no resource for it).

Network: reaches the test listener's port of the load balancer; for an internal one the function is in the VPC.

Environment variables:

- `SMOKE_URL`: the test listener, such as `https://prod-api-1.ap-northeast-1.elb.amazonaws.com:8443`.
- `SMOKE_HOST`: optional, the name the certificate is for (sent as SNI and as Host); the load balancer's own DNS name
  is never the certificate's. Unset, the name in `SMOKE_URL` is used. Certificates are always verified.
- `SMOKE_CHECKS`: JSON, `[{"path": "/healthz", "status": 200, "contains": "ok", "maxMillis": 1500}]`; status is 200
  where not given, contains and maxMillis are optional. Redirects are not followed: name the status expected.
- `SMOKE_SECONDS`: how long failing checks are tried again; 60, and never past the function's own time.
- `SMOKE_PAUSE_SECONDS`: the pause between two tries; 2.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from contract import variables
from functions.shared import aws, deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

#: Seconds kept of the function's time to answer CodeDeploy in.
RESERVE: Final = 5.0
BODY_CAP: Final = 1024 * 1024
_TRY_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question: what `path` answers, what it must contain, and in how many milliseconds at most."""

    path: str
    status: int
    contains: str | None
    max_millis: int | None


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Where the questions go."""

    scheme: str
    host: str
    port: int
    name: str | None


@dataclass(frozen=True, kw_only=True)
class Response:
    """What came back."""

    status: int
    body: bytes
    millis: int


class SettingError(Exception):
    """One sentence about an environment variable."""


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, str]:
    """Run the checks and answer CodeDeploy; returns what was answered and why.

    Raises:
        ValueError: when the event names no hook execution, so that there is nobody to answer.
    """
    deployment, execution = event.get("DeploymentId"), event.get("LifecycleEventHookExecutionId")
    if not isinstance(deployment, str) or not isinstance(execution, str):
        sentence = "The event is not a CodeDeploy hook's: DeploymentId or LifecycleEventHookExecutionId is missing."
        raise ValueError(sentence)  # noqa: TRY004  (wrong as a value, whatever its type)
    why = failure(deadline.seconds_left(context, RESERVE))
    status: Literal["Failed", "Succeeded"] = "Failed" if why else "Succeeded"
    said = {"deployment": deployment, "status": status, "why": why or "every check passed"}
    log.info("%s", json.dumps(said))
    client = aws.client("codedeploy")
    try:
        client.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
        )
    except client.exceptions.LifecycleEventAlreadyCompletedException:
        log.info("%s", json.dumps({"deployment": deployment, "status": "answered before"}))
    return said


def failure(seconds: float) -> str | None:
    """Run every check within `seconds`; None when all passed, else one sentence that says why not."""
    try:
        listener = listener_of(os.environ.get(variables.SMOKE_URL, ""), os.environ.get(variables.SMOKE_HOST))
        checks = checks_of(os.environ.get(variables.SMOKE_CHECKS, ""))
        # Ends by itself before it is given up, so that the reason is a check's own.
        within = min(max(seconds - 2, seconds / 2), _number(variables.SMOKE_SECONDS, 60.0))
        pause = _number(variables.SMOKE_PAUSE_SECONDS, 2.0)
        return deadline.run(lambda: run(listener, checks, within, pause), seconds)
    except SettingError as error:
        return str(error)
    except deadline.OutOfTimeError:
        return f"The checks did not end within the {seconds:.0f} s that the function had left."
    except Exception as error:
        # Everything, since a hook without an answer holds the deployment for an hour.
        log.exception("The smoke test failed by itself")
        return f"The smoke test itself failed ({type(error).__name__}); its log says where."


def run(listener: Listener, checks: list[Check], seconds: float, pause: float) -> str | None:
    """Try the checks that have not passed again and again until all have, or `seconds` are over."""
    end = time.monotonic() + seconds
    left = list(checks)
    why: dict[str, str] = {}
    while True:
        for check in list(left):
            reason = tried(listener, check, min(_TRY_SECONDS, end - time.monotonic()))
            if reason is None:
                left.remove(check)
            else:
                why[check.path] = reason
        if not left:
            return None
        if time.monotonic() + pause >= end:
            return " ".join(why[check.path] for check in left)
        time.sleep(pause)


def tried(listener: Listener, check: Check, seconds: float) -> str | None:
    """Ask once; None when the answer is right, else a sentence."""
    try:
        response = ask(listener, check.path, max(seconds, 0.1))
    except ssl.SSLCertVerificationError as error:
        hint = "" if listener.name else "; set SMOKE_HOST to the certificate's own name"
        name = listener.name or listener.host
        return f"{check.path}: the certificate is not accepted for {name} ({error.verify_message}){hint}."
    except (OSError, http.client.HTTPException) as error:
        return f"{check.path}: no answer from {listener.host}:{listener.port} ({type(error).__name__}: {error})."
    return judged(check, response)


def judged(check: Check, response: Response) -> str | None:
    """Hold one answer against its check."""
    if response.status != check.status:
        return f"{check.path}: answered {response.status}; expected is {check.status}."
    if check.contains is not None and check.contains.encode() not in response.body:
        return f"{check.path}: the body ({len(response.body)} bytes read) lacks {check.contains!r}."
    if check.max_millis is not None and response.millis > check.max_millis:
        return f"{check.path}: took {response.millis} ms; at most {check.max_millis} ms are allowed."
    return None


def ask(listener: Listener, path: str, seconds: float) -> Response:
    """Send one GET and read at most BODY_CAP bytes of the answer, all within `seconds`.

    Raises:
        OSError, http.client.HTTPException: no proper answer.
    """
    begun = time.monotonic()
    connection = _connection(listener, seconds)
    try:
        headers = {"User-Agent": "ecs-release-smoke-test", "Connection": "close"}
        if listener.name:
            headers["Host"] = listener.name
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = b""
        while len(body) < BODY_CAP and (part := response.read1(BODY_CAP - len(body))):
            body += part
            if time.monotonic() - begun > seconds:
                # A time-out of the socket bounds each read, not all of them together.
                raise TimeoutError(f"still sending after {seconds:.1f} s")
    finally:
        connection.close()
    return Response(status=response.status, body=body, millis=round((time.monotonic() - begun) * 1000))


def _connection(listener: Listener, seconds: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(listener.host, listener.port, timeout=seconds)
    if listener.scheme == "https":
        # Connected by hand: http.client would verify the certificate against the load balancer's own name.
        plain = socket.create_connection((listener.host, listener.port), timeout=seconds)
        try:
            name = listener.name or listener.host
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise
    return connection


def listener_of(url: str, name: str | None) -> Listener:
    """Read `SMOKE_URL` and `SMOKE_HOST`.

    Raises:
        SettingError: not an absolute address of http or https.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingError(f"SMOKE_URL is {url!r}, which is no address.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise SettingError(f"SMOKE_URL is {url!r}; it must be http:// or https://, a host and a port, and no path.")
    default = 443 if parts.scheme == "https" else 80
    return Listener(scheme=parts.scheme, host=parts.hostname, port=port or default, name=name or None)


def checks_of(text: str) -> list[Check]:
    """Read `SMOKE_CHECKS`.

    Raises:
        SettingError: naming the entry and the key that is wrong.
    """
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingError(f"SMOKE_CHECKS is not JSON ({error}).") from None
    if not isinstance(entries, list) or not entries:
        raise SettingError('SMOKE_CHECKS must be a list with at least one {"path": ...}.')
    return [_check(entry, position) for position, entry in enumerate(entries, start=1)]


def _check(entry: Any, position: int) -> Check:
    where = f"SMOKE_CHECKS, entry {position},"
    known = {"path", "status", "contains", "maxMillis"}
    if not isinstance(entry, dict) or set(entry) - known:
        raise SettingError(f"{where} is {json.dumps(entry)[:120]}; allowed are the keys {', '.join(sorted(known))}.")
    path, contains = entry.get("path"), entry.get("contains")
    status, millis = entry.get("status", 200), entry.get("maxMillis")
    if (
        not isinstance(path, str)
        or not path.startswith("/")
        or not path.isascii()
        or not path.isprintable()
        or " " in path
    ):
        raise SettingError(f"{where} has {path!r} as path; it must begin with '/' and have no spaces.")
    if not isinstance(status, int) or not 100 <= status <= 599:  # noqa: PLR2004
        raise SettingError(f"{where} has {status!r} as status; it must be a number from 100 to 599.")
    if contains is not None and not isinstance(contains, str):
        raise SettingError(f"{where} has {contains!r} as contains; it must be a text.")
    if millis is not None and (not isinstance(millis, int) or millis <= 0):
        raise SettingError(f"{where} has {millis!r} as maxMillis; it must be a number above 0.")
    return Check(path=path, status=status, contains=contains, max_millis=millis)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if value < 0:
        raise SettingError(f"{name} is {text!r}; it must be a number of seconds.")
    return value
