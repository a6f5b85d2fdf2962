from pathlib import Path
from textwrap import dedent

import pytest
from pulumi_rehearsal import Rehearsal, rehearse

REPOSITORY = Path(__file__).parent.parent.parent


class Project:
    """A Pulumi project in a temporary directory, written piece by piece."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("Pulumi.yaml", "name: shop\nruntime: python\n")
        self.write("Pulumi.dev.yaml", "config: {}\n")
        self.program("import pulumi")

    def write(self, path: str, content: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(content), encoding="utf-8")
        return file

    def program(self, content: str) -> None:
        self.write("__main__.py", content)

    def pack(self, name: str, policies: str, **files: str) -> Path:
        self.write(f"policies/{name}/PulumiPolicy.yaml", "runtime: python\nversion: 1.2.3\n")
        self.write(f"policies/{name}/__main__.py", policies)
        for file, content in files.items():
            self.write(f"policies/{name}/{file}.py", content)
        return self.root / "policies" / name

    def rehearse(self, mode: str = "preview", stack: str = "dev", **options) -> Rehearsal:
        return rehearse(self.root, stack, mode, **options)


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "project")
