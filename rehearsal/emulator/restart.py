"""Between two updates: whether the revision of the earlier one can still be started and reached under the later one.

Tasks of it are started whenever one ends, the service grows, a Spot task is taken away, or a deployment goes back.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract import files

from . import strategy
from .declared import Declared, Service
from .ecs import asked_to_start
from .permissions import Call, Permissions

if TYPE_CHECKING:
    from pulumi_rehearsal import Rehearsal

_GONE = "no longer exists"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A released revision: the stack's template of its time, with images."""

    service: str
    definition: Mapping[str, Any]
    hooks: tuple[str, ...]
    """ARNs of the functions that its deployment calls."""
    port: int | None
    """Port on which it gets traffic; None without a load balancer."""
    rights: tuple[tuple[str, str], ...]
    """(action, resource) that its task role had."""
    kept: frozenset[str]
    """Repositories that stay in the account whether or not the stack goes on to declare them."""


def released(run: Rehearsal, name: str) -> Revision:
    """What a release under an `up` made of a service.

    Raises:
        NotDeclaredError: the stack declares no such service.
    """
    declared = Declared(run)
    service = declared.services[name]
    with zipfile.ZipFile(io.BytesIO(service.template)) as archive:
        template = {member: archive.read(member) for member in archive.namelist()}
    definition, own = json.loads(template[files.TASK_DEFINITION]), strategy.of(service)
    for container in definition["containerDefinitions"]:
        repository = service.contract.containers[container["name"]]
        container["image"] = f"{service.contract.registry}/{repository}@sha256:{'0' * 64}"
    repositories = run.all("aws:ecr/repository:Repository")
    return Revision(
        service=name,
        definition=definition,
        hooks=own.hooks(template),
        port=own.port(service, template),
        rights=tuple(_rights(declared, definition["taskRoleArn"])),
        kept=frozenset(str(r.inputs["name"]) for r in repositories if r.options.retain_on_delete),
    )


def _rights(declared: Declared, role: str) -> Iterator[tuple[str, str]]:
    for text in declared.roles[role].documents:
        for statement in json.loads(text)["Statement"]:
            yield from ((action, resource) for action in statement["Action"] for resource in statement["Resource"])


def cannot_start(revision: Revision, declared: Declared) -> list[str]:
    """Sentences about what keeps the revision from being started, reached or brought back; none where nothing does."""
    service = declared.services.get(revision.service)
    if service is None:
        return [f"The service {revision.service} {_GONE}."]
    permissions, definition = Permissions(declared), revision.definition
    for role in (definition["executionRoleArn"], definition["taskRoleArn"]):
        if role not in declared.roles:
            return [f"The role {role} {_GONE}."]
        task = declared.arn("ecs", f"task/{service.cluster}/0123456789abcdef")
        keys = {"aws:sourcearn": task, "aws:sourceaccount": declared.account}
        permissions.assume(role, ("Service", "ecs-tasks.amazonaws.com"), keys)
    for action, resource in asked_to_start(definition, declared.arn):
        permissions.call(Call(role=definition["executionRoleArn"], action=action, resources=(resource,)))
    for action, resource in revision.rights:
        permissions.call(Call(role=definition["taskRoleArn"], action=action, resources=(resource,)))
    if (caller := strategy.of(service).hook_role(service)) is not None:
        for hook in revision.hooks:
            permissions.call(Call(role=caller, action="lambda:InvokeFunction", resources=(hook,)))
    return [*permissions.problems, *_gone(revision, declared), *_unreachable(revision, service, declared)]


def _gone(revision: Revision, declared: Declared) -> Iterator[str]:
    stand = {r["name"] for r in declared.inputs("aws:ecr/repository:Repository")} | revision.kept
    groups = {g["name"] for g in declared.inputs("aws:cloudwatch/logGroup:LogGroup")}
    for container in revision.definition["containerDefinitions"]:
        repository = container["image"].partition("/")[2].partition("@")[0]
        if repository not in stand:
            yield f"The repository {repository} {_GONE}."
        if (group := container["logConfiguration"]["options"]["awslogs-group"]) not in groups:
            yield f"The log group {group} {_GONE}."


def _unreachable(revision: Revision, service: Service, declared: Declared) -> Iterator[str]:
    if revision.port is None:
        return
    balancers = [b for b in declared.inputs("aws:lb/loadBalancer:LoadBalancer") if b["name"] == service.base]
    if not balancers:
        yield f"The load balancer {service.base} {_GONE}."
        return
    tasks, balancer = service.ecs["networkConfiguration"]["securityGroups"], balancers[0]["securityGroups"]
    for kind, held, other in (("Ingress", tasks, balancer), ("Egress", balancer, tasks)):
        rules = declared.inputs(f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule")
        if not any(_opens(rule, held, other, revision.port) for rule in rules):
            way = "into the tasks" if kind == "Ingress" else "out of the load balancer"
            yield f"No rule lets port {revision.port} {way} of {service.base}."


def _opens(rule: Mapping[str, Any], held: list[str], other: list[str], port: int) -> bool:
    if rule["securityGroupId"] not in held or rule.get("referencedSecurityGroupId") not in other:
        return False
    return rule["ipProtocol"] == "tcp" and int(rule["fromPort"]) <= port <= int(rule["toPort"])
