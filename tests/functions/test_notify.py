"""People are told what happened to a release, and no receiver's trouble ever becomes the release's."""

import json
import threading
import time
from urllib.parse import parse_qs

import boto3
import pytest

from functions.notices import messages, notify, posting
from tests.functions.clock import Clock
from tests.functions.emulator import context
from tests.functions.receivers import receiving

SAW = {
    "images": "app=prod-1a2b3c4",
    "digests": "app=sha256:0",
    "commit": "1a2b3c4",
    "scan": "app: 1 LOW",
    "changes": "app prod-0000000 -> prod-1a2b3c4",
}


def event(kind, **detail):
    """An event as EventBridge delivers it, with a pipeline's or a deployment's detail."""
    source = "aws.codedeploy" if kind == messages.DEPLOYMENT else "aws.codepipeline"
    return {
        "version": "0",
        "id": "01234567-EXAMPLE",
        "detail-type": kind,
        "source": source,
        "account": "222222222222",
        "time": "2026-11-21T06:00:00Z",
        "region": "ap-northeast-1",
        "resources": [],
        "detail": detail,
    }


def pipeline(state):
    return event(messages.PIPELINE, pipeline="prod-api", state=state, version=3, **{"execution-id": "e-1"})


def action(state, category="Deploy", name="Deploy", **more):
    kind = {"owner": "AWS", "provider": "CodeDeployToECS", "category": category, "version": "1"}
    return event(
        messages.ACTION,
        pipeline="prod-api",
        stage=name,
        action=name,
        state=state,
        type=kind,
        **{"execution-id": "e-1", **more},
    )


def deployment(state):
    return event(
        messages.DEPLOYMENT,
        region="ap-northeast-1",
        application="prod-api",
        deploymentGroup="prod-api",
        deploymentId="d-2",
        instanceGroupId="9fd2fbef",
        state=state,
    )


