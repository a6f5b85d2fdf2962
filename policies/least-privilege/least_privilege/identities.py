"""Rules on identities: who there is, what each may do, who may become it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_kit.conditions import exact_values
from policy_kit.documents import DocumentError
from policy_kit.findings import Finding, Unknown, Verdict
from policy_kit.patterns import literal, overlaps

from . import allowances, application, external_access, privilege_escalation, trust
from .grants import Excess, Permission, actions_of, excess, may
from .inventory import AWS_MANAGED
from .settings import PURPOSES

if TYPE_CHECKING:
    from policy_kit.documents import Statement
    from policy_kit.resources import Resource

    from .inventory import Inventory
    from .roles import Identity, Source
    from .settings import Settings

LONG_LIVED: Final = {
    "iam.User": "an IAM user",
    "iam.AccessKey": "an access key",
    "iam.UserLoginProfile": "a login profile",
    "iam.SshKey": "an SSH key of an IAM user",
    "iam.SigningCertificate": "a signing certificate of an IAM user",
    "iam.ServiceSpecificCredential": "a service-specific credential of an IAM user",
    "iam.VirtualMfaDevice": "an MFA device of an IAM user",
    "iam.UserPolicy": "a policy of an IAM user",
    "iam.UserPolicyAttachment": "a policy of an IAM user",
    "iam.UserPoliciesExclusive": "policies of an IAM user",
    "iam.UserPolicyAttachmentsExclusive": "policies of an IAM user",
    "iam.UserGroupMembership": "an IAM user's membership of a group",
    "iam.GroupMembership": "IAM users' membership of a group",
    "iam.Group": "a group of IAM users",
    "iam.GroupPolicy": "a policy of a group of IAM users",
    "iam.GroupPolicyAttachment": "a policy of a group of IAM users",
    "iam.GroupPoliciesExclusive": "policies of a group of IAM users",
    "iam.GroupPolicyAttachmentsExclusive": "policies of a group of IAM users",
    "lightsail.BucketAccessKey": "an access key",
    "sesv2.SmtpCredential": "an access key",
}
"""Kind of resource to what it is in words."""
SHORT_LIVED: Final = (
    "Use a role that is assumed: by OIDC from CI, by a service, or by people through IAM Identity Center."
)

ELSEWHERE: Final = {
    "iam.InstanceProfile": "gives a role to EC2 instances",
    "ssoadmin.PermissionSet": "is an identity of IAM Identity Center",
    "ssoadmin.PermissionSetInlinePolicy": "grants to people of IAM Identity Center",
    "ssoadmin.ManagedPolicyAttachment": "grants to people of IAM Identity Center",
    "ssoadmin.CustomerManagedPolicyAttachment": "grants to people of IAM Identity Center",
    "ssoadmin.AccountAssignment": "lets people of IAM Identity Center in",
    "cognito.IdentityPoolRoleAttachment": "lets the users of an identity pool become a role",
    "eks.PodIdentityAssociation": "lets Kubernetes pods become a role",
    "rolesanywhere.Profile": "lets holders of a certificate become a role",
    "rolesanywhere.TrustAnchor": "lets holders of a certificate become a role",
    "iam.SamlProvider": "lets the users of a SAML provider become a role",
}
"""Ways for an identity to exist without a purpose that this pack can read."""

_SERVICE_WIDE = re.compile(r"[^:]*[*?][^:]*(:.*)?|[^:]+:\*+")


def no_long_lived_credentials(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    """Credentials that do not expire, and the users that need them."""
    yield Finding(
        resource=resource,
        found=f"it is {LONG_LIVED[resource.kind]}",
        why="What does not expire is found one day in a log, a laptop or a repository.",
        remedy=SHORT_LIVED,
    )


def every_identity_has_a_purpose(inventory: Inventory) -> Iterator[Verdict]:
    """Roles without purpose, federated roles that are not CI, and identities without a role."""
    tag = inventory.settings.purpose_tag
    why = "An identity without a purpose has no allowance, so nothing could be held against it."
    for identity in inventory.identities:
        if identity.purpose is None:
            found = (
                f"its tag {tag} says {identity.stated_purpose!r}" if identity.stated_purpose else f"it has no tag {tag}"
            )
            yield Finding(
                resource=identity.resource,
                found=f"the role {identity.name} states no purpose: {found}",
                why=why,
                remedy=f"Set the tag {tag} to one of {', '.join(PURPOSES)}, or drop the role.",
            )
        if identity.purpose != "ci" and trust.is_federated(identity):
            yield Finding(
                resource=identity.resource,
                found=f"the role {identity.name} can be assumed from outside AWS, and its purpose is "
                f"{identity.purpose or 'not stated'}",
                why="Only CI comes from outside, and CI can hand over a release and do nothing else.",
                remedy=f"Trust a service, or set the tag {tag} to ci and give the role CI's permissions only.",
            )
        if identity.trust is None:
            yield Finding(
                resource=identity.resource,
                found=f"the role {identity.name} has no trust policy",
                why="Who may become it cannot be judged.",
                remedy="Give it assumeRolePolicy.",
            )
    for resource, role in inventory.orphans:
        yield Finding(
            resource=resource,
            found=f"it grants permissions to the role {role}, which this stack does not declare",
            why="A role that is declared elsewhere has no purpose here, so the grant cannot be judged.",
            remedy="Declare the role in this stack, or grant where the role is declared.",
        )
    for resource, key in inventory.unknown_attachments:
        yield Unknown(resource=resource, what=f"the role in {key}")
    for resource in inventory.resources:
        what = _elsewhere(resource)
        if what:
            yield Finding(
                resource=resource,
                found=f"it {what}",
                why=why,
                remedy="Declare the identity as aws.iam.Role with its purpose.",
            )


def _elsewhere(resource: Resource) -> str | None:
    """How the resource makes an identity that no role of the stack stands for, if it does."""
    if resource.type.startswith("aws-native:iam:"):
        return "is an IAM resource of a provider whose documents this pack does not read"
    if resource.kind in ("cloudformation.Stack", "cloudformation.StackSet") and any(
        "IAM" in c for c in resource.texts("capabilities")
    ):
        return "may create IAM identities by a template that this pack does not read"
    return ELSEWHERE.get(resource.kind)


def documents_are_valid(inventory: Inventory) -> Iterator[Verdict]:
    """Documents that cannot be parsed, and those that are not known yet."""
    for source in inventory.documents:
        if source.unknown:
            yield Unknown(resource=source.resource, what=f"{source.via} (an IAM document)")
        elif isinstance(source.parsed, DocumentError):
            yield Finding(
                resource=source.resource,
                found=f"{source.via} is not a valid policy document: {source.parsed}",
                why="A document that cannot be parsed cannot be judged, and AWS may read it differently.",
                remedy="Follow the IAM policy grammar: known elements only, no repeated key.",
            )


def ci_can_only_hand_over(inventory: Inventory) -> Iterator[Verdict]:
    """Grants to CI beyond logging in, pushing to its repositories and putting its one hand-off."""
    why = "CI can be reached from outside AWS: whatever else it may do, an attacker of a build may do."
    for identity in _of(inventory, "ci"):
        permissions = allowances.for_purpose(identity, inventory)
        yield from _beyond(identity, permissions, why, inventory)
        for resource, arn in _undeclared_managed(identity, inventory):
            yield Finding(
                resource=resource,
                found=f"the CI role {identity.name} has the managed policy {arn}",
                why=why,
                remedy="Detach it and state the few actions in the role's own policy.",
            )
        for source, statement, resources in external_access.naming(identity, inventory):
            over = excess(statement, permissions, resources)
            if over:
                yield Finding(
                    resource=source.resource,
                    found=f"{source.via} lets the CI role {identity.name} do {_list(over)}",
                    why=why,
                    remedy="Take CI out of that statement.",
                )


def roles_do_only_what_their_purpose_needs(inventory: Inventory) -> Iterator[Verdict]:
    """Grants to any other role beyond what its purpose needs."""
    for identity in inventory.identities:
        if identity.purpose in (None, "ci"):
            continue
        permissions = allowances.for_purpose(identity, inventory)
        why = f"A role for {identity.purpose} is allowed what this stack's own resources explain, and nothing else."
        yield from _beyond(identity, permissions, why, inventory)


def _beyond(
    identity: Identity,
    permissions: list[Permission],
    why: str,
    inventory: Inventory,
) -> Iterator[Verdict]:
    for source, statement in identity.grants:
        over = excess(statement, permissions)
        if identity.purpose == "task":
            over = [e for e in over if not application.intends(e, identity, inventory)]
        if over:
            yield Finding(
                resource=source.resource,
                found=f"{source.via} lets the {identity.purpose} role {identity.name} do {_list(over)}"
                + (f" (statement {statement.sid})" if statement.sid else ""),
                why=why,
                remedy="Drop it, narrow it to the role's own resources, or declare it in the pack's setting "
                f"allowed.{identity.purpose}.",
            )


def _list(items: list[Excess]) -> str:
    shown = [str(i) for i in items[:4]]
    return "; ".join(shown) + (f" and {len(items) - len(shown)} more" if len(items) > len(shown) else "")


def no_privilege_escalation(inventory: Inventory) -> Iterator[Verdict]:
    """Privilege escalation: paths of public catalogues that a role's unintended permissions open."""
    for identity in inventory.identities:
        permissions = allowances.for_purpose(identity, inventory)
        beyond: dict[str, Source] = {}
        for source, statement in identity.grants:
            for item in excess(statement, permissions):
                if identity.purpose != "task" or not application.intends(item, identity, inventory):
                    beyond.setdefault(item.action, source)
        if not beyond:
            continue
        found = list(privilege_escalation.paths((s for _, s in identity.grants), beyond))
        if found:
            ways = "; ".join(f"{' with '.join(p.actions)} {p.how}" for p in found[:3])
            more = f" (and {len(found) - 3} more ways)" if len(found) > 3 else ""  # noqa: PLR2004 as many as are shown
            yield Finding(
                resource=next(iter(beyond.values())).resource,
                found=f"the role {identity.name} can escalate its privileges: {ways}{more}",
                why="These are known privilege escalation paths.",
                remedy="Drop the action; where the release needs it, hold it to the role's own resources.",
            )


