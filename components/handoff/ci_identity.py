"""IAM roles of CI, which may push to a service's repositories and put its hand-off."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import pulumi
import pulumi_aws as aws

from components import arguments, iam, settings
from components.naming import ServiceNames
from components.settings import values
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


class ReleaseFrom(StrEnum):
    """From where in a repository CI may hand over."""

    BRANCH = "branch"
    """The branch that has the environment's name."""
    TAG = "tag"
    """Tags of the form v1.2.3."""
    ENVIRONMENT = "environment"
    """Jobs of the GitHub environment of that name, whose protection rules then decide."""


@dataclass(frozen=True, kw_only=True)
class GitHubRepository:
    """The GitHub repository whose workflow hands over."""

    repository: str
    """OWNER/REPOSITORY."""
    owner_id: int | None = None
    """The owner's numeric id; repositories made after 2026-07-15 name it in their tokens."""
    repository_id: int | None = None
    """The repository's numeric id, given together with the owner's."""

    def __post_init__(self) -> None:
        arguments.check(settings.ServiceGitHub, self)


class _CircleCi(settings.ServiceCircleCi):
    """With the organization, which the settings say once for the stack."""

    organization_id: values.Uuid


@dataclass(frozen=True, kw_only=True)
class CircleCiProject:
    """The CircleCI project that hands over."""

    organization_id: str
    """The organization's id, which is the token's audience too."""
    project_id: str
    """The project's id."""
    vcs_origin: str
    """Repository as CircleCI's token names it, such as github.com/OWNER/REPOSITORY."""

    def __post_init__(self) -> None:
        arguments.check(_CircleCi, self)


def circleci_host(organization_id: str) -> str:
    """Issuer of an organization's tokens without https:// (CircleCI docs, "Using OpenID Connect tokens in jobs")."""
    return f"oidc.circleci.com/org/{organization_id}"


def handoff_statements(names: ServiceNames, containers: Sequence[str]) -> tuple[iam.Statement, ...]:
    """All that CI may do for one service."""
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


def github_subjects(environment: str, release_from: ReleaseFrom, github: GitHubRepository) -> list[str]:
    """`sub` of the workflow runs that may hand over, in both of GitHub's forms.

    Repositories made or renamed after 2026-07-15 name owner and repository by their ids as well (GitHub docs,
    "OpenID Connect reference").
    """
    owner, _, repository = github.repository.partition("/")
    forms = [f"repo:{owner}/{repository}"]
    if github.owner_id is not None:
        forms.append(f"repo:{owner}@{github.owner_id}/{repository}@{github.repository_id}")
    if release_from == ReleaseFrom.ENVIRONMENT:
        return [f"{form}:environment:{environment}" for form in forms]
    return [f"{form}:ref:{ref}" for form in forms for ref in _refs(environment, release_from)]


def circleci_subjects(environment: str, release_from: ReleaseFrom, project: CircleCiProject) -> list[str]:
    """`sub` of the jobs that may hand over, as `CIRCLE_OIDC_TOKEN_V2` has it.

    The user's id is matched character by character (`?`): a `*` could be crossed by a branch name that repeats the
    rest of the pattern.
    """
    origin = f"vcs-origin/{project.vcs_origin}"
    base = f"org/{project.organization_id}/project/{project.project_id}/user/{_UUID_OF_ANYBODY}/{origin}"
    return [f"{base}/vcs-ref/{ref}" for ref in _refs(environment, release_from)]


def _refs(environment: str, release_from: ReleaseFrom) -> list[str]:
    """The branch of the environment's name, or tags such as v1.2.3.

    The `v` is part of the agreement: a repository's tag rules can then say who may make `v*`.
    """
    return [f"refs/heads/{environment}" if release_from == ReleaseFrom.BRANCH else "refs/tags/v*.*.*"]


@dataclass(frozen=True, kw_only=True)
class OidcProvidersArgs:
    """`OidcProviders`' arguments."""

    github: bool
    circleci_organization: str | None

    @classmethod
    def of(cls, ci: settings.Ci) -> Self:
        """Those that the stack's settings create."""
        github, circleci = ci.github, ci.circleci
        return cls(
            github=github is not None and github.oidc_provider == "create",
            circleci_organization=circleci.organization_id
            if circleci is not None and circleci.oidc_provider == "create"
            else None,
        )


