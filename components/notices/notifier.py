"""People are told of every release: a function of ours for Slack and Chatwork, or AWS Chatbot without code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.foundation import secrets
from components.foundation.dead_letters import OnFailure
from components.foundation.event_source import invoke_on_event
from components.foundation.function import Function, FunctionArgs
from components.naming import Names
from components.release.pipeline import Pipeline
from contract import partition, variables

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class NotifierArgs:
    """`Notifier`'s arguments."""

    names: Names
    notifications: settings.Notifications
    log_retention_days: int
    on_failure: OnFailure


class Notifier(pulumi.ComponentResource):
    """Told by EventBridge of pipelines and deployments; no release ever waits for it or fails by it."""

    def __init__(self, name: str, args: NotifierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Notifier", name, None, opts)
        child, names = pulumi.ResourceOptions(parent=self), args.names
        self.function = Function(
            name,
            FunctionArgs(
                names=names,
                function=names.notifier,
                handler="functions.notices.notify.handler",
                description=f"Tells people of releases in {names.environment}",
                statements=notifier_statements(names, args.notifications),
                environment={variables.NOTIFY_CHANNELS: json.dumps(channels(args.notifications))},
                timeout_seconds=_TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                on_failure=args.on_failure,
            ),
            child,
        ).function
        invoke_on_event(
            f"{name}-pipelines",
            names=names,
            rule=names.notifier_rule("pipelines"),
            description="Releases begin, wait for approval, end",
            function=self.function,
            on_failure=args.on_failure,
            pattern={
                "source": ["aws.codepipeline"],
                "detail-type": [
                    "CodePipeline Pipeline Execution State Change",
                    "CodePipeline Action Execution State Change",
                ],
                "detail": {"pipeline": [{"prefix": f"{names.environment}-"}]},
            },
            opts=child,
        )
        invoke_on_event(
            f"{name}-deployments",
            names=names,
            rule=names.notifier_rule("deployments"),
            description="Deployments fail, stop, roll back",
            function=self.function,
            on_failure=args.on_failure,
            pattern={
                "source": ["aws.codedeploy"],
                "detail-type": ["CodeDeploy Deployment State-change Notification"],
                "detail": {"application": [{"prefix": f"{names.environment}-"}]},
            },
            opts=child,
        )
        self.register_outputs({"functionArn": self.function.arn})


def channels(notifications: settings.Notifications) -> list[dict[str, str]]:
    """The function's `NOTIFY_CHANNELS`: where to, and the name of each token."""
    out = []
    for slack in notifications.slack:
        if slack.webhook is not None:
            out.append({"kind": "slack-webhook", "secret": _reference(slack.webhook)})
        elif slack.token is not None and slack.channel is not None:
            out.append({"kind": "slack", "channel": slack.channel, "secret": _reference(slack.token)})
    out += [{"kind": "chatwork", "room": c.room, "secret": _reference(c.token)} for c in notifications.chatwork]
    return out


def _reference(secret: settings.Secret) -> str:
    if secret.ssm is not None:
        return f"ssm:{secret.ssm}"
    return f"secretsmanager:{secret.secrets_manager}" + (f"#{secret.json_key}" if secret.json_key else "")


def _tokens(notifications: settings.Notifications) -> Iterator[settings.Secret]:
    for slack in notifications.slack:
        yield from (s for s in (slack.webhook, slack.token) if s is not None)
    yield from (c.token for c in notifications.chatwork)


def notifier_statements(names: Names, notifications: settings.Notifications) -> tuple[iam.Statement, ...]:
    """Reading its tokens, what the gate said of a release, and why a deployment ended."""
    of_environment = f"{names.environment}-*"
    return (
        iam.Statement(
            sid="ReadWhatTheGateSaw",
            actions=("codepipeline:ListActionExecutions",),
            resources=(names.arn("codepipeline", of_environment),),
        ),
        iam.Statement(
            sid="ReadWhyADeploymentEnded",
            actions=("codedeploy:GetDeployment",),
            resources=(names.arn("codedeploy", f"deploymentgroup:{of_environment}/{of_environment}"),),
        ),
        *secrets.read_statements(names, _tokens(notifications), parameter_action="ssm:GetParameter"),
    )


@dataclass(frozen=True, kw_only=True)
class ChatbotArgs:
    """`Chatbot`'s arguments: the channel, and what speaks in it: pipelines by service name, the topic of the alarms."""

    names: Names
    chatbot: settings.Chatbot
    pipelines: dict[str, Pipeline]
    alarms: aws.sns.Topic


class Chatbot(pulumi.ComponentResource):
    """AWS Chatbot in one Slack channel; it can read and do nothing, whatever its role is given later.

    Without guardrails AWS would take AdministratorAccess as the channel's limit (AWS Chatbot administrator guide,
    "Understanding AWS Chatbot permissions").
    """

    def __init__(self, name: str, args: ChatbotArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Chatbot", name, None, opts)
        child, names = pulumi.ResourceOptions(parent=self), args.names
        topic = aws.sns.Topic(f"{name}-releases", name=names.releases_topic, opts=child)
        policy = aws.sns.TopicPolicy(
            f"{name}-releases",
            arn=topic.arn,
            policy=iam.document(
                iam.Statement(
                    sid="PipelinesOfThisAccountSpeak",
                    actions=("sns:Publish",),
                    resources=(names.arn("sns", names.releases_topic),),
                    principals={"Service": "codestar-notifications.amazonaws.com"},
                    conditions={"StringEquals": {"aws:SourceAccount": names.account}},
                )
            ),
            opts=pulumi.ResourceOptions(parent=topic),
        )
        role = iam.role(
            name,
            name=f"{names.environment}-chatbot",
            purpose="chatbot",
            description=f"AWS Chatbot in the channel of {names.environment}; it may do nothing",
            trust=(iam.service_trust("chatbot.amazonaws.com"),),
            opts=child,
        )
        aws.chatbot.SlackChannelConfiguration(
            name,
            configuration_name=f"{names.environment}-releases",
            iam_role_arn=role.arn,
            slack_team_id=args.chatbot.workspace_id,
            slack_channel_id=args.chatbot.channel_id,
            sns_topic_arns=[topic.arn, args.alarms.arn],
            guardrail_policy_arns=[partition.arn("iam", "", "aws", "policy/AWSDenyAll")],
            opts=child,
        )
        for service, pipeline in args.pipelines.items():
            aws.codestarnotifications.NotificationRule(
                f"{name}-{service}",
                name=f"{names.service(service).base}-releases",
                resource=pipeline.pipeline.arn,
                detail_type="FULL",
                event_type_ids=[
                    f"codepipeline-pipeline-pipeline-execution-{state}"
                    for state in ("started", "succeeded", "failed", "canceled", "superseded")
                ]
                + [f"codepipeline-pipeline-manual-approval-{state}" for state in ("needed", "failed", "succeeded")],
                targets=[{"address": topic.arn}],
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
        self.register_outputs({"topic": topic.arn})
