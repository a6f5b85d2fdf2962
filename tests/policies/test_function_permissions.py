"""What the pack lets a role do: what its stack says it is for, and no more."""

from __future__ import annotations

import pytest
from least_privilege import allowances, grants
from policy_kit import documents

from tests.rehearsed import ACCOUNTS, REGION, STACKS, actions, granted, rehearsed
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


OF_OTHER_PROGRAMS = {
    "task-execution": {"ecr:batchchecklayeravailability"},  # AWS's managed AmazonECSTaskExecutionRolePolicy has it
    "deployment": {"elasticloadbalancing:describeloadbalancers"},  # AWS's managed AWSCodeDeployRoleForECS has it
    "function": {"codedeploy:listdeployments", "codepipeline:getpipelineexecution"},  # a notifier may look a release up
}
"""Actions that the pack allows a role of a purpose and that this project's roles do without."""


@pytest.mark.parametrize("stack", STACKS)
def test_a_role_is_allowed_nothing_that_this_project_grants_to_another_alone(stack):
    """An allowance that was widened by mistake is one that no role of that purpose has a use for."""
    run = rehearsed(stack)
    inventory, _ = inventory_of(run)

    wider = {
        identity.name: sorted(more)
        for identity in inventory.identities
        if (
            more := {a for p in allowances.for_purpose(identity, inventory) for a in p.actions}
            - {a.lower() for a in actions(granted(run, identity.name))}
            - OF_OTHER_PROGRAMS.get(identity.purpose, set())
        )
    }

    assert wider == {}
