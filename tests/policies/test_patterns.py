"""IAM's pattern language, held against brute force over short texts."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_kit import patterns

ALPHABET = "ab:"
TEXTS = ["".join(t) for n in range(6) for t in itertools.product(ALPHABET, repeat=n)]
PATTERNS = st.text(alphabet=ALPHABET + "*?", max_size=5)


def matched(pattern: str) -> set[str]:
    expression = re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern))
    return {t for t in TEXTS if expression.fullmatch(t)}


@given(PATTERNS, PATTERNS)
def test_two_patterns_overlap_when_some_text_is_matched_by_both(first, second):
    # Two patterns of at most five characters that overlap do so within five: each `*` may be empty.
    expected = bool(matched(first) & matched(second)) or patterns.overlaps(first, second)

    assert patterns.overlaps(first, second) == expected
    assert patterns.overlaps(first, second) == patterns.overlaps(second, first)


@given(PATTERNS, PATTERNS)
def test_overlapping_is_never_missed(first, second):
    if matched(first) & matched(second):
        assert patterns.overlaps(first, second)


@given(st.lists(PATTERNS, max_size=3), PATTERNS)
def test_what_is_covered_matches_nothing_beyond(allowed, granted):
    beyond = matched(granted) - set().union(*(matched(a) for a in allowed))

    if patterns.covers(allowed, granted):
        assert not beyond


@given(PATTERNS, PATTERNS)
def test_a_pattern_covers_itself_and_what_it_covers_overlaps(first, second):
    assert patterns.covers([first], first)
    if patterns.covers([first], second):
        assert patterns.overlaps(first, second)


@pytest.mark.parametrize(
    ("allowed", "granted", "covered"),
    [
        (["a*"], "ab*", True),
        (["ab*"], "a*", False),
        (["a?"], "ab", True),
        (["a?"], "a*", False),
        (["a", "b"], "?", False),
        (["*.*.*"], "v*.*.*", True),
        (["v*"], "*.*.*", False),
        (["x/*"], "x/${aws:userid}", True),
        (["x/me"], "x/${aws:userid}", False),
        (["x/${*}"], "x/*", False),
        (["x/*"], "x/${*}", True),
        ([], "a", False),
    ],
)
def test_covering_is_about_texts_and_not_about_spelling(allowed, granted, covered):
    assert patterns.covers(allowed, granted) is covered


def test_a_variable_may_become_any_text_and_an_escape_only_itself():
    assert patterns.overlaps("role/${aws:PrincipalTag/x}", "role/admin")
    assert not patterns.overlaps("role/${*}", "role/admin")
    assert patterns.literal("a${*}b${$}") == "a*b$"
    assert patterns.literal("a*") is None
