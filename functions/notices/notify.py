"""Notifications: sends events of a release from EventBridge to Slack and Chatwork. A failure here never fails a release.

`messages` renders each event. A channel that cannot be reached is logged in one sentence, and the
function ends well all the same. Events may come twice (EventBridge delivers at least once); so may messages.

AWS calls, and on what:

| call | resource | when |
| --- | --- | --- |
| secretsmanager:GetSecretValue | the secrets named in `NOTIFY_CHANNELS` (kms:Decrypt on their key when it is not AWS's own) | each message |
| ssm:GetParameter, with decryption | the SecureString parameters named there (kms:Decrypt likewise) | each message |
| codepipeline:ListActionExecutions | `arn:aws:codepipeline:REGION:ACCOUNT:PIPELINE` | waiting for approval: the gate's output variables |
| codedeploy:GetDeployment | `arn:aws:codedeploy:REGION:ACCOUNT:deploymentgroup:APPLICATION/GROUP` | a deployment's event: its reason and rollback |

Environment variables:

- `NOTIFY_CHANNELS`: JSON list of
  `{"kind": "slack", "channel": "C0123456789", "secret": SECRET}` (bot token, chat.postMessage),
  `{"kind": "slack-webhook", "secret": SECRET}` (the incoming webhook's whole address is the secret),
  `{"kind": "chatwork", "room": "123456789", "secret": SECRET}` (API token).
  SECRET is `secretsmanager:NAME-OR-ARN`, `secretsmanager:NAME-OR-ARN#KEY` for one key of a JSON secret, or
  `ssm:/PARAMETER/NAME`.
- `NOTIFY_BACKOFF_SECONDS`: the first pause before another try; 1.
- `SLACK_API_BASE`, `SLACK_WEBHOOK_BASE`, `CHATWORK_API_BASE`: where the receivers are, for a rehearsal on loopback.
"""  # noqa: E501

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from contract import variables
from functions.notices import messages, posting
from functions.shared import aws, deadline, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.notices.messages import Message
    from functions.notices.posting import Reply

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)

#: Seconds kept of the function's time to log what could not be said.
RESERVE: Final = 3.0
#: Slack Web API, "Rate limits" and chat.postMessage's errors: worth another try.
_SLACK_PASSING: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"}
)
_KEYS: Final = {
    "slack": ("channel", "secret"),
    "slack-webhook": ("secret",),
    "chatwork": ("room", "secret"),
}


class ChannelError(Exception):
    """One sentence about why a channel got no message."""


def handler(event: Mapping[str, Any], context: deadline.Context) -> dict[str, Any]:
    """Send one event to every channel; returns the title and, by channel, "sent" or why not. Never raises."""
    try:
        return deadline.run(lambda: tell(event, context), deadline.seconds_left(context, RESERVE))
    except deadline.OutOfTimeError:
        sentence = "The notification ran out of the function's time."
    except ChannelError as error:
        sentence = str(error)
    except Exception as error:
        # Everything: a message that is not sent must not look like a release that failed.
        log.exception("The notification failed")
        sentence = f"The notification failed ({type(error).__name__}); its log says where."
    log.error("%s", json.dumps({"error": sentence}))
    return {"title": None, "channels": {}, "error": sentence}


def tell(event: Mapping[str, Any], context: deadline.Context) -> dict[str, Any]:
    """Render the event and tell each channel in turn."""
    needs = messages.needs(event)
    saw = _asked(lambda: _gate_variables(event)) if needs.gate else None
    deployment = _asked(lambda: _deployment(event)) if needs.deployment else None
    message = messages.of(event, saw=saw, deployment=deployment)
    if message is None:
        log.info("%s", json.dumps({"event": event.get("detail-type"), "result": "nothing to send"}))
        return {"title": None, "channels": {}}
    outcome: dict[str, str] = {}
    channels = configured(os.environ.get(variables.NOTIFY_CHANNELS, "[]"))
    for number, channel in enumerate(channels, start=1):
        # What is left is shared, so that one slow receiver does not silence the ones after it.
        share = deadline.seconds_left(context, RESERVE) / (len(channels) - number + 1)
        outcome[f"{number} {channel['kind']}"] = _send(channel, message, share)
    log.info("%s", json.dumps({"title": message.title, "channels": outcome}))
    return {"title": message.title, "channels": outcome}


def configured(text: str) -> list[dict[str, str]]:
    """Read `NOTIFY_CHANNELS`.

    Raises:
        ChannelError: naming the entry that is wrong.
    """
    try:
        channels = json.loads(text)
    except json.JSONDecodeError as error:
        raise ChannelError(f"NOTIFY_CHANNELS is not JSON ({error}).") from None
    if not isinstance(channels, list):
        raise ChannelError("NOTIFY_CHANNELS must be a list.")
    for number, channel in enumerate(channels, start=1):
        kind = channel.get("kind") if isinstance(channel, dict) else None
        if kind not in _KEYS:
            raise ChannelError(f"NOTIFY_CHANNELS, entry {number}, must have one of {', '.join(_KEYS)} as kind.")
        for key in _KEYS[kind]:
            if not isinstance(channel.get(key), str) or not channel[key]:
                raise ChannelError(f"NOTIFY_CHANNELS, entry {number} ({kind}), lacks {key}.")
    return channels


