"""What two rooms need stands once, in what both may import: no run of equal lines in both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = 6
ROOMS = [
    ("policies/least-privilege", "policies/release-safety"),
    ("policies/kit", "policies/least-privilege"),
    ("policies/kit", "policies/release-safety"),
    ("functions/gate", "functions/deploy"),
]
TRIVIAL = re.compile(r"#|(?:from|import) |\W*$|(?:return|else:|try:|continue)$")


def lines(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """(number, text) of the lines that say something, by file."""
    return {
        str(file.relative_to(ROOT)): [
            (number, text.strip())
            for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            if not TRIVIAL.match(text.strip())
        ]
        for file in sorted(folder.rglob("*.py"))
    }


def copied(one: dict[str, list[tuple[int, str]]], other: dict[str, list[tuple[int, str]]]) -> list[str]:
    """Where runs of equal lines begin, in one folder and in the other."""
    known: dict[tuple[str, ...], str] = {}
    for file, found in one.items():
        for at in range(len(found) - RUN + 1):
            known.setdefault(tuple(text for _, text in found[at : at + RUN]), f"{file}:{found[at][0]}")
    out = []
    for file, found in other.items():
        for at in range(len(found) - RUN + 1):
            here = known.get(tuple(text for _, text in found[at : at + RUN]))
            if here is not None:
                out.append(f"{here} is {file}:{found[at][0]}")
    return out


@pytest.mark.parametrize(("one", "other"), ROOMS, ids=lambda room: room.rpartition("/")[2])
def test_no_lines_are_copied_from_room_to_room(one, other):
    found = lines(ROOT / one), lines(ROOT / other)

    assert all(found), "a folder without code compares nothing"
    assert copied(*found) == []


def test_a_copied_function_is_seen_wherever_it_stands():
    body = [(n, f"value{n} = compute({n})") for n in range(RUN)]
    before, after = [(90, "first()")], [(99, "last()")]

    assert copied({"a.py": before + body}, {"b.py": body + after}) == ["a.py:0 is b.py:0"]
    assert copied({"a.py": body[1:]}, {"b.py": body}) == []
