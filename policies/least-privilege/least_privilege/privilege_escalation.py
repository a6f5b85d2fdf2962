"""Ways from some permissions to more: what public catalogues of AWS privilege escalation agree on.

A path is a set of actions; who may do all of them may become, or act as, someone with more permissions. Sources:
pathfinding.cloud (DataDog), "AWS IAM Privilege Escalation Methods" (Rhino Security Labs), iam-vulnerable
(Bishop Fox), and the AWS service documentation of the actions named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policy_kit.patterns import overlaps

from .grants import may

if TYPE_CHECKING:
    from policy_kit.documents import Statement


@dataclass(frozen=True)
class Path:
    """Actions that together lead to more privilege, and how."""

    actions: tuple[str, ...]
    """In lower case; all are needed."""
    how: str


def _paths() -> Iterator[Path]:
    for name, how in _ALONE.items():
        yield Path((name.lower(),), how)
    for names, how in _WITH_A_PASSED_ROLE.items():
        yield Path(("iam:passrole", *(n.lower() for n in names.split())), how)
    for names, how in _TOGETHER.items():
        yield Path(tuple(n.lower() for n in names.split()), how)


_ALONE: Final = {
    "iam:CreatePolicyVersion": "writes a new default version of a policy that it has",
    "iam:SetDefaultPolicyVersion": "brings back an older, wider version of a policy that it has",
    "iam:CreateAccessKey": "makes keys of another user",
    "iam:CreateLoginProfile": "gives a user a password",
    "iam:UpdateLoginProfile": "changes a user's password",
    "iam:CreateServiceSpecificCredential": "makes service credentials of another user",
    "iam:ResetServiceSpecificCredential": "resets service credentials of another user",
    "iam:UploadSSHPublicKey": "gives another user a key of its own",
    "iam:UploadSigningCertificate": "gives another user a certificate of its own",
    "iam:AttachUserPolicy": "attaches any policy to a user",
    "iam:AttachGroupPolicy": "attaches any policy to a group",
    "iam:AttachRolePolicy": "attaches any policy to a role",
    "iam:PutUserPolicy": "writes a policy into a user",
    "iam:PutGroupPolicy": "writes a policy into a group",
    "iam:PutRolePolicy": "writes a policy into a role",
    "iam:AddUserToGroup": "joins a group that may do more",
    "iam:UpdateAssumeRolePolicy": "rewrites who may become a role",
    "iam:DeleteRolePermissionsBoundary": "takes the cap off a role",
    "iam:DeleteUserPermissionsBoundary": "takes the cap off a user",
    "iam:PutRolePermissionsBoundary": "widens the cap of a role",
    "iam:PutUserPermissionsBoundary": "widens the cap of a user",
    "iam:DeleteRolePolicy": "removes a policy that denies",
    "iam:DetachRolePolicy": "removes a policy that denies",
    "iam:DeleteUserPolicy": "removes a policy that denies",
    "iam:DetachUserPolicy": "removes a policy that denies",
    "iam:DeactivateMFADevice": "takes a user's second factor away",
    "iam:CreateVirtualMFADevice": "makes a second factor of its own",
    "iam:EnableMFADevice": "gives a user a second factor of its own",
    "iam:AddClientIDToOpenIDConnectProvider": "lets tokens of another audience in",
    "iam:CreateOpenIDConnectProvider": "lets another issuer's tokens in",
    "iam:UpdateOpenIDConnectProviderThumbprint": "lets another server act as the issuer",
    "iam:CreateSAMLProvider": "lets another issuer's assertions in",
    "iam:UpdateSAMLProvider": "lets another issuer's assertions in",
    "iam:AddRoleToInstanceProfile": "gives an instance another role",
    "iam:CreateServiceLinkedRole": "makes a role for a service",
    "iam:TagRole": "passes conditions on tags",
    "iam:TagUser": "passes conditions on tags",
    "sts:AssumeRole": "becomes another role",
    "sts:AssumeRoleWithWebIdentity": "becomes another role",
    "sts:AssumeRoleWithSAML": "becomes another role",
    "sts:AssumeRoot": "becomes a member account's root",
    "sts:GetFederationToken": "makes sessions that outlive it",
    "lambda:UpdateFunctionCode": "replaces the code that runs with a function's role",
    "lambda:UpdateFunctionConfiguration": "changes a function's layers, handler or environment",
    "lambda:PublishLayerVersion": "replaces code that functions load",
    "lambda:AddPermission": "lets others call a function",
    "lambda:CreateFunctionUrlConfig": "opens a function to the internet",
    "lambda:CreateEventSourceMapping": "makes a function run on its own input",
    "ecs:ExecuteCommand": "opens a shell with a task's role",
    "ecs:RunTask": "runs a task with another role or command",
    "ecs:StartTask": "runs a task with another role or command",
    "ecs:CreateService": "runs tasks with another role",
    "ecs:UpdateService": "deploys around the approval",
    "ecs:RegisterTaskDefinition": "writes what runs with a task's role",
    "ecs:CreateTaskSet": "deploys around the approval",
    "ecs:UpdateServicePrimaryTaskSet": "deploys around the approval",
    "ecs:RegisterContainerInstance": "takes in tasks of others with their roles",
    "ecs:PutClusterCapacityProviders": "moves tasks to instances of its own",
    "codepipeline:PutApprovalResult": "approves its own release",
    "codepipeline:UpdatePipeline": "takes the approval out of the pipeline",
    "codepipeline:CreatePipeline": "makes a pipeline without approval",
    "codepipeline:StartPipelineExecution": "starts a release of its own",
    "codepipeline:RetryStageExecution": "runs a stage again",
    "codepipeline:OverrideStageCondition": "passes over a condition of a stage",
    "codepipeline:PutJobSuccessResult": "says that the gate has passed",
    "codepipeline:EnableStageTransition": "opens a stage that people closed",
    "codepipeline:RollbackStage": "deploys an earlier release",
    "codedeploy:CreateDeployment": "deploys around the approval",
    "codedeploy:UpdateDeploymentGroup": "changes how a release rolls back",
    "codedeploy:ContinueDeployment": "shifts traffic without waiting",
    "codedeploy:PutLifecycleEventHookExecutionStatus": "says that a test has passed",
    "codebuild:StartBuild": "runs commands with a project's role",
    "codebuild:StartBuildBatch": "runs commands with a project's role",
    "codebuild:UpdateProject": "changes what runs with a project's role",
    "codebuild:CreateWebhook": "lets a repository start builds",
    "codestar:CreateProject": "makes a project with service roles",
    "codestar:AssociateTeamMember": "joins a project as its owner",
    "cloudformation:UpdateStack": "changes a stack with the stack's role",
    "cloudformation:SetStackPolicy": "takes a stack's protection away",
    "cloudformation:CreateChangeSet": "changes a stack with the stack's role",
    "cloudformation:ExecuteChangeSet": "changes a stack with the stack's role",
    "cloudformation:UpdateStackSet": "changes stacks in other accounts",
    "ec2:ModifyInstanceAttribute": "changes what an instance runs when it starts",
    "ec2:AssociateIamInstanceProfile": "gives an instance another role",
    "ec2:ReplaceIamInstanceProfileAssociation": "gives an instance another role",
    "ec2:ModifyInstanceMetadataOptions": "opens an instance's credentials",
    "ec2:CreateLaunchTemplateVersion": "changes what new instances run",
    "ec2:ModifyLaunchTemplate": "changes what new instances run",
    "ec2:RequestSpotInstances": "runs an instance with a role",
    "ec2:RunInstances": "runs an instance with a role",
    "ec2-instance-connect:SendSSHPublicKey": "opens a shell with an instance's role",
    "ec2-instance-connect:SendSerialConsoleSSHPublicKey": "opens a shell with an instance's role",
    "ssm:SendCommand": "runs commands with an instance's role",
    "ssm:StartSession": "opens a shell with an instance's or a task's role",
    "ssm:ResumeSession": "opens a shell with an instance's role",
    "ssm:StartAutomationExecution": "runs a document with another role",
    "ssm:CreateAssociation": "runs commands with instances' roles",
    "ssm:UpdateAssociation": "runs commands with instances' roles",
    "ssm:UpdateDocument": "changes what runs with instances' roles",
    "ssm:PutParameter": "changes the configuration of tasks",
    "secretsmanager:PutSecretValue": "changes the configuration of tasks",
    "secretsmanager:PutResourcePolicy": "lets others read a secret",
    "glue:UpdateDevEndpoint": "opens a shell with an endpoint's role",
    "glue:UpdateJob": "changes what runs with a job's role",
    "glue:PutResourcePolicy": "lets others into the catalogue",
    "sagemaker:CreatePresignedNotebookInstanceUrl": "opens a notebook with its role",
    "sagemaker:CreatePresignedDomainUrl": "opens a studio with its role",
    "sagemaker:UpdateNotebookInstanceLifecycleConfig": "changes what runs with a notebook's role",
    "cognito-identity:SetIdentityPoolRoles": "gives anonymous users a role",
    "cognito-identity:UpdateIdentityPool": "lets anonymous users in",
    "datapipeline:PutPipelineDefinition": "changes what runs with a pipeline's role",
    "events:PutRule": "makes a rule that starts things",
    "events:PutTargets": "makes a rule start other things",
    "events:PutPermission": "lets others put events",
    "scheduler:UpdateSchedule": "makes a schedule start other things",
    "states:UpdateStateMachine": "changes what runs with a state machine's role",
    "apprunner:UpdateService": "changes what runs with a service's role",
    "autoscaling:UpdateAutoScalingGroup": "makes instances of another template",
    "batch:SubmitJob": "runs a job with a job's role",
    "kms:PutKeyPolicy": "opens a key to itself",
    "kms:CreateGrant": "opens a key to itself",
    "s3:PutBucketPolicy": "opens a bucket to itself",
    "s3:DeleteBucketPolicy": "takes a bucket's protection away",
    "s3:PutBucketAcl": "opens a bucket",
    "s3:PutObjectAcl": "opens an object",
    "s3:PutBucketPublicAccessBlock": "opens a bucket",
    "s3:PutAccountPublicAccessBlock": "opens all buckets",
    "s3:PutBucketVersioning": "stops keeping the history of releases",
    "s3:BypassGovernanceRetention": "deletes what is held",
    "s3:PutBucketNotification": "makes writes start something else",
    "s3:PutReplicationConfiguration": "copies a bucket to another account",
    "ecr:SetRepositoryPolicy": "opens a repository to itself",
    "ecr:DeleteRepositoryPolicy": "takes a repository's protection away",
    "ecr:PutImageTagMutability": "makes released tags movable",
    "ecr:PutRegistryPolicy": "opens the registry",
    "ecr:PutReplicationConfiguration": "copies images to another account",
    "ecr:PutLifecyclePolicy": "deletes images that run",
    "ecr:BatchDeleteImage": "frees a tag that it may then push again",
    "sns:AddPermission": "opens a topic",
    "sns:SetTopicAttributes": "opens a topic",
    "sqs:AddPermission": "opens a queue",
    "sqs:SetQueueAttributes": "opens a queue",
    "organizations:AttachPolicy": "changes what accounts may do",
    "organizations:DetachPolicy": "changes what accounts may do",
    "organizations:LeaveOrganization": "takes the account out of its organization's limits",
    "ram:CreateResourceShare": "shares resources with other accounts",
    "sso:CreateAccountAssignment": "lets people into accounts",
    "sso:PutInlinePolicyToPermissionSet": "writes a policy for people",
    "sso:AttachManagedPolicyToPermissionSet": "attaches a policy for people",
    "identitystore:CreateGroupMembership": "puts people into groups",
    "rolesanywhere:CreateTrustAnchor": "lets holders of its certificates in",
    "rolesanywhere:CreateProfile": "lets holders of certificates become a role",
    "eks:CreateAccessEntry": "lets itself into a cluster",
    "eks:AssociateAccessPolicy": "becomes a cluster's administrator",
    "eks:CreatePodIdentityAssociation": "gives pods a role",
    "cloudtrail:StopLogging": "hides what it does",
    "cloudtrail:DeleteTrail": "hides what it does",
    "cloudtrail:UpdateTrail": "hides what it does",
    "cloudtrail:PutEventSelectors": "hides what it does",
    "dynamodb:PutResourcePolicy": "opens a table",
    "bedrock-agentcore:InvokeCodeInterpreter": "runs code with an interpreter's role",
    "bedrock-agentcore:StartCodeInterpreterSession": "runs code with an interpreter's role",
    "application-autoscaling:RegisterScalableTarget": "changes how many tasks run",
    "elasticloadbalancing:ModifyListener": "sends traffic elsewhere",
    "elasticloadbalancing:ModifyRule": "sends traffic elsewhere",
}
"""Action to what it leads to, alone, in a stack like this one."""

_WITH_A_PASSED_ROLE: Final = {
    "ec2:RunInstances": "starts an instance with the passed role",
    "ec2:RequestSpotInstances": "starts an instance with the passed role",
    "ec2:AssociateIamInstanceProfile": "gives an instance the passed role",
    "ec2:ReplaceIamInstanceProfileAssociation": "gives an instance the passed role",
    "autoscaling:CreateAutoScalingGroup": "starts instances with the passed role",
    "autoscaling:CreateLaunchConfiguration": "starts instances with the passed role",
    "lambda:CreateFunction": "runs code with the passed role",
    "lambda:CreateFunction lambda:InvokeFunction": "runs code with the passed role",
    "lambda:CreateFunction lambda:CreateEventSourceMapping": "runs code with the passed role when a table changes",
    "lambda:CreateFunction lambda:AddPermission": "runs code with the passed role for another account",
    "ecs:RunTask": "runs a task with the passed role",
    "ecs:StartTask": "runs a task with the passed role",
    "ecs:CreateService": "runs tasks with the passed role",
    "ecs:UpdateService ecs:RegisterTaskDefinition": "runs tasks with the passed role",
    "ecs:RegisterTaskDefinition": "writes a task definition with the passed role",
    "cloudformation:CreateStack": "makes resources with the passed role",
    "cloudformation:CreateStackSet": "makes resources with the passed role",
    "cloudformation:UpdateStackSet": "makes resources with the passed role",
    "cloudformation:CreateChangeSet": "makes resources with the passed role",
    "datapipeline:CreatePipeline": "runs commands with the passed role",
    "glue:CreateDevEndpoint": "opens a shell with the passed role",
    "glue:CreateJob": "runs a job with the passed role",
    "glue:UpdateJob": "runs a job with the passed role",
    "glue:CreateSession": "runs statements with the passed role",
    "sagemaker:CreateNotebookInstance": "opens a notebook with the passed role",
    "sagemaker:CreateTrainingJob": "runs code with the passed role",
    "sagemaker:CreateProcessingJob": "runs code with the passed role",
    "sagemaker:CreateUserProfile": "opens a studio with the passed role",
    "codebuild:CreateProject": "runs commands with the passed role",
    "codebuild:UpdateProject": "runs commands with the passed role",
    "codepipeline:CreatePipeline": "runs actions with the passed role",
    "codestar:CreateProject": "makes a project with the passed role",
    "codedeploy:CreateDeploymentGroup": "deploys with the passed role",
    "cognito-identity:SetIdentityPoolRoles": "gives anonymous users the passed role",
    "states:CreateStateMachine": "calls AWS with the passed role",
    "states:UpdateStateMachine": "calls AWS with the passed role",
    "scheduler:CreateSchedule": "calls AWS with the passed role",
    "events:PutTargets": "starts things with the passed role",
    "pipes:CreatePipe": "starts things with the passed role",
    "apprunner:CreateService": "runs a container with the passed role",
    "batch:RegisterJobDefinition": "runs a job with the passed role",
    "batch:CreateComputeEnvironment": "runs instances with the passed role",
    "bedrock-agentcore:CreateCodeInterpreter": "runs code with the passed role",
    "bedrock:CreateAgent": "acts with the passed role",
    "braket:CreateJob": "runs code with the passed role",
    "emr-serverless:CreateApplication": "runs code with the passed role",
    "emr-serverless:StartJobRun": "runs code with the passed role",
    "elasticmapreduce:RunJobFlow": "runs a cluster with the passed role",
    "gamelift:CreateBuild": "runs code with the passed role",
    "imagebuilder:CreateInfrastructureConfiguration": "runs instances with the passed role",
    "kinesisanalytics:CreateApplication": "runs code with the passed role",
    "omics:StartRun": "runs code with the passed role",
    "ssm:StartAutomationExecution": "runs a document with the passed role",
    "ssm:CreateAssociation": "runs commands with the passed role",
    "eks:CreatePodIdentityAssociation": "gives pods the passed role",
    "eks:CreateNodegroup": "starts nodes with the passed role",
    "amplify:CreateApp": "builds with the passed role",
    "iot:CreateTopicRule": "acts with the passed role",
    "appsync:CreateDataSource": "acts with the passed role",
    "transfer:CreateUser": "reads and writes with the passed role",
    "opsworks:CreateStack": "runs commands with the passed role",
    "rds:AddRoleToDBCluster": "reads and writes with the passed role",
    "redshift:CreateCluster": "reads and writes with the passed role",
    "mediaconvert:CreateJob": "reads and writes with the passed role",
    "dms:CreateEndpoint": "reads and writes with the passed role",
}
"""Actions that, with iam:PassRole, run something as a role of the caller's choice."""

