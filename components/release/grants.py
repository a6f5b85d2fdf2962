"""What the actions of a pipeline may do, as statements that the pipeline and the strategies share."""

from __future__ import annotations

from components import iam
from components.naming import ServiceNames


def carry_artifacts(names: ServiceNames, *actions: str) -> iam.Statement:
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
        carry_artifacts(names, "s3:PutObject", "s3:PutObjectTagging"),
    )


def invoke_statements(names: ServiceNames, function: str, *, writes: bool) -> tuple[iam.Statement, ...]:
    """Calling one function; the job's artifact credentials, which the function uses, have this role's rights."""
    actions = ("s3:GetObject", "s3:GetObjectVersion", *(("s3:PutObject",) if writes else ()))
    return (
        iam.Statement(
            sid="CallTheFunction", actions=("lambda:InvokeFunction",), resources=(names.function_arn(function),)
        ),
        carry_artifacts(names, *actions),
    )


def answer_the_pipeline() -> iam.Statement:
    """The answer to a CodePipeline job, which every Lambda action owes."""
    return iam.Statement(
        sid="AnswerThePipeline",
        actions=("codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"),
        resources=(
            iam.AllResources(reason="a job's results know no resource (Service Authorization Reference, CodePipeline)"),
        ),
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
