"""Every bucket is versioned, private, encrypted and reached over TLS only."""

import json

import pytest

from tests.rehearsed import ACCOUNTS, STACKS, named, rehearsed

PURPOSES = ("ecsdef", "ecstemplate", "ecsartifacts", "ecstrail")
EVERY_BUCKET = pytest.mark.parametrize(
    ("stack", "purpose"), [(stack, purpose) for stack in STACKS for purpose in PURPOSES]
)


def of_bucket(stack, purpose, kind):
    """The inputs of the bucket's companion resource; in `up` mode, where it names the bucket."""
    return named(
        rehearsed(stack, "up"), f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}", name(stack, purpose), "bucket"
    ).inputs


def name(stack, purpose):
    return f"{stack}-{purpose}-{ACCOUNTS[stack]}"


@pytest.mark.parametrize("stack", STACKS)
def test_there_is_no_bucket_beyond_these(stack):
    assert {b.inputs["bucket"] for b in rehearsed(stack).all("aws:s3/bucket:Bucket")} == {
        name(stack, p) for p in PURPOSES
    }


@EVERY_BUCKET
def test_it_keeps_versions(stack, purpose):
    found = of_bucket(stack, purpose, "BucketVersioning")

    assert found["versioningConfiguration"] == {"status": "Enabled"}


@EVERY_BUCKET
def test_it_is_closed_to_the_public_in_all_four_ways(stack, purpose):
    found = of_bucket(stack, purpose, "BucketPublicAccessBlock")

    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert [found[s] for s in switches] == [True] * 4


@EVERY_BUCKET
def test_its_objects_belong_to_the_account_whoever_put_them(stack, purpose):
    assert of_bucket(stack, purpose, "BucketOwnershipControls")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


@EVERY_BUCKET
def test_it_is_encrypted(stack, purpose):
    [rule] = of_bucket(stack, purpose, "BucketServerSideEncryptionConfiguration")["rules"]

    wanted = "aws:kms" if purpose == "ecsartifacts" else "AES256"
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": wanted}


@EVERY_BUCKET
def test_it_refuses_whoever_comes_without_tls(stack, purpose):
    arn = f"arn:aws:s3:::{name(stack, purpose)}"

    statements = json.loads(of_bucket(stack, purpose, "BucketPolicy")["policy"])["Statement"]

    [refusal] = [s for s in statements if s["Effect"] == "Deny"]
    assert refusal["Principal"] == "*"
    assert refusal["Action"] == ["s3:*"]
    assert refusal["Resource"] == [arn, f"{arn}/*"]
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@EVERY_BUCKET
def test_its_policy_lets_nobody_in_but_the_trail(stack, purpose):
    statements = json.loads(of_bucket(stack, purpose, "BucketPolicy")["policy"])["Statement"]

    let_in = [s["Principal"] for s in statements if s["Effect"] == "Allow"]

    assert let_in == ([{"Service": "cloudtrail.amazonaws.com"}] * 2 if purpose == "ecstrail" else [])


@EVERY_BUCKET
def test_what_is_old_goes_away(stack, purpose):
    [rule] = of_bucket(stack, purpose, "BucketLifecycleConfiguration")["rules"]

    assert rule["status"] == "Enabled"
    assert rule["noncurrentVersionExpiration"]["noncurrentDays"] > 0
    assert rule["abortIncompleteMultipartUpload"]["daysAfterInitiation"] > 0
    # The newest hand-off and template are what the next release is made of.
    assert ("expiration" in rule) == (purpose in ("ecsartifacts", "ecstrail"))


@pytest.mark.parametrize("stack", STACKS)
def test_a_bucket_is_not_emptied_to_be_deleted(stack):
    assert not [b for b in rehearsed(stack).all("aws:s3/bucket:Bucket") if b.inputs.get("forceDestroy")]
