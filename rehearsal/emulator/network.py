"""The network of a rehearsal: loopback and nothing else, with stand-ins for what the declared addresses mean.

Whoever connects to a declared name and port is led to a server of this process. Every other name is refused.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass
class TargetGroup:
    """The tasks behind one target group: which revision they run, whether they answer well."""

    name: str
    revision: str = ""
    healthy: bool = True


@dataclass
class ListenerStub:
    """One listener of a load balancer: target group to weight in percent."""

    arn: str
    weights: dict[str, int]
    groups: Mapping[str, TargetGroup]
    served: int = 0

    def answer(self) -> tuple[int, str]:
        """Status and text of one request; the weights are met within every hundred requests."""
        at, self.served = self.served * 37 % 100, self.served + 1
        for group, weight in self.weights.items():
            if at < weight:
                behind = self.groups[group]
                if not behind.revision:
                    return 503, "no task behind this target group"
                return (200 if behind.healthy else 503), behind.revision
            at -= weight
        return 503, "no target group has any weight"


@dataclass(frozen=True, kw_only=True)
class Posted:
    """A message that a receiver got: `kind` slack or chatwork, where to, the token it came with, its text."""

    kind: str
    room: str
    token: str
    text: str


class Network:
    """Servers on loopback and the names that lead to them."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self._routes: dict[tuple[str, int], int] = {}
        self._servers: list[ThreadingHTTPServer] = []
        self.receiver = ""
        """Address of the receiver of messages."""

    @contextmanager
    def up(self) -> Iterator[None]:
        """Lead every name to loopback until the end; then stop every server."""
        real = socket.getaddrinfo

        def lead(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if (name, port) in self._routes:
                return real("127.0.0.1", self._routes[name, port], *rest, **more)
            if name in _LOCAL:
                return real(host, port, *rest, **more)
            raise socket.gaierror(socket.EAI_NONAME, f"a rehearsal reaches loopback only, not {name}")

        socket.getaddrinfo = lead
        try:
            self.receiver = f"http://127.0.0.1:{self._serve(_receiver(self.posted.append))}"
            yield
        finally:
            socket.getaddrinfo = real
            for server in self._servers:
                server.shutdown()
                server.server_close()

    def serve_listener(self, listener: ListenerStub, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Answer `host:port` as a listener of a load balancer."""
        self._routes[host, port] = self._serve(_listener(listener), tls)

    def _serve(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing on standard error."""

    def say(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _listener(listener: ListenerStub) -> type[BaseHTTPRequestHandler]:
    class Listener(_Quiet):
        def do_GET(self) -> None:
            status, text = listener.answer()
            self.say(status, f"{text}\n".encode())

    return Listener


def _receiver(take: Callable[[Posted], None]) -> type[BaseHTTPRequestHandler]:
    """Slack's chat.postMessage and incoming webhooks, Chatwork's messages."""

    class Receiver(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            if self.path.startswith("/rooms/"):
                text = parse_qs(body)["body"][0]
                room, token = unquote(self.path.split("/")[2]), self.headers.get("X-ChatWorkToken", "")
                take(Posted(kind="chatwork", room=room, token=token, text=text))
                self.say(200, b'{"message_id": "1"}', "application/json")
                return
            said = json.loads(body)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            text = "\n".join(b["text"]["text"] for b in said["blocks"])
            take(Posted(kind="slack", room=said.get("channel", self.path), token=token, text=text))
            self.say(200, b'{"ok": true}', "application/json")

    return Receiver


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate: a context for servers, and the authority's file, by which clients trust it."""

    server: ssl.SSLContext = field(repr=False)
    trusted: Path


def certificate(names: Iterable[str], directory: Path) -> Certificate:
    """Issue a certificate for these host names that is valid for a day, by an authority of its own."""
    import trustme  # noqa: PLC0415  (a quarter of the start-up, and only TLS listeners need it)

    authority = trustme.CA()
    trusted, context = directory / "authority.pem", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(trusted))
    tomorrow = dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=1)
    authority.issue_cert(*names, not_after=tomorrow).configure_cert(context)
    return Certificate(server=context, trusted=trusted)
