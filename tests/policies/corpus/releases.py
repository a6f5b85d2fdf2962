"""Releases that nobody approved, checked, kept private or could take back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.policies import world
from tests.policies.corpus import Case
from tests.policies.corpus.parts import instead
from tests.policies.judges import Thing
from tests.policies.world import CONTAINER, HANDOFF, PATTERN, STAGES, action

WORLD = world.things()


def cases() -> Iterator[Case]:
    yield from _approvals()
    yield from _gates()
    yield from _sources()
    yield from _starts()
    yield from _buckets()
    yield from _repositories()
    yield from _deployments()
    yield from _containers()
    yield from _rest()


def changed(name: str, change: Callable[[Any], None], key: str | None = None) -> Thing:
    """One of the world's things with a change made to its inputs, or to one of them."""
    inputs = copy.deepcopy(dict(WORLD[name].inputs))
    change(inputs if key is None else inputs[key])
    return Thing(type=WORLD[name].type, name=name, inputs=inputs, refers=WORLD[name].refers, ignore=WORLD[name].ignore)


def pipeline(*stages: dict[str, Any]) -> Thing:
    return WORLD["release"].but(stages=list(stages))


SOURCE, VERIFY, APPROVE, DEPLOY = STAGES


def _approvals() -> Iterator[Case]:
    policy = "production-releases-are-approved"
    gate_two = copy.deepcopy(APPROVE)
    early = {
        "name": "Deploy",
        "actions": [{**APPROVE["actions"][0], "runOrder": 2}, {**DEPLOY["actions"][0], "runOrder": 2}],
    }
    late = {
        "name": "Deploy",
        "actions": [{**APPROVE["actions"][0], "runOrder": 2}, {**DEPLOY["actions"][0], "runOrder": 1}],
    }
    within = {
        "name": "Deploy",
        "actions": [{**APPROVE["actions"][0], "runOrder": 1}, {**DEPLOY["actions"][0], "runOrder": 2}],
    }
    around = {
        "name": "Around",
        "actions": [
            action(
                "Around", "Invoke", "Lambda", "shop-verify", {"FunctionName": "shop-other"}, inputArtifacts=["Release"]
            )
        ],
    }
    machine = {
        "name": "Around",
        "actions": [action("Around", "Invoke", "StepFunctions", "shop-verify", {}, inputArtifacts=["Release"])],
    }
    fake = {
        "name": "Approve",
        "actions": [
            action("Approve", "Invoke", "Lambda", "shop-verify", {"FunctionName": "yes"}, inputArtifacts=["Release"])
        ],
    }
    whole = pipeline(SOURCE, VERIFY, APPROVE, DEPLOY)
    for words, bad, good in (
        ("no approval", pipeline(SOURCE, VERIFY, DEPLOY), whole),
        ("approval after the deployment", pipeline(SOURCE, VERIFY, DEPLOY, APPROVE), whole),
        ("approval beside the deployment", pipeline(SOURCE, VERIFY, early), pipeline(SOURCE, VERIFY, within)),
        ("approval below the deployment", pipeline(SOURCE, VERIFY, late), pipeline(SOURCE, VERIFY, within)),
        ("a function around the approval", pipeline(SOURCE, VERIFY, around, APPROVE, DEPLOY), pipeline(SOURCE, VERIFY, APPROVE, around, DEPLOY)),
        ("a state machine around the approval", pipeline(SOURCE, VERIFY, machine, APPROVE, DEPLOY), pipeline(SOURCE, VERIFY, APPROVE, machine, DEPLOY)),
        ("a function instead of a person", pipeline(SOURCE, VERIFY, fake, DEPLOY), whole),
        ("a deployment before the approval", pipeline(SOURCE, VERIFY, DEPLOY, APPROVE, {**DEPLOY, "name": "Again"}), pipeline(SOURCE, VERIFY, gate_two, DEPLOY)),
    ):  # fmt: skip
        yield instead(f"a release with {words}", policy, [bad], [good])
    yield instead(
        "a release with approval outside production", policy, [whole.but(roleArn=None)],
        [pipeline(SOURCE, VERIFY, DEPLOY).but(roleArn=None)], production=False,
    )  # fmt: skip
    marked = {"ecs-release:service": "shop", "ecs-release:production": "true", "ecs-release:environment": "eu1"}
    unmarked = {**marked, "ecs-release:production": "false", "ecs-release:environment": "PROD"}
    for words, tags in {"marked as production": marked, "named as production alone": unmarked}.items():
        yield instead(
            f"a release {words} without approval", policy, [pipeline(SOURCE, VERIFY, DEPLOY).but(tags=tags)], [whole.but(tags=tags)],
        )  # fmt: skip


