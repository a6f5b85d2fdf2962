"""`python -m tools`: one command line for everything, with the same options where they make sense."""

import subprocess
import sys
import tomllib

import pytest

from tests.rehearsed import ROOT
from tools.__main__ import COMMANDS, main

ON_STACKS = ("preview", "up", "release", "explain")
COMMON = ("--stack", "--project", "--config-file", "--config", "--json", "--color")
SHORT = {"--stack": "-s", "--project": "-C", "--config": "-c"}


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_help_lists_every_command_with_one_line(capsys):
    listed = help_of(capsys)

    for name, command in COMMANDS.items():
        assert f"    {name} " in listed
        assert "\n" not in command.HELP


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_what_its_exit_codes_mean(capsys, name):
    shown = " ".join(help_of(capsys, name).split())

    assert COMMANDS[name].HELP in shown
    assert "Exit codes: 0 " in shown


@pytest.mark.parametrize("option", COMMON)
@pytest.mark.parametrize("name", ON_STACKS)
def test_a_command_on_stacks_has_the_common_options(capsys, name, option):
    shown = help_of(capsys, name)

    assert f" {option}" in shown
    assert SHORT.get(option, option) in shown


def test_the_version_is_the_projects(capsys):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"ecs-release {version}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["preview", "--help"], ["release", "--help"]])
def test_help_loads_neither_pulumi_nor_the_emulator(arguments):
    program = (
        "import sys; from tools.__main__ import main\n"
        f"try: main({arguments!r})\n"
        "finally: sys.stderr.write(repr({'pulumi', 'moto', 'boto3', 'pydantic'} & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0
    assert ran.stderr == "set()"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["explain", "--role", "ci-api"], "name one stack: --stack NAME; "),
        (["explain", "--role", "ci-api", "--stack", "dev", "--stack", "prod"], "name one stack: --stack NAME; "),
        (["explain", "--role", "ci-api", "--stack", "dev", "-c", "region"], "--config 'region' is not KEY=VALUE"),
        (["preview", "--stack", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_exit_code_2(capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(ROOT)

    code = main(arguments)

    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert sentence in said.err


def test_a_command_that_is_not_there_is_answered_by_those_that_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["rehearse"])

    assert ended.value.code == 2
    assert "choose from preview, up, release" in capsys.readouterr().err.replace("'", "")
