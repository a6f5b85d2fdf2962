"""The account: an emulator in process that holds what the stack declares, and a session for each of its roles.

Every call of a role's session is noted and judged before the emulator sees it. What the emulator does not know
(CodePipeline's jobs, CodeDeploy's deployments) is answered by the stub handlers registered for it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

import boto3
import botocore.loaders
import botocore.session
from moto import mock_aws
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.ecr.models import ecr_backends
from moto.ecs.models import ecs_backends

from contract import files

from . import registry, requests
from .declared import Declared, Service
from .permissions import Call, Permissions

Answer = tuple[int, dict[str, Any]]
StubHandler = Callable[[Mapping[str, Any]], Answer]

_PARAMS: Final = "rehearsed parameters"
_NOBODY: Final = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal"}


@functools.cache
def _models() -> Any:
    """The descriptions of the services, read once: they are most of what a session costs."""
    return botocore.loaders.create_loader()


class Account:
    """The emulated account of one rehearsal.

    Args:
        declared: the stack.
        permissions: judges every call.
    """

    def __init__(self, declared: Declared, permissions: Permissions) -> None:
        self.declared = declared
        self.permissions = permissions
        self.stub_handlers: dict[str, StubHandler] = {}
        """`service:Operation` to what answers it in the emulator's place."""
        self.after: dict[str, list[Callable[[Mapping[str, Any]], None]]] = defaultdict(list)
        """`service:Operation` to what happens once the emulator has done it."""
        self._roles: dict[str, str] = {}
        self._sessions: dict[str, _Credentials] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._deployments: dict[str, str] = {}
        self.live_before: dict[str, str] = {}
        """Services and the revision (`family:number`) that they run before anything is released."""
        self._boto = _session(declared.region)
        self._boto.events.register("before-parameter-build", self._read)
        self._boto.events.register("before-call", self._judge)
        self._boto.events.register("after-call", self._follow)
        self._sts = self._boto.client("sts", **_NOBODY)
        self._own = _Credentials(self._boto, self._assumed(f"arn:aws:iam::{declared.account}:role/rehearsal"))

    # ------------------------------------------------------------ who calls

    def _assumed(self, role: str) -> dict[str, str]:
        """Credentials of a role: the emulator puts what is done with them into the role's account."""
        said = self._sts.assume_role(RoleArn=role, RoleSessionName="rehearsal")["Credentials"]
        return {
            "aws_access_key_id": said["AccessKeyId"],
            "aws_secret_access_key": said["SecretAccessKey"],
            "aws_session_token": said["SessionToken"],
        }

    def credentials(self, role: str) -> dict[str, str]:
        """New credentials of a role, by which its calls are known."""
        given = self._assumed(role)
        self._roles[given["aws_access_key_id"]] = role
        return given

    def session(self, role: str) -> _Credentials:
        """What makes clients of a role; each of their calls is judged."""
        if role not in self._sessions:
            self._sessions[role] = _Credentials(self._boto, self.credentials(role))
        return self._sessions[role]

    def client(self, service: str, role: str | None = None) -> Any:
        """A client of a role, or of the rehearsal itself, which may do anything and is judged by nobody."""
        key = (service, role or "")
        if key not in self._clients:
            self._clients[key] = (self.session(role) if role else self._own).client(service)
        return self._clients[key]

    def _read(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_PARAMS] = dict(params)

    def _judge(self, model: Any, context: Mapping[str, Any], request_signer: Any, **_: Any) -> Any:
        role = self._roles.get(request_signer._credentials.access_key)  # noqa: SLF001  (nothing else tells who calls)
        if role is None:
            return None  # the rehearsal itself
        service, params = model.service_model.service_name, context[_PARAMS]
        refused = None
        try:
            for action, resources, keys in requests.required(service, model.name, params, self):
                self.permissions.call(Call(role=role, action=action, resources=resources, context=keys))
            refused = self._also_required(role, f"{service}:{model.name}", params)
        except NotImplementedError as error:
            # A handler would take it for AWS's answer and go on.
            self.permissions.report_denied(f"{role.rpartition('/')[2]}: {error}.")
        if refused is not None:
            code, message = refused
            return SimpleNamespace(status_code=400), {"Error": {"Code": code, "Message": message}}
        stub_handler = self.stub_handlers.get(f"{service}:{model.name}")
        if stub_handler is None:
            return None
        status, body = stub_handler(params)
        return SimpleNamespace(status_code=status), body

    def _follow(self, model: Any, context: Mapping[str, Any], http_response: Any, **_: Any) -> None:
        if http_response.status_code == 200:  # noqa: PLR2004
            for then in self.after.get(f"{model.service_model.service_name}:{model.name}", ()):
                then(context[_PARAMS])

    def assume_role(self, role: str, service: str, source: str) -> None:
        """An AWS service assumes a role on behalf of one of the stack's own resources, its ARN `source`."""
        keys = {"aws:sourcearn": source, "aws:sourceaccount": self.declared.account}
        self.permissions.assume(role, ("Service", service), keys)

    def record_call(self, role: str, action: str, *resources: str) -> None:
        """Record an API call that an AWS service makes under a role, for the permission check; nothing answers it."""
        self.permissions.call(Call(role=role, action=action, resources=resources or ("*",)))

    def also_required(self, role: str, call: str, params: Mapping[str, Any]) -> str:
        """Check what an AWS service's call under a role requires on other services; returns why it is refused, or "".

        Args:
            role: ARN.
            call: as a row of `authorization.callers` names it.
            params: what its rows are asked on.
        """
        refused = self._also_required(role, call, params)
        return refused[1] if refused else ""

    def _also_required(self, role: str, call: str, params: Mapping[str, Any]) -> tuple[str, str] | None:
        """The error and the sentences by which AWS refuses a call whose caller lacks something on another service."""
        refusal, sentences = "", []
        for row, (action, resources, keys) in requests.also_required(call, params, self):
            asked = Call(role=role, action=action, resources=resources, context=keys, required_by=str(row))
            if found := self.permissions.call(asked):
                refusal = refusal or row.refusal
                sentences += found
        return (refusal, " ".join(sentences)) if sentences else None

    # ------------------------------------------------------------ what requests do not say (requests.Lookup)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the stack's account and region."""
        return self.declared.arn(service, resource)

    def know_deployment(self, deployment: str, group: str) -> None:
        """Remember to which `application/group` a deployment belongs."""
        self._deployments[deployment] = group

    def group_of(self, deployment: str) -> str:
        """`application/group` of a deployment."""
        return self._deployments[deployment]

    def secret(self, name: str) -> str:
        """The whole ARN of a secret, with the six characters that Secrets Manager gives it."""
        return str(self.client("secretsmanager").describe_secret(SecretId=name)["ARN"])

    def scalable_target(self, resource_id: str) -> str:
        """The ARN of a scalable target."""
        targets = self.declared.run.all("aws:appautoscaling/target:Target")
        return next(str(t.outputs["arn"]) for t in targets if t.inputs["resourceId"] == resource_id)

    def roles_of(self, task_definition: str) -> tuple[str, ...]:
        """The ARNs of the roles of a registered task definition."""
        found = self.task_definition(task_definition)
        return tuple(found[key] for key in ("taskRoleArn", "executionRoleArn") if found.get(key))

    def key_of(self, service: str, params: Mapping[str, Any]) -> str | None:
        """The key of one's own that a declared bucket or topic is encrypted with, if it has one."""
        if service == "s3":
            declared = self.declared.inputs(
                "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
            )
            rules = [rule for one in declared if one["bucket"] == params["Bucket"] for rule in one["rules"]]
            keys = [(rule.get("applyServerSideEncryptionByDefault") or {}).get("kmsMasterKeyId") for rule in rules]
        elif service == "sns":
            name = str(params["TopicArn"]).rpartition(":")[2]
            keys = [t.get("kmsMasterKeyId") for t in self.declared.inputs("aws:sns/topic:Topic") if t["name"] == name]
        else:
            return None  # secrets and parameters are not the stack's own
        # AWS's own keys (`alias/aws/...`) let every caller in the account use them through their service.
        return next((key for key in keys if key and not key.startswith("alias/aws/")), None)

    # ------------------------------------------------------------ what it holds

    def task_definition(self, name: str) -> dict[str, Any]:
        """A registered task definition."""
        found: dict[str, Any] = self.client("ecs").describe_task_definition(taskDefinition=name)["taskDefinition"]
        return found

    def ecs_service(self, service: Service) -> dict[str, Any]:
        """The ECS service as DescribeServices gives it."""
        found: dict[str, Any] = self.client("ecs").describe_services(cluster=service.cluster, services=[service.base])
        return dict(found["services"][0])

    def subscribers(self, topic: str) -> list[str]:
        """Who reads a topic, as far as the stack declares it."""
        subscriptions = self.declared.inputs("aws:sns/topicSubscription:TopicSubscription")
        return [s["endpoint"] for s in subscriptions if s["topic"] == topic]

    def layer(self, params: Mapping[str, Any]) -> Answer:
        """GetDownloadUrlForLayer of an image's configuration, which the manifest brings along."""
        repository = ecr_backends[self.declared.account][self.declared.region].repositories[params["repositoryName"]]
        address = registry.layer_address((i.image_manifest for i in repository.images), params["layerDigest"])
        return 200, {"downloadUrl": address, "layerDigest": params["layerDigest"]}

    def emulated_service(self, service: Service) -> Any:
        """The emulator's own record of the service, whose deployments the strategies change."""
        backend = ecs_backends[self.declared.account][self.declared.region]
        return backend.services[f"{service.cluster}:{service.base}"]

    def suspended(self, service: Service) -> dict[str, bool]:
        """The suspended state of the service's scalable target."""
        backend = applicationautoscaling_backends[self.declared.account][self.declared.region]
        target = backend.targets[service.scaling["scalableDimension"]][service.scaling["resourceId"]]
        kinds = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        state: Any = target.suspended_state or {}
        return {kind: bool(state.get(kind)) for kind in kinds}

    def fill(self, *, first_release: bool) -> None:
        """Put in the account what the stack declares, and what an earlier release left unless this is the first."""
        self._buckets()
        self._repositories()
        for cluster in self.declared.inputs("aws:ecs/cluster:Cluster"):
            self.client("ecs").create_cluster(clusterName=cluster["name"])
        for topic in self.declared.inputs("aws:sns/topic:Topic"):
            self.client("sns").create_topic(Name=topic["name"])
        for service in self.declared.services.values():
            bucket, key = service.template_at
            self.client("s3").put_object(Bucket=bucket, Key=key, Body=service.template)
            revision = self._first_revision(service)
            if not first_release:
                revision = self._earlier_release(service)
            self.live_before[service.name] = revision.rpartition("/")[2]
            self._service(service, revision)

    def _buckets(self) -> None:
        s3 = self.client("s3")
        versioned = {
            v["bucket"]
            for v in self.declared.inputs("aws:s3/bucketVersioning:BucketVersioning")
            if v["versioningConfiguration"]["status"] == "Enabled"
        }
        for bucket in self.declared.inputs("aws:s3/bucket:Bucket"):
            name = bucket["bucket"]
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.declared.region})
            if name in versioned:
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def _repositories(self) -> None:
        for repository in self.declared.inputs("aws:ecr/repository:Repository"):
            self.client("ecr").create_repository(
                repositoryName=repository["name"],
                imageTagMutability=repository.get("imageTagMutability", "MUTABLE"),
                imageScanningConfiguration=repository.get("imageScanningConfiguration", {}),
            )

    def _first_revision(self, service: Service) -> str:
        """What Pulumi registers: the stand-in that runs until the first release."""
        first = service.first_revision
        said = self.client("ecs").register_task_definition(
            family=first["family"],
            taskRoleArn=first["taskRoleArn"],
            executionRoleArn=first["executionRoleArn"],
            networkMode=first["networkMode"],
            requiresCompatibilities=first["requiresCompatibilities"],
            cpu=first["cpu"],
            memory=first["memory"],
            runtimePlatform={
                "cpuArchitecture": first["runtimePlatform"]["cpuArchitecture"],
                "operatingSystemFamily": first["runtimePlatform"]["operatingSystemFamily"],
            },
            containerDefinitions=json.loads(first["containerDefinitions"]),
            volumes=[{"name": volume["name"]} for volume in first.get("volumes", [])],
        )
        return str(said["taskDefinition"]["taskDefinitionArn"])

    def _earlier_release(self, service: Service) -> str:
        """A revision of the same template with images of an earlier commit."""
        host = service.contract.registry
        commit = hashlib.sha256(f"before {service.base}".encode()).hexdigest()[:40]
        tag = f"{service.contract.environment}-{commit}"
        uris = {}
        for container, repository in service.contract.containers.items():
            digest = registry.push(self.client("ecr"), repository, tag)
            uris[container] = f"{host}/{repository}@{digest}"
        with zipfile.ZipFile(io.BytesIO(service.template)) as archive:
            definition = json.loads(archive.read(files.TASK_DEFINITION))
        for container in definition["containerDefinitions"]:
            container["image"] = uris.get(container["name"], container["image"])
        said = self.client("ecs").register_task_definition(**definition)
        return str(said["taskDefinition"]["taskDefinitionArn"])

    def _service(self, service: Service, revision: str) -> None:
        ecs, given = self.client("ecs"), service.ecs
        controller = given["deploymentController"]["type"]
        names = {"cluster": service.cluster, "service": service.base}
        ecs.create_service(
            cluster=service.cluster,
            serviceName=service.base,
            desiredCount=given["desiredCount"],
            deploymentController={"type": controller},
            # The emulator takes the revision of a service under CODE_DEPLOY from its task set, as ECS does.
            **({"taskDefinition": revision} if controller == "ECS" else {}),
        )
        if controller == "ECS":
            (deployment,) = self.emulated_service(service).deployments
            deployment |= {
                "taskDefinition": revision,
                "rolloutState": "COMPLETED",
                "runningCount": given["desiredCount"],
                "pendingCount": 0,
            }
        else:
            traffic = given["loadBalancers"][0]
            task_set = ecs.create_task_set(
                **names,
                taskDefinition=revision,
                loadBalancers=[traffic],
                networkConfiguration=awsvpc(given["networkConfiguration"]),
            )
            ecs.update_service_primary_task_set(**names, primaryTaskSet=task_set["taskSet"]["taskSetArn"])
        self.client("application-autoscaling").register_scalable_target(
            ServiceNamespace=service.scaling["serviceNamespace"],
            ResourceId=service.scaling["resourceId"],
            ScalableDimension=service.scaling["scalableDimension"],
            MinCapacity=service.scaling["minCapacity"],
            MaxCapacity=service.scaling["maxCapacity"],
            # Scheduled scaling was suspended by hand before the release, which must leave it so.
            SuspendedState={"ScheduledScalingSuspended": True},
        )

    def keep_secret(self, reference: str, value: str) -> None:
        """Store a stand-in under `secretsmanager:NAME[#KEY]` or `ssm:NAME`, ; a secret keeps its other keys."""
        source, _, name = reference.partition(":")
        if source == "ssm":
            self.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
            return
        name, _, key = name.partition("#")
        store = self.client("secretsmanager")
        try:
            kept = str(store.get_secret_value(SecretId=name)["SecretString"])
        except store.exceptions.ResourceNotFoundException:
            store.create_secret(Name=name, SecretString=(kept := "{}"))
        store.put_secret_value(
            SecretId=name, SecretString=json.dumps({**json.loads(kept), key: value}) if key else value
        )