def _gates() -> Iterator[Case]:
    policy = "every-deployment-passes-the-gate"
    taken = copy.deepcopy(DEPLOY)
    taken["actions"][0]["inputArtifacts"] = ["Handoff"]
    both = copy.deepcopy(DEPLOY)
    both["actions"][0]["inputArtifacts"] = ["Release", "Template"]
    for words, bad in {
        "without a gate": pipeline(SOURCE, APPROVE, taken),
        "from the hand-off itself": pipeline(SOURCE, VERIFY, APPROVE, taken),
        "from the template besides": pipeline(SOURCE, VERIFY, APPROVE, both),
        "before the gate": pipeline(SOURCE, APPROVE, DEPLOY, VERIFY),
    }.items():
        yield instead(f"a deployment {words}", policy, [bad], [pipeline(*STAGES)])


def _sources() -> Iterator[Case]:
    policy = "sources-are-never-polled"
    for words, value in {
        "absent": None,
        "true": "true",
        "true in capitals": "TRUE",
        "empty": "",
        "a boolean": True,
    }.items():
        bad, good = copy.deepcopy(STAGES), copy.deepcopy(STAGES)
        if value is None:
            del bad[0]["actions"][0]["configuration"]["PollForSourceChanges"]
        else:
            bad[0]["actions"][0]["configuration"]["PollForSourceChanges"] = value
        good[0]["actions"][0]["configuration"]["PollForSourceChanges"] = "False" if value else "false"
        yield instead(f"a source whose polling is {words}", policy, [pipeline(*bad)], [pipeline(*good)])
    code, fine = copy.deepcopy(STAGES), copy.deepcopy(STAGES)
    repository = {"RepositoryName": "x", "BranchName": "main"}
    code[0]["actions"].append(
        action("Code", "Source", "CodeCommit", "shop-source", repository, outputArtifacts=["Code"])
    )
    fine[0]["actions"].append(
        action(
            "Code",
            "Source",
            "CodeCommit",
            "shop-source",
            {**repository, "PollForSourceChanges": "false"},
            outputArtifacts=["Code"],
        )
    )
    yield instead("a polled code repository", policy, [pipeline(*code)], [pipeline(*fine)])


def _starts() -> Iterator[Case]:
    policy = "pipelines-start-from-their-own-key"

    def rule(change: Callable[[dict[str, Any]], None]) -> list[Thing]:
        pattern = copy.deepcopy(PATTERN)
        change(pattern)
        return [WORLD["handed-over"].but(eventPattern=json.dumps(pattern))]

    direct = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [HANDOFF]}, "object": {"key": [world.KEY]}},
    }
    clean = [[WORLD["handed-over"]], [WORLD["handed-over"].but(eventPattern=json.dumps(direct))]]
    requests = lambda p: p["detail"]["requestParameters"]  # noqa: E731
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "any key": lambda p: requests(p).pop("key"),
        "any bucket": lambda p: requests(p).pop("bucketName"),
        "keys by a prefix": lambda p: requests(p).update(key=[{"prefix": "shop/"}]),
        "keys by a suffix": lambda p: requests(p).update(key=[{"suffix": ".zip"}]),
        "keys by a wildcard": lambda p: requests(p).update(key=[{"wildcard": "*"}]),
        "anything but a key": lambda p: requests(p).update(key=[{"anything-but": "x"}]),
        "two keys": lambda p: requests(p).update(key=[world.KEY, "other/imagedefinitions.json.zip"]),
        "another service's key": lambda p: requests(p).update(key=["other/imagedefinitions.json.zip"]),
        "another bucket": lambda p: requests(p).update(bucketName=["other"]),
        "failed calls": lambda p: p["detail"].pop("errorCode"),
        "only failed calls": lambda p: p["detail"].update(errorCode=[{"exists": True}]),
        "reads": lambda p: p["detail"].update(eventName=["GetObject"]),
        "any call": lambda p: p["detail"].pop("eventName"),
        "any service": lambda p: p["detail"].pop("eventSource"),
        "any event": lambda p: p.pop("detail"),
        "events of ecr": lambda p: p.update(source=["aws.ecr"]),
    }
    for number, (words, change) in enumerate(changes.items()):
        yield instead(f"a pipeline started by {words}", policy, rule(change), clean[number % 2])
    yield instead(
        "a pipeline started by the clock", policy,
        [WORLD["handed-over"].but(eventPattern=None, scheduleExpression="rate(1 hour)")], clean[0],
    )  # fmt: skip
    yield instead(
        "a pipeline started by a scheduler", policy,
        [Thing(type="aws:scheduler/schedule:Schedule", name="clock", inputs={"target": {"arn": world.arn("codepipeline", "shop")}})],
        clean[1],
    )  # fmt: skip


