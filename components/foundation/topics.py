"""SNS topics: one for releases that wait for approval, one for alarms."""

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
        publish = iam.Statement(
            sid="AlarmsOfThisEnvironmentSpeak",
            actions=("sns:Publish",),
            resources=(names.arn("sns", names.alarms_topic),),
            principals={"Service": "cloudwatch.amazonaws.com"},
            conditions=iam.from_source(names.arn("cloudwatch", f"alarm:{names.environment}-*"), names.account),
        )
        self.alarms = self._topic(f"{name}-alarms", names, names.alarms_topic, args.emails, publish)
        self.approvals = None
        if args.approval:  # pipelines publish by their own roles
            self.approvals = self._topic(f"{name}-approvals", names, names.approvals_topic, args.emails)
        self.register_outputs({"alarms": self.alarms.arn})

    def _topic(
        self, name: str, names: Names, topic: str, emails: tuple[str, ...], *statements: iam.Statement
    ) -> aws.sns.Topic:
        """A topic with a policy of its own: AWS's default lets every identity of the account publish and subscribe."""
        out = aws.sns.Topic(name, name=topic, opts=pulumi.ResourceOptions(parent=self))
        below = pulumi.ResourceOptions(parent=out)
        aws.sns.TopicPolicy(
            name,
            arn=out.arn,
            policy=iam.document(*statements, iam.tls_only("sns:Publish", names.arn("sns", topic))),
            opts=below,
        )
        for email in emails:
            aws.sns.TopicSubscription(f"{name}-{email}", topic=out.arn, protocol="email", endpoint=email, opts=below)
        return out
