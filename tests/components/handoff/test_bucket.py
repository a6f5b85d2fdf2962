"""Where CI ends and CD begins: the bucket and key that the founding documents name."""

import pytest

from tests.rehearsed import ACCOUNTS, STACKS, named, rehearsed


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("service", ["api", "worker"])
def test_a_person_is_told_where_the_hand_off_goes(stack, service):
    exported = rehearsed(stack).exports[service]["handoff"]

    assert exported == f"s3://{stack}-ecsdef-{ACCOUNTS[stack]}/{service}/imagedefinitions.json.zip"


def test_earlier_hand_offs_stay_for_a_year_so_that_a_release_can_be_put_back():
    lifecycle = named(
        rehearsed("prod", "up"),
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "prod-ecsdef-222222222222",
        key="bucket",
    )

    [rule] = lifecycle.inputs["rules"]

    assert rule["noncurrentVersionExpiration"]["noncurrentDays"] >= 365
    assert "expiration" not in rule


@pytest.mark.parametrize("stack", STACKS)
def test_ci_needs_no_key_to_put_a_hand_off(stack):
    [rule] = named(
        rehearsed(stack, "up"),
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        f"{stack}-ecsdef-{ACCOUNTS[stack]}",
        key="bucket",
    ).inputs["rules"]

    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"
