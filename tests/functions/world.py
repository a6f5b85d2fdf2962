"""One service's world for the gate: an emulated account, what infrastructure put there, what CI pushed."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from types import SimpleNamespace

from moto.ecr.models import ecr_backends

from functions.gate import release_gate
from tests.functions.emulator import ACCOUNT, REGION, Emulator, context

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f80910213243"
BUCKET = "prod-ecsartifacts"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
CREDENTIALS = {
    "accessKeyId": "ASIAJOBACCESSKEY",
    "secretAccessKey": "the-job-secret",
    "sessionToken": "the-job-token",
}

RELEASE = {
    "version": 1,
    "environment": "prod",
    "production": True,
    "account": ACCOUNT,
    "region": REGION,
    "service": "api",
    "cluster": "prod",
    "ecsService": "prod-api",
    "strategy": "blue-green",
    "appspec": True,
    "architecture": "ARM64",
    "containers": {"nginx": {"repository": "prod/api/nginx"}, "app": {"repository": "prod/api/app"}},
    "scan": {"threshold": "HIGH", "unsupported": "refuse"},
}
TASKDEF = {
    "family": "prod-api",
    "networkMode": "awsvpc",
    "cpu": "512",
    "memory": "1024",
    "requiresCompatibilities": ["FARGATE"],
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "containerDefinitions": [
        {"name": "nginx", "image": "<IMAGE>", "essential": True, "memory": 256},
        {"name": "app", "image": "<IMAGE>", "essential": True, "memory": 512},
    ],
}
APPSPEC = """version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "<TASK_DEFINITION>"
        LoadBalancerInfo:
          ContainerName: nginx
          ContainerPort: 80
        CapacityProviderStrategy:
          - CapacityProvider: FARGATE
            Base: 1
            Weight: 1
        NetworkConfiguration: <NETWORK>
