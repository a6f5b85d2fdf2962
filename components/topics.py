"""Where people are told: a topic for releases that wait for approval, one for alarms."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.naming import Names


@dataclass(frozen=True, kw_only=True)
class TopicsArgs:
    """`Topics`' arguments; without `approval` there is no topic for it."""

    names: Names
    approval: bool
    emails: tuple[str, ...]

    @classmethod
    def of(cls, stack: settings.Settings) -> TopicsArgs:
        """From the stack's settings."""
        return cls(names=stack.names, approval=stack.approval == "required", emails=stack.notifications.emails)


class Topics(pulumi.ComponentResource):
    """`alarms`, and `approvals` where the stack asks for approval. SNS asks each address to confirm first."""

    def __init__(self, name: str, args: TopicsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Topics", name, None, opts)
        names = args.names
        alarms_arn = names.arn("sns", names.alarms_topic)
        self.alarms = self._topic(f"{name}-alarms", names.alarms_topic, args.emails)
        aws.sns.TopicPolicy(
            f"{name}-alarms",
            arn=self.alarms.arn,
            policy=iam.document(
                iam.Statement(
                    sid="AlarmsOfThisEnvironmentSpeak",
                    actions=("sns:Publish",),
                    resources=(alarms_arn,),
                    principals={"Service": "cloudwatch.amazonaws.com"},
                    conditions=iam.from_source(names.arn("cloudwatch", f"alarm:{names.environment}-*"), names.account),
                )
            ),
            opts=pulumi.ResourceOptions(parent=self.alarms),
        )
        self.approvals = self._topic(f"{name}-approvals", names.approvals_topic, args.emails) if args.approval else None
        self.register_outputs({"alarms": self.alarms.arn})

    def _topic(self, name: str, topic: str, emails: tuple[str, ...]) -> aws.sns.Topic:
        out = aws.sns.Topic(name, name=topic, opts=pulumi.ResourceOptions(parent=self))
        for email in emails:
            aws.sns.TopicSubscription(
                f"{name}-{email}",
                topic=out.arn,
                protocol="email",
                endpoint=email,
                opts=pulumi.ResourceOptions(parent=out),
            )
        return out
