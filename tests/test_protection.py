"""What an update must not delete: named here one by one, and nothing besides, or harmless changes would be refused."""

import pytest
from pulumi_rehearsal import changes

from tests.rehearsed import rehearsed, services_with, stack_settings

PROTECTED = {
    "aws:ecs/service:Service api",
    "aws:ecs/service:Service worker",
    "aws:lb/loadBalancer:LoadBalancer api",
    "aws:s3/bucket:Bucket artifacts",
    "aws:s3/bucket:Bucket handoff",
    "aws:s3/bucket:Bucket templates",
}
"""What production loses for good, or for as long as it takes to make it again under load."""

RETAINED = {
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:ecr/repository:Repository",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
}
"""What others in the account may need after the stack has let it go; and the trail's bucket, with what keeps it private."""


def names(resources):
    return {f"{r.type} {r.name}" for r in resources}


@pytest.mark.parametrize("extra", [{}, {"trigger": "s3-events"}, {"trail": "the-accounts"}])
def test_production_protects_what_it_would_lose_for_good_and_nothing_else(extra):
    assert names(r for r in rehearsed("prod", **extra).resources if r.options.protect) == PROTECTED


@pytest.mark.parametrize("stack", ["dev", "stg"])
def test_elsewhere_nothing_is_protected(stack):
    assert names(r for r in rehearsed(stack).resources if r.options.protect) == set()


@pytest.mark.parametrize("stack", ["stg", "prod"])
def test_what_others_of_the_account_need_stays_when_the_stack_lets_it_go(stack):
    run = rehearsed(stack)

    retained = [r for r in run.resources if r.options.retain_on_delete]
    trails = {r.urn for r in run.resources if r.name == "trail-logs" and r.type.startswith("aws:s3/")}

    assert {r.type for r in retained if r.urn not in trails} == RETAINED
    assert trails == {r.urn for r in retained if r.name == "trail-logs"}
    assert len(trails) == 7
    assert names(r for r in retained if "OpenId" in r.type) == names(r for r in run.resources if "OpenId" in r.type)


WITH_MEMORY = {"services": services_with("prod", "api", scaling={"cpuPercent": 60, "memoryPercent": 70})}
HARMLESS = {
    "scaling by memory goes": (WITH_MEMORY, {}),
    "the trail goes": ({}, {"trigger": "s3-events"}),
    "the OIDC providers go": ({}, {"ci": {**stack_settings("prod")["ci"], "github": {"oidcProvider": "reuse"}}}),
}


@pytest.mark.parametrize(("before", "after"), HARMLESS.values(), ids=HARMLESS)
def test_what_may_change_in_production_is_not_refused(before, after):
    steps = changes.plan(rehearsed("prod", "up", **before), rehearsed("prod", **after))

    assert any(s.op == "delete" for s in steps), "something goes, else this test sees nothing"
    assert [(s.name, s.refused) for s in steps if s.refused] == []


def test_a_service_leaves_production_once_two_resources_were_unprotected():
    left = [s for s in stack_settings("prod")["services"] if s["name"] != "api"]

    steps = changes.plan(rehearsed("prod", "up"), rehearsed("prod", services=left))

    assert {s.type for s in steps if s.refused} == {"aws:ecs/service:Service", "aws:lb/loadBalancer:LoadBalancer"}
