"""AWS in process, and the answers that the emulator does not know, given by the test."""

from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"


def context(milliseconds=60_000):
    return SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)


class Emulator:
    """An empty account. `calls` are those made in it, in order; every client of the default session meets it."""

    def __init__(self):
        self.calls = []
        self.replies = {}
        self.watchers = {}
        self.signed = []

    def furnish(self):
        """Put in it what a test finds there; calls work from here on."""

    def meet(self, model, params):
        """Note a call and answer it, or leave it to the emulator by None."""
        key = (model.service_model.service_name, model.name)
        self.calls.append(":".join(key))
        for see in self.watchers.get(key, ()):
            see(params)
        return self.replies[key](model, params) if key in self.replies else None

    def reply(self, service, operation, status, body):
        """Let one AWS call answer `body` from now on (an emulator's gap, or a fault)."""
        self.replies[service, operation] = lambda *_: (SimpleNamespace(status_code=status), body)

    def watch(self, service, operation, see):
        """Show the request of each such call to `see`."""
        self.watchers.setdefault((service, operation), []).append(see)

    def client(self, service):
        """A client for the test itself; kept for all tests, as making one takes longer than a test."""
        return _client(service)

    def fail(self, service, operation, code, status=400, message="no"):
        error = {"Code": code, "Message": message}
        self.reply(service, operation, status, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}})


_open = []


@cache
def _session():
    """One session for all tests, which read the service descriptions but once; it asks the open account."""
    session = boto3.Session(region_name=REGION)
    session.events.register("before-call", lambda model, params, **_: _open[-1].meet(model, params))
    session.events.register_first("before-send", lambda request, **_: _open[-1].signed.append(request))
    return session


@cache
def _client(service):
    return _session().client(service)


@contextmanager
def opened(kind=Emulator):
    """A fresh emulated account, with credentials that no account has and none of the developer's own settings."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_REGION", REGION)
        patch.setattr(boto3, "DEFAULT_SESSION", _session())
        account = kind()
        _open.append(account)
        try:
            account.furnish()
            yield account
        finally:
            _open.pop()
