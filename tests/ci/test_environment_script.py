from __future__ import annotations

import pytest

ACCOUNTS = "dev*=111111111111 stg=111111111111 prod=222222222222"


def environment_of(machine, *arguments):
    return machine.run(*arguments, script="environment.sh")


@pytest.mark.parametrize(
    ("ref", "environment", "account"),
    [
        ("refs/heads/dev", "dev", "111111111111"),
        ("refs/heads/dev1", "dev1", "111111111111"),
        ("refs/heads/dev12", "dev12", "111111111111"),
        ("refs/heads/stg", "stg", "111111111111"),
        ("refs/tags/v1.2.3", "prod", "222222222222"),
        ("refs/tags/v0.0.0", "prod", "222222222222"),
        ("refs/tags/v10.20.30", "prod", "222222222222"),
    ],
)
def test_a_ref_of_the_table_is_released_to_its_environment(offline_ci, ref, environment, account):
    run = environment_of(offline_ci, "--accounts", ACCOUNTS, ref)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"environment={environment}\naccount={account}\n"


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/heads/prod",
        "refs/heads/v1.2.3",
        "refs/heads/1.2.3",
        "refs/heads/dev0",
        "refs/heads/dev01",
        "refs/heads/dev/1",
        "refs/heads/develop",
        "refs/heads/feature/dev",
        "refs/heads/dev\nstg",
        "refs/heads/stg1",
        "refs/heads/",
        "refs/tags/dev",
        "refs/tags/stg",
        "refs/tags/1.2.3",
        "refs/tags/v1.2",
        "refs/tags/v1.2.3.4",
        "refs/tags/v01.2.3",
        "refs/tags/V1.2.3",
        "refs/tags/v1.2.3-rc.1",
        "refs/tags/v1.2.3+build",
        "refs/tags/release/v1.2.3",
        "refs/tags/v1.2.3;id",
        "refs/tags/v1.2.3\nv1.2.4",
    ],
)
def test_any_other_ref_is_released_nowhere(offline_ci, ref):
    run = environment_of(offline_ci, "--accounts", ACCOUNTS, ref)

    assert run.returncode == 3
    assert run.stdout == ""
    assert "is not released" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "the ref is missing"),
        (["refs/heads/dev"], "--accounts is missing"),
        (["--accounts"], "--accounts needs a value"),
        (["--accounts", ACCOUNTS, "dev"], "the ref is 'dev', but must start with refs/heads/ or refs/tags/"),
        (["--accounts", ACCOUNTS, "refs/heads/dev", "refs/heads/stg"], "'refs/heads/stg' is a second ref"),
        (["--accounts", ACCOUNTS, "--ref", "refs/heads/dev"], "'--ref' is not an option"),
        (["--accounts", "dev=1", "refs/heads/dev"], "--accounts has 'dev=1'"),
        (["--accounts", "dev", "refs/heads/dev"], "--accounts has 'dev'"),
        (["--accounts", "dev=111111111111 x=$(id)", "refs/heads/dev"], "--accounts has 'x=$(id)'"),
        (["--accounts", "dev=111111111111", "refs/heads/stg"], "no account for environment 'stg'"),
        (["--accounts", "dev=111111111111", "refs/heads/dev1"], "no account for environment 'dev1'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(offline_ci, arguments, part):
    run = environment_of(offline_ci, *arguments)

    assert run.returncode == 2
    assert run.stdout == ""
    assert part in run.stderr
    assert run.stderr.count("\n") == 1


def test_the_first_entry_that_fits_is_taken(offline_ci):
    accounts = "dev1=333333333333 dev*=111111111111"

    assert "account=333333333333" in environment_of(offline_ci, "--accounts", accounts, "refs/heads/dev1").stdout
    assert "account=111111111111" in environment_of(offline_ci, "--accounts", accounts, "refs/heads/dev2").stdout


def test_help_says_what_is_released_where(offline_ci):
    run = environment_of(offline_ci, "--help")

    assert run.returncode == 0
    assert "semantic-version tag" not in run.stderr
    assert "refs/tags/TAG" in run.stdout
