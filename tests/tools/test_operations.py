"""The commands that docs/operations.md gives to people do what it says."""

import json
import re

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tests.rehearsed import ROOT, STACKS, named, rehearsed

TEXT = (ROOT / "docs" / "operations.md").read_text()


def alarm_configurations(stack, service):
    """What the page has people send to UpdateDeploymentGroup, in its order."""
    found = re.findall(r"update-deployment-group [^`]*?--alarm-configuration '([^']*)'", TEXT)
    return [json.loads(text.replace("ENV", stack).replace("SERVICE", service)) for text in found]


@pytest.mark.parametrize("stack", STACKS)
def test_alarms_switched_off_for_a_repair_come_back_as_they_were(stack):
    group = named(
        rehearsed(stack), "aws:codedeploy/deploymentGroup:DeploymentGroup", f"{stack}-api", key="deploymentGroupName"
    )
    off, on = alarm_configurations(stack, "api")

    assert off == {"enabled": False}
    assert on["enabled"] is True
    assert {a["name"] for a in on["alarms"]} == set(group.inputs["alarmConfiguration"]["alarms"])


def test_both_commands_are_requests_that_codedeploy_takes():
    model = botocore.session.get_session().get_service_model("codedeploy").operation_model("UpdateDeploymentGroup")
    for configuration in alarm_configurations("prod", "api"):
        request = {
            "applicationName": "prod-api",
            "currentDeploymentGroupName": "prod-api",
            "alarmConfiguration": configuration,
        }

        assert not ParamValidator().validate(request, model.input_shape).has_errors()
