"""A function runs the packaged code under a role that allows exactly the calls that the code makes."""

import ast
import functools
import re

import botocore.session
import pytest
from botocore import xform_name

from authorization.callers import CALLERS
from tests.rehearsed import ACCOUNTS, REGION, ROOT, STACKS, actions, depends_on, granted, named, rehearsed, trust

FUNCTION, LOGS = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
INVOKED = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
HANDLERS = {
    "prod-api-gate": "gate.release_gate",
    "prod-api-smoke": "hooks.smoke_test",
    "prod-worker-gate": "gate.release_gate",
    "prod-worker-deploy": "deploy.ecs_deploy",
    "prod-scaling-guard": "guard.scaling_guard",
    "prod-notify": "notices.notify",
}
EVERY_FUNCTION = pytest.mark.parametrize("function", HANDLERS)


# ---------------------------------------------------------------- what the code calls


def source(module):
    return ROOT / "functions" / f"{module.replace('.', '/')}.py"


@functools.cache
def tree(module):
    return ast.parse(source(module).read_text())


def modules_of(module, seen=()):
    """The module and all of the package that it imports, directly or not."""
    imported = {
        name.removeprefix("functions.")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "functions"
        for name in (node.module, *(f"{node.module}.{a.name}" for a in node.names))
    }
    found = {module, *seen}
    for name in imported - found:
        if source(name).exists():
            found |= modules_of(name, tuple(found))
    return found


@functools.cache
def operations(service):
    """boto3 method to API operation."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def calls_of(module):
    """The IAM actions of the AWS calls in a handler's code: methods of the clients that it makes."""
    nodes = [n for m in modules_of(module) for n in ast.walk(tree(m)) if isinstance(n, ast.Call)]
    clients = {
        n.args[0].value
        for n in nodes
        if isinstance(n.func, ast.Attribute)
        and n.func.attr == "client"
        and n.args
        and isinstance(n.args[0], ast.Constant)
    }
    methods = {n.func.attr for n in nodes if isinstance(n.func, ast.Attribute)}
    methods |= {
        n.args[0].value
        for n in nodes
        if isinstance(n.func, ast.Attribute) and n.func.attr == "get_paginator" and isinstance(n.args[0], ast.Constant)
    }
    return {
        f"{service}:{operations(service)[method]}"
        for service in clients - {"s3"}  # artifacts are read and written by the credentials of the pipeline's job
        for method in methods
        if method in operations(service)
    }


# Allowed beside what the code itself calls: its logs, its place in the VPC, where what it failed at is left, and what an
# API asks for besides.
BESIDES = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "ecs:TagResource",
    "iam:PassRole",
    "sqs:SendMessage",
}


@EVERY_FUNCTION
def test_a_role_allows_exactly_what_the_code_calls(function):
    called = calls_of(HANDLERS[function])
    asked = {need.action for row in CALLERS if row.call in called for need in row.needs}

    allowed = actions(granted(rehearsed("prod"), function)) - (BESIDES | asked - called)

    assert called
    assert allowed == called


@EVERY_FUNCTION
def test_the_handler_exists(function):
    handler = named(rehearsed("prod"), FUNCTION, function).inputs["handler"]

    assert handler == f"functions.{HANDLERS[function]}.handler"
    assert any(isinstance(n, ast.FunctionDef) and n.name == "handler" for n in tree(HANDLERS[function]).body)


def test_no_function_is_left_out_here():
    assert {f.inputs["name"] for f in rehearsed("prod").all(FUNCTION)} == HANDLERS.keys()


# ---------------------------------------------------------------- how it runs


@EVERY_FUNCTION
def test_it_writes_into_its_own_log_group_which_stands_before_it(function):
    run = rehearsed("prod")
    logs = granted(run, function)["WriteItsLogs"]

    waited = depends_on(run, named(run, FUNCTION, function), LOGS)

    assert f"/aws/lambda/{function}" in {w.inputs["name"] for w in waited}
    assert logs["Resource"] == [f"arn:aws:logs:{REGION}:222222222222:log-group:/aws/lambda/{function}:*"]


@EVERY_FUNCTION
def test_only_lambda_takes_its_role(function):
    [statement] = trust(rehearsed("prod"), function)

    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole"]


@EVERY_FUNCTION
def test_it_runs_under_the_role_of_its_name(function):
    found = named(rehearsed("prod", "up"), FUNCTION, function).inputs

    assert found["role"] == f"arn:aws:iam::222222222222:role/{function}"


@EVERY_FUNCTION
def test_its_time_and_environment_are_within_lambda_s_limits(function):
    """900 seconds; 4 KB of variables (Lambda developer guide, "Lambda quotas")."""
    found = named(rehearsed("prod", "up"), FUNCTION, function).inputs

    assert 3 <= found["timeout"] <= 900
    variables = found.get("environment", {}).get("variables", {})
    assert sum(len(k) + len(v) for k, v in variables.items()) < 4096


@EVERY_FUNCTION
def test_every_variable_that_it_gets_is_one_that_its_code_reads(function):
    found = named(rehearsed("prod", "up"), FUNCTION, function).inputs
    code = "".join(ast.unparse(tree(m)) for m in modules_of(HANDLERS[function]))

    for variable in found.get("environment", {}).get("variables", {}):
        assert re.search(rf"\bvariables\.{variable}\b", code), variable


@EVERY_FUNCTION
def test_an_event_that_comes_late_is_dropped(function):
    config = named(rehearsed("prod"), INVOKED, function, key="functionName").inputs

    assert config["maximumEventAgeInSeconds"] <= 900
    assert config["maximumRetryAttempts"] == 2


def test_the_package_holds_every_module_and_nothing_else():
    archive = named(rehearsed("prod"), FUNCTION, "prod-api-gate").inputs["code"]

    packed = {name: asset.path for name, asset in archive.assets.items()}

    modules = {
        p.relative_to(ROOT).as_posix() for room in ("contract", "functions") for p in (ROOT / room).rglob("*.py")
    }
    assert packed == {name: name for name in modules}
    assert "functions/__init__.py" in packed


def test_all_functions_run_one_package_on_one_kind_of_machine():
    found = [f.inputs for f in rehearsed("prod").all(FUNCTION)]

    assert {f["runtime"] for f in found} == {"python3.13"}
    assert {tuple(f["architectures"]) for f in found} == {("arm64",)}
    assert all(f["code"] == found[0]["code"] for f in found)


# ---------------------------------------------------------------- who may call it


@pytest.mark.parametrize("stack", STACKS)
def test_only_its_own_rules_call_a_function_and_each_rule_that_targets_one_may(stack):
    run = rehearsed(stack, "up")
    arns = {f.outputs["arn"]: f.inputs["name"] for f in run.all(FUNCTION)}
    targets = {
        (arns[t.inputs["arn"]], t.inputs["rule"])
        for t in run.all("aws:cloudwatch/eventTarget:EventTarget")
        if t.inputs["arn"] in arns
    }

    permitted = {
        (p.inputs["function"], p.inputs["sourceArn"].rpartition("/")[2])
        for p in run.all("aws:lambda/permission:Permission")
    }

    assert targets
    assert permitted == targets
    for permission in run.all("aws:lambda/permission:Permission"):
        assert permission.inputs["principal"] == "events.amazonaws.com"
        assert permission.inputs["sourceArn"].split(":")[4] == ACCOUNTS[stack]
