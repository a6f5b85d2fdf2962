"""ECR repositories of a service: immutable and scanned ones for its images, one for the build cache."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import arguments
from components.naming import ServiceNames

_UNTAGGED_DAYS = 14
_CACHE_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`Registry`'s arguments."""

    names: ServiceNames
    """The service; a repository is called ENVIRONMENT/SERVICE/CONTAINER."""
    containers: Sequence[str]
    """Names of the containers whose images are built, a repository each."""


class Registry(pulumi.ComponentResource):
    """A repository for each container, in which nothing that has a tag ever expires, and one for the build cache.

    A lifecycle rule knows nothing of ECS and would delete what runs (aws/containers-roadmap issue 1078); tagged
    images are left to a clean-up that looks first. Tags of releases are immutable; the cache, whose tags move, is a
    repository of its own, so that no release can be made of it.

    A repository that leaves the stack stays in the account with its images and its rule, forgotten by the state: AWS
    deletes none that holds images, and a rollback may want them. Only the cache goes, whatever is in it.
    """

    repository_urls: pulumi.Output[dict[str, str]]
    """Container name to the repository part of its image's URI."""
    cache_url: pulumi.Output[str]
    """URL of the build cache's repository."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Registry", name, None, opts)
        args = arguments.read(RegistryArgs, args)
        self.repositories = {
            container: self._repository(
                f"{name}/{container}", args.names.repository(container), "IMMUTABLE", "untagged", _UNTAGGED_DAYS
            )
            for container in args.containers
        }
        self.cache = self._repository(f"{name}/cache", args.names.cache_repository, "MUTABLE", "any", _CACHE_DAYS)
        self.repository_urls = pulumi.Output.all(**{c: r.repository_url for c, r in self.repositories.items()})
        self.cache_url = self.cache.repository_url
        self.register_outputs({"repositoryUrls": self.repository_urls, "cacheUrl": self.cache_url})

    def _repository(self, name: str, repository: str, mutability: str, expire: str, days: int) -> aws.ecr.Repository:
        releases = mutability == "IMMUTABLE"
        out = aws.ecr.Repository(
            name,
            name=repository,
            image_tag_mutability=mutability,
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "AES256"}],
            force_delete=not releases,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=releases),
        )
        rule = {
            "rulePriority": 1,
            "description": f"{expire} images go {days} days after their push",
            "selection": {
                "tagStatus": expire,
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": days,
            },
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            name,
            repository=out.name,
            policy=json.dumps({"rules": [rule]}),
            opts=pulumi.ResourceOptions(parent=out, retain_on_delete=releases),
        )
        return out
