"""Who is in a stack: its identities with everything that is attached to them, and its resource policies.

Built once from a stack's resources; every rule reads this and walks no resources of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

from policy_kit.conditions import source_accounts
from policy_kit.documents import Document, DocumentError, Statement, parse
from policy_kit.resources import UNKNOWN, Resource, by_kind, holds_unknown

from . import written_back
from .settings import PURPOSES, Purpose, Settings

# Resources whose policy says who may use them, and the properties that hold it. Source: the resources' pages in the
# Pulumi registry (aws). VPC endpoints are left out: their policy narrows what identities may do and grants nothing.
RESOURCE_POLICIES: Final[Mapping[str, tuple[str, ...]]] = {
    "s3.Bucket": ("policy",),
    "s3.BucketPolicy": ("policy",),
    "s3.AccessPoint": ("policy",),
    "s3control.AccessPointPolicy": ("policy",),
    "s3control.BucketPolicy": ("policy",),
    "s3control.MultiRegionAccessPointPolicy": ("details",),
    "s3control.ObjectLambdaAccessPointPolicy": ("policy",),
    "s3tables.TableBucketPolicy": ("resourcePolicy",),
    "s3tables.TablePolicy": ("resourcePolicy",),
    "kms.Key": ("policy",),
    "kms.KeyPolicy": ("policy",),
    "kms.ExternalKey": ("policy",),
    "kms.ReplicaKey": ("policy",),
    "kms.ReplicaExternalKey": ("policy",),
    "ecr.RepositoryPolicy": ("policy",),
    "ecr.RegistryPolicy": ("policy",),
    "ecr.RepositoryCreationTemplate": ("repositoryPolicy",),
    "sns.Topic": ("policy",),
    "sns.TopicPolicy": ("policy",),
    "sqs.Queue": ("policy",),
    "sqs.QueuePolicy": ("policy",),
    "secretsmanager.Secret": ("policy",),
    "secretsmanager.SecretPolicy": ("policy",),
    "cloudwatch.EventBusPolicy": ("policy",),
    "cloudwatch.LogResourcePolicy": ("policyDocument",),
    "cloudwatch.LogDestinationPolicy": ("accessPolicy",),
    "schemas.RegistryPolicy": ("policy",),
    "codebuild.ResourcePolicy": ("policy",),
    "codeartifact.DomainPermissions": ("policyDocument",),
    "codeartifact.RepositoryPermissionsPolicy": ("policyDocument",),
    "dynamodb.ResourcePolicy": ("policy",),
    "efs.FileSystemPolicy": ("policy",),
    "backup.VaultPolicy": ("policy",),
    "glue.ResourcePolicy": ("policy",),
    "kinesis.ResourcePolicy": ("policy",),
    "opensearch.Domain": ("accessPolicies",),
    "opensearch.DomainPolicy": ("accessPolicies",),
    "elasticsearch.Domain": ("accessPolicies",),
    "elasticsearch.DomainPolicy": ("accessPolicies",),
    "apigateway.RestApi": ("policy",),
    "apigateway.RestApiPolicy": ("policy",),
    "ses.IdentityPolicy": ("policy",),
    "sesv2.EmailIdentityPolicy": ("policy",),
    "ssm.ResourcePolicy": ("policy",),
    "iot.Policy": ("policy",),
    "media.ContainerPolicy": ("policy",),
    "mediastore.ContainerPolicy": ("policy",),
    "acmpca.Policy": ("policy",),
    "rolesanywhere.TrustAnchor": (),
    "vpclattice.AuthPolicy": ("policy",),
    "vpclattice.ResourcePolicy": ("policy",),
    "glacier.Vault": ("accessPolicy",),
    "transfer.Access": ("policy",),
    "msk.ClusterPolicy": ("policy",),
    "lex.ResourcePolicy": ("policy",),
    "redshift.ResourcePolicy": ("policy",),
    "redshiftserverless.ResourcePolicy": ("policy",),
    "networkfirewall.ResourcePolicy": ("policy",),
    "organizations.ResourcePolicy": ("content",),
    "verifiedaccess.Group": ("policyDocument",),
}
_GENERIC_PROPERTIES: Final = ("policy", "policyDocument", "resourcePolicy", "accessPolicy", "accessPolicies")
_NOT_RESOURCE_POLICIES: Final = frozenset(
    {
        "iam.Policy",
        "iam.RolePolicy",
        "iam.UserPolicy",
        "iam.GroupPolicy",
        "ec2.VpcEndpoint",
        "ec2.VpcEndpointPolicy",
        "ecr.LifecyclePolicy",
        "dlm.LifecyclePolicy",
        "s3.BucketLifecycleConfiguration",
    },
)
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


@dataclass(frozen=True, kw_only=True)
class Source:
    """A document, where it stands, and how it reaches whom it concerns."""

    resource: Resource
    via: str
    """In words: `inline policy ci`, `managed policy deploy`."""
    value: Any
    principals: bool = False

    @property
    def unknown(self) -> bool:
        """Whether the document, or a part of it, is computed by the provider."""
        return holds_unknown(self.value)

    @cached_property
    def parsed(self) -> Document | DocumentError:
        """The document, or why it cannot be understood."""
        if not isinstance(self.value, str | Mapping):
            return DocumentError("it is neither JSON text nor an object")
        try:
            return parse(self.value, principals=self.principals)
        except DocumentError as error:
            return error

    @property
    def allows(self) -> tuple[Statement, ...]:
        """What it grants; nothing while it is unknown or cannot be understood (other rules say so)."""
        if self.unknown or isinstance(self.parsed, DocumentError):
            return ()
        return self.parsed.allows


@dataclass(kw_only=True, eq=False)
class Identity:
    """A role with its trust and everything attached to it."""

    resource: Resource
    settings: Settings
    trust: Source | None
    sources: list[Source] = field(default_factory=list)
    managed: list[tuple[Resource, str]] = field(default_factory=list)
    """(attaching resource, ARN) of managed policies that the stack does not hold."""
    unresolved: list[tuple[Resource, str]] = field(default_factory=list)
    """(attaching resource, property) of managed policies that are not known yet."""
    boundary: Source | None = None
    """The permissions boundary, where the stack holds it."""

    @cached_property
    def name(self) -> str:
        """Role name; the logical name where it is not known."""
        return self.resource.text("name") or self.resource.name

    @cached_property
    def arn(self) -> str:
        """Role ARN."""
        path = self.resource.text("path") or "/"
        return self.resource.arn("iam", f"role{path}{self.name}", regional=False)

    @cached_property
    def stated_purpose(self) -> str:
        """What the tag says; empty when there is none."""
        return self.resource.tags.get(self.settings.purpose_tag, "")

    @cached_property
    def purpose(self) -> Purpose | None:
        """The declared purpose, or None when there is none that the pack knows."""
        stated = self.settings.purposes.get(self.stated_purpose, self.stated_purpose)
        return next((purpose for purpose in PURPOSES if purpose == stated), None)

    @cached_property
    def service(self) -> str:
        """The service that the role belongs to; empty for one that all services share."""
        return self.resource.tags.get(self.settings.service_tag, "")

    @cached_property
    def environment(self) -> str:
        """The environment's name; empty when no tag says."""
        return self.settings.environment(self.resource)

    @cached_property
    def production(self) -> bool:
        """Whether the role belongs to production."""
        return self.settings.production(self.resource)

    @property
    def grants(self) -> Iterator[tuple[Source, Statement]]:
        """Every statement that grants the role something, with where it stands."""
        for source in self.sources:
            for statement in source.allows:
                yield source, statement


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A task definition: one of the stack's resources, or the template that releases are rendered from."""

    resource: Resource
    family: str
    task_roles: tuple[Identity, ...]
    execution_roles: tuple[Identity, ...]
    containers: tuple[Mapping[str, Any], ...]


