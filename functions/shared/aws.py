"""The one place that makes AWS clients, so that time-outs and retries are the same everywhere."""

from __future__ import annotations

from typing import Any

Client = Any


def client(service: str, region: str | None = None, **credentials: str) -> Client:
    """Return a client of `service` that gives up early enough for a function to still say so.

    Three attempts of at most 3 s to connect and 10 s to read each. boto3 is imported here, at the first call,
    so that a handler that refuses its input never pays for it.

    Args:
        service: as boto3 names it, such as "ecr".
        region: another region than the function's own.
        credentials: `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` of somebody else
            (a pipeline job's); none means the function's role.
    """
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        signature_version="s3v4" if service == "s3" else None,
    )
    return boto3.client(service, region_name=region, config=config, **credentials)