def ci_has_a_permissions_boundary(inventory: Inventory) -> Iterator[Verdict]:
    """CI roles without a boundary, or with one that allows more than CI may do."""
    if not inventory.settings.require_boundary:
        return
    why = "The boundary is what keeps CI small when someone attaches a policy to the role later."
    for identity in _of(inventory, "ci"):
        value = identity.resource.props.get("permissionsBoundary")
        if not value:
            yield Finding(
                resource=identity.resource,
                found=f"the CI role {identity.name} has no permissions boundary",
                why=why,
                remedy="Set permissionsBoundary to a policy of this stack that says the same as the role's own.",
            )
        elif identity.boundary is None and isinstance(value, str) and AWS_MANAGED in value:
            yield Finding(
                resource=identity.resource,
                found=f"the CI role {identity.name} is bounded by {value}, which caps next to nothing",
                why=why,
                remedy="Set permissionsBoundary to a policy of this stack that says the same as the role's own.",
            )
        elif identity.boundary is None and not isinstance(value, str):
            yield Unknown(resource=identity.resource, what="the permissions boundary")
        elif identity.boundary is not None:
            permissions = allowances.for_purpose(identity, inventory)
            for statement in identity.boundary.allows:
                over = excess(statement, permissions)
                if over:
                    yield Finding(
                        resource=identity.boundary.resource,
                        found=f"the boundary of the CI role {identity.name} leaves room for {_list(over)}",
                        why=why,
                        remedy="Let the boundary say the same as the role's own policy.",
                    )