class Inventory:
    """A stack's identities, documents and resources by kind."""

    def __init__(self, resources: Iterable[Resource], settings: Settings) -> None:
        self.settings = settings
        self.resources = list(resources)
        if len(settings.accounts) == 1:
            for resource in self.resources:
                resource.account = resource.account or settings.accounts[0]
        self.kinds = by_kind(self.resources)
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

    def of(self, *kinds: str) -> list[Resource]:
        """The stack's resources of these kinds."""
        return [r for kind in kinds for r in self.kinds.get(kind, ())]

    @staticmethod
    def bucket_of(resource: Resource) -> str:
        """Name of the bucket that a resource configures: stated, or that of the bucket its value comes from."""
        return resource.text("bucket") or next(
            (r.text("bucket") for r in resource.refers.get("bucket", ()) if r.kind == "s3.Bucket"),
            "",
        )

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
        for pipeline in self.of("codepipeline.Pipeline"):
            stages = [_actions(stage) for stage in pipeline.objects("stages")]
            deploys = any(a.get("category") == "Deploy" for actions in stages for a in actions)
            for number, actions in enumerate(stages, 1):
                for action in actions:
                    configuration = action.get("configuration")
                    name = configuration.get("FunctionName") if isinstance(configuration, Mapping) else None
                    if action.get("provider") == "Lambda" and isinstance(name, str):
                        out[name] = "deploy" if number == len(stages) and not deploys else "verify"
        return out

    def pipelines_calling(self, function: str) -> Iterator[str]:
        """ARNs of the pipelines that call this function."""
        for pipeline in self.of("codepipeline.Pipeline"):
            actions = [a for stage in pipeline.objects("stages") for a in _actions(stage)]
            given = [a.get("configuration") for a in actions if a.get("provider") == "Lambda"]
            if any(isinstance(one, Mapping) and one.get("FunctionName") == function for one in given):
                name = pipeline.text("name") or pipeline.name
                yield f"arn:{pipeline.partition}:codepipeline:{pipeline.region}:{pipeline.account}:{name}"

    @cached_property
    def revisions(self) -> list[Revision]:
        """Every task definition that the stack holds, templates among its objects included."""
        out = [
            Revision(
                resource=r,
                family=r.text("family"),
                task_roles=tuple(self.roles_in(r, "taskRoleArn", r.props.get("taskRoleArn"))),
                execution_roles=tuple(self.roles_in(r, "executionRoleArn", r.props.get("executionRoleArn"))),
                containers=_objects(_json(r.text("containerDefinitions"))),
            )
            for r in self.of("ecs.TaskDefinition")
        ]
        for resource in self.of("s3.BucketObject"):
            for text in _members(resource):
                value = _json(text) if '"containerDefinitions"' in text else None
                if not isinstance(value, Mapping):
                    continue
                out.append(
                    Revision(
                        resource=resource,
                        family=str(value.get("family", "")),
                        task_roles=tuple(self.roles_in(resource, "source", value.get("taskRoleArn"))),
                        execution_roles=tuple(self.roles_in(resource, "source", value.get("executionRoleArn"))),
                        containers=_objects(value.get("containerDefinitions")),
                    ),
                )
        return out

    def rule_of(self, target: Resource) -> Resource | None:
        """The event rule of a target, where the stack holds it."""
        referred = next((r for r in target.refers.get("rule", ()) if r.kind == "cloudwatch.EventRule"), None)
        return referred or self._rules.get(target.text("rule"))

    @cached_property
    def _rules(self) -> dict[str, Resource]:
        return {name: r for r in self.of("cloudwatch.EventRule") if (name := r.text("name"))}

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
            for revision in self.revisions
            for container in revision.containers
            for secret in _objects(container.get("secrets"))
        )

    @cached_property
    def hooks(self) -> frozenset[str]:
        """Names of the functions that the stack's AppSpecs call."""
        words = {
            word
            for resource in self.of("s3.BucketObject")
            for text in _members(resource)
            if "AWS::ECS::Service" in text
            for word in _HOOK.findall(text)
        }
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
        """Every policy that stands on a resource and names principals."""
        out: list[Source] = []
        for resource in self.resources:
            if resource.kind in _NOT_RESOURCE_POLICIES or not resource.type.startswith("aws"):
                continue
            known = RESOURCE_POLICIES.get(resource.kind)
            for key in known if known is not None else _GENERIC_PROPERTIES:
                value = resource.props.get(key)
                if value is None or value == "":
                    continue
                if known is None and not _looks_like_a_document(value):
                    continue
                source = Source(resource=resource, via=f"its {key}", value=value, principals=True)
                if not self._is_aws_own(source, key):
                    out.append(source)
        return out

    def _is_aws_own(self, source: Source, key: str) -> bool:
        """Whether a policy that the program did not declare there is AWS's default, or judged where it is set."""
        resource = source.resource
        if resource.declared is not None and not resource.written_back(key):
            return False
        if written_back.set_by_another(resource, self.of):
            return True
        return not isinstance(source.parsed, DocumentError) and written_back.is_aws_default(resource, source.parsed)

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


def _actions(stage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = stage.get("actions")
    return [a for a in actions if isinstance(a, Mapping)] if isinstance(actions, list) else []


def _members(resource: Resource) -> Iterator[str]:
    """Texts that an object of a bucket holds: itself, or its archive's members."""
    if resource.text("content"):
        yield resource.text("content")
    source = resource.props.get("source")
    assets = source.get("assets") if isinstance(source, Mapping) else None
    for asset in (source, *(assets.values() if isinstance(assets, Mapping) else ())):
        if isinstance(asset, Mapping) and isinstance(asset.get("text"), str):
            yield asset["text"]


@lru_cache(maxsize=1024)
def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, list) else ()


def _looks_like_a_document(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "Statement" in value
    return isinstance(value, str) and '"statement"' in value.lower()
