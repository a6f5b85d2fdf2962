"""What a function may do by its event rules and environment: the services that CodeDeploy owns, and no other."""

from __future__ import annotations

import pytest
from least_privilege import allowances, grants
from policy_kit import documents

from tests.rehearsed import ACCOUNTS, REGION, rehearsed
from tools.explain import inventory_of


@pytest.mark.parametrize(
    ("service", "action", "intended"),
    [
        ("dev-api", "ecs:UpdateService", True),
        ("dev-api", "ecs:DescribeServices", True),
        ("dev-worker", "ecs:UpdateService", False),
        ("dev-*", "ecs:UpdateService", False),
        ("dev-api", "ecs:DeleteService", False),
    ],
)
def test_who_suspends_scaling_may_update_services_of_codedeploy_alone(service, action, intended):
    """A rolling service takes another task definition by UpdateService, and so a release that nobody approved."""
    inventory, _ = inventory_of(rehearsed("dev"))
    (guard,) = [i for i in inventory.identities if i.name == "dev-scaling-guard"]
    resource = f"arn:aws:ecs:{REGION}:{ACCOUNTS['dev']}:service/dev/{service}"
    document = {"Statement": {"Effect": "Allow", "Action": action, "Resource": resource}}
    (statement,) = documents.parse(document).statements

    over = grants.excess(statement, allowances.for_purpose(guard, inventory))

    assert (over == []) is intended
