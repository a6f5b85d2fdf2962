"""The template of a release, which infrastructure owns: task definition, the strategy's files, `release.json`.

The same rendering makes the first task definition of a service, so that the two cannot drift. CI names images and
nothing else: a task definition carries roles and commands, and whoever writes it has those roles.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import settings
from components.foundation import secrets
from components.foundation.bucket import PrivateBucket
from components.naming import ServiceNames
from components.strategy import Strategy
from contract import tags
from contract.files import APPSPEC, IMAGE_PLACEHOLDER, RELEASE, TASK_DEFINITION
from contract.release import Contract

# Answers 200 to every GET on the ports given as arguments; without one it only waits to be stopped.
_STAND_IN = """
import http.server, signal, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"waiting for the first release\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for port in sys.argv[1:]:
    server = http.server.ThreadingHTTPServer(("", int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    signal.pause()
""".strip()


def task_definition(stack: settings.Settings, service: settings.ResolvedService) -> dict[str, Any]:
    """The request of RegisterTaskDefinition, each image a placeholder (Amazon ECS API reference)."""
    names = stack.names.service(service.name)
    return {
        "family": names.base,
        "taskRoleArn": names.role_arn("task"),
        "executionRoleArn": names.role_arn("execution"),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(service.cpu),
        "memory": str(service.memory),
        "runtimePlatform": {
            "cpuArchitecture": service.architecture,
            "operatingSystemFamily": "LINUX",
        },
        "containerDefinitions": [_container(names, c) for c in service.containers],
        "volumes": [{"name": _volume(c, i)} for c in service.containers for i, _ in enumerate(c.writable_paths)],
        "tags": [
            {"key": tags.ENVIRONMENT, "value": stack.environment},
            {"key": tags.SERVICE, "value": service.name},
        ],
    }


def _volume(container: settings.Container, index: int) -> str:
    return f"{container.name}-{index}"


def _container(names: ServiceNames, container: settings.Container) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": container.name,
        "image": IMAGE_PLACEHOLDER,
        "essential": True,
        "portMappings": [{"containerPort": p, "hostPort": p, "protocol": "tcp"} for p in container.ports],
        "environment": [{"name": k, "value": v} for k, v in sorted(container.environment.items())],
        "secrets": [
            {"name": k, "valueFrom": secrets.value_from(names.stack, s)} for k, s in sorted(container.secrets.items())
        ],
        "readonlyRootFilesystem": container.readonly_root_filesystem,
        "mountPoints": [
            {"sourceVolume": _volume(container, i), "containerPath": path, "readOnly": False}
            for i, path in enumerate(container.writable_paths)
        ],
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": container.stop_timeout_seconds,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": names.log_group,
                "awslogs-region": names.stack.region,
                "awslogs-stream-prefix": "task",
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }
    if container.command:
        out["command"] = list(container.command)
    if container.user is not None:
        out["user"] = container.user
    if container.cpu is not None:
        out["cpu"] = container.cpu
    if container.memory is not None:
        out["memory"] = container.memory
    if (check := container.health_check) is not None:
        out["healthCheck"] = {
            "command": list(check.command),
            "interval": check.interval_seconds,
            "timeout": check.timeout_seconds,
            "retries": check.retries,
            "startPeriod": check.start_period_seconds,
        }
    return out


def first_revision(stack: settings.Settings, service: settings.ResolvedService) -> dict[str, Any]:
    """The same task with a stand-in in every container, for the time before the first release.

    The stand-in listens on the container's ports; it needs no secret, no user and no check of its own. Its family is
    its own: `pulumi up` registers a revision whenever the settings change, and whoever runs a task of the service's
    family without a number gets the latest, which is a release's (Amazon ECS API reference, RunTask, taskDefinition).
    """
    definition, names = task_definition(stack, service), stack.names.service(service.name)
    left_out = ("secrets", "healthCheck", "user", "command")

    def stand_in(container: dict[str, Any]) -> dict[str, Any]:
        ports = [str(p["containerPort"]) for p in container["portMappings"]]
        kept = {k: v for k, v in container.items() if k not in left_out}
        return kept | {"image": stack.stand_in_image, "command": ["python3", "-c", _STAND_IN, *ports]}

    return definition | {
        "family": names.stand_in_family,
        "containerDefinitions": [stand_in(c) for c in definition["containerDefinitions"]],
    }


def contract(stack: settings.Settings, service: settings.ResolvedService, *, appspec: bool) -> Contract:
    """What the release gate holds a hand-off against; `appspec` says whether a release has one."""
    names = stack.names.service(service.name)
    return Contract(
        environment=stack.environment,
        production=stack.production,
        account=stack.account,
        region=stack.region,
        service=service.name,
        cluster=stack.names.cluster,
        ecs_service=names.base,
        strategy=service.strategy,
        appspec=appspec,
        architecture=service.architecture,
        containers={c.name: names.repository(c.name) for c in service.containers},
        scan_threshold=stack.scan_threshold,
        scan_unsupported=stack.scan_unsupported,
    )


@dataclass(frozen=True, kw_only=True)
class TemplateArgs:
    """`Template`'s arguments: member names to texts, and the bucket that takes them zipped."""

    names: ServiceNames
    bucket: PrivateBucket
    files: dict[str, str]


class Template(pulumi.ComponentResource):
    """The template zip of one service, the second source of its pipeline."""

    def __init__(self, name: str, args: TemplateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Template", name, None, opts)
        self.object = aws.s3.BucketObjectv2(
            f"{name}-template",
            bucket=args.bucket.bucket.bucket,
            key=args.names.template_key,
            content_type="application/zip",
            source=pulumi.AssetArchive({path: pulumi.StringAsset(text) for path, text in args.files.items()}),
            # A source object without tags asks nothing of the pipeline about tags.
            override_provider={"default_tags": {"tags": {}}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.bucket.ready),
        )
        self.register_outputs({"key": self.object.key})


def files(stack: settings.Settings, service: settings.ResolvedService, strategy: Strategy) -> dict[str, str]:
    """The template's members: `taskdef.json`, `release.json`, and what the strategy adds."""
    own = strategy.template_files(stack, service)
    release = contract(stack, service, appspec=APPSPEC in own)
    return {
        TASK_DEFINITION: json.dumps(task_definition(stack, service), indent=2) + "\n",
        **own,
        RELEASE: json.dumps(release.dump(), indent=2) + "\n",
    }
