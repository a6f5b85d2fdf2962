"""Every invalid setting is one clear line: the key, what was found, what is allowed."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from components import settings, strategies
from contract import regions
from tools.regions import of_botocore

ROOT = Path(__file__).parents[2]
STACKS = ("dev", "stg", "prod")


def stack_file(stack):
    text = yaml.safe_load((ROOT / "tests" / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return {key.removeprefix("ecs-release:"): value for key, value in text["config"].items()}


def broken(path, value, stack="prod"):
    """The stack's settings with one value replaced; DELETE takes it away."""
    values = copy.deepcopy(stack_file(stack))
    *way, last = path
    part = values
    for step in way:
        part = part[step] if not isinstance(part, dict) or step in part else part.setdefault(step, {})
    if value is DELETE:
        del part[last]
    else:
        part[last] = value
    return values


def problems_of(values):
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(values, strategies.ALL)
    return caught.value.problems


DELETE = object()
API, WORKER = ("services", 0), ("services", 1)
NGINX, APP = (*API, "containers", 0), (*API, "containers", 1)
TWENTY_FOUR_CHARACTERS = "a-name-of-29-characters-long1"
EXISTING = {
    "vpcId": "vpc-0f1e2d3c4b5a69788",
    "privateSubnetIds": ["subnet-0f1e2d3c4b5a69711", "subnet-0f1e2d3c4b5a69712"],
    "publicSubnetIds": ["subnet-0f1e2d3c4b5a69721", "subnet-0f1e2d3c4b5a69722"],
}

