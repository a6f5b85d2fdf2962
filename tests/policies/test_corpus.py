"""Every document of the corpus, before the real analyzer processes of both packs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from functools import cache

import pytest

from tests.policies import judges, world
from tests.policies.corpus import Case, gathered
from tests.policies.judges import Thing

CASES = gathered()
ADDED = [c for c in CASES if not c.replaces]
REPLACED = [c for c in CASES if c.replaces]
AT_LEAST = 150


def stack(things: dict[str, judges.Thing], *, production: bool = True) -> list:
    provider = world.provider() if production else world.provider("dev", "false")
    return judges.registrations(things.values(), provider)


def test_the_corpus_has_three_hundred_documents_in_pairs():
    counted = Counter(c.policy for c in CASES)

    assert len(CASES) >= AT_LEAST, counted
    for side in ("refused", "clean"):
        names = Counter(t.name for c in ADDED for t in getattr(c, side))
        assert [n for n, times in names.items() if times > 1] == []
    assert all(c.refused and c.clean and c.refused != c.clean for c in CASES)


def test_the_world_itself_is_allowed(least_privilege, release_safety):
    resources = stack(world.things())

    found = least_privilege.judge(resources) + release_safety.judge(resources)

    assert found == []


def test_every_added_document_is_refused_by_the_policy_that_is_meant(least_privilege, release_safety):
    things = world.things() | {t.name: t for c in ADDED for t in c.refused}
    resources = stack(things)

    found = {
        (f.policy, f.resource) for f in least_privilege.judge(resources) + release_safety.judge(resources) if f.level
    }

    missed = [c.id for c in ADDED if not any((c.policy, t.name) in found for t in c.refused)]
    assert not missed, "\n".join(missed)


def test_no_added_clean_document_is_flagged(least_privilege, release_safety):
    things = world.things() | {t.name: t for c in ADDED for t in c.clean}
    resources = stack(things)

    found = least_privilege.judge(resources) + release_safety.judge(resources)

    assert found == []


@cache
def said_of_clean(pack: judges.Judge, production: bool, clean: str) -> list[judges.Found]:
    """Everything that the whole pack says of a clean stack; many cases share theirs."""
    things = [Thing(**t) for t in json.loads(clean)]
    pack.configure({})
    return pack.judge(
        stack(world.things() | {t.name: t for t in things}, production=production), {t.name for t in things}
    )


@pytest.mark.parametrize("case", REPLACED, ids=lambda c: c.id)
def test_a_document_in_anothers_place(case: Case, least_privilege, release_safety):
    pack = least_privilege if case.policy in least_privilege.policies else release_safety
    refused = stack(world.things() | {t.name: t for t in case.refused}, production=case.production)

    of_clean = said_of_clean(pack, case.production, json.dumps([asdict(t) for t in case.clean]))
    pack.only(case.policy)
    said = pack.judge(refused, {t.name for t in case.refused})

    assert {f.policy for f in said if f.level} == {case.policy}
    # The world is production's: outside of it only the policy that is meant has something to say.
    assert [f for f in of_clean if case.production or f.policy == case.policy] == []
