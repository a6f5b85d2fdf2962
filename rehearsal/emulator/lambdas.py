"""AWS Lambda of the rehearsal: the declared handler, in this process, with the declared environment and role."""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3

from contract import loading

from .account import Account
from .declared import Function
from .errors import NotDeclaredError
from .timeline import Timeline

_KEPT: Final[tuple[str, ...]] = ("PATH", "HOME", "TMPDIR", "LANG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
#: Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC": what Lambda calls for it.
_IN_VPC: Final = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")


@dataclass(frozen=True)
class Context:
    """Lambda's context object, as far as handlers ask it."""

    ends: float

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation ends."""
        return max(0, int((self.ends - time.monotonic()) * 1000))


@dataclass
class Lambdas:
    """Invokes functions.

    Attributes:
        account: where they call AWS.
        environment: variables that every function gets besides its own: addresses of stand-ins on loopback.
        env_overrides: variables that replace declared ones, to spend no real time on a failure that is sure.
        trusted: certificates that the functions trust.
        twice: whether each event reaches its function a second time, as Lambda and EventBridge may do.
        faults: one sentence for each invocation that failed by itself.
    """

    account: Account
    timeline: Timeline
    environment: dict[str, str] = field(default_factory=dict)
    env_overrides: dict[str, str] = field(default_factory=dict)
    trusted: Path | None = None
    twice: bool = False
    faults: list[str] = field(default_factory=list)

    def invoke(self, arn: str, event: Mapping[str, Any]) -> Any:
        """Run the function's handler on an event; returns what it returns, None when it fails by itself.

        Of an event that comes twice the first answer counts, as for CodePipeline and CodeDeploy.

        Raises:
            NotDeclaredError: no such function, or its handler is none of this project's.
        """
        function = self.account.declared.functions.get(arn)
        if function is None:
            raise NotDeclaredError(f"The function {arn} is called and not declared by this stack.")
        handler = _handler(function)
        group = f"/aws/lambda/{function.name}"
        self.account.assume_role(function.role, "lambda.amazonaws.com", function.arn)
        stream = self.account.arn("logs", f"log-group:{group}:log-stream:rehearsal")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            self.account.record_call(function.role, action, stream)
        if function.in_vpc:
            for action in _IN_VPC:
                self.account.record_call(function.role, action)
        said = self._run(function, handler, event)
        if self.twice:
            self._run(function, handler, event)
        return said

    def _run(self, function: Function, handler: Any, event: Mapping[str, Any]) -> Any:
        before = boto3.DEFAULT_SESSION
        session: Any = self.account.session(function.role)  # a client is all that is asked of it
        boto3.DEFAULT_SESSION = session
        try:
            with self._environment(function), _quiet():
                return handler(event, Context(time.monotonic() + function.timeout))
        except Exception as error:  # noqa: BLE001  (Lambda reports any)
            self.faults.append(f"{function.name} failed ({type(error).__name__}: {error})")
            self.timeline.note("Lambda", self.faults[-1], function.role, trouble=True)
            return None
        finally:
            boto3.DEFAULT_SESSION = before

    @contextmanager
    def _environment(self, function: Function) -> Iterator[None]:
        """The function's variables and none of this process's own."""
        before = dict(os.environ)
        region = self.account.declared.region
        own = {name: before[name] for name in _KEPT if name in before}
        own |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": function.name}
        own |= {**function.environment, **self.environment}
        own |= {name: value for name, value in self.env_overrides.items() if name in function.environment}
        if self.trusted is not None:
            own["SSL_CERT_FILE"] = str(self.trusted)
        os.environ.clear()
        os.environ |= own
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before


def _handler(function: Function) -> Any:
    module, _, name = function.handler.rpartition(".")
    if not module.startswith("functions."):
        raise NotDeclaredError(
            f"The function {function.name} has the handler {function.handler}, which is not this project's."
        )
    return getattr(loading.module(module), name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard what handlers log and print: what they did is on the time line."""
    logger = logging.getLogger("functions")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(null := logging.NullHandler())
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.propagate = before
        logger.removeHandler(null)