def _buckets() -> Iterator[Case]:
    policy = "handoff-is-private-and-versioned"
    name = HANDOFF
    good = [WORLD[f"{name}-versions"]]
    for words, bad in {
        "that is not versioned": WORLD[f"{name}-versions"].but(versioningConfiguration={"status": "Suspended"}),
        "whose versions say nothing": WORLD[f"{name}-versions"].but(versioningConfiguration={}),
        "versioned elsewhere": WORLD[f"{name}-versions"].but(bucket="other"),
        "whose block is elsewhere": WORLD[f"{name}-block"].but(bucket="other"),
        "whose encryption is elsewhere": WORLD[f"{name}-encryption"].but(bucket="other"),
        "that takes public policies": WORLD[f"{name}-block"].but(blockPublicPolicy=False),
        "that says nothing of public lists": WORLD[f"{name}-block"].but(ignorePublicAcls=None),
    }.items():
        moved = Thing(type=bad.type, name=bad.name, inputs=bad.inputs) if "elsewhere" in words else bad
        yield instead(
            f"a hand-off bucket {words}", policy, [moved], good if bad.name != good[0].name else [WORLD[bad.name]]
        )
    stages = copy.deepcopy(STAGES)
    stages[0]["actions"][0]["configuration"]["S3Bucket"] = "bucket-of-nobody"
    yield instead("a hand-off bucket that nobody holds", policy, [pipeline(*stages)], [pipeline(*STAGES)])
    yield instead(
        "an artifact bucket that nobody holds", policy,
        [WORLD["release"].but(artifactStores=[{"location": "bucket-of-nobody", "type": "S3"}])], [WORLD["release"]],
    )  # fmt: skip
    for key in ("blockPublicAcls", "ignorePublicAcls", "restrictPublicBuckets"):
        yield instead(
            f"a block without {key}", "buckets-block-public-access", [WORLD[f"{name}-block"].but(**{key: False})], [WORLD[f"{name}-block"]],
        )  # fmt: skip


def _repositories() -> Iterator[Case]:
    policy = "repositories-are-immutable-and-scanned"
    web = WORLD["live/shop/web"]
    excluded = {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}
    for words, bad in {
        "whose tags move": web.but(imageTagMutability="MUTABLE"),
        "that says nothing of its tags": web.but(imageTagMutability=None),
        "that is not scanned": web.but(imageScanningConfiguration={"scanOnPush": False}),
        "that says nothing of scans": web.but(imageScanningConfiguration=None),
        "with every tag excluded": web.but(
            **excluded, imageTagMutabilityExclusionFilters=[{"filter": "*", "filterType": "WILDCARD"}]
        ),
        "with releases excluded": web.but(
            **excluded, imageTagMutabilityExclusionFilters=[{"filter": "live-*", "filterType": "WILDCARD"}]
        ),
        "with exclusions of nothing": web.but(**excluded),
        "that only sounds like a cache": web.but(name="live/shop/cache-web", imageTagMutability="MUTABLE"),
    }.items():
        good = web.but(**excluded, imageTagMutabilityExclusionFilters=[{"filter": "cache*", "filterType": "WILDCARD"}])
        yield instead(f"a repository {words}", policy, [bad], [good if "exclu" in words else web])
    cache = WORLD["live/shop/cache"]
    yield instead(
        "a cache that is not scanned", policy, [cache.but(imageScanningConfiguration={"scanOnPush": False})], [cache]
    )


