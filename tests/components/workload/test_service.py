"""What runs: the first revision, what releases own of it afterwards, and what its tasks may do."""

import json

import pytest

from tests.rehearsed import (
    ACCOUNTS,
    REGION,
    STACKS,
    actions,
    depends_on,
    granted,
    named,
    rehearsed,
    services_with,
    template,
    trust,
)

SERVICE, REVISION = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
TARGET, POLICY = "aws:appautoscaling/target:Target", "aws:appautoscaling/policy:Policy"


def service(stack, name="api", mode="preview", **overrides):
    return named(rehearsed(stack, mode, **overrides), SERVICE, f"{stack}-{name}")


def revision(stack, name="api", **overrides):
    return named(rehearsed(stack, **overrides), REVISION, f"{stack}-{name}_stand-in", key="family").inputs


# ---------------------------------------------------------------- what a release owns


@pytest.mark.parametrize("stack", STACKS)
def test_pulumi_leaves_alone_exactly_what_codedeploy_owns(stack):
    found = service(stack)

    assert found.inputs["deploymentController"] == {"type": "CODE_DEPLOY"}
    assert set(found.options.ignore_changes) == {
        "taskDefinition",
        "desiredCount",
        "loadBalancers",
        "capacityProviderStrategies",
        "networkConfiguration",
        "platformVersion",
    }
    assert not found.inputs.get("forceNewDeployment")


@pytest.mark.parametrize("stack", STACKS)
def test_of_a_rolling_service_it_leaves_alone_the_revision_and_the_count(stack):
    found = service(stack, "worker")

    assert found.inputs["deploymentController"] == {"type": "ECS"}
    assert set(found.options.ignore_changes) == {"taskDefinition", "desiredCount"}


@pytest.mark.parametrize("stack", STACKS)
def test_a_rolling_release_that_does_not_start_is_rolled_back(stack):
    assert service(stack, "worker").inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}


@pytest.mark.parametrize("stack", STACKS)
def test_a_blue_green_service_begins_with_blue_alone(stack):
    run = rehearsed(stack, "up")
    blue = named(run, "aws:lb/targetGroup:TargetGroup", f"{stack}-api-blue").outputs["arn"]

    attached = service(stack, mode="up").inputs["loadBalancers"]

    assert attached == [{"targetGroupArn": blue, "containerName": "nginx", "containerPort": 8080}]


@pytest.mark.parametrize("stack", STACKS)
def test_it_is_made_when_both_target_groups_hang_at_listeners(stack):
    run = rehearsed(stack)

    waited = depends_on(run, service(stack), "aws:lb/listener:Listener")

    assert {r.name for r in waited} >= {"api-https" if stack == "prod" else "api-http", "api-test"}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", ["api", "worker"])
def test_it_is_made_when_the_cluster_offers_its_capacity(stack, name):
    waited = depends_on(
        rehearsed(stack), service(stack, name), "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
    )

    [offered] = [w.inputs["capacityProviders"] for w in waited]
    assert set(offered) == {"FARGATE", "FARGATE_SPOT"}


# ---------------------------------------------------------------- capacity


@pytest.mark.parametrize("name", ["api", "worker"])
@pytest.mark.parametrize(
    ("stack", "capacity"),
    [
        ("dev", {"FARGATE_SPOT": (0, 1)}),
        ("stg", {"FARGATE": (1, 0), "FARGATE_SPOT": (0, 1)}),
        ("prod", {"FARGATE": (2, 1), "FARGATE_SPOT": (0, 3)}),
    ],
)
def test_each_environment_runs_on_its_capacity(stack, capacity, name):
    found = service(stack, name).inputs["capacityProviderStrategies"]

    assert {c["capacityProvider"]: (c["base"], c["weight"]) for c in found} == capacity
    assert "launchType" not in service(stack, name).inputs


