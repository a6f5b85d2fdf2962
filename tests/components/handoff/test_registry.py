"""An image that was released can neither be replaced under its tag nor expire; the cache is apart."""

import json

import pytest

from tests.rehearsed import STACKS, named, rehearsed, services_with

REPOSITORY, LIFECYCLE = "aws:ecr/repository:Repository", "aws:ecr/lifecyclePolicy:LifecyclePolicy"
RELEASED = pytest.mark.parametrize("image", ["api/nginx", "api/app", "worker/worker"])


@pytest.mark.parametrize("stack", STACKS)
@RELEASED
def test_a_released_image_stays_what_it_was_and_is_scanned_when_it_comes(stack, image):
    repository = named(rehearsed(stack), REPOSITORY, f"{stack}/{image}").inputs

    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["encryptionConfigurations"]
    assert not repository.get("forceDelete")


@pytest.mark.parametrize("stack", STACKS)
@RELEASED
def test_no_lifecycle_rule_touches_an_image_that_has_a_tag(stack, image):
    policy = json.loads(named(rehearsed(stack), LIFECYCLE, f"{stack}/{image}", key="repository").inputs["policy"])

    assert {rule["selection"]["tagStatus"] for rule in policy["rules"]} == {"untagged"}


@pytest.mark.parametrize("service", ["api", "worker"])
def test_the_build_cache_is_a_repository_of_its_own_whose_tags_move(service):
    run = rehearsed("prod")

    cache = named(run, REPOSITORY, f"prod/{service}/cache")

    assert cache.inputs["imageTagMutability"] == "MUTABLE"
    policy = json.loads(named(run, LIFECYCLE, f"prod/{service}/cache", key="repository").inputs["policy"])
    assert [rule["action"]["type"] for rule in policy["rules"]] == ["expire"]


def test_only_caches_have_tags_that_move():
    mutable = {
        r.inputs["name"] for r in rehearsed("prod").all(REPOSITORY) if r.inputs["imageTagMutability"] != "IMMUTABLE"
    }

    assert mutable == {"prod/api/cache", "prod/worker/cache"}


def test_a_container_that_is_added_gets_a_repository():
    containers = [{"name": "worker"}, {"name": "sidecar"}]

    run = rehearsed("dev", services=services_with("dev", "worker", containers=containers))

    assert named(run, REPOSITORY, "dev/worker/sidecar")
