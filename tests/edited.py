"""Every test in a checkout whose stacks somebody has made their own: `python -m tests.edited [pytest arguments]`.

The copy is edited as the README says: `Pulumi.dev.yaml` has another account, one service renamed and another removed,
and `Pulumi.dev1.yaml` is one more environment. No test may tell the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".uv", ".cache", ".*_cache", ".hypothesis", "__pycache__")
ANOTHER_ACCOUNT = "444444444444"


def edit(project: Path) -> None:
    """Make the project's stacks somebody's own, as steps 1 and "one more environment" of the README say."""
    file = project / "Pulumi.dev.yaml"
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    config = content["config"]
    config["ecs-release:account"] = ANOTHER_ACCOUNT
    renamed, *_ = config["ecs-release:services"]
    config["ecs-release:services"] = [{**renamed, "name": "shop", "memory": 2048}]
    config["ecs-release:ci"]["github"] = {"oidcProvider": "create"}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    config["ecs-release:environment"] = "dev1"
    config["ecs-release:ci"]["github"] = {}
    (project / "Pulumi.dev1.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def main(arguments: list[str]) -> int:
    """Run pytest in an edited copy and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "checkout"
        shutil.copytree(ROOT, project, ignore=LEFT_OUT, symlinks=True)
        (project / ".venv").symlink_to(ROOT / ".venv")
        edit(project)
        command = [sys.executable, "-m", "pytest", *(arguments or ["-n", "auto"])]
        return subprocess.run(command, cwd=project, env={**os.environ, "PWD": str(project)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
