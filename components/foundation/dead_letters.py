"""Dead-letter queue and alarms of every function and rule of the release flow.

An event that a function fails at, or that EventBridge cannot deliver, is gone after its retries: scaling stays as it
was, a hand-off starts nothing, and nobody hears of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import arguments, iam
from components.naming import Names

_RETENTION_SECONDS = 14 * 24 * 3600  # as long as SQS keeps a message (Amazon SQS developer guide, "Message quotas")
_PERIOD_SECONDS = 300
_RULE = r"[.\-_A-Za-z0-9]{1,64}"  # EventBridge API reference, PutRule
_LIMIT = 8_192  # bytes of a queue's policy (Amazon SQS developer guide, "Policy quotas")


@dataclass(frozen=True, kw_only=True)
class OnFailure:
    """Where failures go: both are outputs of `DeadLetters`."""

    queue_arn: pulumi.Input[str]
    """Dead-letter queue of the environment."""
    topic_arn: pulumi.Input[str]
    """Topic of the environment's alarms."""


@dataclass(frozen=True, kw_only=True)
class DeadLettersArgs:
    """`DeadLetters`' arguments."""

    names: Names
    """Environment, account and region."""
    rules: Sequence[str]
    """Names of the EventBridge rules whose undelivered events the queue takes."""
    topic_arn: pulumi.Input[str]
    """Topic of the alarms."""

    def __post_init__(self) -> None:
        for rule in self.rules:
            if not re.fullmatch(_RULE, rule):
                raise arguments.ArgumentError(f"DeadLettersArgs.rules: {rule!r}; allowed: names of rules, {_RULE}")


class DeadLetters(pulumi.ComponentResource):
    """Dead-letter queue of functions and EventBridge rules, with an alarm on any message in it."""

    queue_arn: pulumi.Output[str]
    """The queue, once rules may send to it."""
    topic_arn: pulumi.Output[str]
    """Topic of the alarms."""

    def __init__(self, name: str, args: DeadLettersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:DeadLetters", name, None, opts)
        args = arguments.read(DeadLettersArgs, args)
        child, queue_name = pulumi.ResourceOptions(parent=self), args.names.dead_letters
        queue = aws.sqs.Queue(
            name,
            name=queue_name,
            message_retention_seconds=_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            opts=child,
        )
        text = iam.document(*queue_statements(args.names, args.rules))
        if len(text) > _LIMIT:
            raise ValueError(f"queue {queue_name}: its policy has {len(text)} characters, SQS allows {_LIMIT}")
        policy = aws.sqs.QueuePolicy(name, queue_url=queue.url, policy=text, opts=pulumi.ResourceOptions(parent=queue))
        self.queue_arn = pulumi.Output.all(queue.arn, policy.id).apply(lambda made: made[0])
        self.topic_arn = pulumi.Output.from_input(args.topic_arn)
        _alarm(
            name,
            alarm=queue_name,
            words=f"Something of {args.names.environment} was given up after its retries and lies in {queue_name}",
            metric=("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            dimensions={"QueueName": queue_name},
            statistic="Maximum",
            topic_arn=self.topic_arn,
            opts=child,
        )
        self.register_outputs({"queueArn": self.queue_arn, "topicArn": self.topic_arn})

    @property
    def on_failure(self) -> OnFailure:
        """The same for another component's arguments."""
        return OnFailure(queue_arn=self.queue_arn, topic_arn=self.topic_arn)


def function_alarm(name: str, function: str, on_failure: OnFailure, opts: pulumi.ResourceOptions) -> None:
    """An alarm on every invocation that failed (Lambda developer guide, "Types of metrics": Errors)."""
    _alarm(
        name,
        alarm=f"{function}-failed",
        words=f"The function {function} failed; its log says at what",
        metric=("AWS/Lambda", "Errors"),
        dimensions={"FunctionName": function},
        topic_arn=on_failure.topic_arn,
        opts=opts,
    )


def rule_alarm(name: str, names: Names, rule: str, on_failure: OnFailure, opts: pulumi.ResourceOptions) -> None:
    """An alarm on every event that was not delivered (EventBridge user guide, "Monitoring": FailedInvocations)."""
    _alarm(
        name,
        alarm=f"{rule}-undelivered",
        words=f"The rule {rule} could not deliver an event, which lies in {names.dead_letters}",
        metric=("AWS/Events", "FailedInvocations"),
        dimensions={"RuleName": rule},
        topic_arn=on_failure.topic_arn,
        opts=opts,
    )


def _alarm(
    name: str,
    *,
    alarm: str,
    words: str,
    metric: tuple[str, str],
    dimensions: dict[str, pulumi.Input[str]],
    statistic: str = "Sum",
    topic_arn: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> None:
    namespace, metric_name = metric
    aws.cloudwatch.MetricAlarm(
        f"{name}-{metric_name.lower()}",
        name=alarm,
        alarm_description=f"{words}; docs/operations.md says what to do",
        namespace=namespace,
        metric_name=metric_name,
        dimensions=dimensions,
        statistic=statistic,
        period=_PERIOD_SECONDS,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        treat_missing_data="notBreaching",
        alarm_actions=[topic_arn],
        opts=opts,
    )


def queue_statements(names: Names, rules: Sequence[str]) -> tuple[iam.Statement, iam.Statement]:
    """These rules may send to the queue, and nobody without TLS.

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


def send_statement(names: Names) -> iam.Statement:
    """Permission to send failed events, which Lambda does by the function's role.

    Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
    """
    return iam.Statement(
        sid="LeaveWhatItFailedAt",
        actions=("sqs:SendMessage",),
        resources=(names.arn("sqs", names.dead_letters),),
    )
