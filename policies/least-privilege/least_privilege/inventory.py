"""Who is in a stack: its identities with everything that is attached to them, and its resource policies.

Built once from a stack's resources; every rule reads this and walks no resources of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

from policy_kit.conditions import source_accounts
from policy_kit.resources import UNKNOWN, Resource, objects_in
from policy_kit.stack import Stack, TaskDefinition

from .resource_policies import resource_policies
from .roles import Identity, Source
from .settings import Settings

# `- AfterAllowTestTraffic: NAME`, the name quoted or not, or the end of an ARN. Source: CodeDeploy user guide, "AppSpec
# 'hooks' section for an Amazon ECS deployment".
_HOOK = re.compile(
    r"""(?:BeforeInstall|AfterInstall|AfterAllowTestTraffic|BeforeAllowTraffic|AfterAllowTraffic)["']?\s*:\s*"""
    r"""["']?(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d+:function:)?([\w-]+)""",
)
# Services that say on whose behalf they assume a role (IAM user guide, "The confused deputy problem", and their own
# guides: CodeDeploy, CodePipeline, ECS, EventBridge and CloudTrail on confused deputies).
GUARDED_SERVICES: Final = frozenset(
    {
        "cloudtrail.amazonaws.com",
        "codedeploy.amazonaws.com",
        "codepipeline.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "events.amazonaws.com",
        "scheduler.amazonaws.com",
    },
)
AWS_MANAGED: Final = ":iam::aws:policy/"