def _deployments() -> Iterator[Case]:
    policy = "deployments-have-automatic-rollback"
    group = WORLD["group"]
    pair = group.inputs["loadBalancerInfo"]["targetGroupPairInfo"]

    def baked(minutes: int) -> dict[str, Any]:
        old = {"action": "TERMINATE", "terminationWaitTimeInMinutes": minutes}
        return {"terminateBlueInstancesOnDeploymentSuccess": old}

    kept = group.but(blueGreenDeploymentConfig={"terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"}})
    for words, bad in {
        "without alarms": group.but(alarmConfiguration=None),
        "with alarms switched off": group.but(alarmConfiguration={"enabled": False, "alarms": ["shop-errors"]}),
        "with a list of no alarms": group.but(alarmConfiguration={"enabled": True, "alarms": []}),
        "that ignores alarms it cannot read": group.but(
            alarmConfiguration={"enabled": True, "alarms": ["a"], "ignorePollAlarmFailure": True}
        ),
        "that never rolls back": group.but(autoRollbackConfiguration=None),
        "whose roll-back is off": group.but(
            autoRollbackConfiguration={"enabled": False, "events": ["DEPLOYMENT_FAILURE"]}
        ),
        "that rolls back by alarm alone": group.but(
            autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}
        ),
        "that rolls back by failure alone": group.but(
            autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
        ),
        "without a test listener": group.but(
            loadBalancerInfo={"targetGroupPairInfo": {k: v for k, v in pair.items() if k != "testTrafficRoute"}}
        ),
        "with a test listener of nothing": group.but(
            loadBalancerInfo={"targetGroupPairInfo": {**pair, "testTrafficRoute": {"listenerArns": []}}}
        ),
        "in place": group.but(
            deploymentStyle={"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
        ),
        "without traffic control": group.but(
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
        ),
        "without a bake time": group.but(blueGreenDeploymentConfig=baked(0)),
        "with too short a bake time": group.but(blueGreenDeploymentConfig=baked(1)),
        "that says nothing of a bake time": group.but(blueGreenDeploymentConfig=None),
    }.items():
        yield instead(f"a deployment group {words}", policy, [bad], [kept if "bake" in words else group])
    service = WORLD["service"]
    rolling = service.but(
        deploymentController={"type": "ECS"}, deploymentCircuitBreaker={"enable": True, "rollback": True}
    )
    for words, breaker in {
        "without a circuit breaker": None,
        "whose circuit breaker is off": {"enable": False, "rollback": True},
        "whose circuit breaker does not roll back": {"enable": True, "rollback": False},
    }.items():
        yield instead(f"a rolling service {words}", policy, [rolling.but(deploymentCircuitBreaker=breaker)], [rolling])


def first(change: dict[str, Any], **inputs: Any) -> Thing:
    return WORLD["first"].but(containerDefinitions=json.dumps([{**CONTAINER, **change}]), **inputs)


