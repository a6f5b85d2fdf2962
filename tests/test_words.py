"""Names, messages and documentation say what the field says, so that whoever knows ECS and Pulumi finds it."""

import ast
import re
from functools import cache

import pytest

from tests.rehearsed import ROOT

SOURCES = ("authorization", "components", "contract", "functions", "policies", "rehearsal", "tools")
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("policies/*/*.md")]
)
PROGRAMS = [
    ROOT / "__main__.py",
    *sorted(f for folder in SOURCES for f in (ROOT / folder).rglob("*.py") if "tests" not in f.parts),
]
SCRIPTS = [ROOT / "Makefile", *sorted(ROOT.glob("Pulumi*.yaml")), *sorted((ROOT / "ci").glob("*.sh"))]

IN_TEXT = {
    r"told|untold": "reported, notified, given",
    r"mend(s|ed|ing)?": "fix, correct",
    r"played|player": "emulated, emulator",
    r"roll-backs?": "rollback",
    r"contradictions?": "validation error",
    r"(nothing|none) stands|st(ands?|ood) (at|beside|in|twice|there|under|before)": "is, missing, found",
    r"anew": "regenerate, replace",
    r"reason for nothing": "obsolete exception",
    r"candidates? to remove": "unused grant",
    r"(?<!formerly )AWS Chatbot(?! (administrator guide|permissions))": "Amazon Q Developer in chat applications",
    r"hurr(y|ied)|sick": "speed up, unhealthy",
}
"""What messages and pages do not say, to what they say."""

IN_NAMES = {
    "told", "untold", "ending", "standing", "played", "player", "complain", "front", "sick", "hurry", "mend",
    "mended", "everything", "contradiction", "contradictions", "feed", "lose",
}  # fmt: skip
"""Words that no module, class, function or argument is called by."""


def words(name):
    return re.findall(r"[a-z]+|[A-Z][a-z]*", re.sub(r"([a-z])([A-Z])", r"\1 \2", name))


@cache
def texts(file):
    """What the file says to people: a page whole, of a program the literals but not the docstrings."""
    if file.suffix != ".py":
        return file.read_text().splitlines()
    tree = ast.parse(file.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


@pytest.mark.parametrize(("word", "instead"), IN_TEXT.items())
def test_messages_and_pages_use_the_fields_words(word, instead):
    pattern = re.compile(rf"(?<![\w.-])({word})(?![\w-])", re.IGNORECASE)
    found = [
        f"{file.relative_to(ROOT)}: {text[:120]!r}"
        for file in (*PAGES, *PROGRAMS, *SCRIPTS)
        for text in texts(file)
        if pattern.search(text)
    ]

    assert found == [], f"say {instead}"


def test_names_use_the_fields_words():
    named = {
        (file, node.name if not isinstance(node, ast.arg) else node.arg)
        for file in PROGRAMS
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.arg)
    } | {(file, file.stem) for file in PROGRAMS}

    found = sorted(
        f"{file.relative_to(ROOT)}: {name}" for file, name in named if IN_NAMES & {word.lower() for word in words(name)}
    )
    assert found == []


@pytest.mark.parametrize(
    "term",
    ["rollback", "smoke test", "capacity provider", "lifecycle policy", "dead letter", "lifecycle hook", "approval"],
)
def test_a_term_of_the_field_is_found_among_file_names_and_headings(term):
    headings = [line for page in PAGES for line in page.read_text().splitlines() if line.startswith("#")]
    files = [str(file.relative_to(ROOT)) for file in (*PAGES, *PROGRAMS, *SCRIPTS)]

    assert any(term in re.sub(r"[-_]", " ", text.lower()) for text in (*headings, *files))
