"""AWS clients, with the same time-outs and retries everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from types_boto3_application_autoscaling import ApplicationAutoScalingClient
    from types_boto3_codedeploy import CodeDeployClient
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_ecr import ECRClient
    from types_boto3_ecs import ECSClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_ssm import SSMClient


@overload
def client(service: Literal["application-autoscaling"], region: str | None = None) -> ApplicationAutoScalingClient: ...
@overload
def client(service: Literal["codedeploy"], region: str | None = None) -> CodeDeployClient: ...
@overload
def client(service: Literal["codepipeline"], region: str | None = None) -> CodePipelineClient: ...
@overload
def client(service: Literal["ecr"], region: str | None = None) -> ECRClient: ...
@overload
def client(service: Literal["ecs"], region: str | None = None) -> ECSClient: ...
@overload
def client(service: Literal["s3"], region: str | None = None, **credentials: str) -> S3Client: ...
@overload
def client(service: Literal["secretsmanager"], region: str | None = None) -> SecretsManagerClient: ...
@overload
def client(service: Literal["ssm"], region: str | None = None) -> SSMClient: ...
def client(service: Any, region: str | None = None, **credentials: Any) -> Any:
    """Return a client of `service` that gives up early enough for a function to still say so.

    Three attempts of at most 3 s to connect and 10 s to read each. boto3 is imported here, at the first call,
    so that a handler that refuses its input never pays for it.

    Args:
        service: as boto3 names it, such as "ecr".
        region: another region than the function's own.
        credentials: `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` of somebody else
            (a pipeline job's); none means the function's role.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        signature_version="s3v4" if service == "s3" else None,
    )
    return boto3.client(service, region_name=region, config=config, **credentials)
