"""The AWS partition that stacks run in, `aws`: its name in an ARN, its domain, its registries and its console.

Regions of other partitions are refused by the settings. Sources: AWS General Reference, "ARN format"; Amazon ECR user
guide, "Amazon ECR private registry".
"""

from __future__ import annotations

from typing import Final

PARTITION: Final = "aws"
DOMAIN: Final = "amazonaws.com"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """ARN of a resource; `region` is empty for services that have none (IAM), `account` too for S3."""
    return f"arn:{PARTITION}:{service}:{region}:{account}:{resource}"


def registry(account: str, region: str) -> str:
    """Host name of an account's ECR registry."""
    return f"{account}.dkr.ecr.{region}.{DOMAIN}"


def console(region: str, path: str) -> str:
    """Address of a page of the AWS console, such as `codesuite/...`."""
    return f"https://{region}.console.aws.amazon.com/{path}"
