"""Who may become a role: tokens of CI, services, roles, other accounts."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import trusted
from tests.policies.world import CIRCLECI, GITHUB, GITHUB_TRUST, ORGANIZATION, role_arn, trusting

CI = "ci-is-trusted-exactly"
OTHERS = "roles-are-trusted-exactly"
PURPOSE = "every-identity-has-a-purpose"
PROJECT = "5b7f3d1e-2c84-4a0b-8f6d-91e0c2a7b345"
ANYBODY = "????????-????-????-????-????????????"
CIRCLE_SUB = (
    f"org/{ORGANIZATION}/project/{PROJECT}/user/{ANYBODY}/vcs-origin/github.com/acme/shop/vcs-ref/refs/tags/v*.*.*"
)
AUD, SUB = f"{GITHUB}:aud", f"{GITHUB}:sub"
TAG = "repo:acme/shop:ref:refs/tags/v*.*.*"
STS = "sts.amazonaws.com"


def github(**condition: Any) -> dict[str, Any]:
    return {**GITHUB_TRUST, "Condition": condition}


def github_sub(sub: Any, operator: str = "StringLike") -> dict[str, Any]:
    return github(StringEquals={AUD: STS}) | {
        "Condition": _merged({"StringEquals": {AUD: STS}}, {operator: {SUB: sub}})
    }


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    out = copy.deepcopy(first)
    for operator, keys in second.items():
        out.setdefault(operator, {}).update(keys)
    return out


def circleci(sub: Any, operator: str = "StringLike", aud: Any = ORGANIZATION, host: str = CIRCLECI) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": _merged({"StringEquals": {f"{host}:aud": aud}}, {operator: {f"{host}:sub": sub}}),
    }


def provided(provider: Any) -> dict[str, Any]:
    return {**GITHUB_TRUST, "Principal": {"Federated": provider}}


GITHUB_CLEAN: list[dict[str, Any]] = [
    GITHUB_TRUST,
    github_sub([TAG, "repo:acme@1234/shop@5678:ref:refs/tags/v*.*.*"]),
    github_sub("repo:acme/shop:environment:live", "StringEquals"),
    github_sub("repo:acme/shop:ref:refs/tags/v1.2.3", "StringEquals"),
    github_sub("repo:acme/shop:ref:refs/tags/*.*.*"),
    github_sub(["repo:acme/shop:environment:production"], "StringLike"),
    github(StringEquals={AUD.upper(): [STS]}, StringLike={SUB: [TAG]}),
    github(StringEquals={AUD: STS, SUB: "repo:acme/shop:environment:live"}),
    github(StringLike={AUD: STS, SUB: TAG}, StringEquals={f"{GITHUB}:repository": "acme/shop"}),
    github(**{"ForAnyValue:StringEquals": {AUD: STS}, "ForAnyValue:StringLike": {SUB: TAG}}),
    github(**{"ForAllValues:StringLike": {SUB: TAG}, "Null": {SUB: "false"}, "StringEquals": {AUD: STS}}),
    github(StringLike={SUB: TAG}, StringEquals={AUD: STS}, StringNotEquals={SUB: "repo:acme/other:*"}),
]
GITHUB_BAD: dict[str, Any] = {
    "without conditions": {k: v for k, v in GITHUB_TRUST.items() if k != "Condition"},
    "without sub": github(StringEquals={AUD: STS}),
    "without aud": github(StringLike={SUB: TAG}),
    "with any audience": github(StringLike={AUD: "*", SUB: TAG}),
    "with another audience": github(StringEquals={AUD: "https://github.com/acme"}, StringLike={SUB: TAG}),
    "with one audience too many": github(StringEquals={AUD: [STS, "api://other"]}, StringLike={SUB: TAG}),
    "with any subject": github_sub("*"),
    "with any repository of an owner": github_sub("repo:acme/*"),
    "with any repository of an owner at a tag": github_sub("repo:acme/*:ref:refs/tags/v*.*.*"),
    "with any owner": github_sub("repo:*/shop:ref:refs/tags/v*.*.*"),
    "with owners that begin alike": github_sub("repo:acme*/shop:ref:refs/tags/v*.*.*"),
    "with repositories that begin alike": github_sub("repo:acme/shop*:ref:refs/tags/v*.*.*"),
    "with a repository of one more letter": github_sub("repo:acme/sho?:ref:refs/tags/v*.*.*"),
    "with any id": github_sub("repo:acme@*/shop@*:ref:refs/tags/v*.*.*"),
    "with the owner's id alone": github_sub("repo:acme@1234/shop:ref:refs/tags/v*.*.*"),
    "with everything of its repository": github_sub("repo:acme/shop:*"),
    "with any ref": github_sub("repo:acme/shop:ref:*"),
    "with any ref below refs": github_sub("repo:acme/shop:ref:refs/*"),
    "with any branch": github_sub("repo:acme/shop:ref:refs/heads/*"),
    "with the main branch": github_sub("repo:acme/shop:ref:refs/heads/main", "StringEquals"),
    "with the branch of its name in production": github_sub("repo:acme/shop:ref:refs/heads/live", "StringEquals"),
    "with pull requests": github_sub("repo:acme/shop:pull_request", "StringEquals"),
    "with any environment": github_sub("repo:acme/shop:environment:*"),
    "with another environment": github_sub("repo:acme/shop:environment:dev", "StringEquals"),
    "with environments that begin alike": github_sub("repo:acme/shop:environment:live*"),
    "with any tag": github_sub("repo:acme/shop:ref:refs/tags/*"),
    "with a repository alone": github_sub("repo:acme/shop"),
    "with a wildcard under a repository": github_sub("repo:acme/shop*"),
    "with an owner's custom subject": github_sub("repository_owner:acme", "StringEquals"),
    "with a reusable workflow anywhere": github_sub("job_workflow_ref:acme/flows/.github/workflows/x.yml@*"),
    "with one subject too many": github_sub([TAG, "repo:acme/*"]),
    "with a subject that may be absent": github(StringEquals={AUD: STS}, StringLikeIfExists={SUB: TAG}),
    "with an audience that may be absent": github(StringEqualsIfExists={AUD: STS}, StringLike={SUB: TAG}),
    "with all values of an absent subject": github(
        **{"StringEquals": {AUD: STS}, "ForAllValues:StringLike": {SUB: TAG}}
    ),
    "with all values of an absent audience": github(
        **{"StringLike": {SUB: TAG}, "ForAllValues:StringEquals": {AUD: STS}}
    ),
    "with a subject that it only is not": github(StringEquals={AUD: STS}, StringNotLike={SUB: "repo:evil/*"}),
    "with another issuer's key": github(StringEquals={AUD: STS}, StringLike={"gitlab.com:sub": TAG}),
    "with a subject in any case": github(
        StringEquals={AUD: STS}, StringEqualsIgnoreCase={SUB: "repo:acme/shop:environment:live"}
    ),
    "with a subject by a variable": github_sub("repo:acme/${aws:PrincipalTag/repository}:environment:live"),
    "with the actor alone": github(StringEquals={AUD: STS, f"{GITHUB}:actor": "someone"}),
    "with a pattern of audiences": github(StringLike={AUD: "sts.*", SUB: TAG}),
    "with the provider of another account": provided(f"arn:aws:iam::{world.OTHER}:oidc-provider/{GITHUB}"),
    "with any provider": provided(f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/*"),
    "with a provider that looks alike": provided(f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{GITHUB}.evil.example"),
    "with a saml provider": provided(f"arn:aws:iam::{world.ACCOUNT}:saml-provider/office"),
    "with identity pools": provided("cognito-identity.amazonaws.com"),
    "with accounts of a shop": provided("www.amazon.com"),
    "with two providers": provided(
        [
            f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{GITHUB}",
            f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/gitlab.com",
        ]
    ),
    "with everyone": {**GITHUB_TRUST, "Principal": "*"},
    "with its own account": {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    },
    "with a user beside": {
        **GITHUB_TRUST,
        "Principal": {**GITHUB_TRUST["Principal"], "AWS": f"arn:aws:iam::{world.ACCOUNT}:user/dev"},
    },
    "with any sts action": {**GITHUB_TRUST, "Action": "sts:*"},
    "with sessions' tags": {**GITHUB_TRUST, "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]},
    "with every other action": {
        **{k: v for k, v in GITHUB_TRUST.items() if k != "Action"},
        "NotAction": "sts:TagSession",
    },
    "with everyone but one": {
        **{k: v for k, v in GITHUB_TRUST.items() if k != "Principal"},
        "NotPrincipal": {"AWS": world.ACCOUNT},
    },
    "with a second statement": [GITHUB_TRUST, github_sub("repo:acme/*:*")],
}
CIRCLECI_CLEAN = [circleci(CIRCLE_SUB), circleci([CIRCLE_SUB]), circleci(CIRCLE_SUB, aud=[ORGANIZATION])]
CIRCLECI_BAD: dict[str, Any] = {
    "any project": circleci(CIRCLE_SUB.replace(PROJECT, "*")),
    "projects of one length": circleci(CIRCLE_SUB.replace(PROJECT, ANYBODY)),
    "a user that runs on": circleci(CIRCLE_SUB.replace(ANYBODY, "*")),
    "an organization alone": circleci(f"org/{ORGANIZATION}/*"),
    "a project alone": circleci(f"org/{ORGANIZATION}/project/{PROJECT}/*"),
    "any repository": circleci(CIRCLE_SUB.replace("acme/shop", "acme/*")),
    "any ref": circleci(CIRCLE_SUB.replace("refs/tags/v*.*.*", "*")),
    "any branch": circleci(CIRCLE_SUB.replace("refs/tags/v*.*.*", "refs/heads/*")),
    "the main branch": circleci(CIRCLE_SUB.replace("refs/tags/v*.*.*", "refs/heads/main")),
    "another organization's audience": circleci(CIRCLE_SUB, aud="11111111-2222-3333-4444-555555555555"),
    "any audience": circleci(CIRCLE_SUB, "StringLike", aud="*"),
    "another organization in its subject": circleci(CIRCLE_SUB.replace(ORGANIZATION, "11111111-2222-3333-4444-555555555555")),
    "no organization in the provider": circleci(CIRCLE_SUB, host="oidc.circleci.com"),
    "a subject that may be absent": circleci(CIRCLE_SUB, "StringLikeIfExists"),
}  # fmt: skip


def cases() -> Iterator[Case]:
    for number, (words, bad) in enumerate(GITHUB_BAD.items()):
        yield trusted(f"github {words}", CI, "ci", bad, GITHUB_CLEAN[number % len(GITHUB_CLEAN)])
    for number, (words, bad) in enumerate(CIRCLECI_BAD.items()):
        yield trusted(f"circleci with {words}", CI, "ci", bad, CIRCLECI_CLEAN[number % len(CIRCLECI_CLEAN)])
    yield from _services()
    yield from _federated()


def _services() -> Iterator[Case]:
    root = f"arn:aws:iam::{world.ACCOUNT}:root"
    tasks = trusting("ecs-tasks.amazonaws.com")
    bad = {
        "ec2": trusting("ec2.amazonaws.com"),
        "ec2 besides tasks": trusting("ecs-tasks.amazonaws.com", "ec2.amazonaws.com"),
        "lambda": trusting("lambda.amazonaws.com"),
        "ecs itself": trusting("ecs.amazonaws.com"),
        "codebuild": trusting("codebuild.amazonaws.com"),
        "cloudformation": trusting("cloudformation.amazonaws.com"),
        "everyone": {**tasks, "Principal": "*"},
        "everyone in aws": {**tasks, "Principal": {"AWS": "*"}},
        "its account": {**tasks, "Principal": {"AWS": root}},
        "its account by number": {**tasks, "Principal": {"AWS": world.ACCOUNT}},
        "another account": {**tasks, "Principal": {"AWS": f"arn:aws:iam::{world.OTHER}:root"}},
        "a role of another account": {**tasks, "Principal": {"AWS": role_arn("x", world.OTHER)}},
        "roles by a pattern": {**tasks, "Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:role/*"}},
        "a user": {**tasks, "Principal": {"AWS": f"arn:aws:iam::{world.ACCOUNT}:user/dev"}},
        "ci": {**tasks, "Principal": {"AWS": role_arn("shop-ci")}},
        "everyone but one": {"Effect": "Allow", "NotPrincipal": {"AWS": root}, "Action": "sts:AssumeRole"},
        "tags of sessions": {**tasks, "Action": ["sts:AssumeRole", "sts:TagSession"]},
        "every sts action": {**tasks, "Action": "sts:*"},
        "every action but one": {**{k: v for k, v in tasks.items() if k != "Action"}, "NotAction": "sts:TagSession"},
        "a named role by a condition": {
            **tasks,
            "Principal": "*",
            "Condition": {"StringEquals": {"aws:PrincipalArn": role_arn("shop-ci")}},
        },
        "an organization": {
            **tasks,
            "Principal": "*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc123"}},
        },
    }
    for words, statement in bad.items():
        yield trusted(f"a task role trusts {words}", OTHERS, "task", statement, tasks)
    by_source = {"ArnLike": {"aws:SourceArn": world.arn("ecs", "*")}}
    for words, condition in {
        "on anybody's behalf": None,
        "on another account's behalf": {"StringEquals": {"aws:SourceAccount": world.OTHER}},
        "on behalf of any account": {"StringLike": {"aws:SourceAccount": "*"}},
        "on behalf that may be absent": {"StringEqualsIfExists": {"aws:SourceAccount": world.ACCOUNT}},
        "on behalf of sources of any account": {"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:*:*"}},
    }.items():
        bad_one = {k: v for k, v in {**tasks, "Condition": condition}.items() if v}
        yield trusted(f"a task role trusts tasks {words}", OTHERS, "task", bad_one, {**tasks, "Condition": by_source})
    for purpose, own in (
        ("function", "lambda"), ("pipeline", "codepipeline"), ("deployment", "codedeploy"), ("event-rule", "events"),
    ):  # fmt: skip
        wrong = trusting("ecs-tasks.amazonaws.com")
        yield trusted(f"a role for {purpose} trusts tasks", OTHERS, purpose, wrong, trusting(f"{own}.amazonaws.com"))
    actions = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    good = {**actions, "Principal": {"AWS": role_arn("shop-pipeline")}}
    for words, who in {
        "the account": root, "ci": role_arn("shop-ci"), "the task": role_arn("shop-task"), "a role by a pattern": f"{role_arn('shop-pipeline')}*",
    }.items():  # fmt: skip
        yield trusted(
            f"an action's role trusts {words}", OTHERS, "pipeline-action", {**actions, "Principal": {"AWS": who}}, good
        )
    yield trusted(
        "an action's role trusts the service", OTHERS, "pipeline-action", trusting("codepipeline.amazonaws.com"), good
    )


def _federated() -> Iterator[Case]:
    for purpose, own in (
        ("task", "ecs-tasks"), ("function", "lambda"), ("pipeline", "codepipeline"), ("deployment", "codedeploy"),
    ):  # fmt: skip
        clean = trusting(f"{own}.amazonaws.com")
        yield trusted(f"a role for {purpose} trusts github", PURPOSE, purpose, GITHUB_TRUST, clean)
        yield trusted(f"a role for {purpose} trusts github besides", PURPOSE, purpose, [clean, GITHUB_TRUST], clean)
