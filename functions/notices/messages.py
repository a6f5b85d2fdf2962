"""Notification messages for the events that CodePipeline and CodeDeploy send; makes no AWS call.

Events (CodePipeline user guide, "Monitoring CodePipeline events"; CodeDeploy user guide, "Monitoring deployments with
Amazon CloudWatch Events"):

| event | said |
| --- | --- |
| CodePipeline Pipeline Execution State Change: STARTED, SUCCEEDED, STOPPED, SUPERSEDED | started, deployed, stopped, superseded |
| CodePipeline Action Execution State Change, category Approval: STARTED | waiting for approval, with what the gate saw |
| the same of any action: FAILED | failed, with the action's own reason (an approval: rejected) |
| CodeDeploy Deployment State-change Notification: FAILURE, STOP, READY | failed, stopped, waiting for re-routing, with CodeDeploy's reason |
| the same of a rollback: START, SUCCESS | rolling back, rolled back |

A pipeline's own FAILED is not said: the action that failed has said it, and why. Nor are a deployment's START and
SUCCESS that a pipeline began.
"""  # noqa: E501

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from contract import partition

if TYPE_CHECKING:
    from collections.abc import Mapping

PIPELINE: Final = "CodePipeline Pipeline Execution State Change"
ACTION: Final = "CodePipeline Action Execution State Change"
DEPLOYMENT: Final = "CodeDeploy Deployment State-change Notification"