def _containers() -> Iterator[Case]:
    good = [WORLD["first"]]
    for words, bad in {
        "privileged": first({"privileged": True}),
        "with a capability more": first({"linuxParameters": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
        "in the host's network": WORLD["first"].but(networkMode="host"),
        "in the host's processes": WORLD["first"].but(pidMode="host"),
        "in the host's memory": WORLD["first"].but(ipcMode="host"),
        "with the host's files": WORLD["first"].but(volumes=[{"name": "docker", "hostPath": "/var/run/docker.sock"}]),
    }.items():
        yield instead(f"a container {words}", "containers-are-unprivileged", [bad], good)
    template = {"family": "shop", "containerDefinitions": [{**CONTAINER, "image": "<IMAGE>"}]}
    written = Thing(
        type="aws:s3/bucketObjectv2:BucketObjectv2", name="definition",
        inputs={"bucket": world.TEMPLATES, "key": "shop/taskdef.json", "content": json.dumps(template)},
    )  # fmt: skip
    yield instead(
        "a container that lost its read-only root", "containers-are-unprivileged",
        [written, first({"readonlyRootFilesystem": False})], [written, WORLD["first"]],
    )  # fmt: skip
    plain: dict[str, tuple[str, str]] = {
        "a password": ("DATABASE_PASSWORD", "hunter2"), "a token": ("SLACK_TOKEN", "abc"), "a key": ("STRIPE_API_KEY", "k"),
        "a secret in camel case": ("clientSecret", "abc"), "a url with a password": ("DATABASE_URL", "postgres://u:p@db/x"),
        "an access key": ("ANYTHING", "AKIAIOSFODNN7EXAMPLE"), "a private key": ("PEM", "-----BEGIN RSA PRIVATE KEY-----"),
        "a token by its form": ("VALUE", "ghp_" + "a" * 36), "a web hook": ("NOTICE", "https://hooks.slack.com/services/T0/B0/x"),
    }  # fmt: skip
    harmless = [
        ("SECRET_NAME", "live/shop/key"), ("TOKEN_TTL", "3600"), ("PASSWORD_MIN_LENGTH", "12"), ("MONKEY", "see"), ("DATABASE_URL", "postgres://db/x"),
        ("API_KEY_PARAMETER", "/live/shop/key"), ("CLIENT_SECRET", "arn:aws:secretsmanager:eu-central-1:333333333333:secret:x"), ("AUTH", "true"), ("UPSTREAM", "127.0.0.1:8000"),
    ]  # fmt: skip
    for (words, (key, value)), (fine, ok) in zip(plain.items(), harmless, strict=True):
        yield instead(
            f"plain {words}", "secrets-are-never-in-plain-environment",
            [first({"environment": [{"name": key, "value": value}]})], [first({"environment": [{"name": fine, "value": ok}]})],
        )  # fmt: skip
    function = WORLD["gate-function"]
    yield instead(
        "a function's plain token", "secrets-are-never-in-plain-environment",
        [function.but(environment={"variables": {"CHATWORK_TOKEN": "abc"}})],
        [function.but(environment={"variables": {"CHATWORK_TOKEN_NAME": "live/chatwork"}})],
    )  # fmt: skip
    for words, logging in {
        "no log": None,
        "the log none": {"logDriver": "none"},
        "a log without a driver": {"options": {}},
    }.items():
        yield instead(f"a container with {words}", "containers-log", [first({"logConfiguration": logging})], good)
    host = f"{world.ACCOUNT}.dkr.ecr.{world.REGION}.amazonaws.com"
    digest = "sha256:" + "0" * 64
    fine_images = [
        f"{host}/live/shop/web@{digest}",
        "<IMAGE>",
        "public.ecr.aws/docker/library/python:3.13-alpine",
        f"{host}/live/shop/web:live-0123abc",
    ]
    for number, (words, image) in enumerate({
        "of a hub": "nginx:1.27", "of a hub by digest": f"library/nginx@{digest}", "of another registry": "quay.io/x/y:1", "without a tag": f"{host}/live/shop/web",
        "that moves": f"{host}/live/shop/web:latest", "of a repository that nobody holds": f"{host}/live/other/web:1",
        "of another account": f"{world.OTHER}.dkr.ecr.{world.REGION}.amazonaws.com/live/shop/web:1",
        "of another region": f"{world.ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/live/shop/web:1",
        "of the cache": f"{host}/live/shop/cache:1", "of the public gallery that moves": "public.ecr.aws/docker/library/python:latest",
        "of the public gallery without a tag": "public.ecr.aws/docker/library/python",
    }.items()):  # fmt: skip
        yield instead(
            f"an image {words}", "images-come-from-declared-repositories", [first({"image": image})],
            [first({"image": fine_images[number % len(fine_images)]})],
        )  # fmt: skip


def _rest() -> Iterator[Case]:
    service, trail = WORLD["service"], WORLD["trail"]
    for words, strategy in {
        "on spot alone": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "with a base on spot": [
            {"capacityProvider": "FARGATE_SPOT", "base": 1},
            {"capacityProvider": "FARGATE", "weight": 1},
        ],
        "without a base": [{"capacityProvider": "FARGATE", "weight": 1}],
    }.items():
        yield instead(
            f"a production service {words}", "production-keeps-on-demand-capacity", [service.but(capacityProviderStrategies=strategy)],
            [service.but(capacityProviderStrategies=[{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}])],
        )  # fmt: skip
    policy = "appspecs-set-the-capacity-provider-strategy"
    template = WORLD["template"]
    for words, text in {
        "without a strategy": "version: 0.0\nResources:\n- TargetService: {Type: 'AWS::ECS::Service', Properties: {TaskDefinition: x}}\n",
        "with an empty strategy": "Resources:\n- TargetService: {Type: 'AWS::ECS::Service', Properties: {CapacityProviderStrategy: []}}\n",
        "that is not yaml": "Resources: [AWS::ECS::Service\n",
        "with two bases": world.APPSPEC + "      - {Base: 1, CapacityProvider: FARGATE_SPOT, Weight: 1}\n",
        "with weights of nothing": world.APPSPEC.replace("Base: 1", "Base: 0").replace("Weight: 1", "Weight: 0"),
    }.items():
        yield instead(f"an appspec {words}", policy, [template.but(content=text)], [template])
    policy = "listeners-require-tls"
    listener = WORLD["listener-443"]
    redirect = [{"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}}]
    plain = Thing(
        type=listener.type, name="listener-80", inputs={"port": 80, "protocol": "HTTP", "defaultActions": redirect},
        refers=listener.refers,
    )  # fmt: skip
    for words, bad in {
        "in plain text": plain.but(defaultActions=[{"type": "forward", "targetGroupArn": "blue"}]),
        "that redirects to plain text": plain.but(
            defaultActions=[{"type": "redirect", "redirect": {"port": "81", "protocol": "HTTP"}}]
        ),
        "with old tls": listener.but(sslPolicy="ELBSecurityPolicy-2016-08"),
        "with tls 1.1": listener.but(sslPolicy="ELBSecurityPolicy-TLS-1-1-2017-01"),
        "with tls 1.3 down to 1.0": listener.but(sslPolicy="ELBSecurityPolicy-TLS13-1-0-2021-06"),
        "that says nothing of tls": listener.but(sslPolicy=None),
    }.items():
        yield instead(f"a listener {words}", policy, [bad], [plain if bad.name == plain.name else listener])
    policy = "releases-are-not-reverted"
    for words, ignored in {
        "the task definition": ("desiredCount", "capacityProviderStrategies"),
        "the count": ("taskDefinition", "capacityProviderStrategies"),
        "the capacity": ("taskDefinition", "desiredCount"),
        "everything": (),
    }.items():
        bad = Thing(type=service.type, name="service", inputs=service.inputs, refers=service.refers, ignore=ignored)
        good = Thing(type=service.type, name="service", inputs=service.inputs, refers=service.refers, ignore=("*",))
        yield instead(f"an update that sets back {words}", policy, [bad], [good])
    bare = Thing(type=listener.type, name="listener-443", inputs=listener.inputs, refers=listener.refers)
    yield instead("an update that sets back the traffic", policy, [bare], [listener])
    yield instead(
        "a forced deployment", policy, [service.but(forceNewDeployment=True)], [service.but(forceNewDeployment=False)]
    )
    logs = WORLD["logs"]
    for words, days in {"for ever": 0, "without an end": None}.items():
        yield instead(f"logs kept {words}", "log-groups-expire", [logs.but(retentionInDays=days)], [logs])
    policy = "one-trail-records-the-hand-offs"
    second = Thing(type=trail.type, name="second-trail", inputs=trail.inputs)
    for words, more in {
        "without validation": [trail.but(enableLogFileValidation=False)],
        "that says nothing of validation": [trail.but(enableLogFileValidation=None)],
        "switched off": [trail.but(enableLogging=False)],
        "beside another": [second],
    }.items():
        yield instead(f"a trail {words}", policy, more, [trail])
