"""The pack's settings, understood by every policy of the pack."""

from __future__ import annotations

from policy_kit.settings import PackSettings, Texts, Whole
from pydantic import Field


class Settings(PackSettings):
    """The pack's configuration. Every field has a default that suits ecs-release itself."""

    cache_repositories: Texts = Field(
        default=("cache", "*/cache"),
        description="Patterns of repositories that hold build caches and are never deployed.",
    )
    registries: Texts = Field(
        default=("public.ecr.aws/",),
        description="Beginnings of image names, besides the stack's own repositories, that a task may start from.",
    )
    external_buckets: Texts = Field(
        default=(), description="Buckets of releases that another stack declares and holds to the same rules."
    )
    gates: Texts = Field(
        default=(),
        description="Names of the functions that are gates; without it the first function that reads the hand-off.",
    )
    minimum_bake_minutes: Whole = Field(
        default=5, ge=1, description="Minutes that production keeps the old tasks after a deployment, at the least."
    )
    read_only_root: bool = Field(
        default=False,
        description="Whether every container must have a read-only root file system, not only those that say so.",
    )
    plain_variables: Texts = Field(default=(), description="Names of variables that look like secrets and are none.")