WRONG = {
    "an unknown environment form": (("environment",), "dev-1", "ecs-release:environment: found", "without a hyphen"),
    "an account id of eleven digits": (("account",), "12345678901", "ecs-release:account: found", "twelve digits"),
    "an account id that is a number": (("account",), 222222222222, "ecs-release:account: found 222222222222", "text"),
    "no account": (("account",), DELETE, "ecs-release:account: missing.", "AWS account id"),
    "a region of no form": (("region",), "tokyo", 'ecs-release:region: found "tokyo"', "a region of the AWS partition aws"),
    "a region that does not exist": (("region",), "ap-northeast-9", "ecs-release:region: found", "partition aws as of 20"),
    "a region of China": (("region",), "cn-north-1", 'ecs-release:region: found "cn-north-1"', "partition aws"),
    "a region of GovCloud": (("region",), "us-gov-west-1", "ecs-release:region: found", "partition aws"),
    "a region with a digit that is not ASCII": (("region",), "ap-northeast-\N{FULLWIDTH DIGIT ONE}", "ecs-release:region: found", "partition aws"),
    "an account in digits that are not ASCII": (("account",), "\N{FULLWIDTH DIGIT TWO}" * 12, "ecs-release:account: found", "twelve digits"),
    "a certificate of another partition": (
        ("loadBalancer", "certificateArn"), "arn:aws-cn:acm:cn-north-1:222222222222:certificate/0-1",
        "loadBalancer.certificateArn: found", "the ARN of an ACM certificate",
    ),
    "a permission in another partition": (
        (*API, "permissions", 0, "resources"), ["arn:aws-cn:s3:::bucket"], "permissions[0].resources[0]: found", "an ARN",
    ),
    "an unknown approval": (("approval",), "maybe", 'ecs-release:approval: found "maybe"', "none or required"),
    "a misspelt key": (("aproval",), "required", "ecs-release:aproval: no such key", "did you mean approval?"),
    "a misspelt key below": (
        (*APP, "enviroment"), {}, "ecs-release:services[api].containers[app].enviroment: no such key", "environment?",
    ),
    "an unknown trigger": (("trigger",), "poll", 'ecs-release:trigger: found "poll"', "cloudtrail or s3-events"),
    "a retention CloudWatch does not know": (
        ("logRetentionDays",), 31, "ecs-release:logRetentionDays: found 31", "14, 30, 60",
    ),
    "production that is no truth": (("production",), "yes!", "ecs-release:production: found", "true or false"),
    "two containers with one name": (
        (*APP, "name"), "nginx", 'ecs-release:services[api].containers: found "nginx"', "unique names",
    ),
    "two services with one name": ((*WORKER, "name"), "api", 'ecs-release:services: found "api"', "unique names"),
    "a container named like the cache": ((*APP, "name"), "cache", "containers[cache].name: found", "another name"),
    "a balanced port that no container has": (
        (*API, "loadBalancer", "port"), 9090, "ecs-release:services[api].loadBalancer.port: found 9090", "8080",
    ),
    "a balanced container that is not there": (
        (*API, "loadBalancer", "container"), "web", 'services[api].loadBalancer.container: found "web"', "nginx, app",
    ),
    "one port in two containers": ((*APP, "ports"), [8080], "services[api].containers: found 8080", "one container"),
    "blue-green without a load balancer": (
        (*API, "loadBalancer"), DELETE, "services[api].loadBalancer: found nothing", "strategy rolling",
    ),
    "weights that sum to zero": (
        ("capacity",), [{"provider": "FARGATE", "base": 1}], "ecs-release:capacity: found weights that sum to 0",
        "a weight of 1 or more",
    ),
    "more than one base": (
        ("capacity",),
        [{"provider": "FARGATE", "base": 1, "weight": 1}, {"provider": "FARGATE_SPOT", "base": 1}],
        "ecs-release:capacity: found a base on FARGATE and FARGATE_SPOT", "one item at most",
    ),
    "a capacity provider twice": (
        ("capacity",), [{"provider": "FARGATE", "weight": 1}] * 2, 'ecs-release:capacity: found "FARGATE"', "2 times",
    ),
    "an unknown capacity provider": (
        ("capacity",), [{"provider": "EC2", "weight": 1}], 'ecs-release:capacity[0].provider: found "EC2"',
        "FARGATE or FARGATE_SPOT",
    ),
    "Spot only in production": (
        ("capacity",), [{"provider": "FARGATE_SPOT", "weight": 1}],
        "ecs-release:capacity: found FARGATE_SPOT only", "production",
    ),
    "a production service on Spot only": (
        (*API, "capacity"), [{"provider": "FARGATE_SPOT", "weight": 1}],
        "ecs-release:services[api].capacity: found FARGATE_SPOT only", "production",
    ),
    "a name that AWS keeps for itself": (("environment",), "sg", 'ecs-release:environment: found "sg"', "not sg"),
    "a smoke test that cannot reach the load balancer": (
        ("loadBalancer", "testCidrs"), [], "ecs-release:loadBalancer.testCidrs: found []", "NAT gateways",
    ),
    "a stand-in that an isolated network cannot reach": (
        ("network",), {"create": {"egress": "endpoints"}}, "ecs-release:standInImage: found", "222222222222.dkr.ecr",
    ),
    "a certificate without the name it is for": (
        (*API, "loadBalancer", "hostName"), DELETE, "services[api].loadBalancer.hostName: found nothing", "certificate",
    ),
    "a channel without a token": (
        ("notifications", "slack", 0, "token"), DELETE, "notifications.slack[0]: found channel without token", "both",
    ),
    "an internet-facing load balancer without a way out": (
        ("network",), {"create": {"egress": "endpoints"}}, "loadBalancer.exposure: found", "no smoke test gets out",
    ),
    "a certificate of another account": (
        ("loadBalancer", "certificateArn"), "arn:aws:acm:us-east-1:999999999999:certificate/0-1",
        "loadBalancer.certificateArn: found", "a certificate of 222222222222 in ap-northeast-1",
    ),
    "another stack's trail": (("trail",), "dev-ecs-release", 'ecs-release:trail: found "dev-ecs-release"', "only"),
    "a network too small for its subnets": (
        ("network",), {"create": {"cidr": "10.0.0.0/28"}}, "network.create.cidr: found", "from /16 to /24",
    ),
    "a network larger than AWS makes": (
        ("network",), {"create": {"cidr": "10.0.0.0/8"}}, "network.create.cidr: found", "from /16 to /24",
    ),
    "a hook in another region": (
        (*API, "hooks"), {"beforeInstall": "arn:aws:lambda:us-east-1:222222222222:function:migrate"},
        "services[api].hooks.beforeInstall: found", "CodeDeploy calls no other",
    ),
    "hooks of a rolling service": (
        (*WORKER, "hooks"), {"beforeInstall": "arn:aws:lambda:ap-northeast-1:222222222222:function:migrate"},
        "services[worker].hooks: found set beside strategy rolling", "only beside blue-green",
    ),
    "a reserved parameter": (
        (*APP, "secrets", "DATABASE_URL", "ssm"), "/aws/x", "secrets.DATABASE_URL.ssm: found", "not /aws/",
    ),
    "a secret whose name ends as ARNs do": (
        (*APP, "secrets", "SESSION_KEY", "secretsManager"), "dev/api-secret", "SESSION_KEY.secretsManager: found",
        "a hyphen and six characters",
    ),
    "CircleCI beside a GitHub environment": (
        ("ci", "releaseFrom"), "environment", "services[api].ci.circleci: found beside", "github alone",
    ),
    "no public subnets for a public load balancer": (
        ("network", "lookUp", "publicSubnetTags"), {}, "network.lookUp.publicSubnetTags: found {}", "internet-facing",
    ),
    "a minimum above the maximum": ((*API, "min"), 21, "services[api].min: found 21", "at most max (20)"),
    "a desired count outside": ((*API, "desired"), 1, "services[api].desired: found 1", "between min (4) and max (20)"),
    "memory Fargate does not offer": ((*API, "memory"), 512, "services[api].memory: found 512", "for cpu 1024: 2048"),
    "cpu Fargate does not offer": ((*API, "cpu"), 300, "services[api].cpu: found 300", "256, 512, 1024"),
    "containers larger than the task": ((*APP, "memory"), 4096, "memory 4096 in all", "at most the service's memory"),
    "a variable plain and secret": (
        (*APP, "environment", "DATABASE_URL"), "x", "containers[app].secrets.DATABASE_URL: found", "not in both",
    ),
    "a secret in two stores": (
        (*APP, "secrets", "DATABASE_URL", "secretsManager"), "x", "secrets.DATABASE_URL: found both", "one of ssm",
    ),
    "an SSM name without a slash": (
        (*APP, "secrets", "DATABASE_URL", "ssm"), "x", 'secrets.DATABASE_URL.ssm: found "x"', "begins with /",
    ),
    "a permission with a wildcard": (
        (*API, "permissions", 0, "actions"), ["dynamodb:*"], "permissions[0].actions[0]: found", "without a wildcard",
    ),
    "a permission on everything": (
        (*API, "permissions", 0, "resources"), ["*"], "permissions[0].resources[0]: found", "an ARN",
    ),
    "a name too long once the environment is in front": (
        (*API, "name"), TWENTY_FOUR_CHARACTERS, "name: found", "and AWS allows 32",
    ),
    "executions side by side": (("executionMode",), "PARALLEL", 'executionMode: found "PARALLEL"', "SUPERSEDED or QUEUED"),
    "two services whose artifacts would share a folder": (
        ("services",), [{**stack_file("prod")["services"][1], "name": f"recommendation-{n}"} for n in ("api", "abc")],
        "services[recommendation-abc].name: found", "keeps the artifacts of both in prod-recommendation-/",
    ),
    "no network": (("network",), {}, "ecs-release:network: found none of them", "one of lookUp, existing and create"),
    "two networks": (("network", "create"), {}, "ecs-release:network: found lookUp and create", "one of lookUp, existing"),
    "one subnet": (
        ("network",), {"existing": EXISTING | {"privateSubnetIds": EXISTING["privateSubnetIds"][:1]}},
        "network.existing.privateSubnetIds: found", "two or more different subnets",
    ),
    "a range with host bits": (
        ("loadBalancer", "allowedCidrs"), ["10.0.0.1/8"], 'loadBalancer.allowedCidrs[0]: found "10.0.0.1/8"', "IPv4",
    ),
    "a test port that production uses": (("loadBalancer", "testPort"), 443, "loadBalancer.testPort: found 443", "other"),
    "an unknown deployment configuration": (
        ("deployment", "configuration"), "AllAtOnce", "deployment.configuration: found", "CodeDeployDefault.ECSAllAtOnce",
    ),
    "a bake time beyond 48 hours": (
        ("deployment", "bakeTimeMinutes"), 2881, "deployment.bakeTimeMinutes: found 2881", "2880 or less",
    ),
    "no service": (("services",), [], "ecs-release:services: found []", "1 item or more"),
    "services that are text": (("services",), "api", 'ecs-release:services: found "api"', "a list"),
    "a service without a CI": ((*API, "ci"), {}, "services[api].ci: found neither github nor circleci", "at least one"),
    "a CI that the stack does not have": (
        ("ci", "circleci"), DELETE, "services[api].ci.circleci: found a project", "only beside the stack's ecs-release:ci.circleci",
    ),
    "half of the GitHub ids": (
        (*API, "ci", "github", "ownerId"), DELETE, "services[api].ci.github.ownerId: found nothing", "together",
    ),
    "an e-mail address that is none": (
        ("notifications", "emails"), ["people"], 'notifications.emails[0]: found "people"', "an e-mail address",
    ),
    "a health check that outlasts its interval": (
        (*API, "loadBalancer", "healthCheck", "timeoutSeconds"), 10, "healthCheck.timeoutSeconds: found 10", "less than",
    ),
}  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_a_whole_stack_file_is_valid(stack):
    loaded = settings.load(stack_file(stack), strategies.ALL)

    assert loaded.environment == stack


