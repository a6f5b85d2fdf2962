"""CI hands a release over and can do nothing else; nobody but this CI, from the right ref, can be it."""

import re
import string

import pytest

from components import settings, strategies
from components.handoff.ci_identity import CiIdentityArgs, github_subjects
from tests.components.test_settings import stack_file
from tests.rehearsed import ACCOUNTS, STACKS, granted, named, rehearsed, role, services_with, statements, trust

GITHUB = "token.actions.githubusercontent.com"
ORGANIZATION = "0d1b7a52-6a7e-4f0c-9a36-2f1d7c3b8e90"
PROJECT = "5b7f3d1e-2c84-4a0b-8f6d-91e0c2a7b345"
USER = "9f8e7d6c-5b4a-4321-8765-0123456789ab"
CIRCLECI = f"oidc.circleci.com/org/{ORGANIZATION}"
FROM_CIRCLECI = f"org/{ORGANIZATION}/project/{PROJECT}/user/{USER}/vcs-origin/github.com/acme/api/vcs-ref/"


def string_like(pattern, text):
    """IAM's StringLike: `*` any characters, `?` one character, everything else itself (IAM user guide)."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(c) or re.escape(c) for c in pattern), text, re.DOTALL) is not None


def admits(run, role_name, host, subject, audience):
    """Whether AWS would give the role to a token with this subject and audience."""
    [statement] = trust(run, role_name)
    conditions = statement["Condition"]
    checks = 0
    for operator, keys in conditions.items():
        same = {"StringEquals": str.__eq__, "StringLike": string_like}[operator]
        for key, wanted in keys.items():
            shown = {f"{host}:sub": subject, f"{host}:aud": audience}[key]
            checks += 1
            if not any(same(pattern, shown) for pattern in ([wanted] if isinstance(wanted, str) else wanted)):
                return False
    assert checks == 2, "subject and audience are both looked at"
    return True


def github(stack, subject, audience="sts.amazonaws.com"):
    return admits(rehearsed(stack), f"{stack}-api-ci-github", GITHUB, subject, audience)


def circleci(stack, subject, audience=ORGANIZATION):
    return admits(rehearsed(stack), f"{stack}-api-ci-circleci", CIRCLECI, subject, audience)


# ---------------------------------------------------------------- what it may do


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("ci", ["github", "circleci"])
def test_ci_pushes_to_its_repositories_puts_one_hand_off_and_nothing_else(stack, ci):
    ecr = f"arn:aws:ecr:ap-northeast-1:{ACCOUNTS[stack]}:repository/{stack}/api"

    allowed = granted(rehearsed(stack), f"{stack}-api-ci-{ci}")

    assert allowed == {
        "LogInToTheRegistry": {
            "Sid": "LogInToTheRegistry",
            "Effect": "Allow",
            "Action": ["ecr:GetAuthorizationToken"],
            "Resource": ["*"],
        },
        "PushItsImages": {
            "Sid": "PushItsImages",
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:GetDownloadUrlForLayer",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            "Resource": [f"{ecr}/nginx", f"{ecr}/app", f"{ecr}/cache"],
        },
        "PutItsHandoff": {
            "Sid": "PutItsHandoff",
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{stack}-ecsdef-{ACCOUNTS[stack]}/api/imagedefinitions.json.zip"],
        },
    }


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("ci", ["api-ci-github", "api-ci-circleci", "worker-ci-github"])
def test_the_boundary_of_every_ci_role_caps_it_at_what_its_policy_says(stack, ci):
    run = rehearsed(stack, "up")
    service = ci.split("-", maxsplit=1)[0]

    boundary = named(run, "aws:iam/policy:Policy", f"{stack}-{service}-ci-boundary")

    assert role(run, f"{stack}-{ci}").inputs["permissionsBoundary"] == boundary.outputs["arn"]
    assert statements(boundary.inputs["policy"]) == list(granted(run, f"{stack}-{ci}").values())


def test_a_ci_session_ends_after_an_hour():
    run = rehearsed("prod")

    assert {role(run, f"prod-api-ci-{ci}").inputs["maxSessionDuration"] for ci in ("github", "circleci")} == {3600}


def test_one_service_s_ci_reaches_nothing_of_another_service():
    resources = [r for s in granted(rehearsed("prod"), "prod-worker-ci-github").values() for r in s["Resource"]]

    assert not [r for r in resources if "api" in r.replace("arn:aws:", "")]


# ---------------------------------------------------------------- who it is: GitHub Actions


@pytest.mark.parametrize("repository", ["acme/api", "acme@1234567/api@987654321"])
@pytest.mark.parametrize(
    ("stack", "ref"),
    [("dev", "refs/heads/dev"), ("stg", "refs/heads/stg"), ("prod", "refs/tags/v1.2.3"), ("prod", "refs/tags/v10.0.1")],
)
def test_both_forms_of_github_s_subject_hand_over_from_the_environment_s_ref(repository, stack, ref):
    assert github(stack, f"repo:{repository}:ref:{ref}")


@pytest.mark.parametrize(
    ("stack", "subject"),
    [
        ("dev", "repo:acme/api:ref:refs/heads/stg"),
        ("dev", "repo:acme/api:ref:refs/heads/dev1"),
        ("dev", "repo:acme/api:ref:refs/heads/feature/dev"),
        ("dev", "repo:acme/api:ref:refs/tags/dev"),
        ("dev", "repo:acme/api:pull_request"),
        ("dev", "repo:acme/api:environment:dev"),
        ("dev", "repo:acme/worker:ref:refs/heads/dev"),
        ("dev", "repo:evil/api:ref:refs/heads/dev"),
        ("dev", "repo:acme@1234567/api@111:ref:refs/heads/dev"),
        ("dev", "repo:acme@666/api@987654321:ref:refs/heads/dev"),
        ("prod", "repo:acme/api:ref:refs/heads/main"),
        ("prod", "repo:acme/api:ref:refs/heads/prod"),
        ("prod", "repo:acme/api:ref:refs/heads/v1.2.3"),
        ("prod", "repo:acme/api:ref:refs/heads/refs/tags/v1.2.3"),
        ("prod", "repo:acme/api:ref:refs/tags/1.2.3"),
        ("prod", "repo:acme/api:ref:refs/tags/v1"),
        ("prod", "repo:acme/api:pull_request"),
        ("prod", "repo:acme/api-fork:ref:refs/tags/v1.2.3"),
        ("prod", "repo:acme/api2:ref:refs/tags/v1.2.3"),
    ],
)
def test_no_other_workflow_run_is_this_ci(stack, subject):
    assert not github(stack, subject)


@pytest.mark.parametrize("audience", ["https://github.com/acme", "sts.amazonaws.com.evil.example", ORGANIZATION])
def test_a_github_token_for_somebody_else_is_refused(audience):
    assert not github("dev", "repo:acme/api:ref:refs/heads/dev", audience)


def test_without_ids_only_the_plain_form_is_trusted():
    [statement] = trust(rehearsed("dev"), "dev-worker-ci-github")

    assert statement["Condition"]["StringEquals"][f"{GITHUB}:sub"] == ["repo:acme/worker:ref:refs/heads/dev"]


# ---------------------------------------------------------------- who it is: CircleCI


@pytest.mark.parametrize(
    ("stack", "ref"), [("dev", "refs/heads/dev"), ("stg", "refs/heads/stg"), ("prod", "refs/tags/v1.2.3")]
)
def test_circleci_hands_over_from_the_environment_s_ref(stack, ref):
    assert circleci(stack, FROM_CIRCLECI + ref)


def hostile_refs():
    """Refs whose text repeats a part of what is trusted, to slip through a wildcard."""
    inner = f"user/{USER}/vcs-origin/github.com/acme/api/vcs-ref/"
    for trusted in ("refs/heads/dev", "refs/tags/v1.2.3"):
        yield f"refs/heads/{inner}{trusted}"
        yield f"refs/heads/x/vcs-origin/github.com/acme/api/vcs-ref/{trusted}"
        yield f"refs/heads/x/vcs-ref/{trusted}"
        yield f"refs/heads/{trusted}"
    yield "refs/heads/v1.2.3"
    yield "refs/heads/devil"
    yield "refs/pull/1/head"


@pytest.mark.parametrize("stack", ["dev", "prod"])
@pytest.mark.parametrize("ref", list(hostile_refs()))
@pytest.mark.parametrize("origin", ["github.com/acme/api", "github.com/evil/api"])
def test_no_branch_name_crosses_the_trusted_pattern(stack, ref, origin):
    subject = f"org/{ORGANIZATION}/project/{PROJECT}/user/{USER}/vcs-origin/{origin}/vcs-ref/{ref}"

    assert not circleci(stack, subject)


@pytest.mark.parametrize(
    "subject",
    [
        FROM_CIRCLECI.replace(PROJECT, "00000000-0000-4000-8000-000000000000") + "refs/heads/dev",
        FROM_CIRCLECI.replace(ORGANIZATION, "00000000-0000-4000-8000-000000000000") + "refs/heads/dev",
        FROM_CIRCLECI.replace("acme/api", "evil/api") + "refs/heads/dev",
        FROM_CIRCLECI.replace("github.com", "bitbucket.org") + "refs/heads/dev",
        f"org/{ORGANIZATION}/project/{PROJECT}/user/{USER}",
    ],
)
def test_no_other_circleci_job_is_this_ci(subject):
    assert not circleci("dev", subject)


def test_a_circleci_token_for_another_organization_is_refused():
    assert not circleci("dev", FROM_CIRCLECI + "refs/heads/dev", audience="00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize("stack", STACKS)
def test_the_only_wildcards_in_a_trusted_subject_are_a_user_s_id_and_a_version(stack):
    run = rehearsed(stack)
    roles = [f"{stack}-api-ci-github", f"{stack}-api-ci-circleci", f"{stack}-worker-ci-github"]
    subjects = [
        subject
        for name in roles
        for keys in trust(run, name)[0]["Condition"].values()
        for key, found in keys.items()
        if key.endswith(":sub")
        for subject in found
    ]

    left = [s.replace(USER_PATTERN, "").replace("refs/tags/v*.*.*", "") for s in subjects]

    assert subjects
    assert not set("*?$") & set("".join(left))
    assert set("".join(left)) <= set(string.ascii_letters + string.digits + ":/.@-_")


USER_PATTERN = "????????-????-????-????-????????????"


# ---------------------------------------------------------------- the account's OIDC providers


def test_the_first_stack_of_an_account_makes_the_oidc_providers_with_the_audience_that_roles_ask_for():
    providers = {p.inputs["url"]: p.inputs["clientIdLists"] for p in rehearsed("stg").all(OIDC)}

    assert providers == {f"https://{GITHUB}": ["sts.amazonaws.com"], f"https://{CIRCLECI}": [ORGANIZATION]}


def test_a_second_stack_in_the_account_makes_none_and_trusts_those():
    assert not rehearsed("dev").all(OIDC)
    assert trust(rehearsed("dev"), "dev-api-ci-github")[0]["Principal"] == {
        "Federated": f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"
    }


OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"


def test_a_service_that_only_circleci_hands_over_has_no_role_for_github():
    services = services_with("dev", "worker", ci={"circleci": {"projectId": PROJECT, "vcsOrigin": "github.com/acme/w"}})

    run = rehearsed("dev", services=services)

    names = {r.inputs["name"] for r in run.all("aws:iam/role:Role") if "-worker-ci-" in r.inputs["name"]}
    assert names == {"dev-worker-ci-circleci"}


def test_a_github_environment_may_stand_for_the_ref():
    stack = settings.load(
        {
            **stack_file("prod"),
            "ci": {"releaseFrom": "environment", "github": {}},
            "services": [{**s, "ci": {"github": {"repository": "acme/api"}}} for s in stack_file("prod")["services"]],
        },
        strategies.ALL,
    )
    args = CiIdentityArgs.of(stack.names.service("api"), stack.ci, stack.services[0])

    assert github_subjects("prod", args.release_from, args.github) == ["repo:acme/api:environment:prod"]
