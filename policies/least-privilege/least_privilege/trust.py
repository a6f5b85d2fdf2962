"""Who may become a role: trust policies held against the role's purpose.

Sources: IAM user guide, "Create a role for OpenID Connect federation", "The confused deputy problem"; GitHub docs,
"OpenID Connect reference" (forms of `sub`, with and without numeric ids); CircleCI docs, "Using OpenID Connect
tokens in jobs" (`$CIRCLE_OIDC_TOKEN_V2`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policy_kit.conditions import exact_values, restrictions, source_accounts
from policy_kit.documents import Document
from policy_kit.patterns import covers, literal

from .inventory import GUARDED_SERVICES

if TYPE_CHECKING:
    from policy_kit.documents import Statement

    from .inventory import Inventory
    from .roles import Identity
    from .settings import Settings

SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "pipeline": ("codepipeline.amazonaws.com",),
    "deployment": ("codedeploy.amazonaws.com",),
    "task": ("ecs-tasks.amazonaws.com",),
    "task-execution": ("ecs-tasks.amazonaws.com",),
    "function": ("lambda.amazonaws.com",),
    "event-rule": ("events.amazonaws.com", "scheduler.amazonaws.com"),
    "trail": ("cloudtrail.amazonaws.com",),
    "chatbot": ("chatbot.amazonaws.com",),
}
"""Purpose to the service principals that may assume such a role."""

GITHUB: Final = "token.actions.githubusercontent.com"
CIRCLECI: Final = "oidc.circleci.com/org/"
ASSUME: Final = "sts:assumerole"
ASSUME_BY_TOKEN: Final = "sts:assumerolewithwebidentity"  # noqa: S105  an action

_PROVIDER = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):oidc-provider/(.+)")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_USER = re.compile(r"[0-9a-f?-]{36}", re.IGNORECASE)
_GITHUB_REPOSITORY = re.compile(r"[\w.-]+(@\d+)?/[\w.-]+(@\d+)?")
_CIRCLECI_SUBJECT = re.compile(
    r"org/(?P<org>[^/]+)/project/(?P<project>[^/]+)/user/(?P<user>[^/]+)/vcs-origin/(?P<origin>.+?)/vcs-ref/(?P<ref>.+)",
)


@dataclass(frozen=True, kw_only=True)
class Assumer:
    """Someone who may assume a role by one statement."""

    kind: str
    name: str


def assumers(statement: Statement) -> tuple[Assumer, ...]:
    """Whom the statement lets in; a whole account narrowed by an exact `aws:PrincipalArn` counts as those roles."""
    if statement.principals is None:
        return (Assumer(kind="AWS", name="*"),)
    arns = exact_values(statement, "aws:PrincipalArn")
    out: list[Assumer] = []
    for kind, name in statement.principals.names:
        account = _ACCOUNT.fullmatch(name)
        if kind == "AWS" and arns is not None and (name == "*" or account):
            out += [
                Assumer(kind="AWS", name=arn)
                for arn in sorted(arns)
                if name == "*" or (account and f"::{account.group(1)}:" in arn)
            ]
        else:
            out.append(Assumer(kind=kind, name=name))
    return tuple(out)


def is_account(name: str) -> bool:
    """Whether a principal is a whole account."""
    return _ACCOUNT.fullmatch(name) is not None


def is_federated(identity: Identity) -> bool:
    """Whether anyone from outside AWS could assume the role."""
    return any(
        a.kind == "Federated" or "saml" in action or "webidentity" in action
        for s in (identity.trust.allows if identity.trust else ())
        for a in assumers(s)
        for action in (s.actions or ("*webidentity",))
    )


def service_problems(identity: Identity, inventory: Inventory) -> Iterator[str]:
    """What is wrong with the trust of a role whose purpose is not CI."""
    for statement in _allows(identity):
        where = f"Statement {statement.sid}" if statement.sid else "A statement"
        yield from _form_problems(statement, where)
        for assumer in assumers(statement):
            problem = _service_problem(assumer, statement, identity, inventory)
            if problem:
                yield f"{where} lets in {assumer.name}: {problem}"
            elif _unguarded(assumer, statement, inventory):
                yield (
                    f"{where} lets in {assumer.name} on anybody's behalf, where the stack's other roles hold it to "
                    "aws:SourceArn or aws:SourceAccount"
                )


def _unguarded(assumer: Assumer, statement: Statement, inventory: Inventory) -> bool:
    guarded = inventory.guards_services and assumer.kind == "Service" and assumer.name in GUARDED_SERVICES
    return guarded and not source_accounts(statement)


def ci_problems(identity: Identity, inventory: Inventory) -> Iterator[str]:
    """What is wrong with the trust of a CI role."""
    for statement in _allows(identity):
        where = f"Statement {statement.sid}" if statement.sid else "A statement"
        yield from _form_problems(statement, where)
        for assumer in assumers(statement):
            if assumer.kind == "Federated":
                yield from (f"{where}: {p}" for p in _token_problems(assumer.name, statement, identity, inventory))
            else:
                problem = _service_problem(assumer, statement, identity, inventory)
                if problem:
                    yield f"{where} lets in {assumer.name}: {problem}"


def _allows(identity: Identity) -> tuple[Statement, ...]:
    if identity.trust is None or not isinstance(identity.trust.parsed, Document):
        return ()
    return identity.trust.allows


def _form_problems(statement: Statement, where: str) -> Iterator[str]:
    if statement.not_principals is not None:
        yield f"{where} uses NotPrincipal, which lets in everyone else"
    if statement.not_actions is not None:
        yield f"{where} uses NotAction, which allows every other way in"
    if statement.resources is not None or statement.not_resources is not None:
        yield f"{where} names a resource, which a trust policy cannot"
    kinds = {a.kind for a in assumers(statement)}
    expected = {ASSUME_BY_TOKEN} if kinds == {"Federated"} else {ASSUME}
    if statement.actions is not None and not set(statement.actions) <= expected:
        extra = ", ".join(sorted(set(statement.actions) - expected))
        yield f"{where} allows {extra}; only {', '.join(expected)} is intended"


def _service_problem(
    assumer: Assumer,
    statement: Statement,
    identity: Identity,
    inventory: Inventory,
) -> str | None:
    purpose = identity.purpose or ""
    if assumer.kind == "Service":
        allowed = SERVICES.get(purpose, ())
        own = {identity.resource.account} if identity.resource.account else inventory.accounts
        foreign = source_accounts(statement) - own
        if foreign and own:
            return f"it acts on behalf of the account {', '.join(sorted(foreign))}"
        if assumer.name in allowed:
            return None
        return f"a role for {purpose or 'no purpose'} is assumed by {' or '.join(allowed) or 'no AWS service'}"
    if assumer.kind == "Federated":
        return "only a CI role may be assumed from outside AWS"
    if assumer.kind != "AWS":
        return "only roles, services and CI may be trusted"
    return _role_problem(assumer.name, statement, identity, inventory)


def _role_problem(  # noqa: PLR0911  a verdict a line
    name: str,
    statement: Statement,
    identity: Identity,
    inventory: Inventory,
) -> str | None:
    if name == "*":
        return "that is everyone, in every AWS account"
    role = _ROLE.fullmatch(name)
    if not role:
        return "that is not one exact role (a whole account, a wildcard, a user or a session)"
    trusted = inventory.by_arn.get(name)
    if identity.purpose == "pipeline-action" and trusted is not None and trusted.purpose == "pipeline":
        return None
    settings = inventory.settings
    declared = {*settings.external_principals, *settings.third_parties}
    if name not in declared and role.group(1) not in declared:
        return "the stack does not declare it (externalPrincipals)"
    if identity.purpose not in ("cross-account", "ci", "pipeline-action"):
        return f"a role for {identity.purpose or 'no purpose'} is assumed by its service only"
    third = name in settings.third_parties or role.group(1) in settings.third_parties
    if third and not exact_values(statement, "sts:ExternalId"):
        return "a third party must send an ExternalId (condition StringEquals sts:ExternalId)"
    return None


def _token_problems(provider: str, statement: Statement, identity: Identity, inventory: Inventory) -> Iterator[str]:
    match = _PROVIDER.fullmatch(provider)
    if not match:
        yield f"{provider} is not one exact OIDC provider"
        return
    account, host = match.group(2), match.group(3)
    own = {identity.resource.account} if identity.resource.account else inventory.accounts
    if own and account not in own:
        yield f"the OIDC provider belongs to the account {account}, not to the stack's own"
    audiences, check = _issuer(host, identity, inventory.settings)
    if check is None:
        yield f"{host} is no issuer that the stack declares (GitHub and CircleCI are known; name others in issuers)"
        return
    held = exact_values(statement, f"{host}:aud")
    if not held:
        yield f"no condition holds {host}:aud to {' or '.join(audiences)} (StringEquals, without IfExists)"
    elif not held <= set(audiences):
        yield f"{host}:aud may be {', '.join(sorted(held))}; intended is {' or '.join(audiences)}"
    subjects = restrictions(statement, f"{host}:sub")
    if not subjects:
        yield f"no condition holds {host}:sub, so that any repository of {host} gets in"
        return
    verdicts = [[p for v in values if (p := check(v))] for values in subjects]
    if all(verdicts):
        yield from min(verdicts, key=len)


def _issuer(
    host: str, identity: Identity, settings: Settings
) -> tuple[tuple[str, ...], Callable[[str], str | None] | None]:
    declared = settings.issuers.get(host)
    if declared:
        return declared.audiences, lambda value: _declared_problem(value, declared.subjects)
    if host == GITHUB:
        return ("sts.amazonaws.com",), lambda value: github_problem(value, identity)
    if host.startswith(CIRCLECI) and _UUID.fullmatch(host.removeprefix(CIRCLECI)):
        organization = host.removeprefix(CIRCLECI)
        return (organization,), lambda value: circleci_problem(value, organization, identity)
    return (), None


def _declared_problem(value: str, subjects: tuple[str, ...]) -> str | None:
    return None if covers(subjects, value) else f"the subject {value} is wider than the issuer's declared subjects"


def github_problem(subject: str, identity: Identity) -> str | None:
    """What is wrong with one GitHub subject (a pattern), or None."""
    parts = subject.split(":", 2)
    if len(parts) != 3 or parts[0] != "repo":  # noqa: PLR2004 repo, repository, context
        return f"the subject {subject} does not name a repository and a ref or environment"
    repository, context = literal(parts[1]), parts[2]
    if repository is None or not _GITHUB_REPOSITORY.fullmatch(repository) or repository.count("@") == 1:
        return f"the subject {subject} is not held to one repository"
    if context.startswith("environment:"):
        return _environment_problem(context.removeprefix("environment:"), subject, identity)
    if context.startswith("ref:"):
        return ref_problem(context.removeprefix("ref:"), subject, identity)
    return f"the subject {subject} is held to no ref and no environment of {repository}"


def circleci_problem(subject: str, organization: str, identity: Identity) -> str | None:
    """What is wrong with one CircleCI subject (a pattern), or None."""
    match = _CIRCLECI_SUBJECT.fullmatch(subject)
    if not match:
        return f"the subject {subject} does not name organization, project, user, repository and ref"
    if literal(match["org"]) != organization:
        return f"the subject {subject} is not held to the organization {organization}"
    if not _UUID.fullmatch(match["project"]):
        return f"the subject {subject} is not held to one project"
    if not _USER.fullmatch(match["user"]):
        return (
            f"the subject {subject} has a user that is not 36 characters: a `*` runs on into the branch's name, "
            "which whoever pushes may choose"
        )
    if literal(match["origin"]) is None:
        return f"the subject {subject} is not held to one repository"
    return ref_problem(match["ref"], subject, identity)


def _environment_problem(name: str, subject: str, identity: Identity) -> str | None:
    settings = identity.settings
    allowed = settings.protected_environments.get(identity.environment)
    if allowed is None:
        allowed = (identity.environment, *(settings.production_environments if identity.production else ()))
    if literal(name) in allowed:
        return None
    return f"the subject {subject} names an environment other than {identity.environment or 'the (unknown) own'}"


def ref_problem(ref: str, subject: str, identity: Identity) -> str | None:
    """What is wrong with a git ref (a pattern) for the identity's environment, or None."""
    settings = identity.settings
    declared = settings.branches.get(identity.environment)
    refs = tuple(b if b.startswith("refs/") else f"refs/heads/{b}" for b in declared or (identity.environment,) if b)
    releases = tuple(f"refs/tags/{t}" for t in settings.release_tags)
    if identity.production:
        if covers(releases, ref):
            return None
        return f"the subject {subject} lets more into production than release tags ({', '.join(settings.release_tags)})"
    if not refs:
        return f"the subject {subject} cannot be judged: no tag says which environment the role belongs to"
    if covers(refs, ref):
        return None
    return f"the subject {subject} is not held to what releases to {identity.environment} ({', '.join(refs)})"