@pytest.mark.parametrize(("path", "value", "found", "allowed"), WRONG.values(), ids=WRONG)
def test_an_invalid_setting_is_one_line_with_key_finding_and_remedy(path, value, found, allowed):
    problems = problems_of(broken(path, value))

    assert len([p for p in problems if found in p and allowed in p]) == 1, problems
    assert all(p.startswith("ecs-release:") and "\n" not in p for p in problems)


def test_several_wrong_settings_are_all_listed():
    values = broken(("account",), "1")
    values["services"][0]["min"] = 99
    values["services"][1]["cpu"] = 1

    problems = problems_of(values)

    assert [p.partition(" ")[0] for p in problems] == [
        "ecs-release:account:",
        "ecs-release:services[api].min:",
        "ecs-release:services[worker].cpu:",
    ]


def test_the_error_counts_and_says_that_nothing_changed():
    with pytest.raises(settings.SettingsError, match="1 invalid setting; nothing was changed:"):
        settings.load(broken(("approval",), "maybe"), strategies.ALL)


def test_lists_and_objects_arrive_as_json_text_as_pulumi_passes_them():
    values = {k: v if isinstance(v, str) else json.dumps(v) for k, v in stack_file("prod").items()}

    assert settings.load(values, strategies.ALL) == settings.load(stack_file("prod"), strategies.ALL)


