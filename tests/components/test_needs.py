"""What running revisions need, from one update to the next: kept in the state, in roles, rules and repositories."""

import json

import pytest

from tests.rehearsed import actions, granted, rehearse_stack, rehearsed, services_with, stack_settings

TABLE = "arn:aws:dynamodb:ap-northeast-1:111111111111:table/dev-orders"
HOOK, EARLIER_HOOK = (f"arn:aws:lambda:ap-northeast-1:111111111111:function:{n}" for n in ("look-better", "look-first"))
RETIRING = {
    "secrets": [{"ssm": "/dev/api/old"}, {"secretsManager": "dev/api/old"}],
    "containers": ["php"],
    "ports": [8081],
    "hooks": [EARLIER_HOOK],
    "permissions": [{"sid": "ReadAndWriteOrders", "actions": ["dynamodb:DeleteItem"], "resources": [TABLE]}],
}
RETIRES = {"services": services_with("dev", "api", hooks={"beforeInstall": HOOK}, retiring=RETIRING)}


def with_port(port, **more):
    """The services with another port behind the load balancer."""
    services = services_with("dev", "api", **more)
    services[0]["containers"][0]["ports"], services[0]["loadBalancer"]["port"] = [port], port
    return {"ecs-release:services": services}


def statements_about(run, role):
    return {sid: s["Resource"] for sid, s in granted(run, role).items() if "Retiring" in sid}


def test_what_retires_stays_in_the_roles_and_says_so():
    run = rehearsed("dev", "up", **RETIRES)
    arn = "arn:aws:{}:ap-northeast-1:111111111111:{}".format

    assert statements_about(run, "dev-api-execution") == {
        "PullRetiringImages": [arn("ecr", "repository/dev/api/php")],
        "ReadRetiringParameters": [arn("ssm", "parameter/dev/api/old")],
        "ReadRetiringSecrets": [arn("secretsmanager", f"secret:dev/api/old{end}") for end in ("", "-??????")],
    }
    assert statements_about(run, "dev-api-task") == {"RetiringReadAndWriteOrders": [TABLE]}
    assert statements_about(run, "dev-api-codedeploy") == {"RunRetiringHooks": [EARLIER_HOOK]}
    assert "dynamodb:DeleteItem" in actions(granted(run, "dev-api-task"))


def test_what_retires_is_in_no_template_and_ci_and_the_gate_know_nothing_of_it():
    run = rehearsed("dev", "up", **RETIRES)
    kept = [r for r in run.resources if "dev/api/old" in str(r.inputs) or "dev/api/php" in str(r.inputs)]

    owners = {r.inputs.get("role", r.type.rpartition(":")[2]) for r in kept}

    assert owners == {"dev-api-execution", "Repository", "LifecyclePolicy", "Needs"}


def test_the_load_balancer_reaches_tasks_on_every_port_of_its_container_and_on_those_that_retire():
    services = services_with("dev", "api", retiring={"ports": [9090]})
    services[0]["containers"][0]["ports"] = [8080, 8081]

    run = rehearsed("dev", "up", services=services)

    for kind, name in (("Ingress", "api-tasks-in-"), ("Egress", "api-lb-out-")):
        rules = run.all(f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule")
        found = {r.name: (r.inputs["fromPort"], r.inputs["toPort"]) for r in rules if r.name.startswith(name)}
        assert found == {f"{name}{p}": (p, p) for p in (8080, 8081, 9090)}


def test_the_packs_let_retire_what_the_stack_declares_so():
    run = rehearse_stack("dev", config_overrides={f"ecs-release:{k}": v for k, v in RETIRES.items()})

    assert [v.message for v in run.mandatory] == []


def test_repositories_outlive_the_stack_and_the_cache_does_not():
    run = rehearsed("prod")

    kept = {r.inputs["name"]: r.options.retain_on_delete for r in run.all("aws:ecr/repository:Repository")}
    forced = {r.inputs["name"] for r in run.all("aws:ecr/repository:Repository") if r.inputs.get("forceDelete")}

    caches = {name for name in kept if name.endswith("/cache")}
    assert {name for name, stays in kept.items() if not stays} == caches == forced
    rules = run.all("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    assert {r.inputs["repository"] for r in rules if not r.options.retain_on_delete} == caches


# ---------------------------------------------------------------- held against what stood before


@pytest.fixture(scope="module")
def standing():
    """What an `up` of the stack as it is left."""
    return rehearsed("dev", "up")


@pytest.mark.parametrize("mode", ["preview", "up"])
def test_an_update_that_takes_something_away_is_refused_before_it_touches_anything_of_aws(standing, mode):
    run = rehearse_stack("dev", mode, previous=standing, packs=[], config_overrides=with_port(8081))

    assert "ecs-release:services[api]: the port 8080 is missing" in run.errors[0].message
    assert [r for r in run.resources if r.type.startswith("aws:")] == []


def test_the_same_with_retiring_goes_through(standing):
    given = with_port(8081, retiring={"ports": [8080]})

    run = rehearse_stack("dev", "preview", previous=standing, packs=[], config_overrides=given)

    assert [d.message for d in run.diagnostics] == []


def test_tags_that_come_to_mean_another_vpc_are_refused(standing):
    answers = {"aws:ec2/getVpc:getVpc": {"id": "vpc-00000000"}}

    run = rehearse_stack("dev", "preview", previous=standing, packs=[], answers=answers)

    assert "ecs-release:network: found the VPC vpc-00000000; allowed: vpc-" in run.errors[0].message
    assert [d.message for d in rehearse_stack("dev", "preview", previous=standing, packs=[]).errors] == []


def test_what_an_update_does_to_running_tasks_is_said_at_preview(standing):
    given = {"ecs-release:services": services_with("dev", "api", max=1)}

    run = rehearse_stack("dev", "preview", previous=standing, packs=[], config_overrides=given)

    assert run.errors == ()
    assert [
        d.severity
        for d in run.diagnostics
        if "services[api].max: after this update auto scaling stops tasks beyond 1" in d.message
    ] == ["warning"]


def test_no_hook_waits_for_a_deletion(standing):
    bound = {hook for r in standing.resources for hook in r.options.hooks}

    assert bound == {
        "before_update: what runs",
        "before_update: where it runs",
    }  # others would keep `pulumi destroy` from running without the program


def test_the_state_keeps_names_and_no_secret_s_value(standing):
    [needs] = standing.all("ecs-release:index:Needs")

    assert json.loads(json.dumps(needs.inputs)) == needs.inputs
    assert sorted(needs.inputs["services"]) == sorted(s["name"] for s in stack_settings("dev")["services"])
