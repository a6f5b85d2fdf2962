"""AWS in process, and the answers that the emulator does not know, given by the test."""

from contextlib import contextmanager
from types import SimpleNamespace

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader
from moto import mock_aws

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
# The service descriptions, read once for all worlds: they are most of the time that a test would take.
_LOADER = create_loader()


def context(milliseconds=60_000):
    return SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)


class Emulator:
    """An empty account; `calls` are those made by clients of the default session, in order."""

    def __init__(self):
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)
        boto3.setup_default_session(botocore_session=session, region_name=REGION)
        self.calls = []
        self.replies = {}
        self.watchers = {}
        boto3.DEFAULT_SESSION.events.register("before-call", self._note)

    def _note(self, model, **_):
        self.calls.append(f"{model.service_model.service_name}:{model.name}")

    def reply(self, service, operation, status, body):
        """Let one AWS call answer `body` from now on (an emulator's gap, or a fault)."""
        key = (service, operation)
        if key not in self.replies:

            def answer(model, params, **_):
                self._note(model)
                for see in self.watchers.get(key, []):
                    see(params)
                return SimpleNamespace(status_code=self.replies[key][0]), self.replies[key][1]

            boto3.DEFAULT_SESSION.events.register_first(f"before-call.{service}.{operation}", answer)
        self.replies[key] = (status, body)

    def watch(self, service, operation, see):
        """Show the request of each such call to `see`."""
        self.watchers.setdefault((service, operation), []).append(see)
        boto3.DEFAULT_SESSION.events.register(f"before-call.{service}.{operation}", lambda params, **_: see(params))

    def watch_signed(self, service, see):
        boto3.DEFAULT_SESSION.events.register_first(f"before-send.{service}", lambda request, **_: see(request))

    def fail(self, service, operation, code, status=400, message="no"):
        error = {"Code": code, "Message": message}
        self.reply(service, operation, status, {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}})


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
        try:
            yield kind()
        finally:
            boto3.DEFAULT_SESSION = None
