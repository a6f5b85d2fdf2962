"""`python -m tools release`: what it prints and how it ends."""

import io
import json
import sys
from dataclasses import replace

import pulumi_rehearsal
import pytest

from rehearsal.emulator import accepted_grants
from rehearsal.emulator.accepted_grants import AcceptedGrant
from rehearsal.emulator.release import rehearse_release
from tests.emulator.changed import not_allowing
from tests.emulator.test_releases import of_worker
from tests.rehearsed import STACK_FILES, rehearsed
from tools.__main__ import USAGE, main
from tools.commands import release
from tools.commands.release import FAILED, PASSED


@pytest.fixture(autouse=True)
def _the_stacks_of_this_process(monkeypatch):
    """A stack is rehearsed once for all tests of a process."""

    def known(project, stack, mode, *, config_file, config_overrides, packs):
        return rehearsed(stack, mode, **config_overrides)

    monkeypatch.setattr(pulumi_rehearsal, "rehearse", known)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.fixture
def handoff(tmp_path):
    def written(*place):
        file = tmp_path / "imagedefinitions.json.zip"
        file.write_bytes(of_worker(*place))
        return str(file)

    return written


def run(capsys, *arguments):
    code = main(["release", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_release_is_told_line_by_line_and_ends_with_what_was_checked(capsys, handoff):
    code, out, _ = run(capsys, "--stack", "dev", "--service", "worker", "--handoff", handoff())

    assert code == PASSED
    assert "dev: a release of worker" in out
    assert "CodePipeline  dev-worker has succeeded  (dev-worker-pipeline)" in out
    assert "ok     the new version is live, by digest" in out
    assert "each allowed by its own documents" in out
    assert "\x1b" not in out


def test_machines_get_one_json_document(capsys, handoff):
    code, out, _ = run(capsys, "--stack", "dev", "--service", "worker", "--handoff", handoff(), "--json")

    said = json.loads(out)
    (release,) = said["releases"]
    assert code == PASSED
    assert said["ok"] is True
    assert {"stack", "timeline", "checks", "notAllowed", "messages", "calls"} <= set(release)
    assert "dev-worker-deploy ecs:UpdateService" in release["calls"]
    assert release["timeline"][0]["text"].startswith("dev-worker:1 is live")


def test_a_roll_back_that_was_asked_for_and_ended_right_is_no_failure(capsys, handoff):
    given = ("--stack", "dev", "--service", "worker", "--handoff", handoff(), "--fail-at", "failed-smoke-test")

    code, out, _ = run(capsys, *given)

    assert code == PASSED
    assert "circuit breaker: rolls back to dev-worker:1" in out
    assert "ok     the previous version is live" in out


def test_a_call_that_is_not_allowed_is_a_failure(capsys, handoff, monkeypatch):
    lacking = not_allowing(rehearsed("dev", "up"), "dev-worker-gate", "ecr:BatchGetImage")
    monkeypatch.setattr(pulumi_rehearsal, "rehearse", lambda *_, **__: lacking)

    code, out, _ = run(capsys, "--stack", "dev", "--service", "worker", "--handoff", handoff())

    assert code == FAILED
    assert "FAILED The role dev-worker-gate may not call ecr:BatchGetImage" in out


@pytest.mark.parametrize(("said", "verdict"), [("y\n", "approves"), ("\n", "rejects the release"), ("", "rejects")])
def test_a_person_at_the_terminal_is_asked(capsys, handoff, monkeypatch, said, verdict):
    terminal = io.StringIO(said)
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)

    given = ("--stack", "prod", "--service", "worker", "--handoff", handoff("prod", "222222222222"))
    code, out, err = run(capsys, *given)

    assert code == PASSED
    assert "Approve the release of prod-worker? [y/N]" in err
    assert "commit" in err
    assert verdict in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--project", str(STACK_FILES)], "name one stack: --stack NAME; "),
        (["--stack", "dev", "--stack", "prod"], "name one stack: --stack NAME; "),
        (["--stack", "dev", "--fail-at", "rejected-approval"], "can happen to no service of stack dev"),
        (["--stack", "prod"], "stack prod asks for approval: run it on a terminal, or approve by --yes"),
        (["--stack", "dev", "--service", "web"], "Stack dev has no service web; it has api, worker"),
        (["--stack", "dev", "--handoff", "x.zip"], "--handoff is one service's; name it by --service NAME"),
        (["--stack", "dev", "--service", "api", "--handoff", "no.zip"], "--handoff no.zip cannot be read"),
        (["--stack", "dev", "--permissions", "--service", "api"], "--permissions goes through every service and step"),
        (["--stack", "dev", "--config", "trigger"], "--config 'trigger' is not KEY=VALUE"),
    ],
)
def test_a_wrong_command_is_one_sentence(capsys, arguments, sentence):
    code, out, err = run(capsys, *arguments)

    assert code == USAGE
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence in err


def test_an_unused_grant_fails_the_command_and_is_reported(capsys, monkeypatch):
    outcome = rehearse_release(rehearsed("dev", "up"), services=["worker"], handoff=of_worker())
    monkeypatch.setattr(release, "_outcomes", lambda *_: [outcome])

    code, out, _ = run(capsys, "--stack", "dev", "--permissions")
    of_machines, document, _ = run(capsys, "--stack", "dev", "--permissions", "--json")

    said = json.loads(document)
    assert (code, of_machines, said["ok"]) == (FAILED, FAILED, False)
    assert "unused grant deployment/codedeploy: ecs:CreateTaskSet on " in out
    assert "accepted task/task: dynamodb:GetItem on " in out
    assert out.splitlines()[-1].startswith("Some checks failed.")
    assert {"deployment/codedeploy", "task/task"} <= {grant["role"] for grant in said["unused"]}


def test_an_exception_for_a_grant_that_is_used_is_obsolete(capsys, monkeypatch):
    outcome = rehearse_release(rehearsed("dev", "up"), services=["worker"], handoff=of_worker())
    entry = AcceptedGrant(role="function/gate", action="ecr:BatchGetImage", why="a test")
    monkeypatch.setattr(release, "_outcomes", lambda *_: [replace(outcome, used=outcome.granted)])
    monkeypatch.setattr(accepted_grants, "ACCEPTED", (entry,))

    code, out, _ = run(capsys, "--stack", "dev", "--permissions")

    assert code == FAILED
    assert "obsolete exception function/gate ecr:BatchGetImage, which is used" in out
