from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ci_stand_ins import CI, COMMIT

ACCOUNTS = "dev*=111111111111 stg=111111111111 prod=222222222222"
REFS = {
    "refs/heads/dev": "dev",
    "refs/heads/dev1": "dev1",
    "refs/heads/dev23": "dev23",
    "refs/heads/stg": "stg",
    "refs/tags/v1.2.3": "prod",
    "refs/tags/v10.0.1": "prod",
}
ELSEWHERE = (
    "refs/heads/main",
    "refs/heads/develop",
    "refs/heads/prod",
    "refs/tags/dev",
    "refs/tags/v1.2",
    "refs/tags/v1.2.3-rc.1",
)


def load(path):
    return yaml.safe_load((CI / path).read_text())


ACTION, WORKFLOW = load("github/action.yml"), load("github/example-workflow.yml")
CIRCLE, BUILDSPEC = load("circleci/config.yml"), load("codebuild/buildspec.yml")
JENKINSFILE = (CI / "jenkins" / "Jenkinsfile").read_text()
CIRCLE_JOB = CIRCLE["jobs"]["hand-over"]
WORKFLOW_JOB = WORKFLOW["jobs"]["hand-over"]
SNIPPETS = {
    "github action": ACTION["runs"]["steps"][0]["run"],
    "github workflow": WORKFLOW_JOB["steps"][1]["run"],
    "circleci": CIRCLE_JOB["steps"][1]["run"]["command"],
    "jenkins": re.search(r"sh '''\n(.*?)'''", JENKINSFILE, re.DOTALL).group(1),
    "codebuild": BUILDSPEC["phases"]["build"]["commands"][0],
}