"""
NETWORK = {"subnets": ["subnet-0a1b2c3d", "subnet-4e5f6071"], "securityGroups": ["sg-0a1b2c3d4e5f60718"]}


def sha(data):
    return f"sha256:{hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()}"


def uri(container, commit=COMMIT, **parts):
    tag = parts.get("tag", f"{parts.get('env', 'prod')}-{commit}")
    return f"{REGISTRY}/prod/api/{container}:{tag}"


def entry(container, image=None):
    return {"name": container, "imageUri": uri(container) if image is None else image}


def both(**images):
    """A whole hand-off, with the images of some containers replaced."""
    return [entry("nginx", images.get("nginx")), entry("app", images.get("app"))]


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes | str) else json.dumps(content))
    return buffer.getvalue()


def hand_off(document):
    return zipped({"imagedefinitions.json": document})


def template(release=None, taskdef=None, appspec=APPSPEC):
    members = {"release.json": release or RELEASE, "taskdef.json": taskdef or TASKDEF}
    return zipped(members if appspec is None else {**members, "appspec.yaml": appspec})


class World(Emulator):
    """Give it a hand-off, ask what the gate said to CodePipeline."""

    def __init__(self):
        super().__init__()
        self.answers = []
        self.blobs = {}
        self.replies = {
            ("codepipeline", "PutJobSuccessResult"): self._take_answer,
            ("codepipeline", "PutJobFailureResult"): self._take_answer,
            ("ecr", "GetDownloadUrlForLayer"): self._layer_address,
        }
        self.s3, self.ecr, self.ecs = self.client("s3"), self.client("ecr"), self.client("ecs")

    def furnish(self):
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for container in ("app", "nginx"):
            self.ecr.create_repository(repositoryName=f"prod/api/{container}")
        self.ecs.create_cluster(clusterName="prod")
        self.put("Template", template())

    def _take_answer(self, model, params):
        self.answers.append((model.name, json.loads(params["body"])))
        return SimpleNamespace(status_code=200), {}

    def _layer_address(self, _, params):
        digest = json.loads(params["body"])["layerDigest"]
        return SimpleNamespace(status_code=200), {"downloadUrl": f"layer://{digest}", "layerDigest": digest}

    def fetch(self, address, cap):
        return self.blobs[address.removeprefix("layer://")][:cap]

    def put(self, name, data):
        self.s3.put_object(Bucket=BUCKET, Key=name, Body=data)

    def push_manifest(self, container, tag, manifest):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        optional = {"imageTag": tag} if tag else {}
        media = manifest.get("mediaType", MANIFEST) if isinstance(manifest, dict) else MANIFEST
        self.ecr.put_image(
            repositoryName=f"prod/api/{container}",
            imageManifest=text,
            imageManifestMediaType=media,
            imageDigest=sha(text),
            **optional,
        )
        return sha(text)

    def push_image(self, container, tag, machine, seed="", os="linux"):
        """Push one manifest with its configuration."""
        config = json.dumps({"os": os, "architecture": machine, "seed": f"{container}{tag}{seed}"}).encode()
        self.blobs[sha(config)] = config
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": sha(config), "size": len(config)},
            "layers": [],
        }
        return self.push_manifest(container, tag, manifest)

    def push_index(self, container, tag, machines=("amd64", "arm64"), extra=(), seed=""):
        """Push an index as buildx does; returns its digest and the children's by machine."""
        children = {machine: self.push_image(container, None, machine, f"{tag}{seed}") for machine in machines}
        manifests = [
            {"mediaType": MANIFEST, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": m}}
            for m, digest in children.items()
        ]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*manifests, *extra]}
        return self.push_manifest(container, tag, index), children

    def scanned(self, container, digest, counts=None, status="COMPLETE", description=""):
        backend = ecr_backends[ACCOUNT][REGION]
        image = backend.repositories[f"prod/api/{container}"]._get_image(None, digest)
        image.last_scan = image.last_scan or datetime(2026, 11, 21, tzinfo=UTC)
        image.scan_finding_results = {
            json.dumps({"imageDigest": digest}): {
                "imageScanStatus": {"status": status, "description": description},
                "imageScanFindings": {"findingSeverityCounts": counts or {}},
            }
        }

    def push_good(self, commit=COMMIT):
        """Push both containers, scanned without findings; returns the digests of the indexes."""
        digests = {}
        for container in ("nginx", "app"):
            digests[container], children = self.push_index(container, f"prod-{commit}")
            self.scanned(container, children["arm64"])
        return digests

    @staticmethod
    def job_data(token=None, key=None, service="api", network=NETWORK, **changed):
        def place(name):
            location = {"type": "S3", "s3Location": {"bucketName": BUCKET, "objectKey": name}}
            return {"revision": None, "name": name, "location": location}

        parameters = {
            "FunctionName": "prod-api-gate",
            "UserParameters": json.dumps({"service": service, "network": network}),
        }
        return {
            "actionConfiguration": {"configuration": parameters},
            "inputArtifacts": [place("Handoff"), place("Template")],
            "outputArtifacts": [place("Release")],
            "artifactCredentials": CREDENTIALS,
            **({"continuationToken": token} if token else {}),
            **({"encryptionKey": {"id": key, "type": "KMS"}} if key else {}),
            **changed,
        }

    def job(self, number=1, **data):
        job = {"id": f"11111111-2222-3333-4444-{number:012}", "accountId": ACCOUNT, "data": self.job_data(**data)}
        return {"CodePipeline.job": job}

    def register(self, digests):
        """Register the task definition that an earlier release rendered."""
        containers = [
            {**one, "image": f"{REGISTRY}/prod/api/{one['name']}@{digests[one['name']]}"}
            for one in TASKDEF["containerDefinitions"]
        ]
        task = self.ecs.register_task_definition(**{**TASKDEF, "containerDefinitions": containers})
        return task["taskDefinition"]["taskDefinitionArn"]

    def run(self, digests, controller):
        """Let the service run a task definition that an earlier release rendered."""
        name = self.register(digests)
        own = {"taskDefinition": name} if controller == "ECS" else {}
        self.ecs.create_service(
            cluster="prod",
            serviceName="prod-api",
            desiredCount=1,
            launchType="FARGATE",
            deploymentController={"type": controller},
            **own,
        )
        if controller == "CODE_DEPLOY":
            common = {"cluster": "prod", "service": "prod-api"}
            first = self.ecs.create_task_set(**common, taskDefinition=name)["taskSet"]["taskSetArn"]
            self.ecs.update_service_primary_task_set(**common, primaryTaskSet=first)

    def gate(self, data=None, *, milliseconds=60_000, **job):
        """Run the handler on a hand-off (bytes of the archive, or the document); return the one answer."""
        if data is not None:
            self.put("Handoff", data if isinstance(data, bytes) else hand_off(data))
        before = len(self.answers)
        release_gate.handler(self.job(**job), context(milliseconds))
        (answer,) = self.answers[before:]
        return answer

    def refused(self, data=None, **job):
        """Run the handler and return the sentence it refused with."""
        operation, body = self.gate(data, **job)
        assert operation == "PutJobFailureResult", body
        return body["failureDetails"]["message"]

    def released(self):
        """The files of the Release artifact, None when none was written."""
        try:
            data = self.s3.get_object(Bucket=BUCKET, Key="Release")["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        archive = zipfile.ZipFile(io.BytesIO(data))
        return {name: archive.read(name) for name in archive.namelist()}
