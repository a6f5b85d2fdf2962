"""The pack's settings, understood by every policy of the pack that needs it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from policy_kit.settings import PackSettings, SettingsModel, Text, Texts
from pydantic import AfterValidator, Field

Purpose = Literal[
    "ci",
    "pipeline",
    "pipeline-action",
    "deployment",
    "task",
    "task-execution",
    "function",
    "event-rule",
    "trail",
    "chatbot",
    "cross-account",
]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


class AllowedPermission(SettingsModel):
    """A permission that the owner adds by name to one purpose."""

    actions: tuple[Annotated[Text, AfterValidator(str.lower)], ...]
    resources: Texts


class Issuer(SettingsModel):
    """An OIDC issuer beside those that the pack knows."""

    audiences: Texts
    subjects: Texts


class Settings(PackSettings):
    """The pack's configuration. Every field has a default that suits ecs-release itself."""

    purpose_tag: Text = Field(
        default="ecs-release:purpose", description=f"Tag by which a role states its purpose: {', '.join(PURPOSES)}."
    )
    service_tag: Text = Field(
        default="ecs-release:service",
        description="Tag by which a role or resource states the service it belongs to.",
    )
    purposes: dict[str, Purpose] = Field(default={}, description="The stack's own words for purposes: word to purpose.")
    accounts: Texts = Field(
        default=(),
        description="Account ids that are the stack's own, where the provider does not say (allowedAccountIds).",
    )
    handoffs: Texts = Field(
        default=(),
        description="s3://bucket/key of hand-offs, where no event rule or pipeline source of the stack names them.",
    )
    allowed: dict[Purpose, tuple[AllowedPermission, ...]] = Field(
        default={},
        description="Purpose to permissions that are intended beside those the stack itself explains.",
    )
    managed_policies: dict[str, Texts] = Field(
        default={}, description="Purpose to ARNs of managed policies that may be attached."
    )
    passable_roles: Texts = Field(default=(), description="ARNs of roles outside the stack that may be passed.")
    external_principals: Texts = Field(
        default=(), description="Accounts, roles or organisations (o-...) that the stack trusts besides itself."
    )
    third_parties: Texts = Field(
        default=(),
        description="Those of externalPrincipals that belong to somebody else: they must send an ExternalId.",
    )
    branches: dict[str, Texts] = Field(
        default={}, description="Environment to the branches that release to it; without it the branch of its name."
    )
    release_tags: Texts = Field(default=("v*", "*.*.*"), description="Patterns of the git tags that are releases.")
    protected_environments: dict[str, Texts] = Field(
        default={}, description="Environment to the CI environments that guard it."
    )
    issuers: dict[str, Issuer] = Field(
        default={}, description="Host of an OIDC issuer to the audiences and subjects that are the stack's."
    )
    require_boundary: bool = Field(default=True, description="Whether each CI role must have a permissions boundary.")
