"""The pattern language of IAM: text with `*` (any run of characters) and `?` (any one character).

Patterns are compared by the sets of texts that they match, never by their spelling.
Source: IAM user guide, "IAM JSON policy elements: Resource" and "... Action" (wildcards), and "Policy variables"
(`${*}`, `${?}` and `${$}` stand for the characters themselves; any other variable may become any text).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY_RUN: Final = "*"
ANY_ONE: Final = "?"
_OTHER: Final = "\0"  # stands for every character that no pattern names

Token = tuple[str, bool]
"""A character and whether it is a wildcard."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@lru_cache(maxsize=8192)
def tokens(pattern: str) -> tuple[Token, ...]:
    """The pattern's tokens; a policy variable becomes `*`, since its value is not known before a request."""
    out: list[Token] = []
    at = 0
    while at < len(pattern):
        variable = _VARIABLE.match(pattern, at)
        if variable:
            name = variable.group(1)
            out.append((name, False) if name in ("*", "?", "$") else (ANY_RUN, True))
            at = variable.end()
            continue
        character = pattern[at]
        out.append((character, character in (ANY_RUN, ANY_ONE)))
        at += 1
    return tuple(out)


def is_literal(pattern: str) -> bool:
    """Whether the pattern matches one text only."""
    return not any(wild for _, wild in tokens(pattern))


def literal(pattern: str) -> str | None:
    """The one text that the pattern matches, or None when it matches several."""
    parts = tokens(pattern)
    return None if any(wild for _, wild in parts) else "".join(character for character, _ in parts)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches this text."""
    return covers((pattern,), text.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}"))


@lru_cache(maxsize=65536)
def overlaps(first: str, second: str) -> bool:
    """Whether some text is matched by both patterns."""
    a, b = tokens(first), tokens(second)
    seen: set[tuple[int, int]] = set()
    stack = [(0, 0)]
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        i, j = state
        if i == len(a) and j == len(b):
            return True
        run_a = i < len(a) and a[i] == (ANY_RUN, True)
        run_b = j < len(b) and b[j] == (ANY_RUN, True)
        if run_a:
            stack.append((i + 1, j))
        if run_b:
            stack.append((i, j + 1))
        if i == len(a) or j == len(b):
            continue
        if a[i][1] or b[j][1] or a[i][0] == b[j][0]:
            stack.append((i if run_a else i + 1, j if run_b else j + 1))
    return False


def covers(allowed: Iterable[str], granted: str) -> bool:
    """Whether every text that `granted` matches is matched by one of `allowed`."""
    return _covers(tuple(allowed), granted)


@lru_cache(maxsize=65536)
def _covers(allowed: tuple[str, ...], granted: str) -> bool:
    if granted in allowed:
        return True
    if is_literal(granted) and all(is_literal(pattern) for pattern in allowed):
        return literal(granted) in {literal(pattern) for pattern in allowed}
    automata = [tokens(pattern) for pattern in allowed]
    asked = tokens(granted)
    alphabet = {c for pattern in (*automata, asked) for c, wild in pattern if not wild} | {_OTHER}
    start = (_closure(asked, {0}), tuple(_closure(a, {0}) for a in automata))
    seen = {start}
    stack = [start]
    while stack:
        positions, others = stack.pop()
        accepted = any(len(a) in state for a, state in zip(automata, others, strict=True))
        if len(asked) in positions and not accepted:
            return False
        for character in alphabet:
            following = _step(asked, positions, character)
            if not following:
                continue
            state = (following, tuple(_step(a, s, character) for a, s in zip(automata, others, strict=True)))
            if state not in seen:
                seen.add(state)
                stack.append(state)
    return True


def _closure(pattern: tuple[Token, ...], positions: set[int]) -> frozenset[int]:
    out = set(positions)
    for position in positions:
        at = position
        while at < len(pattern) and pattern[at] == (ANY_RUN, True):
            at += 1
            out.add(at)
    return frozenset(out)


def _step(pattern: tuple[Token, ...], positions: frozenset[int], character: str) -> frozenset[int]:
    out: set[int] = set()
    for position in positions:
        if position == len(pattern):
            continue
        expected, wild = pattern[position]
        if wild:
            out.add(position if expected == ANY_RUN else position + 1)
        elif expected == character:
            out.add(position + 1)
    return _closure(pattern, out)
