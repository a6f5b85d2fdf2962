"""Notifications of releases: by a Lambda function in Slack and Chatwork, or by Amazon Q Developer without code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_aws as aws

from components import arguments, iam, settings
from components.foundation import secrets
from components.foundation.dead_letters import OnFailure
from components.foundation.event_source import deployment_events, invoke_on_event
from components.foundation.function import Function, FunctionArgs
from components.foundation.secrets import Secret, SecretName
from components.naming import Names
from components.settings import environment
from contract import partition, variables

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class SlackChannel:
    """A Slack channel, posted to with a bot token or an incoming webhook."""

    channel: str | None = None
    """Channel id, together with a token."""
    token: SecretName | None = None
    """Bot token with the scope chat:write."""
    webhook: SecretName | None = None
    """Full URL of the webhook, instead of channel and token."""

    def __post_init__(self) -> None:
        arguments.check(environment.SlackChannel, self)


@dataclass(frozen=True, kw_only=True)
class ChatworkRoom:
    """A Chatwork room, posted to with an API token."""

    room: str
    """Room number."""
    token: SecretName
    """API token."""

    def __post_init__(self) -> None:
        arguments.check(environment.ChatworkRoom, self)


@dataclass(frozen=True, kw_only=True)
class NotifierArgs:
    """`Notifier`'s arguments."""

    names: Names
    """The environment, whose pipelines and deployments begin with its name."""
    slack: Sequence[SlackChannel] | None = None
    """Slack channels."""
    chatwork: Sequence[ChatworkRoom] | None = None
    """Chatwork rooms."""
    log_retention_days: int
    """Days that its logs are kept."""
    on_failure: OnFailure
    """Queue and topic of its failures; its rules are ENV-pipelines-notify and ENV-deployments-notify."""

    @classmethod
    def of(
        cls, names: Names, notifications: settings.Notifications, *, log_retention_days: int, on_failure: OnFailure
    ) -> Self:
        """From the stack's settings, which call channels and rooms the same."""
        given = {"names": names, "log_retention_days": log_retention_days, "on_failure": on_failure}
        return arguments.read(cls, given | notifications.model_dump(include={"slack", "chatwork"}))


class Notifier(pulumi.ComponentResource):
    """Posts the beginning, approval and end of releases; no release ever waits for it or fails by it."""

    function_arn: pulumi.Output[str]
    """The function that posts."""

    def __init__(self, name: str, args: NotifierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Notifier", name, None, opts)
        args = arguments.read(NotifierArgs, args)
        child, names = pulumi.ResourceOptions(parent=self), args.names
        self.function = Function(
            name,
            FunctionArgs(
                names=names,
                function=names.notifier,
                handler="functions.notices.notify.handler",
                description=f"Tells people of releases in {names.environment}",
                statements=notifier_statements(args),
                environment={variables.NOTIFY_CHANNELS: json.dumps(channels(args))},
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
            pattern=deployment_events(names),
            opts=child,
        )
        self.function_arn = self.function.arn
        self.register_outputs({"functionArn": self.function_arn})


def channels(args: NotifierArgs) -> list[dict[str, str]]:
    """The function's `NOTIFY_CHANNELS`: where to, and the name of each token."""
    out = []
    for slack in args.slack or ():
        if slack.webhook is not None:
            out.append({"kind": "slack-webhook", "secret": _reference(slack.webhook)})
        elif slack.token is not None and slack.channel is not None:
            out.append({"kind": "slack", "channel": slack.channel, "secret": _reference(slack.token)})
    out += [{"kind": "chatwork", "room": c.room, "secret": _reference(c.token)} for c in args.chatwork or ()]
    return out


def _reference(secret: Secret) -> str:
    if secret.ssm is not None:
        return f"ssm:{secret.ssm}"
    return f"secretsmanager:{secret.secrets_manager}" + (f"#{secret.json_key}" if secret.json_key else "")


def _tokens(args: NotifierArgs) -> Iterator[Secret]:
    for slack in args.slack or ():
        yield from (s for s in (slack.webhook, slack.token) if s is not None)
    yield from (c.token for c in args.chatwork or ())


def notifier_statements(args: NotifierArgs) -> tuple[iam.Statement, ...]:
    """Reading its tokens, the gate's results of a release, and why a deployment ended."""
    names = args.names
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
        *secrets.read_statements(names, _tokens(args), parameter_action="ssm:GetParameter"),
    )


@dataclass(frozen=True, kw_only=True)
class ChatbotArgs:
    """`Chatbot`'s arguments: a channel, and what posts in it: pipelines (service to ARN) and the alarms' topic."""

    names: Names
    workspace_id: str
    channel_id: str
    pipelines: Mapping[str, pulumi.Input[str]]
    topic_arn: pulumi.Input[str]


class Chatbot(pulumi.ComponentResource):
    """A Slack channel of Amazon Q Developer in chat applications (formerly AWS Chatbot), which can read and do nothing.

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
            description=f"Amazon Q Developer in the channel of {names.environment}; it may do nothing",
            trust=(iam.service_trust("chatbot.amazonaws.com"),),
            opts=child,
        )
        aws.chatbot.SlackChannelConfiguration(
            name,
            configuration_name=f"{names.environment}-releases",
            iam_role_arn=role.arn,
            slack_team_id=args.workspace_id,
            slack_channel_id=args.channel_id,
            sns_topic_arns=[topic.arn, args.topic_arn],
            guardrail_policy_arns=[partition.arn("iam", "", "aws", "policy/AWSDenyAll")],
            opts=child,
        )
        for service, pipeline_arn in args.pipelines.items():
            aws.codestarnotifications.NotificationRule(
                f"{name}-{service}",
                name=f"{names.service(service).base}-releases",
                resource=pipeline_arn,
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
