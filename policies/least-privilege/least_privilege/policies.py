"""The pack's policies: each a name, a purpose, a severity, a remedy, and the rule that judges."""

from __future__ import annotations

from typing import Final

from policy_kit.pack import Pack, ResourceRule, StackRule, security_hub
from pulumi_policy import Severity

from . import external_access, identities
from .inventory import Inventory
from .settings import Settings

RESOURCE_RULES: Final[tuple[ResourceRule[Settings], ...]] = (
    ResourceRule(
        name="no-long-lived-credentials",
        description="No IAM user, group, access key or login profile anywhere: credentials are short-lived.",
        kinds=identities.LONG_LIVED,
        judge=identities.no_long_lived_credentials,
        remedy=identities.SHORT_LIVED,
        severity=Severity.CRITICAL,
    ),
)

STACK_RULES: Final[tuple[StackRule[Inventory], ...]] = (
    StackRule(
        name="iam-documents-are-valid",
        description="Every IAM document follows the policy grammar: known elements, no repeated key.",
        judge=identities.documents_are_valid,
        remedy="Follow the IAM policy grammar; build the document from objects of the program, not by hand.",
    ),
    StackRule(
        name="every-identity-has-a-purpose",
        description="Every identity of the stack states its purpose, and only CI comes from outside AWS.",
        judge=identities.every_identity_has_a_purpose,
        remedy="Tag each role with its purpose; declare identities as aws.iam.Role of this stack.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="ci-can-only-hand-over",
        description="CI pushes images to its repositories and puts its one hand-off; it can do nothing else.",
        judge=identities.ci_can_only_hand_over,
        remedy="Keep CI to the push actions, ecr:GetAuthorizationToken and s3:PutObject on the hand-off's key.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="ci-has-a-permissions-boundary",
        description="Each CI role has a permissions boundary that allows no more than handing over.",
        judge=identities.ci_has_a_permissions_boundary,
        remedy="Set the role's permissionsBoundary to a policy that says the same as the role's own.",
    ),
    StackRule(
        name="ci-is-trusted-exactly",
        description="A CI role trusts the tokens of one repository for one environment, and production those of "
        "release tags or a protected environment.",
        judge=identities.ci_is_trusted_exactly,
        remedy="Hold aud and sub of the exact OIDC provider by StringEquals, or StringLike for release tags.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="roles-do-only-what-their-purpose-needs",
        description="Every role is allowed what its purpose needs on the stack's own resources, and nothing else.",
        judge=identities.roles_do_only_what_their_purpose_needs,
        remedy="Narrow the statement to the role's own resources, or declare what is intended in the setting allowed.",
    ),
    StackRule(
        name="roles-are-trusted-exactly",
        description="A role is assumed by the service or the exact role that its purpose names.",
        judge=identities.roles_are_trusted_exactly,
        remedy="Trust the purpose's own service principal, or exact role ARNs; an ExternalId from third parties.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="roles-are-passed-exactly",
        description="iam:PassRole names exact roles of the stack and the one service that gets them.",
        judge=identities.roles_are_passed_exactly,
        remedy="Allow iam:PassRole on the ARNs of the task roles, with StringEquals iam:PassedToService.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="no-privilege-escalation",
        description="No role's permissions open a known privilege escalation path.",
        judge=identities.no_privilege_escalation,
        remedy="Drop the action, or hold it to the role's own resources.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="managed-policies-are-declared",
        description="Roles carry policies of this stack; a managed policy of AWS or others is declared by its ARN.",
        judge=identities.managed_policies_are_declared,
        remedy="State the few actions in the role's own policy, or declare the ARN in the setting managedPolicies.",
    ),
    StackRule(
        name="actions-are-listed-by-name",
        description="No document allows `*`, all actions of a service, or all but some (NotAction, NotResource).",
        judge=identities.no_service_wide_wildcards,
        remedy="List the actions by name and the resources by ARN.",
        framework=security_hub("IAM.21", "Customer managed policies should not allow wildcard actions for services"),
    ),
    StackRule(
        name="external-access-is-declared",
        description="No resource of the stack is open to the public or to an account that is not declared.",
        judge=external_access.external_access_is_declared,
        remedy="Name exact roles; hold services to their source; declare others in the setting externalPrincipals.",
        severity=Severity.CRITICAL,
    ),
    StackRule(
        name="buckets-require-tls",
        description="Every bucket refuses requests without TLS (encryption in transit).",
        judge=external_access.buckets_require_tls,
        remedy="Deny s3:* on the bucket and its objects to everyone where aws:SecureTransport is false.",
        severity=Severity.MEDIUM,
        framework=security_hub("S3.5", "S3 general purpose buckets should require requests to use SSL"),
    ),
    StackRule(
        name="kms-keys-are-not-open",
        description="A KMS key's policy lets in its account and exact principals, and only the account administers it.",
        judge=external_access.kms_keys_are_not_open,
        remedy="Let the account's root administer the key and name exact roles and actions besides.",
    ),
)

PACK: Final = Pack(settings=Settings, view=Inventory, resource_rules=RESOURCE_RULES, stack_rules=STACK_RULES)
