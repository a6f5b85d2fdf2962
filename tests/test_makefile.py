"""What make does around the commands: what it brings along, what it hands on, and what it says when something lacks."""

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.rehearsed import ROOT

PULUMI = """#!/bin/sh
echo "pulumi $@"
echo "uv $(command -v uv)"
echo "skip ${PULUMI_SKIP_CHECKPOINTS-unset}"
"""
PYTHON = r"""#!/bin/sh
case "$2" in
  venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  pip) test -z "$INTERRUPTED" || exit 130
    printf '#!/bin/sh\nmkdir -p .venv/bin; cp "$0" .venv/bin/python\n' > "${0%/*}/uv"; chmod +x "${0%/*}/uv" ;;
esac
"""
PACKS = ("least-privilege", "release-safety")


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture
def checkout(tmp_path):
    """The Makefile and what it reads, without .uv and .venv."""
    root = tmp_path / "checkout"
    for name in (
        "Makefile",
        "Pulumi.yaml",
        "pyproject.toml",
        "uv.lock",
        *(f"policies/{p}/PulumiPolicy.yaml" for p in PACKS),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


def make(checkout, *arguments, **environment):
    """Run make as on a machine that has the system's tools and what lies in `tools/` beside the checkout."""
    tools = checkout.parent / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("sh", "sed", "awk", "rm", "mv", "cp", "mkdir", "touch", "test", "echo", "printf", "chmod", "make"):
        if not (tools / tool).exists():
            (tools / tool).symlink_to(shutil.which(tool))
    python = script(tools / "a-python", PYTHON)
    return subprocess.run(
        [shutil.which("make"), f"PYTHON={python}", *arguments],
        cwd=checkout,
        env={"PATH": str(tools), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def pulumi(checkout, *arguments, **environment):
    """What a stand-in for the Pulumi CLI was called with."""
    script(checkout.parent / "tools" / "pulumi", PULUMI)
    ran = make(checkout, *arguments, **environment)
    assert ran.returncode == 0, ran.stderr
    return dict(line.split(" ", 1) for line in ran.stdout.splitlines())


@pytest.mark.parametrize(("target", "skipped"), [("preview", "1"), ("up", "unset")])
def test_pulumi_gets_both_packs_the_uv_that_was_brought_and_what_args_says(checkout, target, skipped):
    called = pulumi(checkout, target, "STACK=dev", "ARGS=--yes --diff", PULUMI_SKIP_CHECKPOINTS="1")

    packs = " ".join(f"--policy-pack policies/{pack}" for pack in PACKS)
    assert called == {
        "pulumi": f"{target} --stack dev {packs} --yes --diff",
        "uv": str(checkout / ".uv" / "bin" / "uv"),
        "skip": skipped,
    }


def test_a_packs_configuration_is_given_once_for_each_pack(checkout):
    (checkout / "policies" / "config").mkdir()
    (checkout / "policies" / "config" / "release-safety.json").write_text("{}")

    called = pulumi(checkout, "up", "STACK=dev")

    assert called["pulumi"].endswith(
        "--policy-pack-config policies/unconfigured.json --policy-pack-config policies/config/release-safety.json"
    )
    assert json.loads((ROOT / "policies" / "unconfigured.json").read_text()) == {}


def test_a_configuration_of_no_pack_is_refused(checkout):
    (checkout / "policies" / "config").mkdir()
    (checkout / "policies" / "config" / "release-safty.json").write_text("{}")

    ran = make(checkout, "up", "STACK=dev")

    assert ran.returncode != 0
    assert "release-safty.json configures no pack; the packs are least-privilege release-safety" in ran.stderr


@pytest.mark.parametrize("target", ["preview", "up"])
def test_without_the_cli_one_sentence_says_what_to_install_and_what_works_without(checkout, target):
    ran = make(checkout, target, "STACK=dev")

    lowest = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"].removeprefix(">=")
    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0] == (
        f"error: pulumi is not on PATH; install the Pulumi CLI, version {lowest} or later; "
        "everything but make preview and make up works without it"
    )
    assert not (checkout / ".venv").exists(), "and it says so before it sets anything up"


def test_the_lowest_cli_is_the_lowest_sdk():
    [sdk] = [
        d
        for d in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        if d.startswith("pulumi>")
    ]

    assert (
        yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"]
        == sdk.removeprefix("pulumi").split(",")[0]
    )


def test_setting_up_says_so_once_and_then_nothing(checkout):
    first, again = make(checkout, "setup"), make(checkout, "setup")

    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert "bringing uv" in first.stderr
    assert "setting .venv up, once" in first.stderr
    assert (again.stdout, again.stderr) == ("make: Nothing to be done for 'setup'.\n", "")


def test_an_interrupted_first_run_leaves_nothing_that_the_next_one_stumbles_over(checkout):
    cut = make(checkout, "setup", INTERRUPTED="1")
    finished = make(checkout, "setup")

    assert cut.returncode != 0
    assert finished.returncode == 0, finished.stderr
    assert (checkout / ".uv" / "bin" / "uv").exists()


@pytest.mark.parametrize("left", [".uv/bin/python", ".uv.new/pyvenv.cfg", ".venv/lib/half", ".uv/pyvenv.cfg"])
def test_what_an_interrupted_run_left_behind_does_no_harm(checkout, left):
    script(checkout / left, "")

    ran = make(checkout, "setup")

    assert ran.returncode == 0, ran.stderr
    assert os.access(checkout / ".venv" / "bin" / "python", os.X_OK)


def test_without_python_one_sentence_says_which_to_install(checkout):
    ran = make(checkout, "setup", "PYTHON=")

    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0].startswith("error: there is no python3 on PATH; install Python 3.11")
