"""The pack's policies: each a name, a purpose, a level, a remedy, and the rule that judges.

This module alone knows Pulumi; it gives the rules plain resources and reports what they find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from . import audiences, identities
from .adapter import Later, PerStack, keeping_what_is_declared
from .findings import Finding, Verdict
from .inventory import Inventory
from .resources import kind_of
from .settings import SCHEMA, Settings, SettingsError, settings_of

Rule = Callable[[Inventory], Iterator[Verdict]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A policy of the pack."""

    name: str
    description: str
    rule: Rule
    remedy: str
    severity: Severity = Severity.HIGH
    framework: PolicyComplianceFramework | None = None


def _benchmark(reference: str, specification: str) -> PolicyComplianceFramework:
    return PolicyComplianceFramework(
        name="AWS Foundational Security Best Practices",
        version="1.0.0",
        reference=reference,
        specification=specification,
    )


STACK_POLICIES: Final[tuple[Entry, ...]] = (
    Entry(
        name="iam-documents-are-understood",
        description="Every IAM document can be read: valid grammar, known elements, no key twice.",
        rule=identities.documents_are_understood,
        remedy="Write the document as the IAM grammar has it; build it from a program's objects, not by hand.",
    ),
    Entry(
        name="every-identity-has-a-purpose",
        description="Every identity of the stack states its purpose, and only CI comes from outside AWS.",
        rule=identities.every_identity_has_a_purpose,
        remedy="Tag each role with its purpose; declare identities as aws.iam.Role of this stack.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="ci-can-only-hand-over",
        description="CI pushes images to its repositories and puts its one hand-off; it can do nothing else.",
        rule=identities.ci_can_only_hand_over,
        remedy="Keep CI to the push actions, ecr:GetAuthorizationToken and s3:PutObject on the hand-off's key.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="ci-is-capped-by-its-boundary",
        description="Each CI role has a permissions boundary that allows no more than handing over.",
        rule=identities.ci_is_capped,
        remedy="Set the role's permissionsBoundary to a policy that says the same as the role's own.",
    ),
    Entry(
        name="ci-is-trusted-exactly",
        description="A CI role trusts the tokens of one repository for one environment, and production those of "
        "release tags or a protected environment.",
        rule=identities.ci_is_trusted_exactly,
        remedy="Hold aud and sub of the exact OIDC provider by StringEquals, or StringLike for release tags.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="roles-do-only-what-their-purpose-needs",
        description="Every role is allowed what its purpose needs on the stack's own resources, and nothing else.",
        rule=identities.roles_do_only_what_their_purpose_needs,
        remedy="Narrow the statement to the role's own resources, or declare what is intended in the setting allowed.",
    ),
    Entry(
        name="roles-are-trusted-exactly",
        description="A role is assumed by the service or the exact role that its purpose names.",
        rule=identities.roles_are_trusted_exactly,
        remedy="Trust the purpose's own service principal, or exact role ARNs; an ExternalId from third parties.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="roles-are-passed-exactly",
        description="iam:PassRole names exact roles of the stack and the one service that gets them.",
        rule=identities.roles_are_passed_exactly,
        remedy="Allow iam:PassRole on the ARNs of the task roles, with StringEquals iam:PassedToService.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="nobody-can-gain-privilege",
        description="No role's permissions open a known path to more privilege.",
        rule=identities.nobody_can_gain_privilege,
        remedy="Drop the action, or hold it to the role's own resources.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="managed-policies-are-declared",
        description="Roles carry policies of this stack; a managed policy of AWS or others is declared by its ARN.",
        rule=identities.managed_policies_are_declared,
        remedy="State the few actions in the role's own policy, or declare the ARN in the setting managedPolicies.",
    ),
    Entry(
        name="actions-are-listed-by-name",
        description="No document grants a whole service, everything, or everything but something.",
        rule=identities.no_service_wide_wildcards,
        remedy="List the actions by name and the resources by ARN.",
        framework=_benchmark("IAM.21", "Customer managed policies should not allow wildcard actions for services"),
    ),
    Entry(
        name="outsiders-are-declared",
        description="Nothing in the stack lets in the public, or an account that was not declared.",
        rule=audiences.outsiders_are_declared,
        remedy="Name exact roles; hold services to their source; declare outsiders in the setting externalPrincipals.",
        severity=Severity.CRITICAL,
    ),
    Entry(
        name="buckets-speak-tls-only",
        description="Every bucket refuses requests that are not encrypted on their way.",
        rule=audiences.buckets_speak_tls_only,
        remedy="Deny s3:* on the bucket and its objects to everyone where aws:SecureTransport is false.",
        severity=Severity.MEDIUM,
        framework=_benchmark("S3.5", "S3 general purpose buckets should require requests to use SSL"),
    ),
    Entry(
        name="keys-are-not-open",
        description="A key's policy lets in its account and exact principals, and only the account administers it.",
        rule=audiences.keys_are_not_open,
        remedy="Let the account's root administer the key and name exact roles and actions besides.",
    ),
)

LONG_LIVED_NAME: Final = "no-long-lived-credentials"
LONG_LIVED_REMEDY: Final = (
    "Use a role that is assumed: by OIDC from CI, by a service, or by people through IAM Identity Center."
)


def policies() -> list[Policy]:
    """The pack's policies, in the order of the documentation."""
    out: list[Policy] = [
        ResourceValidationPolicy(
            name=LONG_LIVED_NAME,
            description="No IAM user, group, access key or login profile anywhere: credentials are short-lived.",
            enforcement_level=EnforcementLevel.MANDATORY,
            severity=Severity.CRITICAL,
            remediation_steps=LONG_LIVED_REMEDY,
            validate=keeping_what_is_declared(_refuse_long_lived),
        ),
    ]
    out += [
        StackValidationPolicy(
            name=entry.name,
            description=entry.description,
            enforcement_level=EnforcementLevel.MANDATORY,
            severity=entry.severity,
            framework=entry.framework,
            remediation_steps=entry.remedy,
            config_schema=PolicyConfigSchema(properties=dict(SCHEMA)),
            validate=partial(_judge, entry.rule),
        )
        for entry in STACK_POLICIES
    ]
    return out


def _refuse_long_lived(args: ResourceValidationArgs, report: ReportViolation) -> None:
    what = identities.long_lived_credentials(kind_of(args.resource_type))
    if what:
        report(
            f"{args.name}: it is {what}. What does not expire is found one day in a log, a laptop or a repository. "
            f"{LONG_LIVED_REMEDY}",
            args.urn,
        )


_INVENTORY: Final[PerStack[Settings, Inventory]] = PerStack(Inventory)


def _judge(rule: Rule, args: StackValidationArgs, report: ReportViolation) -> None:
    """Report what a rule finds; what cannot be known yet ends the policy as unknown, in the rule's own words."""
    try:
        settings = settings_of(args.get_config())
    except SettingsError as error:
        report(str(error), None)
        return
    unknown: list[str] = []
    for verdict in rule(_INVENTORY.of(args.resources, settings)):
        if isinstance(verdict, Finding):
            report(verdict.message, verdict.resource.urn)
        else:
            unknown.append(verdict.message)
    if unknown:
        raise Later(unknown)
