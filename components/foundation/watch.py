"""Beside every function and rule of the release flow: what they failed at is kept, and people are told.

An event that a function fails at, or that EventBridge cannot deliver, is gone after its retries: scaling stays as it
was, a hand-off starts nothing, and nobody hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam
from components.naming import Names

_KEPT_SECONDS = 14 * 24 * 3600  # as long as SQS keeps a message (Amazon SQS developer guide, "Message quotas")
_PERIOD_SECONDS = 300
_LIMIT = 8_192  # bytes of a queue's policy (Amazon SQS developer guide, "Policy quotas")


@dataclass(frozen=True, kw_only=True)
class WatchArgs:
    """`Watch`'s arguments.

    Args:
        names: the stack's names.
        rules: names of the EventBridge rules whose lost events the queue takes.
        topic: of the alarms.
    """

    names: Names
    rules: Sequence[str]
    topic: pulumi.Input[str]


class Watch(pulumi.ComponentResource):
    """`queue`, in which functions and rules leave what they failed at, with an alarm on whatever lies in it."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Watch", name, None, opts)
        self._names, self._topic = args.names, args.topic
        child, queue = pulumi.ResourceOptions(parent=self), args.names.dead_letters
        self.queue = aws.sqs.Queue(
            name,
            name=queue,
            message_retention_seconds=_KEPT_SECONDS,
            sqs_managed_sse_enabled=True,
            opts=child,
        )
        text = iam.document(*queue_statements(args.names, args.rules))
        if len(text) > _LIMIT:
            raise ValueError(f"queue {queue}: its policy has {len(text)} characters, SQS allows {_LIMIT}")
        policy = aws.sqs.QueuePolicy(
            name,
            queue_url=self.queue.url,
            policy=text,
            opts=pulumi.ResourceOptions(parent=self.queue),
        )
        self.ready: list[pulumi.Resource] = [self.queue, policy]
        self._alarm(
            name,
            alarm=queue,
            words=f"Something of {args.names.environment} was given up after its retries and lies in {queue}",
            metric="ApproximateNumberOfMessagesVisible",
            namespace="AWS/SQS",
            dimensions={"QueueName": queue},
            statistic="Maximum",
            opts=child,
        )
        self.register_outputs({"queue": self.queue.arn})

    def function(self, name: str, function: str, opts: pulumi.ResourceOptions) -> None:
        """An alarm on every invocation that failed (Lambda developer guide, "Types of metrics": Errors)."""
        self._alarm(
            name,
            alarm=f"{function}-failed",
            words=f"The function {function} failed; its log says at what",
            metric="Errors",
            namespace="AWS/Lambda",
            dimensions={"FunctionName": function},
            opts=opts,
        )

    def rule(self, name: str, rule: str, opts: pulumi.ResourceOptions) -> None:
        """An alarm on every event that was not delivered (EventBridge user guide, "Monitoring": FailedInvocations)."""
        self._alarm(
            name,
            alarm=f"{rule}-undelivered",
            words=f"The rule {rule} could not deliver an event, which lies in {self._names.dead_letters}",
            metric="FailedInvocations",
            namespace="AWS/Events",
            dimensions={"RuleName": rule},
            opts=opts,
        )

    def _alarm(
        self,
        name: str,
        *,
        alarm: str,
        words: str,
        metric: str,
        namespace: str,
        dimensions: dict[str, pulumi.Input[str]],
        statistic: str = "Sum",
        opts: pulumi.ResourceOptions,
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{name}-{metric.lower()}",
            name=alarm,
            alarm_description=f"{words}; docs/operations.md says what to do",
            namespace=namespace,
            metric_name=metric,
            dimensions=dimensions,
            statistic=statistic,
            period=_PERIOD_SECONDS,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic],
            opts=opts,
        )


def queue_statements(names: Names, rules: Sequence[str]) -> tuple[iam.Statement, iam.Statement]:
    """These rules may leave their events, and nobody sends in the open.

    Source: EventBridge user guide, "Using dead-letter queues to process undelivered events". Functions send by their
    own roles.
    """
    queue = names.arn("sqs", names.dead_letters)
    rule_arns = [names.arn("events", f"rule/{rule}") for rule in rules]
    return (
        iam.Statement(
            sid="RulesLeaveWhatTheyCannotDeliver",
            actions=("sqs:SendMessage",),
            resources=(queue,),
            principals={"Service": "events.amazonaws.com"},
            conditions={
                "ArnEquals": {"aws:SourceArn": rule_arns},
                "StringEquals": {"aws:SourceAccount": names.account},
            },
        ),
        iam.Statement(
            sid="RefuseWhatIsNotEncryptedInTransit",
            effect="Deny",
            actions=("sqs:*",),
            resources=(queue,),
            principals="*",
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
    )


def leave_what_failed(names: Names) -> iam.Statement:
    """A function's event that it failed at, which Lambda sends by the function's role.

    Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
    """
    return iam.Statement(
        sid="LeaveWhatItFailedAt",
        actions=("sqs:SendMessage",),
        resources=(names.arn("sqs", names.dead_letters),),
    )
