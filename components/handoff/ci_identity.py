"""Who CI is in AWS, and the two things it may do: push to its repositories, put one hand-off."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.naming import Names, ServiceNames
from contract import tags

GITHUB = "token.actions.githubusercontent.com"
GITHUB_AUDIENCE = "sts.amazonaws.com"
_UUID_OF_ANYBODY = "-".join("?" * n for n in (8, 4, 4, 4, 12))
_SESSION_MINUTES = 60

PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
"""Amazon ECR user guide, "IAM permissions for pushing an image"; the download is the import of a build cache."""


def circleci_host(organization_id: str) -> str:
    """Issuer of an organization's tokens without https:// (CircleCI docs, "Using OpenID Connect tokens in jobs")."""
    return f"oidc.circleci.com/org/{organization_id}"


def handoff_statements(names: ServiceNames, containers: tuple[str, ...]) -> tuple[iam.Statement, ...]:
    """Everything CI may do for one service."""
    repositories = (*map(names.repository, containers), names.cache_repository)
    return (
        iam.Statement(
            sid="LogInToTheRegistry",
            actions=("ecr:GetAuthorizationToken",),
            resources=(
                iam.AllResources(reason="GetAuthorizationToken knows no resource (Service Authorization Reference)"),
            ),
        ),
        iam.Statement(sid="PushItsImages", actions=PUSH, resources=tuple(map(names.repository_arn, repositories))),
        iam.Statement(
            sid="PutItsHandoff",
            actions=("s3:PutObject",),
            resources=(f"{names.stack.bucket_arn(names.stack.handoff_bucket)}/{names.handoff_key}",),
        ),
    )


def github_subjects(environment: str, ci: settings.Ci, github: settings.ServiceGitHub) -> list[str]:
    """`sub` of the workflow runs that may hand over, in both of GitHub's forms.

    Repositories made or renamed after 2026-07-15 name owner and repository by their ids as well (GitHub docs,
    "OpenID Connect reference").
    """
    owner, _, repository = github.repository.partition("/")
    forms = [f"repo:{owner}/{repository}"]
    if github.owner_id is not None:
        forms.append(f"repo:{owner}@{github.owner_id}/{repository}@{github.repository_id}")
    if ci.release_from == "environment":
        return [f"{form}:environment:{environment}" for form in forms]
    return [f"{form}:ref:{ref}" for form in forms for ref in _refs(environment, ci)]


def circleci_subjects(
    environment: str, ci: settings.Ci, organization: str, project: settings.ServiceCircleCi
) -> list[str]:
    """`sub` of the jobs that may hand over, as `CIRCLE_OIDC_TOKEN_V2` has it.

    The user's id is matched character by character (`?`): a `*` could be crossed by a branch name that repeats the
    rest of the pattern.
    """
    base = f"org/{organization}/project/{project.project_id}/user/{_UUID_OF_ANYBODY}/vcs-origin/{project.vcs_origin}"
    return [f"{base}/vcs-ref/{ref}" for ref in _refs(environment, ci)]


def _refs(environment: str, ci: settings.Ci) -> list[str]:
    """The branch of the environment's name, or tags such as v1.2.3.

    The `v` is part of the agreement: a repository's tag rules can then say who may make `v*`.
    """
    return [f"refs/heads/{environment}" if ci.release_from == "branch" else "refs/tags/v*.*.*"]


@dataclass(frozen=True, kw_only=True)
class OidcProvidersArgs:
    """`OidcProviders`' arguments."""

    names: Names
    ci: settings.Ci


class OidcProviders(pulumi.ComponentResource):
    """The account's OIDC providers of the CIs; one of a URL per account, so a stack makes or reuses it.

    One that leaves the stack stays in the account, for the roles of every other stack trust it too.

    AWS does not need a thumbprint for either issuer (IAM user guide, "Obtain the thumbprint for an OIDC provider").
    """

    def __init__(self, name: str, args: OidcProvidersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:OidcProviders", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        github, circleci = args.ci.github, args.ci.circleci
        if github is not None and github.oidc_provider == "create":
            aws.iam.OpenIdConnectProvider(
                f"{name}-github", url=f"https://{GITHUB}", client_id_lists=[GITHUB_AUDIENCE], opts=child
            )
        if circleci is not None and circleci.oidc_provider == "create":
            aws.iam.OpenIdConnectProvider(
                f"{name}-circleci",
                url=f"https://{circleci_host(circleci.organization_id)}",
                client_id_lists=[circleci.organization_id],
                opts=child,
            )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class CiIdentityArgs:
    """`CiIdentity`'s arguments; `providers` is what the roles trust."""

    names: ServiceNames
    ci: settings.Ci
    service: settings.Service
    providers: OidcProviders


class CiIdentity(pulumi.ComponentResource):
    """`roles`: CI (github, circleci) to the role that it assumes for this service in this environment.

    The permissions boundary says the same as the role's own policy: whatever is attached later grants no more.
    """

    def __init__(self, name: str, args: CiIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:CiIdentity", name, None, opts)
        self._name, self._args = name, args
        self._statements = handoff_statements(args.names, tuple(c.name for c in args.service.containers))
        self._boundary = aws.iam.Policy(
            f"{name}-ci-boundary",
            name=args.names.role("ci-boundary"),
            description=f"The most that CI may ever do for {args.names.base}",
            policy=iam.fitting("managed", iam.document(*self._statements), args.names.role("ci-boundary")),
            tags={tags.PURPOSE: tags.CI, tags.SERVICE: args.names.service},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.roles: dict[str, iam.GrantedRole] = {}
        environment, github, circleci = args.names.stack.environment, args.service.ci.github, args.service.ci.circleci
        if github is not None:
            self._role("github", GITHUB, GITHUB_AUDIENCE, github_subjects(environment, args.ci, github))
        if circleci is not None and args.ci.circleci is not None:
            organization = args.ci.circleci.organization_id
            subjects = circleci_subjects(environment, args.ci, organization, circleci)
            self._role("circleci", circleci_host(organization), organization, subjects)
        self.register_outputs({"roleArns": {ci: role.arn for ci, role in self.roles.items()}})

    def _role(self, ci: str, host: str, audience: str, subjects: list[str]) -> None:
        names = self._args.names
        operator = "StringLike" if any("*" in s or "?" in s for s in subjects) else "StringEquals"
        conditions: dict[str, dict[str, str | list[str]]] = {"StringEquals": {f"{host}:aud": audience}}
        conditions.setdefault(operator, {})[f"{host}:sub"] = subjects
        trust = iam.Statement(
            sid="AssumedByTheCiOfThisEnvironment",
            actions=("sts:AssumeRoleWithWebIdentity",),
            principals={"Federated": names.stack.oidc_provider_arn(host)},
            conditions=conditions,
        )
        self.roles[ci] = iam.role(
            f"{self._name}-ci-{ci}",
            name=names.role(f"ci-{ci}"),
            purpose="ci",
            service=names.service,
            description=f"Hands over releases of {names.base} and can do nothing else",
            trust=(trust,),
            statements=self._statements,
            permissions_boundary=self._boundary.arn,
            max_session_minutes=_SESSION_MINUTES,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.providers]),
        )