class OidcProviders(pulumi.ComponentResource):
    """The account's OIDC providers of the CIs; one of a URL per account, so a stack makes or reuses it.

    One that leaves the stack stays in the account, for the roles of every other stack trust it too.

    AWS does not need a thumbprint for either issuer (IAM user guide, "Obtain the thumbprint for an OIDC provider").
    """

    def __init__(self, name: str, args: OidcProvidersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:OidcProviders", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        if args.github:
            aws.iam.OpenIdConnectProvider(
                f"{name}-github", url=f"https://{GITHUB}", client_id_lists=[GITHUB_AUDIENCE], opts=child
            )
        if args.circleci_organization is not None:
            aws.iam.OpenIdConnectProvider(
                f"{name}-circleci",
                url=f"https://{circleci_host(args.circleci_organization)}",
                client_id_lists=[args.circleci_organization],
                opts=child,
            )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class CiIdentityArgs:
    """`CiIdentity`'s arguments."""

    names: ServiceNames
    """The service that is handed over."""
    containers: Sequence[str]
    """Names of the containers whose images CI pushes."""
    release_from: ReleaseFrom
    """From where in the repository: branch, tag or environment."""
    github: GitHubRepository | None = None
    """A GitHub Actions workflow."""
    circleci: CircleCiProject | None = None
    """A CircleCI project."""

    def __post_init__(self) -> None:
        if self.github is None and self.circleci is None:
            raise arguments.ArgumentError(
                "CiIdentityArgs: neither github nor circleci; allowed: one of the two, or both"
            )
        if self.circleci is not None and self.release_from == ReleaseFrom.ENVIRONMENT:
            raise arguments.ArgumentError(
                "CiIdentityArgs.release_from: 'environment' beside circleci; allowed: branch or tag, or github alone"
            )

    @classmethod
    def of(cls, names: ServiceNames, ci: settings.Ci, service: settings.Service) -> Self:
        """From the settings of the stack's CIs and of the service."""
        github, circleci = service.ci.github, service.ci.circleci
        return cls(
            names=names,
            containers=service.container_names,
            release_from=ReleaseFrom(ci.release_from),
            github=GitHubRepository(**github.model_dump()) if github is not None else None,
            circleci=CircleCiProject(organization_id=ci.circleci.organization_id, **circleci.model_dump())
            if circleci is not None and ci.circleci is not None
            else None,
        )


class CiIdentity(pulumi.ComponentResource):
    """The roles that CI assumes for one service in one environment.

    The permissions boundary says the same as the role's own policy: whatever is attached later grants no more. The
    account's OIDC provider of the CI has to be there before: name it in `depends_on` where the same program makes it.
    """

    role_arns: pulumi.Output[dict[str, str]]
    """CI (github, circleci) to the ARN of the role that it assumes."""

    def __init__(self, name: str, args: CiIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:CiIdentity", name, None, opts)
        args = arguments.read(CiIdentityArgs, args)
        self._name, self._args = name, args
        # Children do not wait for what their component depends on by itself.
        self._opts = pulumi.ResourceOptions(parent=self, depends_on=opts.depends_on if opts is not None else None)
        self._statements = handoff_statements(args.names, args.containers)
        self._boundary = aws.iam.Policy(
            f"{name}-ci-boundary",
            name=args.names.role("ci-boundary"),
            description=f"The most that CI may ever do for {args.names.base}",
            policy=iam.within_length_limit("managed", iam.document(*self._statements), args.names.role("ci-boundary")),
            tags={tags.PURPOSE: tags.CI, tags.SERVICE: args.names.service},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.roles: dict[str, iam.GrantedRole] = {}
        environment, github, circleci = args.names.stack.environment, args.github, args.circleci
        if github is not None:
            self._role("github", GITHUB, GITHUB_AUDIENCE, github_subjects(environment, args.release_from, github))
        if circleci is not None:
            organization = circleci.organization_id
            subjects = circleci_subjects(environment, args.release_from, circleci)
            self._role("circleci", circleci_host(organization), organization, subjects)
        self.role_arns = pulumi.Output.all(**{ci: role.arn for ci, role in self.roles.items()})
        self.register_outputs({"roleArns": self.role_arns})

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
            opts=self._opts,
        )