class Inventory(Stack):
    """A stack's identities and documents."""

    def __init__(self, resources: Iterable[Resource], settings: Settings) -> None:
        super().__init__(resources)
        self.settings = settings
        if len(settings.accounts) == 1:
            for resource in self.resources:
                resource.account = resource.account or settings.accounts[0]
        self.indexes: dict[str, dict[Any, Any]] = {}
        """What `lookups` has found out, by its name."""
        self.identities = [self._identity(r) for r in self.of("iam.Role")]
        self._by_name = {i.name: i for i in self.identities}
        self._by_resource = {id(i.resource): i for i in self.identities}
        self._policies_by_arn = {self.policy_arn(p): p for p in self.of("iam.Policy")}
        self.orphans: list[tuple[Resource, str]] = []
        """(attaching resource, role) of attachments to roles that the stack does not hold."""
        self.unknown_attachments: list[tuple[Resource, str]] = []
        """(attaching resource, property) of attachments whose role is not known yet."""
        self._attach()

    def bucket_name(self, resource: Resource) -> str:
        """Name of the bucket that a resource configures; empty when it is not known."""
        if resource.text("bucket"):
            return resource.text("bucket")
        bucket = self.bucket_of(resource)
        return bucket.text("bucket") if bucket else ""

    @staticmethod
    def policy_arn(policy: Resource) -> str:
        """ARN of a customer managed policy."""
        path = policy.text("path") or "/"
        return policy.arn("iam", f"policy{path}{policy.text('name') or policy.name}", regional=False)

    def _identity(self, role: Resource) -> Identity:
        trust = role.props.get("assumeRolePolicy")
        out = Identity(
            resource=role,
            settings=self.settings,
            trust=Source(resource=role, via="trust policy", value=trust, principals=True) if trust else None,
        )
        for inline in role.objects("inlinePolicies"):
            # What the provider reads back of a role is judged where the stack gives it.
            elsewhere = role.written_back("inlinePolicies") and (role.text("name"), inline.get("name")) in self._inline
            if inline.get("policy") is not None and not elsewhere:
                via = f"inline policy {inline.get('name', '')}".rstrip()
                out.sources.append(Source(resource=role, via=via, value=inline["policy"]))
        return out

    @cached_property
    def _inline(self) -> frozenset[tuple[str, str]]:
        """(role, name) of the inline policies that other resources of the stack give."""
        return frozenset((p.text("role"), p.text("name")) for p in self.of("iam.RolePolicy"))

    def _attach(self) -> None:
        for policy in self.of("iam.RolePolicy"):
            source = Source(
                resource=policy,
                via=f"inline policy {policy.text('name') or policy.name}",
                value=policy.props.get("policy"),
            )
            for identity in self._roles(policy, "role"):
                identity.sources.append(source)
        for attachment in self.of("iam.RolePolicyAttachment"):
            for identity in self._roles(attachment, "role"):
                self._managed(identity, attachment, "policyArn")
        for attachment in self.of("iam.PolicyAttachment"):
            for identity in self._roles(attachment, "roles"):
                self._managed(identity, attachment, "policyArn")
        for attachment in self.of("iam.RolePolicyAttachmentsExclusive"):
            for identity in self._roles(attachment, "roleName"):
                self._managed(identity, attachment, "policyArns")
        for identity in self.identities:
            self._managed(identity, identity.resource, "managedPolicyArns")
            self._bound(identity)

    def _roles(self, resource: Resource, key: str) -> Iterator[Identity]:
        value = resource.props.get(key)
        for item in value if isinstance(value, list) else [value]:
            if item is None:
                continue
            if isinstance(item, str):
                identity = self._by_name.get(item.rsplit("/", 1)[-1])
                if identity:
                    yield identity
                else:
                    self.orphans.append((resource, item))
                continue
            referred = [r for r in resource.refers.get(key, ()) if r.kind == "iam.Role"]
            for role in referred:
                yield self._by_resource[id(role)]
            if not referred:
                self.unknown_attachments.append((resource, key))

    def _managed(self, identity: Identity, resource: Resource, key: str) -> None:
        value = resource.props.get(key)
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, str):
                policy = self._policies_by_arn.get(item)
                if policy is None:
                    identity.managed.append((resource, item))
                elif all(s.resource is not policy for s in identity.sources):
                    identity.sources.append(self._policy_source(policy))
        if UNKNOWN in items:
            referred = [r for r in resource.refers.get(key, ()) if r.kind == "iam.Policy"]
            identity.sources += [self._policy_source(p) for p in referred]
            if not referred:
                identity.unresolved.append((resource, key))

    def roles_in(self, resource: Resource, key: str, value: Any) -> list[Identity]:
        """The stack's roles that a value names: by ARN, or while it is unknown those that the property refers to."""
        if isinstance(value, str):
            identity = self.by_arn.get(value)
            return [identity] if identity else []
        if value is UNKNOWN:
            return [self._by_resource[id(r)] for r in resource.refers.get(key, ()) if id(r) in self._by_resource]
        return []

    @cached_property
    def functions_in_pipelines(self) -> dict[str, str]:
        """Function name to `deploy` or `verify`, for the functions that pipelines call.

        A function deploys when it is called in the last stage of a pipeline that has no Deploy action of AWS's own.
        """
        out: dict[str, str] = {}
        for pipeline in self.pipelines:
            deploys = any(a.category == "Deploy" for a in pipeline.actions)
            last = max((a.order[0] for a in pipeline.actions), default=0)
            for action in pipeline.actions:
                if action.provider == "Lambda" and action.text("FunctionName"):
                    at_last = action.order[0] == last and not deploys
                    out[action.text("FunctionName")] = "deploy" if at_last else "verify"
        return out

    def pipelines_calling(self, function: str) -> Iterator[str]:
        """ARNs of the pipelines that call this function."""
        for pipeline in self.pipelines:
            if any(a.provider == "Lambda" and a.text("FunctionName") == function for a in pipeline.actions):
                yield pipeline.resource.arn_beside("codepipeline", pipeline.name)

    def task_roles(self, task_definition: TaskDefinition, key: str) -> list[Identity]:
        """The stack's roles that a task definition names as its `taskRoleArn` or `executionRoleArn`."""
        referring = "source" if task_definition.template else key
        return self.roles_in(task_definition.resource, referring, task_definition.document.get(key))

    def targets_of(self, resource: Resource) -> list[Resource]:
        """The event targets that a resource of the stack is."""
        return self._targets.get(id(resource), []) + self._targets_by_arn.get(resource.text("arn"), [])

    @cached_property
    def _targets(self) -> dict[int, list[Resource]]:
        out: dict[int, list[Resource]] = {}
        for target in self.of("cloudwatch.EventTarget"):
            for aim in target.refers.get("arn", ()):
                out.setdefault(id(aim), []).append(target)
        return out

    @cached_property
    def _targets_by_arn(self) -> dict[str, list[Resource]]:
        out: dict[str, list[Resource]] = {}
        for target in self.of("cloudwatch.EventTarget"):
            if target.text("arn") and not target.refers.get("arn"):
                out.setdefault(target.text("arn"), []).append(target)
        return out

    @cached_property
    def parameters_of_tasks(self) -> frozenset[str]:
        """ARNs of the parameters that tasks read as secrets."""
        return frozenset(
            str(secret.get("valueFrom"))
            for task_definition in self.task_definitions
            for container in task_definition.containers
            for secret in objects_in(container.get("secrets"))
        )

    @cached_property
    def hooks(self) -> frozenset[str]:
        """Names of the functions that the stack's AppSpecs call."""
        words = {word for _, text in self.appspec_texts for word in _HOOK.findall(text)}
        return frozenset(f.text("name") for f in self.of("lambda.Function") if f.text("name") in words)

    def _policy_source(self, policy: Resource) -> Source:
        name = policy.text("name") or policy.name
        return Source(resource=policy, via=f"managed policy {name}", value=policy.props.get("policy"))

    def _bound(self, identity: Identity) -> None:
        value = identity.resource.props.get("permissionsBoundary")
        policy = self._policies_by_arn.get(value) if isinstance(value, str) else None
        if value is UNKNOWN:
            referred = identity.resource.refers.get("permissionsBoundary", ())
            policy = next((r for r in referred if r.kind == "iam.Policy"), None)
        if policy:
            identity.boundary = self._policy_source(policy)

    @cached_property
    def by_arn(self) -> dict[str, Identity]:
        """The stack's roles by ARN."""
        return {i.arn: i for i in self.identities}

    @cached_property
    def boundaries(self) -> frozenset[int]:
        """`id()` of the policies that only bound roles: such a policy grants nothing."""
        attached = {id(s.resource) for i in self.identities for s in i.sources}
        return frozenset(
            id(i.boundary.resource)
            for i in self.identities
            if i.boundary is not None and id(i.boundary.resource) not in attached
        )

    @cached_property
    def guards_services(self) -> bool:
        """Whether the stack holds services to its own resources: some role's trust does, so every one has to."""
        return any(
            source_accounts(statement)
            for identity in self.identities
            for statement in (identity.trust.allows if identity.trust else ())
            if statement.principals is not None and set(statement.principals.of("Service")) & GUARDED_SERVICES
        )

    @cached_property
    def accounts(self) -> frozenset[str]:
        """The stack's own accounts: those its providers are held to, and those of the configuration."""
        found = {r.account for r in self.resources if r.account}
        return frozenset(found | set(self.settings.accounts))

    @cached_property
    def resource_policies(self) -> list[Source]:
        """Every policy of a resource that names principals."""
        return resource_policies(self)

    @cached_property
    def documents(self) -> list[Source]:
        """Every IAM document of the stack, once."""
        out: list[Source] = []
        seen: set[tuple[int, str]] = set()
        identity_documents = [
            *(s for i in self.identities for s in ([i.trust] if i.trust else []) + i.sources),
            *(self._policy_source(p) for p in self.of("iam.Policy")),
            *(
                Source(resource=p, via=f"inline policy {p.text('name') or p.name}", value=p.props.get("policy"))
                for p in self.of("iam.RolePolicy", "iam.UserPolicy", "iam.GroupPolicy")
            ),
        ]
        for source in (*identity_documents, *self.resource_policies):
            key = (id(source.resource), source.via)
            if key not in seen:
                seen.add(key)
                out.append(source)
        return out
