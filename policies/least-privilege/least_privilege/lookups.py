"""What belongs to a service and what runs with a role, looked up: each of these walks the stack once, for all roles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from policy_kit.resources import Resource
    from policy_kit.stack import Pipeline, TaskDefinition

    from .inventory import Inventory
    from .roles import Identity

T = TypeVar("T")


def _looked_up(
    inventory: Inventory, name: str, key: Hashable, pairs: Callable[[Inventory], Iterable[tuple[Hashable, T]]]
) -> list[T]:
    index = inventory.indexes.get(name)
    if index is None:
        index = inventory.indexes[name] = {}
        for where, value in pairs(inventory):
            index.setdefault(where, []).append(value)
    found: list[T] = index.get(key, [])
    return found


def _services_of(text: str, resource: Resource, tag: str) -> Iterator[str]:
    """The services that a resource may belong to: its tag's, otherwise each whole segment of its path-like name.

    The empty service is that of roles which all services share.
    """
    yield ""
    tagged = resource.tags.get(tag)
    yield from [tagged] if tagged else {s for s in text.split("/") if s}


def repositories(inventory: Inventory, service: str) -> list[str]:
    """ARNs of the service's repositories."""
    return _looked_up(inventory, "repositories", service, _repositories)


def _repositories(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for repository in inventory.of("ecr.Repository"):
        name = repository.text("name") or repository.name
        for service in _services_of(name, repository, inventory.settings.service_tag):
            yield service, repository.arn("ecr", f"repository/{name}")


def handoffs(inventory: Inventory, service: str) -> list[tuple[str, str]]:
    """(bucket, key) that CI of the service may put: what its pipelines read and the stack does not write itself."""
    declared = [uri.removeprefix("s3://").partition("/") for uri in inventory.settings.handoffs]
    own = _looked_up(inventory, "handoffs", service, _handoffs)
    return [*own, *((bucket, key) for bucket, _, key in declared)]


def _handoffs(inventory: Inventory) -> Iterator[tuple[str, tuple[str, str]]]:
    own = {(inventory.bucket_name(o), o.text("key")) for o in inventory.of("s3.BucketObject", "s3.ObjectCopy")}
    for pipeline in inventory.pipelines:
        for action in pipeline.actions:
            bucket, key = action.text("S3Bucket"), action.text("S3ObjectKey")
            if (action.category, action.provider) == ("Source", "S3") and bucket and key and (bucket, key) not in own:
                for service in _services_of(key, pipeline.resource, inventory.settings.service_tag):
                    yield service, (bucket, key)


def bucket_keys(inventory: Inventory, bucket: str) -> list[str]:
    """ARNs of the customer keys that encrypt a bucket."""
    return _looked_up(inventory, "bucket keys", bucket, _bucket_keys)


def _bucket_keys(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for encryption in inventory.of("s3.BucketServerSideEncryptionConfiguration"):
        for rule in encryption.objects("rules"):
            default = rule.get("applyServerSideEncryptionByDefault")
            key = default.get("kmsMasterKeyId") if isinstance(default, Mapping) else None
            if isinstance(key, str) and ":key/" in key:
                yield inventory.bucket_name(encryption), key


def pipelines(inventory: Inventory, identity: Identity) -> list[Pipeline]:
    """The pipelines that act with the role, themselves or in one of their actions."""
    return _looked_up(inventory, "pipelines", id(identity), _pipelines)


def _pipelines(inventory: Inventory) -> Iterator[tuple[int, Pipeline]]:
    for pipeline in inventory.pipelines:
        resource = pipeline.resource
        roles = inventory.roles_in(resource, "roleArn", resource.props.get("roleArn"))
        for action in pipeline.actions:
            roles = [*roles, *inventory.roles_in(resource, "stages", action.role)]
        for role in dict.fromkeys(map(id, roles)):
            yield role, pipeline


def topics_of_approvals(inventory: Inventory) -> list[str]:
    """ARNs of the topics that the pipelines' stages refer to."""
    return list(dict.fromkeys(_looked_up(inventory, "topics", "", _topics)))


def _topics(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for pipeline in inventory.of("codepipeline.Pipeline"):
        for topic in pipeline.refers.get("stages", ()):
            if topic.kind == "sns.Topic":
                yield "", topic.arn("sns", topic.text("name") or topic.name)


def run_with(inventory: Inventory, identity: Identity, kind: str, key: str) -> list[Resource]:
    """The resources of a kind that name the role in one property."""

    def pairs(inventory: Inventory) -> Iterator[tuple[int, Resource]]:
        for resource in inventory.of(kind):
            for role in inventory.roles_in(resource, key, resource.props.get(key)):
                yield id(role), resource

    return _looked_up(inventory, f"{kind} by {key}", id(identity), pairs)


def functions(inventory: Inventory, service: str) -> list[Resource]:
    """The functions whose role belongs to the service."""
    return _looked_up(inventory, "functions", service, lambda i: _by_role(i, "lambda.Function", "role"))


def invoke_configurations(inventory: Inventory, function: Resource) -> list[Resource]:
    """How the function's asynchronous invocations are tried again and given up."""

    def pairs(inventory: Inventory) -> Iterator[tuple[str, Resource]]:
        for configuration in inventory.of("lambda.FunctionEventInvokeConfig"):
            named = {configuration.text("functionName").rsplit(":", 1)[-1]}
            named |= {f.text("name") or f.name for f in configuration.refers.get("functionName", ())}
            for name in named - {""}:
                yield name, configuration

    return _looked_up(inventory, "invoke configurations", function.text("name") or function.name, pairs)


def groups(inventory: Inventory, service: str) -> list[Resource]:
    """The deployment groups whose role belongs to the service."""
    kind = "codedeploy.DeploymentGroup"
    return _looked_up(inventory, "groups", service, lambda i: _by_role(i, kind, "serviceRoleArn"))


def _by_role(inventory: Inventory, kind: str, key: str) -> Iterator[tuple[str, Resource]]:
    for resource in inventory.of(kind):
        services = {r.service for r in inventory.roles_in(resource, key, resource.props.get(key))}
        for service in {"", *services}:
            yield service, resource


def configurations(inventory: Inventory, group: str) -> list[str]:
    """Names of the deployment configurations of the groups of that name."""

    def pairs(inventory: Inventory) -> Iterator[tuple[str, str]]:
        for found in inventory.of("codedeploy.DeploymentGroup"):
            if found.text("deploymentConfigName"):
                yield found.text("deploymentGroupName"), found.text("deploymentConfigName")

    return _looked_up(inventory, "configurations", group, pairs)


def families(inventory: Inventory, service: str) -> list[str]:
    """Families of the service's task definitions, by the roles that they run with."""

    def pairs(inventory: Inventory) -> Iterator[tuple[str, str]]:
        for task_definition in inventory.task_definitions:
            for own in {"", *_services(inventory, task_definition)}:
                if task_definition.family:
                    yield own, task_definition.family

    return list(dict.fromkeys(_looked_up(inventory, "families", service, pairs)))


def _services(inventory: Inventory, task_definition: TaskDefinition) -> set[str]:
    keys = ("taskRoleArn", "executionRoleArn")
    return {role.service for key in keys for role in inventory.task_roles(task_definition, key)}


def lasting(inventory: Inventory, service: str, part: str) -> list[str]:
    """What revisions of the service need besides what the stack's templates name, as the stack declares it.

    `part` is `secrets` (of earlier revisions; `ssm NAME` or `secretsManager NAME`) or `hooks` (functions of the
    service's own, of any revision).
    """
    out: list[str] = []
    for needs in inventory.of("ecs-release:index:Needs"):
        services = needs.props.get("services")
        own = services.get(service) if isinstance(services, Mapping) else None
        for kind in ("retiring",) if part == "secrets" else ("used", "retiring"):
            listed = own.get(kind) if isinstance(own, Mapping) else None
            found = listed.get(part) if isinstance(listed, Mapping) else None
            out += [one for one in found or () if isinstance(one, str)]
    return out


def executions(inventory: Inventory, identity: Identity) -> list[TaskDefinition]:
    """The task definitions whose tasks the role starts."""

    def pairs(inventory: Inventory) -> Iterator[tuple[int, TaskDefinition]]:
        for task_definition in inventory.task_definitions:
            for role in inventory.task_roles(task_definition, "executionRoleArn"):
                yield id(role), task_definition

    return _looked_up(inventory, "executions", id(identity), pairs)


def task_roles(inventory: Inventory, service: str) -> list[str]:
    """ARNs of the service's task and execution roles."""

    def pairs(inventory: Inventory) -> Iterator[tuple[str, str]]:
        for identity in inventory.identities:
            if identity.purpose in ("task", "task-execution"):
                for own in {"", identity.service}:
                    yield own, identity.arn

    return _looked_up(inventory, "task roles", service, pairs)


def ecs_services(inventory: Inventory, service: str) -> list[str]:
    """ARNs of the ECS services that run the service's task definitions."""
    return _looked_up(inventory, "ecs services", service, _ecs_services)


def _ecs_services(inventory: Inventory) -> Iterator[tuple[str, str]]:
    by_resource: dict[int, list[TaskDefinition]] = {}
    by_family: dict[str, list[TaskDefinition]] = {}
    for task_definition in inventory.task_definitions:
        by_resource.setdefault(id(task_definition.resource), []).append(task_definition)
        by_family.setdefault(task_definition.family, []).append(task_definition)
    for resource in inventory.of("ecs.Service"):
        stated = resource.text("taskDefinition").rsplit("/", 1)[-1].split(":", 1)[0]
        found = [r for d in resource.refers.get("taskDefinition", ()) for r in by_resource.get(id(d), ())]
        found += by_family.get(stated, []) if stated else []
        cluster = resource.text("cluster").rsplit("/", 1)[-1]
        if not cluster:
            names = (c.text("name") or c.text("clusterName") for c in resource.refers.get("cluster", ()))
            cluster = next((n for n in names if n), "")
        path = f"service/{cluster}/{resource.text('name') or resource.name}"
        for service in {"", *(s for t in found for s in _services(inventory, t))}:
            yield service, resource.arn_beside("ecs", path)