def _send(channel: Mapping[str, str], message: Message, seconds: float) -> str:
    """Send to one channel; "sent" or why not, without the token or the address."""
    try:
        secret = _secret(channel["secret"])
        url, body, headers, verdict = _request(channel, secret, message)
    except ChannelError as error:
        return str(error)
    except Exception as error:
        # The next channel still has to get it.
        fault = errors.of_aws(error)
        if fault is None:
            log.exception("A channel failed")
        return str(fault) if fault else f"failed ({type(error).__name__})"
    backoff = float(os.environ.get(variables.NOTIFY_BACKOFF_SECONDS, "1"))
    why = posting.post(url, body, headers, seconds=seconds, backoff=backoff, verdict=verdict, hide=secret)
    return f"not sent: {why}" if why else "sent"


def _request(
    channel: Mapping[str, str], secret: str, message: Message
) -> tuple[str, bytes, dict[str, str], Callable[[Reply], str | None]]:
    as_json = {"Content-Type": "application/json; charset=utf-8"}
    if channel["kind"] == "slack":
        url = f"{os.environ.get(variables.SLACK_API_BASE, 'https://slack.com/api')}/chat.postMessage"
        body = json.dumps({"channel": channel["channel"], **messages.slack(message)}).encode()
        return url, body, {**as_json, "Authorization": f"Bearer {secret}"}, _slack_verdict
    if channel["kind"] == "slack-webhook":
        base = os.environ.get(variables.SLACK_WEBHOOK_BASE, "https://hooks.slack.com")
        if not secret.startswith(f"{base}/"):
            raise ChannelError(f"The webhook's secret is not an address under {base}/.")
        return secret, json.dumps(messages.slack(message)).encode(), as_json, _taken
    base = os.environ.get(variables.CHATWORK_API_BASE, "https://api.chatwork.com/v2")
    url = f"{base}/rooms/{quote(channel['room'], safe='')}/messages"
    form = urlencode({"body": messages.chatwork(message)}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-ChatWorkToken": secret}
    return url, form, headers, _taken


def _taken(_reply: Reply) -> None:
    return None


def _slack_verdict(reply: Reply) -> str | None:
    """Slack answers 200 to refusals too; the body says."""
    try:
        said = json.loads(reply.body)
    except ValueError:
        return "Slack's answer is not JSON"
    if isinstance(said, dict) and said.get("ok") is True:
        return None
    error = said.get("error", "unknown") if isinstance(said, dict) else "unknown"
    return "" if error in _SLACK_PASSING else f"Slack refused it ({error})"


def _secret(name: str) -> str:
    """Read a token; white space around it, as editors leave it, is not part of it."""
    source, _, rest = name.partition(":")
    if source == "ssm":
        said = aws.client("ssm").get_parameter(Name=rest, WithDecryption=True)
        value = str(said["Parameter"]["Value"])
    elif source == "secretsmanager":
        secret, _, key = rest.partition("#")
        value = str(aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        if key:
            try:
                value = str(json.loads(value)[key])
            except (ValueError, KeyError, TypeError):
                raise ChannelError(f"The secret {secret} is not JSON with the key {key}.") from None
    else:
        raise ChannelError(f"The secret {name.partition('#')[0]!r} must begin with secretsmanager: or ssm:.")
    token = value.strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise ChannelError(f"The secret {rest.partition('#')[0]} is empty or holds more than one line.")
    return token


def _asked(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What AWS says, None when it does not: a message with less in it is better than none."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001  (whatever it is, the message goes out)
        fault = errors.of_aws(error)
        log.warning("%s", json.dumps({"looked up": str(fault or type(error).__name__)}))
        return None


def _gate_variables(event: Mapping[str, Any]) -> Mapping[str, str]:
    """The output variables of the execution's action `Gate`, the newest first."""
    detail = event["detail"]
    pages = (
        aws.client("codepipeline")
        .get_paginator("list_action_executions")
        .paginate(
            pipelineName=detail["pipeline"],
            filter={"pipelineExecutionId": detail["execution-id"]},
            PaginationConfig={"MaxItems": 50},
        )
    )
    for page in pages:
        for action in page.get("actionExecutionDetails", []):
            variables: dict[str, str] = action.get("output", {}).get("outputVariables", {})
            if action.get("actionName") == "Gate" and variables:
                return variables
    return {}


def _deployment(event: Mapping[str, Any]) -> Mapping[str, Any]:
    said = aws.client("codedeploy").get_deployment(deploymentId=event["detail"]["deploymentId"])
    return said["deploymentInfo"]