_TOGETHER: Final = {
    "iam:CreateAccessKey iam:DeleteAccessKey": "makes keys of another user who has two already",
    "iam:PutUserPolicy iam:CreateAccessKey": "writes a policy into a user and becomes that user",
    "iam:AttachUserPolicy iam:CreateAccessKey": "attaches a policy to a user and becomes that user",
    "iam:AttachRolePolicy sts:AssumeRole": "attaches a policy to a role and becomes it",
    "iam:PutRolePolicy sts:AssumeRole": "writes a policy into a role and becomes it",
    "iam:CreatePolicyVersion sts:AssumeRole": "widens a role's policy and becomes it",
    "iam:UpdateAssumeRolePolicy sts:AssumeRole": "lets itself into a role and becomes it",
    "iam:AttachRolePolicy iam:UpdateAssumeRolePolicy": "attaches a policy to a role and lets itself in",
    "iam:PutRolePolicy iam:UpdateAssumeRolePolicy": "writes a policy into a role and lets itself in",
    "iam:CreatePolicyVersion iam:UpdateAssumeRolePolicy": "widens a role's policy and lets itself in",
    "iam:CreateRole iam:AttachRolePolicy": "makes a role as it likes",
    "iam:CreateRole iam:PutRolePolicy": "makes a role as it likes",
    "iam:CreateUser iam:AttachUserPolicy": "makes a user as it likes",
    "iam:CreateInstanceProfile iam:AddRoleToInstanceProfile": "gives an instance another role",
    "lambda:UpdateFunctionCode lambda:InvokeFunction": "replaces a function's code and runs it",
    "lambda:UpdateFunctionCode lambda:AddPermission": "replaces a function's code and lets another account run it",
    "lambda:PublishLayerVersion lambda:UpdateFunctionConfiguration": "puts code of its own before a function's",
    "ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances": "changes what an instance runs",
    "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate": "changes what new instances run",
    "ecs:ExecuteCommand ecs:DescribeTasks": "opens a shell with a task's role",
    "sagemaker:StopNotebookInstance sagemaker:UpdateNotebookInstance sagemaker:StartNotebookInstance": "changes what "
    "runs with a notebook's role",
    "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet": "changes a stack with the stack's role",
    "codepipeline:UpdatePipeline codepipeline:StartPipelineExecution": "takes the approval out and releases",
    "datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline": "runs commands "
    "with a pipeline's role",
    "ecr:BatchDeleteImage ecr:PutImage": "replaces a released image under its tag",
    "ecr:PutImageTagMutability ecr:PutImage": "replaces a released image under its tag",
    "ssm:StartSession ssm:DescribeInstanceInformation": "opens a shell with an instance's role",
    "cognito-identity:GetId cognito-identity:GetCredentialsForIdentity": "becomes an identity pool's role",
    "organizations:CreateAccount sts:AssumeRole": "makes an account and becomes its administrator",
}
"""Actions that lead to more only together; each of them is listed alone as well where it suffices."""

PATHS: Final[tuple[Path, ...]] = tuple(_paths())


def paths(granted: Iterable[Statement], beyond: Iterable[str]) -> Iterator[Path]:
    """The paths that the granted statements complete, and to which something beyond the intended contributes.

    Args:
        granted: every Allow of one identity.
        beyond: action patterns, in lower case, that are granted and not intended.
    """
    statements = tuple(granted)
    unintended = tuple(beyond)
    reached = _reach(unintended)
    if not reached:
        return
    able = {a for p in PATHS for a in p.actions if any(may(s, a) for s in statements)}
    for path in PATHS:
        if all(a in able for a in path.actions) and any(a in reached for a in path.actions):
            yield path


def _reach(patterns: tuple[str, ...]) -> frozenset[str]:
    return frozenset(a for p in PATHS for a in p.actions if any(overlaps(pattern, a) for pattern in patterns))
