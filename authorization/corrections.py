"""What the reference leaves out or does not mean as it says, each with its source; no refresh touches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READ: Final = "2026-11-25"
"""The day on which the sources below were read."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What AWS says elsewhere of some actions.

    Attributes:
        actions: `service:Action`.
        arns: ARNs, `${Variable}` in them, that a statement may name for them besides what the reference says.
        everything: whether `*` may stand for them although they know kinds of resource.
        needless: dependent actions that the reference names and that are asked in other circumstances only.
        why: what is so, and in which circumstances.
        source: where AWS, or somebody who tried it, says so.
        read: day on which the source was read.
    """

    actions: tuple[str, ...]
    arns: tuple[str, ...] = ()
    everything: bool = False
    needless: tuple[str, ...] = ()
    why: str
    source: str
    read: str = READ


CORRECTIONS: Final = (
    Correction(
        actions=("codedeploy:PutLifecycleEventHookExecutionStatus",),
        arns=("arn:${Partition}:codedeploy:${Region}:${Account}:deploymentgroup:${Application}/${Group}",),
        why="the reference names no resource, and AWS's own examples grant it on the deployment group",
        source="https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/"
        "automating-updates-to-serverless-apps.html",
    ),
    Correction(
        actions=(
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:UnassignPrivateIpAddresses",
        ),
        everything=True,
        needless=("ec2:CreateTags",),
        why="Lambda asks them for a function in a VPC, of interfaces whose ids nobody knows before; AWS's managed "
        "policy grants them on everything, and Lambda makes interfaces without tags of the caller's",
        source="https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html",
    ),
    Correction(
        actions=("comprehend:DetectEntities", "translate:TranslateText"),
        everything=True,
        why="their resources (an endpoint or a terminology of one's own) are optional, and a request that names none "
        "is asked on everything",
        source="https://docs.aws.amazon.com/service-authorization/latest/reference/"
        "reference_policies_actions-resources-contextkeys.html",
    ),
    Correction(
        actions=("application-autoscaling:RegisterScalableTarget",),
        needless=("application-autoscaling:TagResource",),
        why="asked where the request has tags, which an update of a target cannot have",
        source="https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html",
    ),
)

GLOBAL_KEYS: Final = frozenset(
    key.lower()
    for key in (
        "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:CurrentTime", "aws:EpochTime",
        "aws:FederatedProvider", "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalAccount",
        "aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
        "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:PrincipalType", "aws:referer",
        "aws:RequestedRegion", "aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths",
        "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceIp",
        "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce",
        "aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username", "aws:ViaAWSService",
        "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp", "aws:AssumedRoot",
        "aws:ChatbotSourceArn", "aws:Ec2InstanceSourceVpc", "aws:Ec2InstanceSourcePrivateIPv4",
        "ec2:RoleDelivery", "ec2:SourceInstanceArn", "glue:RoleAssumedBy", "glue:CredentialIssuingService",
        "lambda:SourceFunctionArn", "ssm:SourceInstanceArn", "identitystore:UserId",
        "aws:SourceOwner",  # Amazon SNS's own, in the policy that it gives a new topic (SNS developer guide)
    )
)  # fmt: skip
"""Keys that every request may have (IAM user guide, "AWS global condition context keys"). Those of tags
(`aws:ResourceTag`, `aws:RequestTag`, `aws:TagKeys`) are not here: the reference says which actions have them."""

GLOBAL_TAGS: Final = ("aws:principaltag/",)
"""Beginnings of such keys."""

TOKEN_CLAIMS: Final = frozenset(("aud", "sub", "amr", "azp", "oaud", "email"))
"""Claims of any provider's token that IAM has as `PROVIDER:CLAIM` (IAM user guide, "IAM and AWS STS condition context
keys", "Available keys for AWS OIDC federation")."""

CLAIMS_OF: Final = {
    "token.actions.githubusercontent.com": frozenset(
        (
            "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository",
            "repository_id", "workflow",
        )
    ),
}  # fmt: skip
"""Claims that IAM has of one provider besides (What's New, January 2026: "AWS STS now supports validation of select
identity provider specific claims"; README of aws-actions/configure-aws-credentials). CircleCI's are not documented."""