GOOD: Final = "good"
BAD: Final = "bad"
WAITING: Final = "waiting"
PLAIN: Final = "plain"
_MARK: Final = {GOOD: ":white_check_mark:", BAD: ":x:", WAITING: ":hourglass:", PLAIN: ":rocket:"}
_SIGN: Final = {GOOD: "✅", BAD: "❌", WAITING: "⏳", PLAIN: "🚀"}
#: Characters of one line of a message.
_LINE_CAP: Final = 1200
#: Slack's limit of a section's text is 3,000 (Block Kit reference, "section"); the link comes on top.
_SLACK_CAP: Final = 2600
_PIPELINE_STATES: Final = {
    "STARTED": ("release started", PLAIN),
    "SUCCEEDED": ("deployed", GOOD),
    "STOPPED": ("release stopped by hand", BAD),
    "SUPERSEDED": ("release superseded by a newer one", PLAIN),
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message: a title, lines below it, a tone, and a link to look closer."""

    title: str
    lines: tuple[str, ...]
    tone: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an event leaves out and AWS has to be asked for: a pipeline's actions, or a deployment."""

    gate: bool = False
    deployment: bool = False


def needs(event: Mapping[str, Any]) -> Needs:
    """Say what to look up before `of` can render this event well."""
    kind, detail = event.get("detail-type"), _detail(event)
    if kind == ACTION:
        return Needs(gate=_category(detail) == "Approval" and detail.get("state") == "STARTED")
    return Needs(deployment=kind == DEPLOYMENT)


def of(
    event: Mapping[str, Any],
    *,
    saw: Mapping[str, str] | None = None,
    deployment: Mapping[str, Any] | None = None,
) -> Message | None:
    """Render an event; None when nobody needs the message.

    Args:
        event: from EventBridge.
        saw: the gate's output variables, where they could be read.
        deployment: CodeDeploy's deploymentInfo, where it could be read.
    """
    kind, detail = event.get("detail-type"), _detail(event)
    if kind == PIPELINE:
        return _of_pipeline(event, detail)
    if kind == ACTION:
        return _of_action(event, detail, saw or {})
    if kind == DEPLOYMENT:
        return _of_deployment(event, detail, deployment or {})
    return None


def _of_pipeline(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Message | None:
    said = _PIPELINE_STATES.get(str(detail.get("state")))
    if said is None:
        return None
    what, tone = said
    name = str(detail.get("pipeline"))
    return Message(title=f"{name}: {what}", lines=(), tone=tone, link=_execution_link(event, detail))


def _of_action(event: Mapping[str, Any], detail: Mapping[str, Any], saw: Mapping[str, str]) -> Message | None:
    name, state = str(detail.get("pipeline")), detail.get("state")
    approval = _category(detail) == "Approval"
    link = _execution_link(event, detail)
    if approval and state == "STARTED":
        order = ("commit", "images", "changes", "scan", "digests")
        lines = tuple(f"{key}: {_line(saw[key])}" for key in order if saw.get(key))
        lines = lines or ("What the gate found is in the pipeline's Verify stage.",)
        return Message(title=f"{name}: waiting for approval", lines=lines, tone=WAITING, link=link)
    if state != "FAILED":
        return None
    result = detail.get("execution-result")
    reason = result.get("external-execution-summary") if isinstance(result, dict) else None
    where = f"{detail.get('stage')}/{detail.get('action')}"
    line = _line(str(reason)) if reason else "The action gave no reason; the link shows its details."
    what = "approval rejected" if approval else f"release failed at {where}"
    return Message(title=f"{name}: {what}", lines=(line,), tone=BAD, link=link)


def _of_deployment(
    event: Mapping[str, Any], detail: Mapping[str, Any], deployment: Mapping[str, Any]
) -> Message | None:
    name, state = str(detail.get("application")), detail.get("state")
    back = deployment.get("creator") == "codeDeployRollback"
    rollback = deployment.get("rollbackInfo") or {}
    error = deployment.get("errorInformation") or {}
    said: dict[str, tuple[str, str]] = {
        "FAILURE": ("the rollback itself failed" if back else "deployment failed", BAD),
        "STOP": ("deployment stopped", BAD),
        "READY": ("new tasks are ready and wait for traffic to be re-routed", WAITING),
    }
    if back:
        said |= {
            "START": ("rolling back", BAD),
            "SUCCESS": ("rolled back; the version before is live", GOOD),
        }
    if state not in said:
        return None
    what, tone = said[str(state)]
    lines = [f"deployment: {detail.get('deploymentId')}"]
    if error.get("message"):
        lines.append(f"reason: {_line(str(error['message']))} ({error.get('code')})")
    if error.get("code") == "HOOK_EXECUTION_FAILURE":
        lines.append("The log of the hook's function says which check failed.")
    if rollback.get("rollbackDeploymentId"):
        lines.append(f"rollback: {rollback['rollbackDeploymentId']}")
    if back and rollback.get("rollbackTriggeringDeploymentId"):
        lines.append(f"because of: {rollback['rollbackTriggeringDeploymentId']}")
    return Message(title=f"{name}: {what}", lines=tuple(lines), tone=tone, link=_deployment_link(event, detail))


def slack(message: Message) -> dict[str, Any]:
    """The body for chat.postMessage or an incoming webhook, without the channel.

    Everything that came with the event is escaped: "<!channel>" in a commit is text and calls nobody.
    """
    title = _slack_text(message.title)
    text = f"{_MARK[message.tone]} *{title}*"
    for line in message.lines:
        text += f"\n{_slack_text(line)}"
    text = text if len(text) <= _SLACK_CAP else f"{text[:_SLACK_CAP]}…"
    return {
        "text": title,
        "unfurl_links": False,
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": f"{text}\n<{message.link}|Look closer>"}}],
    }


def chatwork(message: Message) -> str:
    """The body of a Chatwork message; square brackets of the event's own lose their meaning ("[toall]")."""
    lines = [_chatwork_text(line) for line in message.lines]
    title = f"{_SIGN[message.tone]} {_chatwork_text(message.title)}"
    return f"[info][title]{title}[/title]{chr(10).join([*lines, message.link])}[/info]"


def _detail(event: Mapping[str, Any]) -> Mapping[str, Any]:
    detail = event.get("detail")
    return detail if isinstance(detail, dict) else {}


def _category(detail: Mapping[str, Any]) -> str:
    kind = detail.get("type")
    return str(kind.get("category")) if isinstance(kind, dict) else ""


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LINE_CAP else f"{flat[: _LINE_CAP - 1]}…"


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _chatwork_text(text: str) -> str:
    return text.translate(str.maketrans("[]", "()"))


def _plain(value: Any) -> str:
    """A name as it may stand in a link; names of pipelines and ids have no other characters."""
    return re.sub(r"[^A-Za-z0-9._@-]", "", str(value))


def _execution_link(event: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    pipeline, execution = _plain(detail.get("pipeline")), _plain(detail.get("execution-id"))
    return _console(event, f"codepipeline/pipelines/{pipeline}/executions/{execution}/timeline")


def _deployment_link(event: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    return _console(event, f"codedeploy/deployments/{_plain(detail.get('deploymentId'))}")


def _console(event: Mapping[str, Any], path: str) -> str:
    region = _plain(event.get("region", "us-east-1"))
    return partition.console(region, f"codesuite/{path}?region={region}")
