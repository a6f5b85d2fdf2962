"""The hook on the test listener: it asks what the service names, and CodeDeploy gets its answer in every case."""

import json
import threading

import pytest
import trustme

from functions.hooks import smoke_test
from tests.functions.clock import Clock
from tests.functions.emulator import context
from tests.functions.receivers import receiving

EVENT = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi"}


@pytest.fixture
def listener():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def clock(monkeypatch):
    """The function's clock, on which its pauses take no time."""
    made = Clock()
    monkeypatch.setattr(smoke_test, "time", made)
    return made


@pytest.fixture
def hook(emulator, monkeypatch, listener, clock):
    """Set the function up for checks; returns a function that runs the hook and gives CodeDeploy's answer."""
    monkeypatch.setenv("SMOKE_URL", listener.url)
    monkeypatch.setenv("SMOKE_SECONDS", "60")
    monkeypatch.setenv("SMOKE_PAUSE_SECONDS", "20")
    monkeypatch.delenv("SMOKE_HOST", raising=False)
    answers = []
    emulator.reply("codedeploy", "PutLifecycleEventHookExecutionStatus", 200, {})
    emulator.watch("codedeploy", "PutLifecycleEventHookExecutionStatus", lambda params: answers.append(params["body"]))

    def run(checks, milliseconds=60_000):
        monkeypatch.setenv("SMOKE_CHECKS", checks if isinstance(checks, str) else json.dumps(checks))
        said = smoke_test.handler(EVENT, context(milliseconds))
        assert [json.loads(answer) for answer in answers] == [
            {
                "deploymentId": "d-ABCDEF123",
                "lifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi",
                "status": said["status"],
            }
        ]
        return said["status"], said["why"]

    return run


def test_new_tasks_that_answer_as_they_should_pass(hook, listener):
    listener.answer("/healthz", {"body": b'{"ok": true}'})
    listener.answer("/gone", {"status": 410})

    said = hook(
        [
            {"path": "/healthz", "status": 200, "contains": '"ok": true', "maxMillis": 50_000},
            {"path": "/gone", "status": 410},
        ]
    )

    assert said == ("Succeeded", "every check passed")
    assert [one["path"] for one in listener.requests] == ["/healthz", "/gone"]


@pytest.mark.parametrize(
    ("answer", "check", "why"),
    [
        ({"status": 500}, {}, "/: answered 500; expected is 200."),
        ({"status": 302, "headers": {"Location": "/"}}, {}, "/: answered 302; expected is 200."),
        ({"body": b"starting"}, {"contains": "ready"}, "/: the body (8 bytes read) lacks 'ready'."),
        ({"delay": 0.06}, {"maxMillis": 50}, "ms; at most 50 ms are allowed."),
        ({"hang_up": True}, {}, "/: no answer from 127.0.0.1:"),
    ],
)
def test_new_tasks_that_do_not_fail_with_the_reason(hook, listener, answer, check, why):
    listener.answer("/", answer)

    status, said = hook([{"path": "/", **check}])

    assert status == "Failed"
    assert why in said
    assert len(listener.requests) > 1, "it is tried again"


def test_tasks_that_need_a_moment_pass_and_what_passed_is_not_asked_again(hook, listener):
    listener.answer("/slow", {"status": 503}, {"status": 503}, {"status": 200})
    listener.answer("/quick", {"status": 200})

    status, _ = hook([{"path": "/slow"}, {"path": "/quick"}])

    assert status == "Succeeded"
    assert [one["path"] for one in listener.requests] == ["/slow", "/quick", "/slow", "/slow"]


def test_every_check_that_failed_is_named(hook, listener):
    listener.answer("/a", {"status": 500})
    listener.answer("/b", {"status": 404})

    _, why = hook([{"path": "/a"}, {"path": "/b"}])

    assert why == "/a: answered 500; expected is 200. /b: answered 404; expected is 200."


def test_a_listener_that_nobody_answers_at_fails(hook, listener, monkeypatch):
    monkeypatch.setenv("SMOKE_URL", "http://127.0.0.1:9")

    status, why = hook([{"path": "/"}])

    assert status == "Failed"
    assert why.startswith("/: no answer from 127.0.0.1:9 (ConnectionRefusedError")


def test_an_answer_that_drips_in_does_not_hold_the_hook(hook, listener, monkeypatch):
    monkeypatch.setattr(smoke_test, "_TRY_SECONDS", 1.5)
    monkeypatch.setenv("SMOKE_PAUSE_SECONDS", "60")
    listener.answer("/", {"body": b"x" * 400, "drip": 0.05})

    status, why = hook([{"path": "/"}])

    assert status == "Failed"
    assert "still sending after 1.5 s" in why


def test_the_approach_of_the_functions_own_time_out_is_answered(hook, listener, monkeypatch):
    monkeypatch.setenv("SMOKE_SECONDS", "600")
    answered = threading.Event()
    monkeypatch.setattr(smoke_test, "run", lambda *_: answered.wait(60))

    status, why = hook([{"path": "/"}], milliseconds=5_200)
    answered.set()

    assert status == "Failed"
    assert "did not end within" in why