def test_the_environment_is_put_into_every_text_that_names_it():
    loaded = settings.load(broken(("environment",), "dev1", stack="dev"), strategies.ALL)

    app = loaded.services[0].containers[1]
    assert app.secrets["DATABASE_URL"].ssm == "/dev1/api/database-url"
    assert app.environment["TABLE"] == "dev1-orders"


def test_a_placeholder_stands_for_the_stacks_own_account_and_region():
    loaded = settings.load(stack_file("prod"), strategies.ALL)

    assert loaded.services[0].permissions[0].resources == (
        "arn:aws:dynamodb:ap-northeast-1:222222222222:table/prod-orders",
    )


def test_a_secret_pasted_where_its_name_belongs_is_not_shown():
    [problem] = problems_of(broken((*APP, "secrets", "DATABASE_URL"), "postgres://u:p4ss@h/db"))

    assert (
        "services[api].containers[app].secrets.DATABASE_URL: found a plain-text value, which is not shown here"
        in problem
    )
    assert "p4ss" not in problem


def test_settings_never_change_once_loaded():
    loaded = settings.load(stack_file("dev"), strategies.ALL)

    with pytest.raises(ValueError, match="frozen"):
        loaded.approval = "required"


def test_the_regions_are_those_that_botocore_knows():
    assert list(regions.REGIONS) == of_botocore(), "stale: python -m tools regions writes contract/regions.py anew"


def test_no_pattern_of_a_setting_takes_digits_that_are_not_ascii():
    patterns = [file.name for file in (ROOT / "components" / "settings").glob("*.py") if r"\d" in file.read_text()]

    assert patterns == []


def declared():
    return yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]


@pytest.mark.parametrize("key", declared())
def test_a_default_in_pulumi_yaml_is_the_models_own(key):
    field = next(f for f in settings.Settings.model_fields.values() if f.alias == key)

    if "default" in declared()[key]:
        assert declared()[key]["default"] == field.default
    else:
        assert field.is_required()


def test_pulumi_yaml_declares_every_scalar_of_the_model():
    scalars = {
        f.alias
        for f in settings.Settings.model_fields.values()
        if (not f.is_required() and isinstance(f.default, str | int)) or f.alias in ("environment", "account")
    }

    assert scalars == set(declared())