ROLL_BACK = {
    "creator": "codeDeployRollback",
    "rollbackInfo": {"rollbackTriggeringDeploymentId": "d-1"},
}
FAILED = {
    "creator": "user",
    "errorInformation": {"code": "HOOK_EXECUTION_FAILURE", "message": "The hook said\nFailed"},
    "rollbackInfo": {"rollbackDeploymentId": "d-3"},
}
REASON = {"execution-result": {"external-execution-summary": "Container app: no such tag."}}


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("seen", "known", "title", "lines", "tone"),
        [
            (pipeline("STARTED"), {}, "prod-api: release started", (), "plain"),
            (pipeline("SUCCEEDED"), {}, "prod-api: deployed", (), "good"),
            (pipeline("STOPPED"), {}, "prod-api: release stopped by hand", (), "bad"),
            (pipeline("SUPERSEDED"), {}, "prod-api: release superseded by a newer one", (), "plain"),
            (
                action("STARTED", "Approval", "Approve"),
                {"saw": SAW},
                "prod-api: waiting for approval",
                (
                    "commit: 1a2b3c4",
                    "images: app=prod-1a2b3c4",
                    "changes: app prod-0000000 -> prod-1a2b3c4",
                    "scan: app: 1 LOW",
                    "digests: app=sha256:0",
                ),
                "waiting",
            ),
            (
                action("STARTED", "Approval", "Approve"),
                {},
                "prod-api: waiting for approval",
                ("What the gate found is in the pipeline's Verify stage.",),
                "waiting",
            ),
            (
                action("FAILED", "Approval", "Approve", **{"execution-result": {}}),
                {},
                "prod-api: approval rejected",
                ("The action gave no reason; the link shows its details.",),
                "bad",
            ),
            (
                action("FAILED", "Invoke", "Gate", **REASON),
                {},
                "prod-api: release failed at Gate/Gate",
                ("Container app: no such tag.",),
                "bad",
            ),
            (
                deployment("FAILURE"),
                {"deployment": FAILED},
                "prod-api: deployment failed",
                (
                    "deployment: d-2",
                    "reason: The hook said Failed (HOOK_EXECUTION_FAILURE)",
                    "The log of the hook's function says which check failed.",
                    "rollback: d-3",
                ),
                "bad",
            ),
            (deployment("FAILURE"), {}, "prod-api: deployment failed", ("deployment: d-2",), "bad"),
            (deployment("STOP"), {}, "prod-api: deployment stopped", ("deployment: d-2",), "bad"),
            (
                deployment("READY"),
                {},
                "prod-api: new tasks are ready and wait for traffic to be re-routed",
                ("deployment: d-2",),
                "waiting",
            ),
            (
                deployment("START"),
                {"deployment": ROLL_BACK},
                "prod-api: rolling back",
                ("deployment: d-2", "because of: d-1"),
                "bad",
            ),
            (
                deployment("SUCCESS"),
                {"deployment": ROLL_BACK},
                "prod-api: rolled back; the version before is live",
                ("deployment: d-2", "because of: d-1"),
                "good",
            ),
            (
                deployment("FAILURE"),
                {"deployment": ROLL_BACK},
                "prod-api: the rollback itself failed",
                ("deployment: d-2", "because of: d-1"),
                "bad",
            ),
        ],
    )
    def test_each_turn_of_a_release_has_its_message(self, seen, known, title, lines, tone):
        said = messages.of(seen, **known)

        assert (said.title, said.lines, said.tone) == (title, lines, tone)

    @pytest.mark.parametrize(
        ("seen", "known"),
        [
            (pipeline("FAILED"), {}),
            (pipeline("RESUMED"), {}),
            (action("STARTED"), {}),
            (action("SUCCEEDED"), {}),
            (action("SUCCEEDED", "Approval", "Approve"), {}),
            (deployment("START"), {"deployment": {"creator": "user"}}),
            (deployment("SUCCESS"), {"deployment": {"creator": "user"}}),
            (deployment("SUCCESS"), {}),
            (event("CodePipeline Stage Execution State Change", state="FAILED"), {}),
            ({}, {}),
            ({"detail-type": messages.PIPELINE, "detail": "?"}, {}),
        ],
    )
    def test_what_another_message_says_already_is_not_said(self, seen, known):
        assert messages.of(seen, **known) is None

    def test_the_link_leads_to_the_execution_or_the_deployment(self):
        console = "https://ap-northeast-1.console.aws.amazon.com/codesuite"

        assert messages.of(pipeline("STARTED")).link == (
            f"{console}/codepipeline/pipelines/prod-api/executions/e-1/timeline?region=ap-northeast-1"
        )
        assert messages.of(deployment("STOP")).link == f"{console}/codedeploy/deployments/d-2?region=ap-northeast-1"

    def test_a_reason_calls_nobody_on_slack(self):
        evil = {"execution-result": {"external-execution-summary": "<!channel> <https://evil.example|ok> & more"}}

        said = messages.slack(messages.of(action("FAILED", **evil)))

        text = said["blocks"][0]["text"]["text"]
        assert "&lt;!channel&gt; &lt;https://evil.example|ok&gt; &amp; more" in text
        assert text.count("<") == 1

    def test_a_reason_calls_nobody_on_chatwork(self):
        evil = {"execution-result": {"external-execution-summary": "[toall] [/info]"}}

        said = messages.chatwork(messages.of(action("FAILED", **evil)))

        assert "(toall) (/info)" in said
        assert said.startswith("[info][title]")
        assert said.count("[") == 4

    def test_a_long_reason_fits_what_slack_takes(self):
        long = {"execution-result": {"external-execution-summary": "<" * 5_000}}

        said = messages.slack(messages.of(action("FAILED", **long)))

        assert len(said["blocks"][0]["text"]["text"]) <= 3_000

    def test_a_name_cannot_lead_the_link_elsewhere(self):
        odd = event(messages.PIPELINE, pipeline="../x?y#|z>", state="STARTED", **{"execution-id": "e 1"})

        assert messages.of(odd).link.endswith("/pipelines/..xyz/executions/e1/timeline?region=ap-northeast-1")


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


@pytest.fixture
def clock(monkeypatch):
    """The clock of posting, on which its pauses take no time."""
    made = Clock()
    monkeypatch.setattr(posting, "time", made)
    return made


