"""The tests' stacks are what was committed: a change of a resource or a document is seen by whoever reviews it."""

import difflib

import pytest

from tests.rehearsed import STACKS
from tests.snapshots import COMMAND, FOLDER, PACKAGE, kept, taken


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_what_its_snapshot_says(stack):
    before, now = kept(stack), taken(stack)

    changes = [
        line
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
        for line in difflib.unified_diff(
            before.get(name, "").splitlines(),
            now.get(name, "").splitlines(),
            f"{stack}/{name} as committed",
            f"{stack}/{name} now",
            lineterm="",
            n=1,
        )
    ]

    if changes:
        shown = "\n".join(changes[:80])
        pytest.fail(f"{stack} is not what its snapshot says. If it is meant, run: {COMMAND}\n{shown}", pytrace=False)


def test_only_stacks_have_snapshots():
    assert {f.name for f in FOLDER.iterdir()} == {*STACKS, PACKAGE.name}


@pytest.mark.parametrize("stack", STACKS)
def test_a_snapshot_names_every_part_of_the_stack(stack):
    files = kept(stack)

    assert {"inventory.txt", "documents.json", "event-patterns.json"} < files.keys()
    for service in ("api", "worker"):
        assert {f"{service}/taskdef.json", f"{service}/release.json"} < files.keys()
    assert "api/appspec.yaml" in files
    assert f"arn:aws:iam::{'222222222222' if stack == 'prod' else '111111111111'}:role/" in files["documents.json"]
