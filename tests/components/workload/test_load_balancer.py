"""What stands in front of a service: who reaches which port, over what, and which tasks answer."""

import pytest

from tests.rehearsed import named, rehearsed, services_with, stack_settings

LISTENER, INGRESS = "aws:lb/listener:Listener", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GROUP, BALANCER = "aws:lb/targetGroup:TargetGroup", "aws:lb/loadBalancer:LoadBalancer"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"


def listeners(run):
    """Port to listener."""
    return {r.inputs["port"]: r for r in run.all(LISTENER)}


def forwards_to(listener):
    [action] = listener.inputs["defaultActions"]
    return action.get("targetGroupArn")


def admitted(run, group):
    """Who may come in at which port of a security group: CIDR or the other group's name."""
    ids = {g.id: g.inputs["name"] for g in run.all(SECURITY_GROUP)}
    return {
        (
            r.inputs.get("cidrIpv4") or ids[r.inputs["referencedSecurityGroupId"]],
            r.inputs["fromPort"],
            r.inputs["toPort"],
        )
        for r in run.all(INGRESS)
        if ids[r.inputs["securityGroupId"]] == group
    }


def test_with_a_certificate_production_and_test_traffic_are_encrypted_and_port_80_redirects():
    run = rehearsed("prod", "up")
    certificate = stack_settings("prod")["loadBalancer"]["certificateArn"]

    found = listeners(run)

    assert set(found) == {80, 443, 8443}
    for port in (443, 8443):
        assert (found[port].inputs["protocol"], found[port].inputs["certificateArn"]) == ("HTTPS", certificate)
        assert found[port].inputs["sslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    [action] = found[80].inputs["defaultActions"]
    assert action["type"] == "redirect"
    assert (action["redirect"]["protocol"], action["redirect"]["port"]) == ("HTTPS", "443")
    assert run.exports["api"]["url"] == "https://api.example.com"


def test_without_a_certificate_they_speak_http():
    run = rehearsed("dev", "up")

    found = listeners(run)

    assert {port: listener.inputs["protocol"] for port, listener in found.items()} == {80: "HTTP", 8443: "HTTP"}
    assert not [x for x in found.values() if "certificateArn" in x.inputs or "sslPolicy" in x.inputs]
    assert run.exports["api"]["url"].startswith("http://")


@pytest.mark.parametrize(("stack", "production"), [("dev", 80), ("prod", 443)])
def test_production_begins_at_blue_and_the_test_listener_at_green(stack, production):
    run = rehearsed(stack, "up")

    found = listeners(run)

    assert forwards_to(found[production]) == named(run, GROUP, f"{stack}-api-blue").outputs["arn"]
    assert forwards_to(found[8443]) == named(run, GROUP, f"{stack}-api-green").outputs["arn"]


@pytest.mark.parametrize(("stack", "production"), [("dev", 80), ("prod", 443)])
def test_pulumi_does_not_shift_the_traffic_back_that_codedeploy_shifted(stack, production):
    found = listeners(rehearsed(stack))

    assert found[production].options.ignore_changes == ("defaultActions",)
    assert found[8443].options.ignore_changes == ("defaultActions",)


def test_the_redirect_is_pulumi_s_own():
    assert listeners(rehearsed("prod"))[80].options.ignore_changes == ()


def test_blue_and_green_differ_in_their_names_only():
    blue, green = (dict(named(rehearsed("prod", "up"), GROUP, f"prod-api-{c}").inputs) for c in ("blue", "green"))

    assert (blue.pop("name"), green.pop("name")) == ("prod-api-blue", "prod-api-green")
    assert blue == green
    assert (blue["targetType"], blue["port"], blue["healthCheck"]["path"]) == ("ip", 80, "/healthz")


def test_everybody_reaches_production_and_few_the_test_listener():
    run = rehearsed("prod", "up")

    who = admitted(run, "prod-api-lb")

    assert {w for w in who if w[0] == "0.0.0.0/0"} == {("0.0.0.0/0", 443, 443), ("0.0.0.0/0", 80, 80)}
    assert {w for w in who if w[1] == 8443} == {("203.0.113.0/28", 8443, 8443), ("prod-api-smoke", 8443, 8443)}
    assert len(who) == 4


def test_the_test_listener_of_a_stack_that_names_no_one_is_the_smoke_test_s_alone():
    who = admitted(rehearsed("dev", "up"), "dev-api-lb")

    assert {w for w in who if w[1] == 8443} == {("dev-api-smoke", 8443, 8443)}


def test_tasks_take_traffic_from_their_load_balancer_and_nobody_else():
    run = rehearsed("prod", "up")

    assert admitted(run, "prod-api-tasks") == {("prod-api-lb", 8080, 8080)}
    assert admitted(run, "prod-worker-tasks") == set()


def test_the_load_balancer_talks_to_its_tasks_and_nobody_else():
    run = rehearsed("prod", "up")
    balancer, tasks = (named(run, SECURITY_GROUP, f"prod-api-{g}").id for g in ("lb", "tasks"))

    out = [r.inputs for r in run.all(EGRESS) if r.inputs["securityGroupId"] == balancer]

    assert [(o["referencedSecurityGroupId"], o["fromPort"], o["toPort"]) for o in out] == [(tasks, 8080, 8080)]


def test_security_groups_have_no_rules_of_their_own_beside_the_rule_resources():
    assert not [g for g in rehearsed("prod").all(SECURITY_GROUP) if "ingress" in g.inputs or "egress" in g.inputs]


def test_an_internal_load_balancer_stands_in_the_private_subnets():
    network = {
        "existing": {
            "vpcId": "vpc-0f1e2d3c4b5a69788",
            "privateSubnetIds": ["subnet-0f1e2d3c4b5a69711", "subnet-0f1e2d3c4b5a69712"],
            "publicSubnetIds": ["subnet-0f1e2d3c4b5a69721", "subnet-0f1e2d3c4b5a69722"],
        }
    }

    internal = rehearsed("dev", network=network).one(BALANCER).inputs
    public = rehearsed("prod", network=network).one(BALANCER).inputs

    assert (internal["internal"], internal["subnets"]) == (True, network["existing"]["privateSubnetIds"])
    assert (public["internal"], public["subnets"]) == (False, network["existing"]["publicSubnetIds"])


@pytest.mark.parametrize(("stack", "protected"), [("dev", False), ("prod", True)])
def test_production_s_load_balancer_is_not_deleted_by_accident(stack, protected):
    assert rehearsed(stack).one(BALANCER).inputs["enableDeletionProtection"] is protected


def test_a_rolling_service_behind_a_load_balancer_has_one_target_group_and_no_test_listener():
    containers = [{"name": "worker", "ports": [9000]}]
    services = services_with("dev", "worker", containers=containers, loadBalancer={"container": "worker", "port": 9000})

    run = rehearsed("dev", services=services)

    assert {g.inputs["name"] for g in run.all(GROUP) if "worker" in g.inputs["name"]} == {"dev-worker-blue"}
    [listener] = [x for x in run.all(LISTENER) if x.name.startswith("worker")]
    assert (listener.inputs["port"], listener.options.ignore_changes) == (80, ())