@pytest.fixture
def told(emulator, receiver, monkeypatch):
    """Set up receivers on loopback and their tokens; returns a function that sends an event to channels."""
    for name in ("SLACK_API_BASE", "SLACK_WEBHOOK_BASE", "CHATWORK_API_BASE"):
        monkeypatch.setenv(name, receiver.url)
    monkeypatch.setenv("NOTIFY_BACKOFF_SECONDS", "0.01")
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="slack", SecretString="xoxb-secret-token\n")
    secrets.create_secret(Name="keyed", SecretString=json.dumps({"token": "xoxb-secret-token"}))
    secrets.create_secret(Name="hook", SecretString=f"{receiver.url}/services/T0/B0/hooksecret")
    secrets.create_secret(Name="elsewhere", SecretString="http://169.254.169.254/services/T0")
    secrets.create_secret(Name="lines", SecretString="one\ntwo")
    boto3.client("ssm").put_parameter(Name="/prod/chatwork", Value="cw-secret-token", Type="SecureString")
    receiver.answer("/chat.postMessage", {"body": {"ok": True}})
    receiver.answer("/rooms/42/messages", {"body": {"message_id": "1"}})
    receiver.answer("/services/T0/B0/hooksecret", {"body": b"ok"})

    def tell(*channels, seen=None, milliseconds=30_000):
        monkeypatch.setenv("NOTIFY_CHANNELS", json.dumps(channels))
        return notify.handler(seen or pipeline("STARTED"), context(milliseconds))

    return tell


SLACK = {"kind": "slack", "channel": "C042", "secret": "secretsmanager:slack"}
WEBHOOK = {"kind": "slack-webhook", "secret": "secretsmanager:hook"}
CHATWORK = {"kind": "chatwork", "room": "42", "secret": "ssm:/prod/chatwork"}


class TestHowItIsSent:
    def test_slack_gets_a_message_by_its_bot_token(self, told, receiver):
        said = told(SLACK)

        (request,) = receiver.requests
        assert said == {"title": "prod-api: release started", "channels": {"1 slack": "sent"}}
        assert request["path"] == "/chat.postMessage"
        assert request["headers"]["Authorization"] == "Bearer xoxb-secret-token"
        body = json.loads(request["body"])
        assert body["channel"] == "C042"
        assert body["text"] == "prod-api: release started"

    def test_slack_gets_a_message_by_its_webhook(self, told, receiver):
        assert told(WEBHOOK)["channels"] == {"1 slack-webhook": "sent"}

        (request,) = receiver.requests
        assert request["path"] == "/services/T0/B0/hooksecret"
        assert "channel" not in json.loads(request["body"])
        assert "Authorization" not in request["headers"]

    def test_chatwork_gets_a_message_by_its_token(self, told, receiver):
        assert told(CHATWORK)["channels"] == {"1 chatwork": "sent"}

        (request,) = receiver.requests
        assert request["path"] == "/rooms/42/messages"
        assert request["headers"]["X-ChatWorkToken"] == "cw-secret-token"
        (body,) = parse_qs(request["body"].decode())["body"]
        assert "prod-api: release started[/title]" in body

    def test_a_key_of_a_json_secret_is_a_token(self, told, receiver):
        told({**SLACK, "secret": "secretsmanager:keyed#token"})

        assert receiver.requests[0]["headers"]["Authorization"] == "Bearer xoxb-secret-token"

    def test_every_channel_is_told_though_one_fails(self, told, receiver):
        receiver.answer("/chat.postMessage", {"status": 403, "body": b"no"})

        said = told({**SLACK, "secret": "secretsmanager:missing"}, SLACK, WEBHOOK, CHATWORK)

        assert "GetSecretValue (ResourceNotFoundException)" in said["channels"].pop("1 slack")
        assert said["channels"] == {
            "2 slack": "not sent: it answered 403: 'no'",
            "3 slack-webhook": "sent",
            "4 chatwork": "sent",
        }

    def test_nobody_is_told_of_what_nobody_needs_to_know(self, told, receiver):
        assert told(SLACK, seen=action("SUCCEEDED")) == {"title": None, "channels": {}}
        assert receiver.requests == []

    def test_what_the_gate_saw_is_read_from_the_pipeline(self, told, receiver, emulator):
        asked = []
        emulator.watch("codepipeline", "ListActionExecutions", lambda params: asked.append(json.loads(params["body"])))
        details = [
            {"actionName": "Approve", "output": {}},
            {"actionName": "Gate", "output": {"outputVariables": SAW}},
            {"actionName": "Gate", "output": {"outputVariables": {"commit": "older"}}},
        ]
        emulator.reply("codepipeline", "ListActionExecutions", 200, {"actionExecutionDetails": details})

        told(SLACK, seen=action("STARTED", "Approval", "Approve"))

        text = json.loads(receiver.requests[0]["body"])["blocks"][0]["text"]["text"]
        assert "changes: app prod-0000000 -&gt; prod-1a2b3c4" in text
        assert asked[0]["pipelineName"] == "prod-api"
        assert asked[0]["filter"] == {"pipelineExecutionId": "e-1"}

    @pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
    def test_a_message_goes_out_with_less_in_it_when_aws_does_not_answer(self, told, receiver, emulator, code):
        emulator.fail("codepipeline", "ListActionExecutions", code)
        emulator.fail("codedeploy", "GetDeployment", code)

        told(SLACK, seen=action("STARTED", "Approval", "Approve"))
        told(SLACK, seen=deployment("FAILURE"))

        assert [json.loads(one["body"])["text"] for one in receiver.requests] == [
            "prod-api: waiting for approval",
            "prod-api: deployment failed",
        ]

    def test_a_deployments_reason_is_read_from_codedeploy(self, told, receiver, emulator):
        emulator.reply("codedeploy", "GetDeployment", 200, {"deploymentInfo": FAILED})

        told(CHATWORK, seen=deployment("FAILURE"))

        (body,) = parse_qs(receiver.requests[0]["body"].decode())["body"]
        assert "reason: The hook said Failed (HOOK_EXECUTION_FAILURE)" in body


