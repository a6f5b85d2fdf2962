"""An identity explained to a reviewer: who can become it, what it can do in plain words, which resource says so.

Pure like the rules: it reads an `Inventory` and gives plain data; `tools.explain` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policy_kit.conditions import exact_values, restrictions, source_accounts
from policy_kit.documents import DocumentError

from . import external_access
from .trust import CIRCLECI, GITHUB, assumers

if TYPE_CHECKING:
    from policy_kit.documents import Condition, Statement
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity, Source

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_UNHELD: Final = "anyone whose token the provider takes"

# What AWS calls an action says little to who reads it once a year; the rest is read off its name.
_PLAIN: Final = {
    "ecr:getauthorizationtoken": "log in to the registry",
    "ecr:batchchecklayeravailability": "ask which layers are there",
    "ecr:initiatelayerupload": "begin to push a layer",
    "ecr:uploadlayerpart": "push a layer",
    "ecr:completelayerupload": "finish a layer",
    "ecr:putimage": "push an image",
    "ecr:batchgetimage": "read an image's manifest",
    "ecr:getdownloadurlforlayer": "download a layer",
    "s3:putobject": "write the object",
    "s3:getobject": "read the object",
    "s3:getobjectversion": "read any version of the object",
    "iam:passrole": "hand the role to a service",
    "sts:assumerole": "assume the role",
    "lambda:invokefunction": "call the function",
    "codepipeline:startpipelineexecution": "start the pipeline",
    "codepipeline:putjobsuccessresult": "tell a pipeline that its job is done",
    "codepipeline:putjobfailureresult": "tell a pipeline that its job has failed",
    "codedeploy:createdeployment": "start a deployment",
    "ecs:registertaskdefinition": "write a new task definition",
    "ecs:updateservice": "change the service",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that holds, and the resource that says so."""

    text: str
    resource: Resource
    via: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything that a reviewer asks about one identity."""

    name: str
    arn: str
    purpose: str
    environment: str
    production: bool
    assumed_by: tuple[Line, ...]
    may: tuple[Line, ...]
    boundary: Line | None
    named_by: tuple[Line, ...]
    unread: tuple[Line, ...]


def find(inventory: Inventory, name: str) -> list[Identity]:
    """The roles that a name can mean: the whole name, or else its end, or its words in any order.

    `ci-api` is the CI roles of the service api: every word of it stands in the role's name.
    """
    exact = [i for i in inventory.identities if name in (i.name, i.resource.name)]
    if exact:
        return exact
    ending = [i for i in inventory.identities if i.name.endswith(f"-{name}")]
    if ending:
        return ending
    wanted = set(name.lower().split("-"))
    words = [(i, set(i.name.lower().split("-")) | {i.purpose or "", i.service}) for i in inventory.identities]
    by_purpose = [i for i, found in words if wanted <= found and (i.purpose or "") in wanted]
    return by_purpose or [i for i, found in words if wanted <= found]


def explain(identity: Identity, inventory: Inventory) -> Explanation:
    """Who can become the identity, what it can do, and what says so."""
    sources = [s for s in (identity.trust, *identity.sources) if s is not None]
    boundary = identity.boundary
    return Explanation(
        name=identity.name,
        arn=identity.arn,
        purpose=identity.stated_purpose or "none stated",
        environment=identity.environment,
        production=identity.production,
        assumed_by=tuple(_assumers(identity)),
        may=tuple(_permissions(identity)),
        boundary=None
        if boundary is None
        else Line(
            text="at most " + "; ".join(p for s in boundary.allows for p in _statement(s)),
            resource=boundary.resource,
            via=boundary.via,
        ),
        named_by=tuple(
            Line(text="; ".join(_statement(statement, resources)), resource=source.resource, via=source.via)
            for source, statement, resources in external_access.naming(identity, inventory)
        ),
        unread=tuple(_unread(s) for s in sources if s.unknown or isinstance(s.parsed, DocumentError)),
    )


def _unread(source: Source) -> Line:
    why = "is not known before the update" if source.unknown else f"is not valid: {source.parsed}"
    return Line(text=f"{source.via} {why}", resource=source.resource, via=source.via)


# ---------------------------------------------------------------- who


def _assumers(identity: Identity) -> Iterator[Line]:
    source = identity.trust
    if source is None:
        return
    for statement in source.allows:
        for assumer in assumers(statement):
            yield Line(text=_assumer(assumer.kind, assumer.name, statement), resource=source.resource, via=source.via)


def _assumer(kind: str, name: str, statement: Statement) -> str:
    if kind == "Federated":
        host = name.rsplit(":oidc-provider/", 1)[-1]
        subjects = [v for values in restrictions(statement, f"{host}:sub") for v in values]
        who = "; ".join(_subject(host, s) for s in subjects) or _UNHELD
        wanted = ", ".join(sorted(exact_values(statement, f"{host}:aud") or ())) or "any audience"
        return f"{who} (tokens of {host} for {wanted})"
    if kind == "Service":
        accounts = source_accounts(statement)
        return f"the service {name}" + (f", for resources of {', '.join(sorted(accounts))}" if accounts else "")
    if name == "*":
        return "everyone, in every AWS account"
    return f"the role {name}" if ":role/" in name else f"{name}"


def _subject(host: str, subject: str) -> str:
    if host == GITHUB and subject.startswith("repo:"):
        repository, _, context = subject.removeprefix("repo:").partition(":")
        return f"GitHub workflows of {repository} at {_ref(context)}"
    if host.startswith(CIRCLECI) and "/vcs-origin/" in subject:
        origin, _, ref = subject.split("/vcs-origin/", 1)[1].partition("/vcs-ref/")
        return f"CircleCI jobs of {origin} at {_ref(ref)}"
    return subject


def _ref(context: str) -> str:
    ref = context.removeprefix("ref:")
    if ref.startswith("refs/heads/"):
        return f"the branch {ref.removeprefix('refs/heads/')}"
    if ref.startswith("refs/tags/"):
        return f"tags {ref.removeprefix('refs/tags/')}"
    return ref.replace("environment:", "the environment ")


# ---------------------------------------------------------------- what


def _permissions(identity: Identity) -> Iterator[Line]:
    for source, statement in identity.grants:
        for text in _statement(statement):
            yield Line(text=text, resource=source.resource, via=source.via)
    for resource, arn in identity.managed:
        yield Line(text=f"whatever {arn} says", resource=resource, via="managed policy")


def _statement(statement: Statement, resources: tuple[str, ...] | None = None) -> Iterator[str]:
    """The statement in words, its actions on its resources, with what restricts it."""
    held = "".join(f", {_condition(c)}" for c in statement.conditions)
    where = _where(statement, resources)
    if statement.not_actions is not None:
        yield f"do everything except {', '.join(statement.not_actions)} on {where}{held}"
        return
    yield f"{_joined([_action(a) for a in statement.actions or ()])} on {where}{held}"


def _where(statement: Statement, resources: tuple[str, ...] | None) -> str:
    if statement.not_resources is not None:
        return f"everything except {', '.join(statement.not_resources)}"
    named = statement.resources or resources or ("the resource itself",)
    return "everything" if named == ("*",) else _joined([_short(r) for r in named])


def _short(arn: str) -> str:
    parts = arn.split(":", 5)
    return f"{parts[2]} {parts[5]}" if len(parts) == 6 else arn  # noqa: PLR2004 an ARN's parts


def _joined(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "nothing"


def _action(action: str) -> str:
    if action in _PLAIN:
        return _PLAIN[action]
    return "do everything" if action == "*" else action


def _condition(condition: Condition) -> str:
    values = " or ".join(condition.values)
    relation = _WORDS.sub(" ", condition.operator).lower()
    optional = " (or it is absent)" if condition.if_exists else ""
    return f"where {condition.key} {relation} {values}{optional}"
