from __future__ import annotations

import pytest
from ci_stand_ins import ACCOUNT, BUCKET, COMMIT, KEY, REGION

from components.handoff.ci_identity import handoff_statements
from components.naming import Names
from contract.regions import REGIONS


def names(region=REGION):
    return Names(environment="dev", account=ACCOUNT, region=region).service("api")


def test_the_stack_allows_ci_exactly_what_the_script_is_tested_with(cloud):
    statements = handoff_statements(names(), ("app", "nginx"))

    granted = {(action, str(resource)) for s in statements for action in s.actions for resource in s.resources}

    assert granted == cloud.allowed


def test_the_stack_and_the_script_agree_where_the_hand_off_is():
    assert names().stack.handoff_bucket == BUCKET
    assert names().handoff_key == KEY


@pytest.mark.parametrize("region", ["ap-northeast-1", "eu-central-1"])
def test_the_stack_and_the_script_agree_on_every_name(offline_ci, region):
    run = offline_ci.hand_over("--dry-run", region=region, image="app=app")

    registry = names(region).repository_url
    assert f"build  {registry('dev/api/app')}:dev-{COMMIT}\n" in run.stdout
    assert f"cache {registry(names().cache_repository)}:app-arm64\n" in run.stdout
    assert f"/codesuite/codepipeline/pipelines/{names().base}/view?region={region}\n" in run.stdout


@pytest.mark.parametrize("region", ["us-east-9", "mx-nowhere-1", "cn-north-1", "us-east-1 us-east-2"])
def test_the_script_refuses_what_is_no_region_of_it(offline_ci, region):
    run = offline_ci.hand_over("--dry-run", region=region)

    assert run.returncode == 2
    assert f"--region is '{region}', but must be a region of the AWS partition aws" in run.stderr


@pytest.mark.parametrize("region", REGIONS)
def test_the_script_takes_every_region_of_the_partition(offline_ci, region):
    run = offline_ci.hand_over("--dry-run", region=region)

    assert f"watch  https://{region}.console.aws.amazon.com/codesuite/" in run.stdout
