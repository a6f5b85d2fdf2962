"""Permissions of task and task execution roles, derived from the task definitions that name them.

Source: Amazon ECS developer guide, "Amazon ECS task execution IAM role".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policy_kit.resources import objects_in

from . import lookups
from .grants import Permission

if TYPE_CHECKING:
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity

LOG_IN: Final = Permission(actions=("ecr:getauthorizationtoken",), resources=("*",))


def for_task_execution(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What ECS does with the role before a task starts: its images, logs, secrets and environment files."""
    yield LOG_IN
    yield Permission(
        actions=("ecr:batchgetimage", "ecr:getdownloadurlforlayer", "ecr:batchchecklayeravailability"),
        resources=tuple(lookups.repositories(inventory, identity.service)),
    )
    for task_definition in lookups.executions(inventory, identity):
        for container in task_definition.containers:
            yield from _container(container, identity.resource)
    for secret in lookups.lasting(inventory, identity.service, "secrets"):
        store, _, name = secret.partition(" ")
        kind = "ssm" if store == "ssm" else "secretsmanager"
        source = f"parameter{name}" if kind == "ssm" else f"secret:{name}"
        yield from _container(
            {"secrets": [{"valueFrom": identity.resource.arn_beside(kind, source)}]}, identity.resource
        )


_REGISTRY_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[a-z0-9._/-]+)([:@].*)?"
)


def _container(container: Mapping[str, Any], role: Resource) -> Iterator[Permission]:
    image = _REGISTRY_IMAGE.fullmatch(str(container.get("image")))
    if image is not None and image["account"] == role.account:
        repository = f"arn:{role.partition}:ecr:{image['region']}:{image['account']}:repository/{image['repository']}"
        yield Permission(actions=("ecr:batchgetimage", "ecr:getdownloadurlforlayer"), resources=(repository,))
    logging = container.get("logConfiguration")
    options = logging.get("options") if isinstance(logging, Mapping) else None
    group = options.get("awslogs-group") if isinstance(options, Mapping) else None
    if isinstance(group, str):
        yield write_logs(group, role)
    for secret in objects_in(container.get("secrets")):
        source = secret.get("valueFrom")
        if not isinstance(source, str):
            continue
        if ":secretsmanager:" in source:
            # ...:secret:NAME[:json key:stage:version]; AWS adds a hyphen and six characters to a secret's name.
            base = ":".join(source.split(":")[:7])
            yield Permission(actions=("secretsmanager:getsecretvalue",), resources=(base, f"{base}-??????"))
        else:
            arn = source if source.startswith("arn:") else role.arn_beside("ssm", f"parameter/{source.lstrip('/')}")
            yield Permission(actions=("ssm:getparameters",), resources=(arn,))
    for file in objects_in(container.get("environmentFiles")):
        if isinstance(file.get("value"), str):
            yield Permission(actions=("s3:getobject",), resources=(file["value"],))


def write_logs(group: str, role: Resource) -> Permission:
    """Writing log streams of one log group."""
    base = role.arn_beside("logs", f"log-group:{group}")
    return Permission(actions=("logs:createlogstream", "logs:putlogevents"), resources=(f"{base}:*",))


def for_task(_identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """ECS Exec of its own tasks; what the application does with data is judged by `application`."""
    if any(s.props.get("enableExecuteCommand") is True for s in inventory.of("ecs.Service")):
        yield Permission(
            actions=(
                "ssmmessages:createcontrolchannel",
                "ssmmessages:createdatachannel",
                "ssmmessages:opencontrolchannel",
                "ssmmessages:opendatachannel",
            ),
            resources=("*",),
        )