@pytest.mark.parametrize("name", ["api", "worker"])
@pytest.mark.parametrize("stack", STACKS)
def test_tasks_run_on_arm64_in_private_subnets_without_a_public_address(stack, name):
    platform = revision(stack, name)["runtimePlatform"]

    assert platform == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    assert service(stack, name).inputs["networkConfiguration"]["assignPublicIp"] is False


def test_a_service_s_own_capacity_and_architecture_go_before_the_stack_s():
    services = services_with(
        "dev", "worker", architecture="X86_64", capacity=[{"provider": "FARGATE", "base": 1, "weight": 1}]
    )

    found = service("dev", "worker", services=services).inputs["capacityProviderStrategies"]

    assert [c["capacityProvider"] for c in found] == ["FARGATE"]
    assert revision("dev", "worker", services=services)["runtimePlatform"]["cpuArchitecture"] == "X86_64"


# ---------------------------------------------------------------- the first revision


@pytest.mark.parametrize("name", ["api", "worker"])
@pytest.mark.parametrize("stack", STACKS)
def test_the_first_revision_is_the_template_s_but_for_what_the_stand_in_replaces(stack, name):
    first, later = revision(stack, name), json.loads(template(rehearsed(stack), name)["taskdef.json"])

    for key in ("taskRoleArn", "executionRoleArn", "networkMode", "cpu", "memory"):
        assert first[key] == later[key]
    stood_in = {"image", "command", "secrets", "healthCheck", "user"}
    containers = json.loads(first["containerDefinitions"])
    assert [{k: v for k, v in c.items() if k not in stood_in} for c in containers] == [
        {k: v for k, v in c.items() if k not in stood_in} for c in later["containerDefinitions"]
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_before_the_first_release_a_stand_in_answers_on_the_service_s_ports(stack):
    image = "public.ecr.aws/docker/library/python:3.13-alpine"

    containers = {c["name"]: c for c in json.loads(revision(stack)["containerDefinitions"])}

    assert {c["image"] for c in containers.values()} == {image}
    assert containers["nginx"]["command"][-1] == "8080"
    assert containers["app"]["command"][-1] == "8000"
    compile(containers["app"]["command"][2], "stand-in", "exec")
    assert not [c for c in containers.values() if c.get("secrets")]


@pytest.mark.parametrize("stack", STACKS)
def test_a_revision_that_may_still_run_is_never_deregistered(stack):
    assert revision(stack)["skipDestroy"] is True


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize("stack", STACKS)
def test_ecs_reads_this_service_s_images_logs_and_secrets_and_no_others(stack):
    allowed, account = granted(rehearsed(stack), f"{stack}-api-execution"), ACCOUNTS[stack]
    ecr, logs = f"arn:aws:ecr:{REGION}:{account}:repository/{stack}/api", f"arn:aws:logs:{REGION}:{account}"

    assert {a: sorted(s["Resource"]) for s in allowed.values() for a in s["Action"]} == {
        "ecr:GetAuthorizationToken": ["*"],
        "ecr:BatchGetImage": [f"{ecr}/app", f"{ecr}/nginx"],
        "ecr:GetDownloadUrlForLayer": [f"{ecr}/app", f"{ecr}/nginx"],
        "logs:CreateLogStream": [f"{logs}:log-group:/ecs/{stack}/api:*"],
        "logs:PutLogEvents": [f"{logs}:log-group:/ecs/{stack}/api:*"],
        "ssm:GetParameters": [f"arn:aws:ssm:{REGION}:{account}:parameter/{stack}/api/database-url"],
        "secretsmanager:GetSecretValue": [
            f"arn:aws:secretsmanager:{REGION}:{account}:secret:{stack}/api/session{end}" for end in ("", "-??????")
        ],
    }


def test_a_service_without_secrets_may_read_none():
    assert not {
        a for a in actions(granted(rehearsed("prod"), "prod-worker-execution")) if a.startswith(("ssm", "secrets"))
    }


@pytest.mark.parametrize("stack", STACKS)
def test_every_secret_that_a_task_names_is_one_that_ecs_may_read(stack):
    run = rehearsed(stack)
    readable = [
        r.removesuffix("-??????") for s in granted(run, f"{stack}-api-execution").values() for r in s["Resource"]
    ]
    task = json.loads(template(run, "api")["taskdef.json"])

    named_secrets = [s["valueFrom"] for c in task["containerDefinitions"] for s in c["secrets"]]

    assert len(named_secrets) == 2
    for secret in named_secrets:
        assert any(secret == r or secret.startswith(f"{r}:") for r in readable)


@pytest.mark.parametrize("stack", STACKS)
def test_the_application_may_do_what_its_settings_say(stack):
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNTS[stack]}:table/{stack}-orders"

    [allowed] = granted(rehearsed(stack), f"{stack}-api-task").values()

    assert allowed["Action"] == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
    assert allowed["Resource"] == [table]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("kind", ["task", "execution"])