def variables_of(wrapper, ref):
    """What each CI sets for a run of this ref, by its own documentation."""
    _, kind, name = ref.split("/")
    tag = kind == "tags"
    usual = {"SERVICE": "api", "HANDOFF_ACCOUNTS": ACCOUNTS, "AWS_REGION": "ap-northeast-1", "HANDOFF_DRY_RUN": "yes"}
    match wrapper:
        case "circleci":
            own = {"CIRCLE_TAG" if tag else "CIRCLE_BRANCH": name, "CIRCLE_SHA1": COMMIT, "CIRCLE_BUILD_NUM": "7"}
            own |= {"CIRCLE_OIDC_TOKEN_V2": "s3same-0pen"}
        case "jenkins":
            own = {"BRANCH_NAME": name, "GIT_COMMIT": COMMIT} | ({"TAG_NAME": name} if tag else {})
        case "codebuild":
            own = {"CODEBUILD_WEBHOOK_HEAD_REF": ref, "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT}
    return usual | own


@pytest.fixture
def checkout(offline_ci):
    """An application's repository with a copy of the scripts."""
    (offline_ci.work / "ci").mkdir()
    for script in CI.glob("*.sh"):
        shutil.copy(script, offline_ci.work / "ci")
    (offline_ci.bin / "sh").symlink_to(offline_ci.shell[0])
    return offline_ci


def run_snippet(machine, snippet, variables):
    return subprocess.run(
        ["/bin/sh", "-c", snippet],
        cwd=machine.work,
        env=machine.env | variables,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("ref", REFS)
@pytest.mark.parametrize("wrapper", ["circleci", "jenkins", "codebuild"])
def test_a_ref_is_handed_over_to_its_environment(checkout, wrapper, ref):
    run = run_snippet(checkout, SNIPPETS[wrapper], variables_of(wrapper, ref))

    assert (run.returncode, run.stderr) == (0, "")
    environment = REFS[ref]
    account = "222222222222" if environment == "prod" else "111111111111"
    assert (
        f"build  {account}.dkr.ecr.ap-northeast-1.amazonaws.com/{environment}/api/app:{environment}-{COMMIT}"
        in run.stdout
    )
    assert f"put    s3://{environment}-ecsdef-{account}/api/imagedefinitions.json.zip\n" in run.stdout


@pytest.mark.parametrize("wrapper", ["circleci", "jenkins"])
def test_old_keys_of_the_job_do_not_take_the_place_of_the_role(checkout, wrapper):
    """AWS CLI user guide, "Configuration settings and precedence": keys in the environment win over a web identity."""
    (checkout.work / "ci" / "handoff.sh").write_text('echo "$AWS_ROLE_ARN"; env')
    (checkout.bin / "env").symlink_to(shutil.which("env"))
    old = dict.fromkeys(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"), "old"
    )

    run = run_snippet(checkout, SNIPPETS[wrapper], variables_of(wrapper, "refs/heads/dev") | old)

    assert run.returncode == 0, run.stderr
    role, *variables = run.stdout.splitlines()
    assert role == f"arn:aws:iam::111111111111:role/dev-api-ci-{wrapper}"
    assert [line for line in variables if line.endswith("=old")] == []


@pytest.mark.parametrize("ref", ELSEWHERE)
@pytest.mark.parametrize("wrapper", ["circleci", "jenkins", "codebuild"])
def test_a_ref_of_no_environment_hands_nothing_over(checkout, wrapper, ref):
    run = run_snippet(checkout, SNIPPETS[wrapper], variables_of(wrapper, ref))

    assert run.returncode == 3
    assert run.stdout == ""


def test_the_token_of_circleci_is_removed_and_never_printed(checkout):
    run = run_snippet(checkout, SNIPPETS["circleci"], variables_of("circleci", "refs/heads/dev"))

    assert "s3same-0pen" not in run.stdout + run.stderr
    assert checkout.left_behind() == []


@pytest.mark.parametrize("wrapper", ["circleci", "jenkins"])
def test_keys_that_the_job_has_besides_never_win_over_the_role(checkout, wrapper):
    seen = checkout.work / "seen"
    (checkout.work / "ci" / "handoff.sh").write_text(f"export -p >{seen}\n")
    besides = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    variables = variables_of(wrapper, "refs/heads/dev") | dict.fromkeys(besides, "left over")

    run = run_snippet(checkout, SNIPPETS[wrapper], variables)

    assert (run.returncode, run.stderr) == (0, "")
    assert f"role/dev-api-ci-{wrapper}" in seen.read_text()
    assert "left over" not in seen.read_text()


def test_github_finds_the_environment_of_its_ref(checkout):
    outputs = checkout.work / "outputs"
    variables = {"ACCOUNTS": ACCOUNTS, "GITHUB_REF": "refs/tags/v1.2.3", "GITHUB_OUTPUT": str(outputs)}

    run = run_snippet(checkout, SNIPPETS["github workflow"], variables)

    assert run.returncode == 0
    assert outputs.read_text() == "environment=prod\naccount=222222222222\n"


def test_the_github_action_hands_over_what_its_inputs_say(checkout):
    given = WORKFLOW_JOB["steps"][-1]["with"] | {"environment": "dev", "account": "111111111111", "dry-run": "true"}
    given |= {"region": "ap-northeast-1", "service": "api"}
    inputs = {name: str(given.get(name, spec.get("default", ""))) for name, spec in ACTION["inputs"].items()}
    inputs["commit"] = COMMIT
    (step,) = ACTION["runs"]["steps"]
    names = {
        variable: re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", text)[1] for variable, text in step["env"].items()
    }
    variables = {variable: inputs[name] for variable, name in names.items()}
    variables |= {"GITHUB_ACTION_PATH": str(CI / "github"), "GITHUB_OUTPUT": str(checkout.work / "outputs")}

    run = run_snippet(checkout, step["run"], variables)

    assert (run.returncode, run.stderr) == (0, "")
    assert set(names.values()) == set(ACTION["inputs"])
    assert "/dev/api/app:dev-" in run.stdout
    assert "/dev/api/nginx:dev-" in run.stdout


def test_every_output_of_the_github_action_is_one_that_the_script_writes():
    written = set(re.findall(r'"([a-z-]+)=\$', (CI / "handoff.sh").read_text().rpartition('>>"$result"')[0][-200:]))

    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.hand-over.outputs.{name} }}}}"
    assert set(ACTION["outputs"]) == written


