import boto3
import pytest
from moto import mock_aws

from functions import images
from tests.functions.world import REGION, World


@pytest.fixture(autouse=True)
def _no_real_account(monkeypatch):
    """Credentials that no account has, and none of the developer's own settings."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def world(monkeypatch):
    with mock_aws():
        made = World()
        monkeypatch.setattr(images, "fetch", made.fetch)
        yield made
    boto3.DEFAULT_SESSION = None