def test_only_ecs_tasks_of_this_account_take_the_roles(stack, kind):
    [statement] = trust(rehearsed(stack), f"{stack}-api-{kind}")

    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNTS[stack]}
    assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNTS[stack]}:*"}


# ---------------------------------------------------------------- scaling, logs


@pytest.mark.parametrize(("stack", "least", "most"), [("dev", 1, 2), ("stg", 1, 4), ("prod", 4, 20)])
def test_the_number_of_tasks_follows_the_load_within_the_stack_s_bounds(stack, least, most):
    run = rehearsed(stack)
    target = named(run, TARGET, f"service/{stack}/{stack}-api", key="resourceId").inputs

    assert (target["minCapacity"], target["maxCapacity"]) == (least, most)
    [policy] = [p.inputs for p in run.all(POLICY) if p.inputs["resourceId"] == target["resourceId"]]
    tracked = policy["targetTrackingScalingPolicyConfiguration"]
    assert tracked["predefinedMetricSpecification"]["predefinedMetricType"] == "ECSServiceAverageCPUUtilization"
    assert tracked["targetValue"] == 60


def test_what_a_refresh_saw_of_a_deployment_s_suspension_is_never_sent_back():
    """The provider sends the state's copy of what is ignored or not declared with every change of the capacities."""
    target = named(rehearsed("prod"), TARGET, "service/prod/prod-api", key="resourceId")

    assert target.options.ignore_changes == ()
    assert target.inputs["suspendedState"] == {
        "dynamicScalingInSuspended": False,
        "dynamicScalingOutSuspended": False,
        "scheduledScalingSuspended": False,
    }


@pytest.mark.parametrize(("stack", "days"), [("dev", 30), ("stg", 30), ("prod", 365)])
def test_every_log_group_keeps_its_logs_as_long_as_the_stack_says_and_no_longer(stack, days):
    groups = {
        g.inputs["name"]: g.inputs["retentionInDays"] for g in rehearsed(stack).all("aws:cloudwatch/logGroup:LogGroup")
    }

    assert f"/ecs/{stack}/api" in groups
    assert set(groups.values()) == {days}


@pytest.mark.parametrize("seconds", [0, 300])
def test_the_application_has_the_time_to_begin_that_its_settings_say(seconds):
    own = services_with("dev", "api")[0]["loadBalancer"] | {"healthCheckGracePeriodSeconds": seconds}
    services = services_with("dev", "api", loadBalancer=own)

    assert service("dev", services=services).inputs["healthCheckGracePeriodSeconds"] == seconds


def test_the_application_has_a_minute_to_begin_unless_its_settings_say_otherwise():
    inputs = {name: service("dev", name).inputs for name in ("api", "worker")}

    assert {n: i.get("healthCheckGracePeriodSeconds") for n, i in inputs.items()} == {"api": 60, "worker": None}
