"""The examples of the documentation, executed, and the page that shows them."""

from __future__ import annotations

import pytest

from tests.policies import examples, judges
from tools.docs import policies_page as generate_policies

ALL = [(pack, name) for pack in judges.PACKS for name in examples.examples(pack)]


@pytest.mark.parametrize(("pack", "policy"), ALL, ids=[name for _, name in ALL])
def test_the_refused_example_is_refused_and_the_accepted_one_passes(pack, policy, least_privilege, release_safety):
    judge = least_privilege if pack == "least-privilege" else release_safety
    example = examples.examples(pack)[policy]

    refused = judge.judge(examples.stack(example, "refused"))
    accepted = judge.judge(examples.stack(example, "accepted"))

    assert policy in {f.policy for f in refused if f.level}
    assert examples.message(judge, policy, example) == example["message"], "make snapshots writes the messages anew"
    assert [f for f in accepted if f.policy == policy] == []


def test_every_policy_has_an_example(least_privilege, release_safety):
    assert list(examples.examples("least-privilege")) == list(least_privilege.policies)
    assert list(examples.examples("release-safety")) == list(release_safety.policies)


def test_every_policy_is_mandatory_and_says_what_to_do(least_privilege, release_safety):
    for info in (*least_privilege.policies.values(), *release_safety.policies.values()):
        assert info.enforcementLevel == 1, info.name
        assert info.description.endswith(".")
        assert info.remediation_steps.endswith(".")
        assert info.severity


def test_the_page_of_the_policies_is_up_to_date():
    assert generate_policies.PAGE.read_text() == generate_policies.page()