def ci_is_trusted_exactly(inventory: Inventory) -> Iterator[Verdict]:
    """CI roles whose trust is wider than one repository and one environment."""
    for identity in _of(inventory, "ci"):
        for problem in trust.ci_problems(identity, inventory):
            yield Finding(
                resource=identity.resource,
                found=f"the trust policy of the CI role {identity.name} is too wide: {problem}",
                why="Whoever gets a token that fits becomes CI of this environment.",
                remedy="Hold aud and sub by StringEquals (StringLike for release tags) to one repository and to the "
                "branch, release tags or protected environment of this environment.",
            )


def roles_are_trusted_exactly(inventory: Inventory) -> Iterator[Verdict]:
    """Other roles that someone else than their own service, or an undeclared outsider, may assume."""
    for identity in inventory.identities:
        if identity.purpose == "ci":
            continue
        for problem in trust.service_problems(identity, inventory):
            services = " or ".join(trust.SERVICES.get(identity.purpose or "", ())) or "exact roles"
            yield Finding(
                resource=identity.resource,
                found=f"the trust policy of the role {identity.name} is too wide: {problem}",
                why="Whoever may assume a role may do all that it may.",
                remedy=f"Trust exactly {services} with sts:AssumeRole.",
            )


def managed_policies_are_declared(inventory: Inventory) -> Iterator[Verdict]:
    """Managed policies from outside the stack, AWS's own included."""
    for identity in inventory.identities:
        for resource, arn in _undeclared_managed(identity, inventory):
            whose = "AWS's" if AWS_MANAGED in arn else "somebody's"
            yield Finding(
                resource=resource,
                found=f"the role {identity.name} has {whose} managed policy {arn}",
                why="Such a policy grants on every resource, and its owner may widen it without asking.",
                remedy="State the few actions in the role's own policy, or declare the ARN in the pack's setting "
                f"managedPolicies.{identity.purpose or 'PURPOSE'}.",
            )
        for resource, key in identity.unresolved:
            yield Unknown(resource=resource, what=f"the managed policy in {key}")
    for channel in inventory.of("chatbot.SlackChannelConfiguration", "chatbot.TeamsChannelConfiguration"):
        limits = channel.texts("guardrailPolicyArns")
        wide = [a for a in limits if a.endswith(("/AdministratorAccess", "/PowerUserAccess"))]
        if (not limits and not channel.unknown("guardrailPolicyArns")) or wide:
            yield Finding(
                resource=channel,
                found=f"the channel's guardrails are {', '.join(wide) or 'left out: AWS takes AdministratorAccess'}",
                why="Whoever writes in the channel may do what its role and its guardrails both allow.",
                remedy="Set guardrailPolicyArns to AWSDenyAll, or to a policy that only reads.",
            )


