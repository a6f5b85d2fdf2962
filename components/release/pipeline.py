"""The CodePipeline pipeline of a service: Source, Verify, Approve if required, Deploy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components import iam
from components.naming import ServiceNames
from components.release import grants
from components.strategy import Action, Strategy
from contract import partition
from contract.files import HANDOFF_ARTIFACT, RELEASE_ARTIFACT, TEMPLATE_ARTIFACT


@dataclass(frozen=True, kw_only=True)
class PipelineArgs:
    """`Pipeline`'s arguments.

    Args:
        names: the service's names.
        execution_mode: SUPERSEDED or QUEUED.
        strategy: whose Deploy action it is.
        deploy: what the role of that action may do.
        subnets: ids of the subnets of the service's tasks.
        security_group: id of their security group.
        approvals: ARN of the topic of the approvals, where the stack asks for approval.
        approval_timeout_minutes: minutes after which a release that nobody approved fails.
        ready: what has to stand before the first release: buckets, gate, deployment.
    """

    names: ServiceNames
    execution_mode: str
    strategy: Strategy
    deploy: tuple[iam.Statement, ...]
    subnets: pulumi.Input[Sequence[str]]
    security_group: pulumi.Input[str]
    approvals: pulumi.Input[str] | None
    approval_timeout_minutes: int
    ready: list[pulumi.Resource]


class Pipeline(pulumi.ComponentResource):
    """`pipeline` (V2), each of its actions under a role of its own that may do that action alone."""

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Pipeline", name, None, opts)
        self._name, self._args = name, args
        names = args.names
        self._own = self._pipeline_role()
        may = {
            "source": grants.source_statements(names),
            "verify": grants.invoke_statements(names, "gate", writes=True),
            "deploy": args.deploy,
        }
        roles = [self._own, *(self._action_role(action, statements) for action, statements in may.items())]
        approve = [self._approve(args.approvals)] if args.approvals is not None else []
        stages = {
            "Source": [
                self._source(HANDOFF_ARTIFACT, names.stack.handoff_bucket, names.handoff_key),
                self._source(TEMPLATE_ARTIFACT, names.stack.template_bucket, names.template_key),
            ],
            "Verify": [self._verify()],
            "Approve": approve,
            "Deploy": [args.strategy.deploy_action(names)],
        }
        self.pipeline = aws.codepipeline.Pipeline(
            name,
            name=names.base,
            pipeline_type="V2",
            execution_mode=args.execution_mode,
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
            "input_artifacts": [HANDOFF_ARTIFACT, TEMPLATE_ARTIFACT],
            "output_artifacts": [RELEASE_ARTIFACT],
            "configuration": {
                "FunctionName": names.function("gate"),
                "UserParameters": self._gate_parameters(),
            },
        }

    def _gate_parameters(self) -> pulumi.Input[str]:
        """The service, and where its next tasks stand, if a release says so: under ECS's own controller `up` does.

        Sixteen subnets, which is as many as a task may have, fit into the 1,000 characters of a value (CodePipeline
        API reference, ActionDeclaration).
        """
        service = self._args.names.service
        if not self._args.strategy.release_sets_network:
            return json.dumps({"service": service})

        def with_network(network: list[Any]) -> str:
            subnets, group = network
            return json.dumps({"service": service, "network": {"subnets": sorted(subnets), "securityGroups": [group]}})

        return pulumi.Output.all(self._args.subnets, self._args.security_group).apply(with_network)

    def _approve(self, topic: pulumi.Input[str]) -> Action:
        names = self._args.names
        return {
            "name": "Approve",
            "category": "Approval",
            "owner": "AWS",
            "provider": "Manual",
            "version": "1",
            "timeout_in_minutes": self._args.approval_timeout_minutes,
            "configuration": {
                "NotificationArn": topic,
                "ExternalEntityLink": console_url(names),
                "CustomData": f"Release of {names.service} to {names.stack.environment}, commit #{{Gate.commit}}. "
                "Images: #{Gate.images}. Scan: #{Gate.scan}. Changes: #{Gate.changes}",
            },
        }


def console_url(names: ServiceNames) -> str:
    """Where a person watches the pipeline."""
    region = names.stack.region
    path = f"codesuite/codepipeline/pipelines/{names.base}/view?region={region}"
    return partition.console(region, path)