def test_checks_are_not_tried_past_the_functions_own_time(hook, listener, clock, monkeypatch):
    monkeypatch.setenv("SMOKE_SECONDS", "600")
    listener.answer("/", {"status": 500})

    status, why = hook([{"path": "/"}], milliseconds=60_000)

    assert status == "Failed"
    assert "answered 500" in why
    assert 0 < sum(clock.slept) < 60


def test_the_functions_own_crash_is_answered_and_logged(hook, listener, monkeypatch, caplog):
    def crash(*_):
        raise KeyError("oops")

    monkeypatch.setattr(smoke_test, "run", crash)

    said = hook([{"path": "/"}])

    assert said == ("Failed", "The smoke test itself failed (KeyError); its log says where.")
    assert "oops" in caplog.text


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        ("", "SMOKE_CHECKS is not JSON"),
        ("{}", "must be a list with at least one"),
        ("[]", "must be a list with at least one"),
        ("[7]", "entry 1, is 7; allowed are the keys contains, maxMillis, path, status"),
        ([{"path": "/"}, {"path": "/", "header": "x"}], "entry 2, is"),
        ([{}], "None as path"),
        ([{"path": "healthz"}], "'healthz' as path; it must begin with '/'"),
        ([{"path": "/a b"}], "as path"),
        ([{"path": "/", "status": "200"}], "'200' as status"),
        ([{"path": "/", "status": 99}], "99 as status"),
        ([{"path": "/", "contains": 1}], "1 as contains"),
        ([{"path": "/", "maxMillis": 0}], "0 as maxMillis"),
    ],
)
def test_wrong_checks_are_answered_with_the_entry_and_the_key(hook, checks, why):
    status, said = hook(checks)

    assert status == "Failed"
    assert why in said


@pytest.mark.parametrize("url", ["", "alb.example:8443", "ftp://alb", "https://", "http://alb/path", "http://alb:port"])
def test_a_wrong_address_is_answered(hook, monkeypatch, url):
    monkeypatch.setenv("SMOKE_URL", url)

    status, why = hook([{"path": "/"}])

    assert status == "Failed"
    assert f"SMOKE_URL is {url!r}" in why


def test_a_wrong_time_is_answered(hook, monkeypatch):
    monkeypatch.setenv("SMOKE_SECONDS", "soon")

    assert hook([{"path": "/"}]) == ("Failed", "SMOKE_SECONDS is 'soon'; it must be a number of seconds.")


def test_a_hook_answered_before_is_left_alone(emulator, hook, listener):
    listener.answer("/", {})
    emulator.fail("codedeploy", "PutLifecycleEventHookExecutionStatus", "LifecycleEventAlreadyCompletedException")

    assert hook([{"path": "/"}])[0] == "Succeeded"


def test_an_answer_that_codedeploy_does_not_take_is_an_error_that_lambda_tries_again(emulator, hook, listener):
    listener.answer("/", {})
    emulator.fail("codedeploy", "PutLifecycleEventHookExecutionStatus", "ThrottlingException")

    with pytest.raises(Exception, match="ThrottlingException"):
        hook([{"path": "/"}])


@pytest.mark.parametrize("event", [{}, {"DeploymentId": "d-1"}, {**EVENT, "DeploymentId": None}])
def test_an_event_that_is_no_hook_is_an_error_as_nobody_waits_for_an_answer(event):
    with pytest.raises(ValueError, match="not a CodeDeploy hook's"):
        smoke_test.handler(event, context())


NAME = "api.example.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for NAME: the file by which clients trust it, and that of the certificate with its key."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    trusted, own = folder / "authority.pem", folder / "own.pem"
    authority.cert_pem.write_to_path(trusted)
    authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(own)
    return str(trusted), str(own)


class TestCertificate:
    """The load balancer is reached by a name that its certificate is not for."""

    @pytest.fixture
    def ask(self, certificate, hook, monkeypatch):
        """Run the hook against a listener with that certificate; returns CodeDeploy's answer and what arrived."""

        def run(*, host=None, trusted=True):
            monkeypatch.setenv("SMOKE_URL", receiver.url)
            monkeypatch.setenv("SSL_CERT_FILE", certificate[0] if trusted else "/dev/null")
            if host:
                monkeypatch.setenv("SMOKE_HOST", host)
            status, why = hook([{"path": "/"}])
            return status, why, receiver.requests

        with receiving(certificate[1:]) as receiver:
            receiver.answer("/", {})
            yield run

    def test_the_certificates_own_name_is_asked_for_and_verified(self, ask):
        status, _, arrived = ask(host=NAME)

        assert status == "Succeeded"
        assert arrived[0] == {"sni": NAME}
        assert arrived[1]["headers"]["Host"] == NAME

    def test_without_that_name_the_certificate_is_not_accepted(self, ask):
        status, why, _ = ask()

        assert status == "Failed"
        assert "the certificate is not accepted for 127.0.0.1" in why
        assert "set SMOKE_HOST to the certificate's own name" in why

    def test_another_name_is_not_accepted(self, ask):
        status, why, _ = ask(host="other.example.com")

        assert status == "Failed"
        assert "other.example.com" in why

    def test_a_certificate_that_nobody_trusts_is_sent_nothing(self, ask):
        status, _, arrived = ask(host=NAME, trusted=False)

        assert status == "Failed"
        assert not [one for one in arrived if "path" in one]
