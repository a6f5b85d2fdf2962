"""An identity explained to a reviewer, from the tests' stacks."""

from __future__ import annotations

import json
import re

import pytest

from tests.rehearsed import ROOT, stack_file
from tools.__main__ import main


def told(capsys: pytest.CaptureFixture[str], stack: str, *arguments: str) -> tuple[int, str, str]:
    given = ["--project", str(ROOT), "--stack", stack, "--config-file", str(stack_file(stack))]
    code = main(["explain", *given, *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_ci_role_is_explained_in_words(capsys):
    code, out, _ = told(capsys, "prod", "--role", "prod-api-ci-github")

    assert code == 0
    assert "GitHub workflows of acme/api at tags v*.*.*" in out
    assert "write the object on s3 prod-ecsdef-222222222222/api/imagedefinitions.json.zip" in out
    assert "log in to the registry on everything" in out
    assert "Permissions boundary" in out


def test_the_words_of_a_role_in_any_order_find_it(capsys):
    code, out, _ = told(capsys, "prod", "--role", "ci-api", "--json")

    assert code == 0
    assert {e["name"] for e in json.loads(out)} == {"prod-api-ci-github", "prod-api-ci-circleci"}


def test_each_grant_names_the_line_of_code_that_made_it(capsys):
    _, out, _ = told(capsys, "dev", "--role", "api-trigger", "--json")

    (explanation,) = json.loads(out)

    assert explanation["may"][0]["lines"][-1].startswith("__main__.py:")
    for line in explanation["may"][0]["lines"]:
        file, number = re.fullmatch(r"(.+):(\d+)", line).groups()
        assert (ROOT / file).read_text().splitlines()[int(number) - 1]
    assert "trigger" in " ".join(explanation["may"][0]["lines"])


def test_an_event_rules_role_is_explained_as_data(capsys):
    _, out, _ = told(capsys, "stg", "--role", "stg-api-trigger", "--json")

    (explanation,) = json.loads(out)

    assert explanation["purpose"] == "event-rule"
    assert explanation["production"] is False
    assert explanation["assumedBy"][0]["text"] == "the service events.amazonaws.com, for resources of 111111111111"
    assert [m["text"] for m in explanation["may"]] == ["start the pipeline on codepipeline stg-api"]
    assert explanation["unread"] == []


def test_a_role_that_is_not_there_is_answered_by_those_that_are(capsys):
    code, out, err = told(capsys, "prod", "--role", "nobody")

    assert code == 2
    assert out == ""
    assert "has no role nobody; it has prod-api-ci-circleci" in err


def test_a_stack_that_is_not_there_is_one_sentence(capsys):
    code, _, err = told(capsys, "nowhere", "--role", "ci-api")

    assert code == 2
    assert err.startswith("error: ")
    assert "Traceback" not in err
