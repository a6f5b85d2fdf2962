"""What the README says works for a program that has nothing but the installed package."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

README = Path(__file__).parents[1] / "README.md"

PROGRAM = """
    import pulumi
    import pulumi_aws as aws

    topic = aws.sns.Topic("orders", name="orders")
    pulumi.export("arn", topic.arn)
"""


@pytest.fixture
def outside(tmp_path):
    """A directory with the README's program, and nothing else on Python's path."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (shop / "Pulumi.dev.yaml").write_text("config: {aws:region: eu-west-1}\n")
    (shop / "__main__.py").write_text(dedent(PROGRAM))

    def run(*command):
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_example_runs(outside):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

    ended = outside(sys.executable, "-I", "-c", example)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_console_script_is_installed(outside):
    ended = outside(Path(sys.executable).with_name("pulumi-rehearsal"), "up", "-C", "shop", "-s", "dev", "--no-color")

    assert ended.returncode == 0, ended.stderr
    assert 'arn: "arn:aws:sns:eu-west-1:123456789012:orders"' in ended.stdout


def test_every_public_name_and_module_is_there():
    text = README.read_text()
    modules = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    package = README.parent / "pulumi_rehearsal"

    for name in re.findall(r"`(\w+)`", " ".join(modules)):
        assert (package / f"{name}.py").is_file() or (package / name / "__init__.py").is_file(), name