def awsvpc(given: Mapping[str, Any]) -> dict[str, Any]:
    """The network of a declared service in Amazon ECS's words."""
    return {
        "awsvpcConfiguration": {
            "subnets": sorted(given["subnets"]),
            "securityGroups": sorted(given.get("securityGroups", [])),
            "assignPublicIp": "ENABLED" if given.get("assignPublicIp") else "DISABLED",
        }
    }


class _Credentials:
    """Somebody's credentials on the one session that all share: a session of each role would take thrice the time.

    `boto3.DEFAULT_SESSION` may be one of these, as `boto3.client` asks it for nothing but clients.
    """

    def __init__(self, session: Any, credentials: Mapping[str, str]) -> None:
        self._session, self._credentials = session, credentials

    def client(self, service: str, **options: Any) -> Any:
        """A client; the options are boto3's, and other credentials among them stand over these."""
        return self._session.client(service, **{**self._credentials, **options})


def _session(region: str) -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _models())
    return boto3.Session(botocore_session=session, region_name=region)


@contextmanager
def emulator(region: str) -> Iterator[None]:
    """AWS in process; none of the caller's own settings, credentials or sessions is seen or lost."""
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_DEFAULT_REGION": region, "AWS_CONFIG_FILE": os.devnull}
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    try:
        with mock_aws():
            yield
    finally:
        boto3.DEFAULT_SESSION = session
        os.environ.clear()
        os.environ |= before
