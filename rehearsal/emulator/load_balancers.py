"""The load balancers of the rehearsal: the declared listeners on loopback, and the tasks behind their target groups."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contract import variables

from .network import ListenerStub, Network, TargetGroup, certificate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .declared import Declared

_OK: Final = 200


class LoadBalancers:
    """Serves every declared listener until the network goes down.

    Args:
        declared: the stack.
        network: where the listeners' names lead to.
        live: service to the revision that its tasks run.
        directory: where the certificate of TLS listeners may stand.
    """

    def __init__(self, declared: Declared, network: Network, live: Mapping[str, str], directory: Path) -> None:
        self._declared = declared
        self.groups = {arn: TargetGroup(name) for arn, name in declared.target_groups.items()}
        """By ARN."""
        for service in declared.services.values():
            for traffic in service.ecs.get("loadBalancers", []):
                self.groups[traffic["targetGroupArn"]].revision = live[service.name]
        self.listeners: dict[str, ListenerStub] = {}
        """By ARN."""
        self.trusted: Path | None = None
        """The certificate by which clients trust the TLS listeners."""
        self._names = {arn: self._certified_name(at.host) for arn, at in declared.listeners.items() if at.tls}
        tls = None
        if self._names:
            made = certificate(sorted(set(self._names.values())), directory)
            self.trusted, tls = made.trusted, made.server
        for arn, at in declared.listeners.items():
            self.listeners[arn] = ListenerStub(arn, {at.target_group: 100}, self.groups)
            network.serve_listener(self.listeners[arn], at.host, at.port, tls if at.tls else None)

    def _certified_name(self, host: str) -> str:
        """The name that the load balancer's certificate is for: what the stack says; ACM knows, the stack does not."""
        for function in self._declared.functions.values():
            name = function.environment.get(variables.SMOKE_HOST)
            if name is not None and host in function.environment.get(variables.SMOKE_URL, ""):
                return name
        return "no-name-is-declared.example.com"

    def get(self, listener: str) -> str:
        """The revision that answers a request to a listener (its ARN) at its declared address, or the error."""
        at = self._declared.listeners[listener]
        if at.tls:
            context = ssl.create_default_context(cafile=str(self.trusted))
            context.check_hostname = False  # the load balancer's own name is never the certificate's
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                at.host, at.port, timeout=5, context=context
            )
        else:
            connection = http.client.HTTPConnection(at.host, at.port, timeout=5)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read().decode().strip()
            return body if response.status == _OK else f"{response.status} of {body}"
        finally:
            connection.close()
