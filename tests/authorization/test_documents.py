"""Every policy document that this project has, held against what AWS knows: stacks, the packs' corpus and allowances."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from least_privilege import allowances, application

from authorization.check import Of, fits, in_statement, mistakes, unknown
from authorization.corrections import GLOBAL_KEYS
from authorization.reference import reference
from tests.policies import world
from tests.policies.corpus import gathered
from tests.policies.examples import examples
from tests.policies.judges import PACKS
from tests.rehearsed import ROOT, STACKS, documents, rehearsed, services_with
from tools.explain import inventory_of

TRUST_INPUT = "assumeRolePolicy"
MEANT = {"dynamodb:GetItm", "GetItem"}
"""Actions of the corpus that are refused because they do not exist."""


def whose(type_: str, key: str) -> Of:
    if key == TRUST_INPUT:
        return "trust"
    return "identity" if type_.startswith("aws:iam/") else "resource"


def in_inputs(type_: str, inputs: Mapping[str, Any]) -> Iterator[tuple[Of, str | Mapping[str, Any]]]:
    """The documents among a resource's inputs, as far as they are JSON with statements."""
    for key, value in inputs.items():
        if isinstance(value, str) and '"Statement"' in value:
            try:
                read = json.loads(value)
            except ValueError:
                continue
            yield whose(type_, key), read
        elif isinstance(value, Mapping) and "Statement" in value:
            yield whose(type_, key), value


def said(found: Iterator[tuple[str, Of, Any]]) -> dict[str, str]:
    """Each mistake with the first place that has it."""
    out: dict[str, str] = {}
    for place, of, document in found:
        for mistake in mistakes(document, of):
            out.setdefault(str(mistake), place)
    return out


def in_stack(stack: str, **overrides: Any) -> list[tuple[str, Of, Any]]:
    """The documents of a stack, each with its place."""
    return [
        (f"{resource.type} {resource.name}", whose(resource.type, key), value)
        for resource, key, value in documents(rehearsed(stack, **overrides))
        if '"Statement"' in str(value)
    ]


@pytest.mark.parametrize("trigger", ["cloudtrail", "s3-events"])
@pytest.mark.parametrize("stack", STACKS)
def test_aws_knows_everything_in_every_document_of_a_stack(stack, trigger):
    found = in_stack(stack, trigger=trigger)

    assert {of for _, of, _ in found} == {"identity", "trust", "resource"}
    assert said(iter(found)) == {}


FUNCTIONS = "arn:aws:lambda:ap-northeast-1:111111111111:function:"
OTHERWISE: dict[str, dict[str, Any]] = {
    "with the chatbot, the account's own trail, hooks and a network of its own": {
        "notifications": {"chatbot": {"workspaceId": "T0123456789", "channelId": "C0123456789"}},
        "trail": "reuse",
        "services": services_with("dev", "api", hooks={"beforeInstall": f"{FUNCTIONS}migrate"}, permissions=None),
        "network": {"create": {"egress": "endpoints"}},
        "standInImage": "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/python:3.13-alpine",
    },
    "with nothing blue/green, told by a webhook": {
        "notifications": {"slack": [{"webhook": {"ssm": "/dev/release/hook"}}]},
        "services": [s for s in services_with("dev", "worker") if s["name"] == "worker"],
    },
}
"""What else a stack may say that changes whose documents it has."""


@pytest.mark.parametrize("words", OTHERWISE)
def test_aws_knows_everything_in_the_documents_of_a_stack(words):
    assert said(iter(in_stack("dev", **OTHERWISE[words]))) == {}


def test_aws_knows_everything_in_the_small_world_and_in_the_clean_side_of_the_corpus():
    things = [("world", t) for t in world.things().values()]
    things += [(case.id, thing) for case in gathered() for thing in case.clean]

    found = said((place, of, doc) for place, thing in things for of, doc in in_inputs(thing.type, thing.inputs))

    assert found == {}


def test_the_refused_side_of_the_corpus_names_actions_that_exist():
    """A refusal of an action that AWS does not have would show nothing."""
    written = {
        action
        for case in gathered()
        for thing in case.refused
        for _, document in in_inputs(thing.type, thing.inputs)
        for action in actions_in(document)
    }

    assert len(written) > 200
    assert {action for action in written if unknown(action)} == MEANT


def actions_in(document: Any) -> Iterator[str]:
    """The actions of a document, which may be none at all."""
    for statement in document["Statement"] if isinstance(document, dict) else ():
        found = statement.get("Action", ()) if isinstance(statement, dict) else ()
        listed = found if isinstance(found, list) else [found]
        yield from (action for action in listed if isinstance(action, str) and action)


# ---------------------------------------------------------------- the packs' own knowledge


NO_ACTION = re.compile(r"ecs-release:.*|service:Action")
"""Words of the packs that look like actions: tags of this project, and what a message calls an action."""


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_every_action_that_a_pack_knows_exists(pack):
    known = {
        word
        for path in sorted(PACKS[pack].rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in node.value.split()
        if re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", word) and not is_key(word) and not NO_ACTION.fullmatch(word)
    }

    assert {word: why for word in known if (why := unknown(word))} == {}


@cache
def keys() -> frozenset[str]:
    """Every condition key that any service has, and their own prefixes' globals."""
    services = reference().services.values()
    of_actions = {key.lower() for s in services for a in s.actions.values() for key in a.keys}
    return frozenset(of_actions | {key.lower() for s in services for kind in s.kinds.values() for key in kind.keys})


def is_key(word: str) -> bool:
    return word.lower() in keys() or word.lower() in GLOBAL_KEYS


def test_what_an_application_may_do_exists_and_everything_stands_only_where_it_must():
    listed = {f"{service}:{name}" for service, names in application.DATA_ACTIONS.items() for name in names}
    everywhere = application.WITHOUT_RESOURCE | application.RESOURCE_LEFT_OUT

    assert {action: why for action in listed if (why := unknown(action))} == {}
    assert everywhere <= listed
    assert {action: why for action in everywhere if (why := fits(action, "*"))} == {}
    assert {action for action in application.WITHOUT_RESOURCE if reference().action(action).kinds} == set()
    assert all(not reference().action(action).required for action in application.RESOURCE_LEFT_OUT)


@pytest.mark.parametrize("stack", STACKS)
def test_every_permission_that_the_pack_intends_means_something(stack):
    inventory, _ = inventory_of(rehearsed(stack))

    intended = [(i.name, p) for i in inventory.identities for p in allowances.for_purpose(i, inventory)]
    found = {
        mistake: name
        for name, permission in intended
        for mistake in in_statement(
            {
                "Action": list(permission.actions),
                "Resource": list(permission.resources),
                "Condition": {"StringEquals": {key: list(v) for key, v in permission.conditions.items()}},
            }
        )
    }

    assert len(intended) > 50
    assert found == {}


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_the_packs_accepted_examples_mean_something(pack):
    accepted = [
        (policy, of, document)
        for policy, example in examples(pack).items()
        for of, document in in_inputs(example["type"], example["accepted"] or {})
    ]

    assert said(iter(accepted)) == {}


# ---------------------------------------------------------------- what people read


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda path: path.name)
def test_every_action_in_the_documentation_exists(page):
    written = {
        word
        for word in re.findall(r"(?<![\w:/.-])[a-z][a-z0-9-]+:[A-Z][A-Za-z]+(?![\w:/.-])", page.read_text())
        if word.partition(":")[0] in reference().services and not is_key(word)
    }

    assert {word: why for word in written if (why := unknown(word))} == {}