def _undeclared_managed(identity: Identity, inventory: Inventory) -> Iterator[tuple[Resource, str]]:
    declared = inventory.settings.managed_policies.get(identity.purpose or "", ())
    for resource, arn in identity.managed:
        if arn not in declared:
            yield resource, arn


def no_service_wide_wildcards(inventory: Inventory) -> Iterator[Verdict]:
    """`*`, `s3:*` and statements that name what they leave out."""
    for source in (*_granting(inventory), *inventory.resource_policies):
        for statement in source.allows:
            if source.principals and _delegates(statement):
                continue
            if statement.not_actions is not None:
                found = f"{source.via} allows every action but {', '.join(statement.not_actions)}"
            elif statement.not_resources is not None:
                found = f"{source.via} allows its actions on everything except {', '.join(statement.not_resources)}"
            else:
                wide = [a for a in statement.actions or () if _SERVICE_WIDE.fullmatch(a)]
                if not wide:
                    continue
                found = f"{source.via} allows {', '.join(wide)}"
            yield Finding(
                resource=source.resource,
                found=found,
                why="A wildcard over a service grants what AWS adds to it tomorrow.",
                remedy="List the actions by name.",
            )


def _delegates(statement: Statement) -> bool:
    """Whether the statement leaves the decision to the account's own policies, as the default key policy does."""
    names = statement.principals.names if statement.principals is not None else ()
    return bool(names) and all(kind == "AWS" and trust.is_account(name) for kind, name in names)


def roles_are_passed_exactly(inventory: Inventory) -> Iterator[Verdict]:
    """iam:PassRole on anything but exact roles of the stack, to exactly the service that they trust."""
    why = "Whoever passes a role to a service acts with that role's permissions."
    for source in _granting(inventory):
        for statement in source.allows:
            if not may(statement, "iam:passrole"):
                continue
            for problem in _pass_problems(statement, inventory):
                yield Finding(
                    resource=source.resource,
                    found=f"{source.via} passes roles too widely: {problem}",
                    why=why,
                    remedy="Allow iam:PassRole by its name, on the ARNs of the task and execution roles, with "
                    "StringEquals iam:PassedToService ecs-tasks.amazonaws.com.",
                )


def _pass_problems(statement: Statement, inventory: Inventory) -> Iterator[str]:
    wild = [a for a in actions_of(statement) if a != "iam:passrole" and _reaches_pass(a)]
    if wild or statement.not_actions is not None:
        yield f"the action {', '.join(wild) or 'left over by NotAction'} reaches iam:PassRole without naming it"
    if statement.resources is None:
        yield "it names no exact role"
    services = exact_values(statement, "iam:PassedToService")
    if not services:
        yield "no condition holds iam:PassedToService (StringEquals, without IfExists)"
    for resource in statement.resources or ():
        arn = literal(resource)
        if arn is None:
            yield f"{resource} is not one exact role"
            continue
        identity = inventory.by_arn.get(arn)
        if identity is None:
            if arn not in inventory.settings.passable_roles:
                yield f"{arn} is no role of this stack (declare it in passableRoles)"
            continue
        trusted = set(trust.SERVICES.get(identity.purpose or "", ()))
        for service in sorted((services or frozenset()) - trusted):
            yield f"{arn} is a role for {identity.purpose or 'no purpose'}, which {service} should not get"


def _reaches_pass(action: str) -> bool:
    """Whether an action pattern reaches iam:PassRole."""
    return overlaps(action, "iam:passrole")


def _granting(inventory: Inventory) -> Iterator[Source]:
    """Documents that grant to identities: each once, trust and resource policies apart."""
    for source in inventory.documents:
        if not source.principals and id(source.resource) not in inventory.boundaries:
            yield source


def _of(inventory: Inventory, purpose: str) -> list[Identity]:
    return [i for i in inventory.identities if i.purpose == purpose]
