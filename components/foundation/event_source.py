"""EventBridge rules that invoke a Lambda function."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from components.foundation.dead_letters import OnFailure, rule_alarm
from components.naming import Names


def invoke_on_event(
    name: str,
    *,
    names: Names,
    rule: str,
    description: str,
    function: aws.lambda_.Function,
    on_failure: OnFailure,
    pattern: dict[str, Any] | None = None,
    schedule: str | None = None,
    opts: pulumi.ResourceOptions,
) -> aws.cloudwatch.EventRule:
    """A rule, by pattern or schedule, and the permission of that one rule to call that one function."""
    out = aws.cloudwatch.EventRule(
        name,
        name=rule,
        description=description,
        event_pattern=json.dumps(pattern) if pattern is not None else None,
        schedule_expression=schedule,
        opts=opts,
    )
    below = pulumi.ResourceOptions(parent=out)
    permission = aws.lambda_.Permission(
        name,
        statement_id=rule,
        action="lambda:InvokeFunction",
        function=function.name,
        principal="events.amazonaws.com",
        source_arn=names.arn("events", f"rule/{rule}"),
        opts=below,
    )
    aws.cloudwatch.EventTarget(
        name,
        rule=out.name,
        target_id="function",
        arn=function.arn,
        dead_letter_config={"arn": on_failure.queue_arn},
        opts=pulumi.ResourceOptions(parent=out, depends_on=[permission]),
    )
    rule_alarm(name, names, rule, on_failure, below)
    return out


def deployment_events(names: Names) -> dict[str, Any]:
    """The pattern of CodeDeploy's events about the environment's services (CodeDeploy user guide, "Monitoring")."""
    return {
        "source": ["aws.codedeploy"],
        "detail-type": ["CodeDeploy Deployment State-change Notification"],
        "detail": {"application": [{"prefix": f"{names.environment}-"}]},
    }
