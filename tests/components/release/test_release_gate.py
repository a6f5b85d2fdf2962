"""The gate reads this service's images and what runs now; it can change nothing."""

import pytest

from tests.rehearsed import ACCOUNTS, REGION, STACKS, actions, granted, named, rehearsed


@pytest.mark.parametrize("stack", STACKS)
def test_it_reads_the_images_of_this_service_and_no_others(stack):
    allowed = granted(rehearsed(stack), f"{stack}-api-gate")
    repositories = f"arn:aws:ecr:{REGION}:{ACCOUNTS[stack]}:repository/{stack}/api"

    of_images = [s for s in allowed.values() if any(a.startswith("ecr:") for a in s["Action"])]

    assert [s["Resource"] for s in of_images] == [[f"{repositories}/nginx", f"{repositories}/app"]]


def test_the_build_cache_is_out_of_its_sight():
    resources = [r for s in granted(rehearsed("prod"), "prod-api-gate").values() for r in s["Resource"]]

    assert not [r for r in resources if r.endswith(("/cache", "/*"))]


@pytest.mark.parametrize("service", ["api", "worker"])
def test_it_changes_nothing_but_its_job_s_result(service):
    allowed = actions(granted(rehearsed("prod"), f"prod-{service}-gate"))

    reads = ("Get", "List", "Describe", "BatchGet")
    assert {a for a in allowed if not a.split(":")[1].startswith(reads)} == {
        "codepipeline:PutJobSuccessResult",
        "codepipeline:PutJobFailureResult",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }


def test_everywhere_it_may_do_only_what_knows_no_resource():
    everywhere = {
        a for s in granted(rehearsed("prod"), "prod-api-gate").values() if "*" in s["Resource"] for a in s["Action"]
    }

    assert everywhere == {
        "codepipeline:PutJobSuccessResult",
        "codepipeline:PutJobFailureResult",
        "ecs:DescribeTaskDefinition",
        "inspector2:ListFindings",
    }


def test_each_service_has_a_gate_of_its_own():
    run = rehearsed("prod")

    for service in ("api", "worker"):
        gate = named(run, "aws:lambda/function:Function", f"prod-{service}-gate").inputs
        assert gate["handler"] == "functions.gate.release_gate.handler"
        assert gate["timeout"] >= 60


def test_it_needs_no_network_of_its_own():
    assert "vpcConfig" not in named(rehearsed("prod"), "aws:lambda/function:Function", "prod-api-gate").inputs
