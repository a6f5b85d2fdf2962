"""Names are known before anything exists, and no two environments of an account share one."""

import pytest

from components.naming import Names


def every_name(environment, service="api"):
    names = Names(environment=environment, account="111111111111", region="ap-northeast-1")
    own = names.service(service)
    return {
        names.cluster, names.handoff_bucket, names.template_bucket, names.artifact_bucket, names.trail,
        names.trail_bucket, names.approvals_topic, names.alarms_topic, own.base, own.role("task"),
        own.target_group("blue"), own.function("gate"), own.repository("app"), own.cache_repository, own.log_group,
        own.rule,
    }  # fmt: skip


@pytest.mark.parametrize("other", ["dev1", "dev2", "stg"])
def test_environments_of_one_account_collide_in_no_name(other):
    assert not every_name("dev") & every_name(other)


def test_the_hand_off_stands_where_the_founding_documents_put_it():
    names = Names(environment="dev1", account="111111111111", region="ap-northeast-1")

    assert names.handoff_bucket == "dev1-ecsdef-111111111111"
    assert names.service("api").handoff_key == "api/imagedefinitions.json.zip"


def test_arns_and_registries_are_of_the_partition_aws():
    names = Names(environment="dev", account="111111111111", region="ap-northeast-1")

    assert names.role_arn("x") == "arn:aws:iam::111111111111:role/x"
    assert names.bucket_arn("b") == "arn:aws:s3:::b"
    assert names.service("api").repository_url("r") == "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/r"
