"""What the documentation says of the code is what the code says."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from tools.docs import settings_schema
from tools.docs.generate import PAGES, SCHEMA, STACKS, renewed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_generated_parts_of_a_page_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")

    assert renewed(text) == text, f"{page.name} is stale; `make docs` writes its generated parts anew"


def test_the_schema_of_stack_files_is_up_to_date():
    assert settings_schema.schema() == SCHEMA.read_text(encoding="utf-8"), "stale; `make docs` writes it anew"


def errors(config):
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return [e.message for e in validator.iter_errors({"config": config})]


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_keeps_to_the_schema(stack):
    config = yaml.safe_load(STACKS[stack].read_text(encoding="utf-8"))["config"]

    assert errors(config | {"aws:skipMetadataApiCheck": "true"}) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ecs-release:aproval", "required", "'ecs-release:aproval' is not valid"),
        ("ecs-release:region", "cn-north-1", "'cn-north-1' is not one of"),
        ("ecs-release:alarms", {"periodSeconds": 61}, "61 is not one of"),
        ("ecs-release:services", [{"name": "api", "strategy": "canary"}], "'canary' is not one of"),
        ("ecs-release:deployment", {"bakeTime": 5}, "'bakeTime' was unexpected"),
    ],
)
def test_what_a_setting_may_not_be_an_editor_marks(key, value, message):
    config = yaml.safe_load(STACKS["dev"].read_text(encoding="utf-8"))["config"]

    assert any(message in found for found in errors(config | {key: value})), errors(config | {key: value})
