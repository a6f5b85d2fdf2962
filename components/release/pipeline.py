"""The release's own way: Source, Verify, Approve where the stack asks, Deploy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import iam, settings
from components.naming import ServiceNames

Action = aws.codepipeline.PipelineStageActionArgsDict


@dataclass(frozen=True, kw_only=True)
class PipelineArgs:
    """`Pipeline`'s arguments.

    Args:
        stack: the stack's settings.
        service: the service's settings; its strategy chooses the Deploy action.
        subnets: ids of the subnets of the service's tasks.
        security_group: id of their security group.
        approvals: topic of the approvals, where the stack asks for approval.
        ready: what has to stand before the first release: buckets, gate, deployment.
    """

    stack: settings.Settings
    service: settings.Service
    subnets: pulumi.Input[Sequence[str]]
    security_group: pulumi.Input[str]
    approvals: aws.sns.Topic | None
    ready: list[pulumi.Resource]

    @property
    def names(self) -> ServiceNames:
        """The service's names."""
        return self.stack.names.service(self.service.name)


class Pipeline(pulumi.ComponentResource):
    """`pipeline` (V2), each of its actions under a role of its own that may do that action alone."""

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Pipeline", name, None, opts)
        self._name, self._args = name, args
        names = args.names
        self._own = self._pipeline_role()
        blue_green = args.service.strategy == "blue-green"
        configuration = args.stack.deployment.configuration
        may = {
            "source": source_statements(names),
            "verify": invoke_statements(names, "gate", writes=True),
            "deploy": codedeploy_statements(names, configuration)
            if blue_green
            else invoke_statements(names, "deploy", writes=False),
        }
        roles = [self._own, *(self._action_role(action, statements) for action, statements in may.items())]
        approve = [self._approve(args.approvals.arn)] if args.approvals is not None else []
        stages = {
            "Source": [
                self._source("Handoff", names.stack.handoff_bucket, names.handoff_key),
                self._source("Template", names.stack.template_bucket, names.template_key),
            ],
            "Verify": [self._verify()],
            "Approve": approve,
            "Deploy": [self._codedeploy() if blue_green else self._rolling()],
        }
        self.pipeline = aws.codepipeline.Pipeline(
            name,
            name=names.base,
            pipeline_type="V2",
            execution_mode=args.stack.execution_mode,
            role_arn=self._own.arn,
            artifact_stores=[{"location": names.stack.artifact_bucket, "type": "S3"}],
            stages=[{"name": stage, "actions": actions} for stage, actions in stages.items() if actions],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.ready, *(r for role in roles for r in role.ready)],
            ),
        )
        self.url = console_url(names)
        self.register_outputs({"url": self.url})

    # ------------------------------------------------------------ roles

    def _pipeline_role(self) -> iam.GrantedRole:
        names = self._args.names
        statements = [
            iam.Statement(
                sid="ActThroughItsActionsRoles",
                actions=("sts:AssumeRole",),
                resources=tuple(names.role_arn(f"{a}-action") for a in ("source", "verify", "deploy")),
            ),
            # CodePipeline user guide, "CodePipeline service role policy": what every pipeline needs of its own store.
            iam.Statement(
                sid="KnowItsArtifactStore",
                actions=("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"),
                resources=(names.stack.bucket_arn(names.stack.artifact_bucket),),
            ),
        ]
        if self._args.approvals is not None:
            statements.append(
                iam.Statement(
                    sid="AskForApproval",
                    actions=("sns:Publish",),
                    resources=(names.stack.arn("sns", names.stack.approvals_topic),),
                )
            )
        return iam.role(
            f"{self._name}-pipeline",
            name=names.role("pipeline"),
            purpose="pipeline",
            service=names.service,
            description=f"Pipeline of {names.base}: does nothing itself but ask for approval",
            trust=(
                iam.service_trust(
                    "codepipeline.amazonaws.com", iam.from_source(names.pipeline_arn, names.stack.account)
                ),
            ),
            statements=tuple(statements),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _action_role(self, action: str, statements: tuple[iam.Statement, ...]) -> iam.GrantedRole:
        names = self._args.names
        trust = iam.Statement(
            sid="AssumedByThePipeline",
            actions=("sts:AssumeRole",),
            principals={"AWS": names.role_arn("pipeline")},
        )
        return iam.role(
            f"{self._name}-{action}-action",
            name=names.role(f"{action}-action"),
            purpose="pipeline-action",
            service=names.service,
            description=f"The action {action} of the pipeline {names.base}",
            trust=(trust,),
            statements=statements,
            # IAM looks a principal up when it is named, so that one has to stand first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._own.role]),
        )

    # ------------------------------------------------------------ actions

    def _source(self, name: str, bucket: str, key: str) -> Action:
        return {
            "name": name,
            "category": "Source",
            "owner": "AWS",
            "provider": "S3",
            "version": "1",
            "namespace": name,
            "role_arn": self._args.names.role_arn("source-action"),
            "output_artifacts": [name],
            "configuration": {"S3Bucket": bucket, "S3ObjectKey": key, "PollForSourceChanges": "false"},
        }

    def _verify(self) -> Action:
        names = self._args.names
        return {
            "name": "Gate",
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
            "namespace": "Gate",
            "role_arn": self._args.names.role_arn("verify-action"),
            "input_artifacts": ["Handoff", "Template"],
            "output_artifacts": ["Release"],
            "configuration": {
                "FunctionName": names.function("gate"),
                "UserParameters": self._told_to_the_gate(),
            },
        }

    def _told_to_the_gate(self) -> pulumi.Input[str]:
        """The service, and where its next tasks stand, if a release says so: under ECS's own controller `up` does.

        Sixteen subnets, which is as many as a task may have, fit into the 1,000 characters of a value (CodePipeline
        API reference, ActionDeclaration).
        """
        service = self._args.service
        if service.strategy != "blue-green":
            return json.dumps({"service": service.name})

        def told(network: list[Any]) -> str:
            subnets, group = network
            return json.dumps(
                {"service": service.name, "network": {"subnets": sorted(subnets), "securityGroups": [group]}}
            )

        return pulumi.Output.all(self._args.subnets, self._args.security_group).apply(told)

    def _approve(self, topic: pulumi.Input[str]) -> Action:
        names = self._args.names
        return {
            "name": "Approve",
            "category": "Approval",
            "owner": "AWS",
            "provider": "Manual",
            "version": "1",
            "timeout_in_minutes": self._args.stack.approval_timeout_minutes,
            "configuration": {
                "NotificationArn": topic,
                "ExternalEntityLink": console_url(names),
                "CustomData": f"Release of {names.service} to {names.stack.environment}, commit #{{Gate.commit}}. "
                "Images: #{Gate.images}. Scan: #{Gate.scan}. Changes: #{Gate.changes}",
            },
        }

    def _codedeploy(self) -> Action:
        return {
            "name": "Deploy",
            "category": "Deploy",
            "owner": "AWS",
            "provider": "CodeDeployToECS",
            "version": "1",
            "namespace": "Deploy",
            "role_arn": self._args.names.role_arn("deploy-action"),
            "input_artifacts": ["Release"],
            "configuration": {
                "ApplicationName": self._args.names.base,
                "DeploymentGroupName": self._args.names.base,
                "TaskDefinitionTemplateArtifact": "Release",
                "TaskDefinitionTemplatePath": "taskdef.json",
                "AppSpecTemplateArtifact": "Release",
                "AppSpecTemplatePath": "appspec.yaml",
            },
        }

    def _rolling(self) -> Action:
        """Not CodePipeline's own ECS action: that one clones the running task definition, not infrastructure's."""
        names = self._args.names
        return {
            "name": "Deploy",
            "category": "Invoke",
            "owner": "AWS",
            "provider": "Lambda",
            "version": "1",
            "namespace": "Deploy",
            "role_arn": self._args.names.role_arn("deploy-action"),
            "input_artifacts": ["Release"],
            "configuration": {
                "FunctionName": names.function("deploy"),
                "UserParameters": json.dumps(
                    {
                        "cluster": names.stack.cluster,
                        "service": names.base,
                        "pipeline": names.base,
                        "stage": "Deploy",
                        "execution": "#{codepipeline.PipelineExecutionId}",
                    }
                ),
            },
        }


def console_url(names: ServiceNames) -> str:
    """Where a person watches the pipeline."""
    region = names.stack.region
    path = f"codesuite/codepipeline/pipelines/{names.base}/view?region={region}"
    return f"https://{region}.console.aws.amazon.com/{path}"


def _artifacts(names: ServiceNames, *actions: str) -> iam.Statement:
    """Of this pipeline alone: what lies in the folder is CodePipeline's to name."""
    return iam.Statement(
        sid="CarryArtifacts",
        actions=actions,
        resources=(f"{names.stack.bucket_arn(names.stack.artifact_bucket)}/{names.artifact_folder}/*",),
    )


def source_statements(names: ServiceNames) -> tuple[iam.Statement, ...]:
    """Reading the two sources, whose tags CodePipeline carries over to the artifacts.

    Source: CodePipeline user guide, "Manage the CodePipeline service role": a tagged source object needs all three
    tagging actions.
    """
    buckets = [names.stack.bucket_arn(b) for b in (names.stack.handoff_bucket, names.stack.template_bucket)]
    return (
        iam.Statement(
            sid="ReadItsSources",
            actions=(
                "s3:GetObject",
                "s3:GetObjectTagging",
                "s3:GetObjectVersion",
                "s3:GetObjectVersionTagging",
            ),
            resources=(f"{buckets[0]}/{names.handoff_key}", f"{buckets[1]}/{names.template_key}"),
        ),
        iam.Statement(
            sid="SeeThatTheSourcesAreVersioned",
            actions=("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"),
            resources=tuple(buckets),
        ),
        _artifacts(names, "s3:PutObject", "s3:PutObjectTagging"),
    )


def invoke_statements(names: ServiceNames, function: str, *, writes: bool) -> tuple[iam.Statement, ...]:
    """Calling one function; the job's artifact credentials, which the function uses, have this role's rights."""
    actions = ("s3:GetObject", "s3:GetObjectVersion", *(("s3:PutObject",) if writes else ()))
    return (
        iam.Statement(
            sid="CallTheFunction", actions=("lambda:InvokeFunction",), resources=(names.function_arn(function),)
        ),
        _artifacts(names, *actions),
    )


def codedeploy_statements(names: ServiceNames, configuration: str) -> tuple[iam.Statement, ...]:
    """Starting a blue/green deployment (CodePipeline user guide, "CodeDeploy blue/green action reference")."""
    arn, base = names.stack.arn, names.base
    return (
        iam.Statement(
            sid="DeployThisGroup",
            actions=("codedeploy:CreateDeployment", "codedeploy:GetDeployment"),
            resources=(arn("codedeploy", f"deploymentgroup:{base}/{base}"),),
        ),
        iam.Statement(
            sid="RegisterItsRevisions",
            actions=(
                "codedeploy:GetApplication",
                "codedeploy:GetApplicationRevision",
                "codedeploy:RegisterApplicationRevision",
            ),
            resources=(arn("codedeploy", f"application:{base}"),),
        ),
        iam.Statement(
            sid="ReadItsConfiguration",
            actions=("codedeploy:GetDeploymentConfig",),
            resources=(arn("codedeploy", f"deploymentconfig:{configuration}"),),
        ),
        *register_statements(names),
        _artifacts(names, "s3:GetObject", "s3:GetObjectVersion"),
    )


def register_statements(names: ServiceNames) -> tuple[iam.Statement, ...]:
    """Registering a revision in this service's family, with its two roles (Service Authorization Reference, ECS)."""
    return (
        iam.Statement(
            sid="RegisterTheRevision",
            actions=("ecs:RegisterTaskDefinition",),
            resources=(names.stack.arn("ecs", f"task-definition/{names.base}:*"),),
        ),
        iam.Statement(
            sid="TagTheRevision",
            actions=("ecs:TagResource",),
            resources=(names.stack.arn("ecs", f"task-definition/{names.base}:*"),),
            conditions={"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}},
        ),
        iam.pass_role(
            "GiveTasksTheirRoles", (names.role_arn("task"), names.role_arn("execution")), "ecs-tasks.amazonaws.com"
        ),
    )