@pytest.mark.parametrize("wrapper", SNIPPETS)
def test_a_wrapper_calls_only_the_scripts(wrapper):
    snippet = re.sub(r"#.*|\\\n", "", SNIPPETS[wrapper])
    own = {"sh", "set", "ref", "target", "eval", "export", "unset", "trap", "rm", "umask", "printf"}

    commands = {re.match(r"\(?([A-Za-z]+)", line.strip())[1] for line in snippet.splitlines() if line.strip()}

    assert commands <= own
    assert not re.search(r"\b(docker|aws|zip|curl)\b(?! CLI)", snippet.replace("amazonaws", "").replace("arn:aws", ""))
    assert set(re.findall(r"\bsh (\S+)", snippet)) <= {
        "ci/environment.sh",
        "ci/handoff.sh",
        '"$GITHUB_ACTION_PATH/../handoff.sh"',
    }


def test_a_pushed_tag_starts_the_same_refs_in_every_ci():
    circle = CIRCLE["workflows"]["hand-over"]["jobs"][0]["hand-over"]["filters"]
    expressions = {
        "circleci": {kind: circle[kind]["only"].strip("/") for kind in ("branches", "tags")},
        "jenkins": dict(zip(("branches", "tags"), re.findall(r"pattern: '([^']+)'", JENKINSFILE), strict=True)),
        # A plus repeats what stands before it and a full stop is itself (GitHub docs, "Filter pattern cheat sheet").
        "github": {k: "|".join(WORKFLOW[True]["push"][k]).replace(".", r"\.") for k in ("branches", "tags")},
    }

    for filters in expressions.values():
        for ref in (*REFS, *ELSEWHERE):
            kind = "branches" if "/heads/" in ref else "tags"
            assert bool(re.fullmatch(filters[kind], ref.rpartition("/")[2])) == (ref in REFS)


def test_github_may_only_read_the_code_and_ask_for_its_identity():
    assert WORKFLOW["permissions"] == {"contents": "read", "id-token": "write"}
    assert "permissions" not in WORKFLOW_JOB
    assert "environment" not in WORKFLOW_JOB


def test_every_action_of_others_is_pinned_to_a_commit():
    used = [step["uses"] for step in WORKFLOW_JOB["steps"] if "uses" in step]

    assert used[-1] == "./ci/github"
    assert len(used) == 4
    for action in used[:-1]:
        assert re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}", action)


def test_no_step_puts_an_expression_into_a_shell():
    for snippet in (SNIPPETS["github action"], SNIPPETS["github workflow"]):
        assert "${{" not in snippet


def shellcheck(*arguments, text=None):
    program = Path(sys.executable).with_name("shellcheck")
    command = [str(program), "--norc", "--enable=quote-safe-variables,require-double-brackets", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("script", sorted(p.name for p in CI.glob("*.sh")))
def test_a_script_is_clean_by_shellcheck(script):
    run = shellcheck("--shell=sh", str(CI / script))

    assert run.stdout == ""
    assert run.returncode == 0
    assert "shellcheck disable" not in (CI / script).read_text()


@pytest.mark.parametrize("wrapper", SNIPPETS)
def test_a_wrappers_commands_are_clean_by_shellcheck(wrapper):
    # SC2154: `eval "$target"` assigns environment and account, which a static check cannot see.
    run = shellcheck("--shell=sh", "--exclude=SC2154", "-", text=SNIPPETS[wrapper])

    assert run.stdout == ""


def test_the_guide_gives_every_exit_code_as_the_script_does(offline_ci):
    guide = (CI.parent / "docs" / "ci.md").read_text()
    listed = offline_ci.run("--help").stdout

    rows = dict(re.findall(r"^\| (\d[\d, ]*) \| ([^|]+) \|", guide, re.MULTILINE))

    assert len(rows) == 14
    for codes, meaning in rows.items():
        assert f"{codes}  {meaning.split(' by SIG')[0].split(', or the dry')[0]}" in listed


def test_the_guide_names_files_that_exist():
    guide = CI.parent / "docs" / "ci.md"

    links = re.findall(r"\]\(([^)]+)\)", guide.read_text())

    assert {link for link in links if not (guide.parent / link).is_file()} == set()
    assert len(set(links)) == 7