class TestTrouble:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_a_busy_receiver_is_asked_again(self, told, receiver, status):
        receiver.answer("/chat.postMessage", {"status": status}, {"status": status}, {"body": {"ok": True}})

        assert told(SLACK)["channels"] == {"1 slack": "sent"}
        assert len(receiver.requests) == 3

    @pytest.mark.parametrize("status", [301, 307, 400, 401, 404])
    def test_a_refusal_is_taken_as_one_and_a_redirect_is_not_followed(self, told, receiver, status):
        receiver.answer("/chat.postMessage", {"status": status, "headers": {"Location": f"{receiver.url}/elsewhere"}})

        assert told(SLACK)["channels"]["1 slack"].startswith(f"not sent: it answered {status}")
        assert len(receiver.requests) == 1

    def test_a_receiver_that_hangs_up_is_asked_again(self, told, receiver):
        receiver.answer("/rooms/42/messages", {"hang_up": True}, {"body": {}})

        assert told(CHATWORK)["channels"] == {"1 chatwork": "sent"}

    @pytest.mark.parametrize(
        ("error", "tries"), [("ratelimited", 2), ("internal_error", 2), ("channel_not_found", 1), ("invalid_auth", 1)]
    )
    def test_slacks_own_errors_are_passing_or_final(self, told, receiver, error, tries):
        receiver.answer("/chat.postMessage", {"body": {"ok": False, "error": error}}, {"body": {"ok": True}})

        said = told(SLACK)["channels"]["1 slack"]

        assert len(receiver.requests) == tries
        assert said == ("sent" if tries == 2 else f"not sent: Slack refused it ({error})")

    def test_an_answer_of_slack_that_is_no_json_is_final(self, told, receiver):
        receiver.answer("/chat.postMessage", {"body": b"<html>"})

        assert told(SLACK)["channels"]["1 slack"] == "not sent: Slack's answer is not JSON"

    @pytest.mark.parametrize(
        ("headers", "least"),
        [
            ({"Retry-After": "0.3"}, 0.3),
            ({"retry-after": "0"}, 0),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ],
    )
    def test_the_receiver_says_how_long_to_wait(self, told, receiver, clock, headers, least):
        receiver.answer("/chat.postMessage", {"status": 429, "headers": headers}, {"body": {"ok": True}})

        assert told(SLACK)["channels"] == {"1 slack": "sent"}
        [pause] = clock.slept
        assert pause >= least

    def test_chatworks_reset_is_waited_for(self, receiver, clock):
        reset = str(time.time() + 400)
        receiver.answer("/x", {"status": 429, "headers": {"x-ratelimit-reset": reset}}, {})

        why = posting.post(f"{receiver.url}/x", b"", {}, seconds=600, backoff=0.01, verdict=lambda _: None)

        assert why is None
        [pause] = clock.slept
        assert 300 < pause <= 400

    def test_a_wait_longer_than_there_is_time_is_not_begun(self, told, receiver, clock):
        receiver.answer("/chat.postMessage", {"status": 429, "headers": {"Retry-After": "3600"}})

        said = told(SLACK)["channels"]["1 slack"]

        assert said == "not sent: it answered 429, and there is no time for another try"
        assert clock.slept == []

    def test_the_pause_doubles(self, receiver, monkeypatch):
        pauses = []
        monkeypatch.setattr(posting.time, "sleep", pauses.append)
        receiver.answer("/x", *[{"status": 500}] * 4, {})

        posting.post(f"{receiver.url}/x", b"", {}, seconds=60, backoff=1, verdict=lambda _: None)

        # The receiver sleeps 0 s before each answer.
        assert [pause for pause in pauses if pause] == [1, 2, 4, 8]

    def test_a_slow_receiver_leaves_time_for_the_next(self, told, receiver):
        receiver.answer("/chat.postMessage", {"delay": 2, "body": {"ok": True}})

        said = told(SLACK, CHATWORK, milliseconds=4_000)["channels"]

        assert said["1 slack"] == "not sent: no answer (TimeoutError), and there is no time for another try"
        assert said["2 chatwork"] == "sent"

    def test_a_receiver_that_holds_on_past_the_end_does_not_fail_the_function(self, told, monkeypatch):
        answered = threading.Event()
        monkeypatch.setattr(notify, "tell", lambda *_: answered.wait(60))

        said = told(SLACK, milliseconds=3_100)
        answered.set()

        assert said["error"] == "The notification ran out of the function's time."

    @pytest.mark.parametrize(
        ("channels", "why"),
        [
            ("", "is not JSON"),
            ("{}", "must be a list"),
            ('[{"kind": "email"}]', "entry 1, must have one of slack, slack-webhook, chatwork as kind"),
            ('["slack"]', "entry 1, must have one of"),
            ('[{"kind": "slack", "secret": "ssm:x"}]', r"entry 1 \(slack\), lacks channel"),
            ('[{"kind": "chatwork", "room": 42, "secret": "ssm:x"}]', r"entry 1 \(chatwork\), lacks room"),
        ],
    )
    def test_wrong_channels_are_named(self, channels, why):
        with pytest.raises(notify.ChannelError, match=why):
            notify.configured(channels)

    def test_wrong_channels_do_not_fail_the_function(self, told, caplog):
        said = told("slack")

        assert "entry 1, must have one of" in said["error"]
        assert "entry 1, must have one of" in caplog.text

    @pytest.mark.parametrize(
        ("channel", "why"),
        [
            ({**WEBHOOK, "secret": "secretsmanager:elsewhere"}, "is not an address under"),
            ({**SLACK, "secret": "secretsmanager:keyed#other"}, "is not JSON with the key other"),
            ({**SLACK, "secret": "secretsmanager:slack#token"}, "is not JSON with the key token"),
            ({**SLACK, "secret": "plain-token"}, "must begin with secretsmanager: or ssm:"),
            ({**SLACK, "secret": "secretsmanager:lines"}, "holds more than one line"),
            ({**CHATWORK, "secret": "ssm:/none"}, "GetParameter (ParameterNotFound)"),
        ],
    )
    def test_a_secret_that_is_no_token_is_named_and_nothing_is_sent(self, told, receiver, channel, why):
        (said,) = told(channel)["channels"].values()

        assert why in said
        assert receiver.requests == []

    def test_no_token_and_no_address_stands_in_any_log(self, told, receiver, caplog, capfd):
        receiver.answer("/chat.postMessage", {"status": 400, "body": b"bad token xoxb-secret-token"})
        receiver.answer("/services/T0/B0/hooksecret", {"hang_up": True})
        receiver.answer("/rooms/42/messages", {"status": 401, "body": b"cw-secret-token"})

        said = told(SLACK, WEBHOOK, CHATWORK, milliseconds=4_000)

        everything = caplog.text + "".join(capfd.readouterr()) + json.dumps(said)
        assert len(receiver.requests) > 2
        for secret in ("xoxb-secret-token", "hooksecret", "cw-secret-token"):
            assert secret not in everything
