"""Paths to more privilege, as public catalogues list them: the actions alone are taken over, as facts.

Sources: pathfinding.cloud; Rhino Security Labs, "AWS IAM Privilege Escalation Methods"; Bishop Fox, iam-vulnerable;
HackTricks Cloud, "AWS - Privilege Escalation"; and what a release system adds of its own (the last list).
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.policies.corpus import Case
from tests.policies.corpus.parts import DATA, on_role
from tests.policies.world import CI_STATEMENTS, allow

RHINO = """
iam:CreatePolicyVersion
iam:SetDefaultPolicyVersion
iam:PassRole ec2:RunInstances
iam:CreateAccessKey
iam:CreateLoginProfile
iam:UpdateLoginProfile
iam:AttachUserPolicy
iam:AttachGroupPolicy
iam:AttachRolePolicy sts:AssumeRole
iam:PutUserPolicy
iam:PutGroupPolicy
iam:PutRolePolicy sts:AssumeRole
iam:AddUserToGroup
iam:UpdateAssumeRolePolicy sts:AssumeRole
iam:PassRole lambda:CreateFunction lambda:InvokeFunction
iam:PassRole lambda:CreateFunction lambda:CreateEventSourceMapping
lambda:UpdateFunctionCode
iam:PassRole glue:CreateDevEndpoint
glue:UpdateDevEndpoint
iam:PassRole cloudformation:CreateStack
iam:PassRole datapipeline:CreatePipeline datapipeline:PutPipelineDefinition
iam:PassRole codestar:CreateProject
codestar:CreateProject codestar:AssociateTeamMember
lambda:UpdateFunctionConfiguration
iam:PassRole sagemaker:CreateNotebookInstance sagemaker:CreatePresignedNotebookInstanceUrl
sagemaker:CreatePresignedNotebookInstanceUrl
iam:PassRole codebuild:CreateProject codebuild:StartBuild
"""
PATHFINDING = """
iam:PassRole apprunner:CreateService
apprunner:UpdateService
iam:PassRole bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:InvokeCodeInterpreter
bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter
cloudformation:UpdateStack
iam:PassRole cloudformation:CreateStackSet cloudformation:CreateStackInstances
iam:PassRole cloudformation:UpdateStackSet
cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet
codebuild:StartBuild
codebuild:StartBuildBatch
iam:PassRole codebuild:UpdateProject codebuild:StartBuild
ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances
iam:PassRole ec2:RequestSpotInstances
ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate
ec2-instance-connect:SendSSHPublicKey
iam:PassRole ecs:CreateService ecs:RegisterTaskDefinition
iam:PassRole ecs:RunTask ecs:RegisterTaskDefinition
iam:PassRole ecs:StartTask ecs:RegisterTaskDefinition ecs:RegisterContainerInstance
ecs:ExecuteCommand ecs:DescribeTasks
iam:PassRole glue:CreateJob glue:StartJobRun
iam:PassRole glue:UpdateJob glue:StartJobRun
iam:PassRole glue:CreateSession glue:RunStatement
iam:CreateAccessKey iam:DeleteAccessKey
iam:PutUserPolicy iam:CreateAccessKey
iam:AttachUserPolicy iam:CreateAccessKey
iam:AttachRolePolicy iam:UpdateAssumeRolePolicy
iam:PutRolePolicy iam:UpdateAssumeRolePolicy
iam:CreatePolicyVersion iam:UpdateAssumeRolePolicy
iam:PassRole sagemaker:CreateTrainingJob
iam:PassRole sagemaker:CreateProcessingJob
iam:PassRole lambda:CreateFunction lambda:AddPermission
lambda:UpdateFunctionCode lambda:AddPermission
ssm:StartSession
ssm:SendCommand
ssm:StartAutomationExecution
sts:AssumeRole
iam:PassRole emr-serverless:StartJobRun
iam:PassRole elasticmapreduce:RunJobFlow
iam:PassRole batch:RegisterJobDefinition batch:SubmitJob
iam:PassRole braket:CreateJob
iam:PassRole gamelift:CreateBuild
iam:PassRole imagebuilder:CreateInfrastructureConfiguration
iam:PassRole kinesisanalytics:CreateApplication
iam:PassRole omics:StartRun
iam:PassRole codedeploy:CreateDeploymentGroup
iam:PassRole cognito-identity:SetIdentityPoolRoles
iam:PassRole amplify:CreateApp
iam:PassRole scheduler:CreateSchedule
iam:PassRole states:CreateStateMachine states:StartExecution
"""
OTHERS = """
iam:DeleteRolePermissionsBoundary
iam:PutRolePermissionsBoundary
iam:DeleteRolePolicy
iam:DetachRolePolicy
iam:CreateServiceSpecificCredential
iam:UploadSSHPublicKey
iam:DeactivateMFADevice
iam:UpdateSAMLProvider
iam:AddClientIDToOpenIDConnectProvider
iam:CreateRole iam:AttachRolePolicy
iam:CreateUser iam:AttachUserPolicy
sts:GetFederationToken
sts:AssumeRoleWithWebIdentity
lambda:PublishLayerVersion
lambda:CreateEventSourceMapping
lambda:CreateFunctionUrlConfig
ec2:AssociateIamInstanceProfile
ec2:ReplaceIamInstanceProfileAssociation
ec2:ModifyInstanceMetadataOptions
autoscaling:UpdateAutoScalingGroup
ssm:ResumeSession
ssm:CreateAssociation
ssm:UpdateDocument
states:UpdateStateMachine
kms:PutKeyPolicy
kms:CreateGrant
s3:PutBucketPolicy
s3:PutBucketAcl
s3:PutReplicationConfiguration
secretsmanager:PutResourcePolicy
organizations:LeaveOrganization
ram:CreateResourceShare
sso:CreateAccountAssignment
rolesanywhere:CreateTrustAnchor
eks:CreateAccessEntry eks:AssociateAccessPolicy
cloudtrail:StopLogging
dynamodb:PutResourcePolicy
"""
RELEASE = """
codepipeline:PutApprovalResult
codepipeline:UpdatePipeline
codepipeline:StartPipelineExecution
codepipeline:RetryStageExecution
codepipeline:PutJobSuccessResult
codepipeline:EnableStageTransition
codedeploy:CreateDeployment
codedeploy:PutLifecycleEventHookExecutionStatus
codedeploy:ContinueDeployment
ecs:UpdateService
ecs:UpdateServicePrimaryTaskSet
ecs:RegisterTaskDefinition
ecr:PutImageTagMutability
ecr:SetRepositoryPolicy
ecr:BatchDeleteImage
events:PutRule events:PutTargets
ssm:PutParameter
secretsmanager:PutSecretValue
elasticloadbalancing:ModifyListener
application-autoscaling:RegisterScalableTarget
"""


def _paths() -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, listing in (("rhino", RHINO), ("pathfinding", PATHFINDING), ("others", OTHERS), ("release", RELEASE)):
        for line in listing.split("\n"):
            if line:
                yield name, tuple(line.split())


def cases() -> Iterator[Case]:
    for number, (catalogue, actions) in enumerate(_paths()):
        # Task, CI and function in turn: what a path leads to is the same from each.
        purpose, clean = (("task", [DATA]), ("ci", CI_STATEMENTS), ("task", [DATA]))[number % 3]
        yield on_role(
            f"{catalogue} {number} {' '.join(actions)}",
            "no-privilege-escalation",
            purpose,
            [*clean, allow(list(actions), "*")],
            clean,
        )
