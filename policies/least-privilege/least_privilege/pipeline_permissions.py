"""Permissions of a pipeline and of its actions, derived from the actions that it has.

Source: CodePipeline user guide, "Manage the CodePipeline service role".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from . import lookups
from .grants import Permission

if TYPE_CHECKING:
    from policy_kit.stack import Action, Pipeline

    from .inventory import Inventory
    from .roles import Identity

DATA_KEY: Final = ("kms:generatedatakey", "kms:generatedatakeywithoutplaintext")
DESCRIBE_TASK_DEFINITION: Final = Permission(actions=("ecs:describetaskdefinition",), resources=("*",))
#: CodePipeline user guide, "Service role permissions: S3 source action".
_READ_SOURCE: Final = ("s3:getobject", "s3:getobjectversion", "s3:getobjecttagging", "s3:getobjectversiontagging")
#: Characters of a pipeline's name that CodePipeline makes the folder of its artifacts of (AWS re:Post, "Code pipeline
#: truncates folder names in output artifact S3 bucket").
_FOLDER: Final = 20
_KNOW_BUCKET: Final = ("s3:getbucketacl", "s3:getbucketlocation", "s3:getbucketversioning")


def for_pipeline(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """What the pipeline does itself, or the actions whose role this is.

    An action's role that is not known at preview counts for every role that the stages refer to.
    """
    for pipeline in lookups.pipelines(inventory, identity):
        resource = pipeline.resource
        own = identity in inventory.roles_in(resource, "roleArn", resource.props.get("roleArn"))
        if own:
            yield from _artifact_stores(pipeline, identity)
        for action in pipeline.actions:
            roles = inventory.roles_in(resource, "stages", action.role)
            if own and action.role is not None:
                yield Permission(actions=("sts:assumerole",), resources=tuple(r.arn for r in roles))
            if identity in roles or (own and action.role is None):
                yield from _action(action, identity, inventory)
                yield from _artifacts(action, pipeline, identity)


def _artifact_stores(pipeline: Pipeline, identity: Identity) -> Iterator[Permission]:
    """What a pipeline asks of its store itself (CodePipeline user guide, "CodePipeline service role policy")."""
    for store in pipeline.stores:
        bucket = store.get("location")
        if isinstance(bucket, str):
            yield Permission(
                actions=_KNOW_BUCKET,
                resources=(f"arn:{identity.resource.partition}:s3:::{bucket}",),
            )


def _artifacts(action: Action, pipeline: Pipeline, identity: Identity) -> Iterator[Permission]:
    source = (action.category, action.provider) == ("Source", "S3")
    actions = [
        *(("s3:getobject", "s3:getobjectversion") if action.inputs else ()),
        *(("s3:putobject",) if action.outputs else ()),
        *(("s3:putobjecttagging",) if action.outputs and source else ()),
    ]
    folder = pipeline.resource.text("name")[:_FOLDER]
    for store in pipeline.stores:
        bucket = store.get("location")
        if isinstance(bucket, str) and actions:
            objects = f"arn:{identity.resource.partition}:s3:::{bucket}/{f'{folder}/*' if folder else '*'}"
            yield Permission(actions=tuple(actions), resources=(objects,))
        key = store.get("encryptionKey")
        arn = key.get("id") if isinstance(key, Mapping) else None
        if isinstance(arn, str) and ":key/" in arn:
            yield Permission(actions=(*DATA_KEY, "kms:decrypt", "kms:encrypt", "kms:describekey"), resources=(arn,))


def _action(action: Action, identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    provider, role = action.provider, identity.resource
    if provider == "S3" and action.category == "Source":
        bucket = f"arn:{role.partition}:s3:::{action.text('S3Bucket')}"
        objects = (f"{bucket}/{action.text('S3ObjectKey')}",)
        yield Permission(actions=_READ_SOURCE, resources=objects)
        yield Permission(actions=_KNOW_BUCKET, resources=(bucket,))
    elif provider == "ECR":
        repository = role.arn_beside("ecr", f"repository/{action.text('RepositoryName')}")
        yield Permission(actions=("ecr:describeimages",), resources=(repository,))
    elif provider == "Lambda":
        function = role.arn_beside("lambda", f"function:{action.text('FunctionName')}")
        yield Permission(actions=("lambda:invokefunction",), resources=(function,))
    elif provider == "Manual" and action.text("NotificationArn"):
        yield Permission(actions=("sns:publish",), resources=(action.text("NotificationArn"),))
    elif provider == "Manual":
        # The topic's ARN is not known yet: any of those that the pipelines refer to.
        yield Permission(actions=("sns:publish",), resources=tuple(lookups.topics_of_approvals(inventory)))
    elif provider == "CodeBuild":
        project = role.arn_beside("codebuild", f"project/{action.text('ProjectName')}")
        actions = ("codebuild:startbuild", "codebuild:stopbuild", "codebuild:batchgetbuilds")
        yield Permission(actions=actions, resources=(project,))
    elif provider == "CodeDeployToECS":
        yield from _blue_green(action, identity, inventory)
    elif provider == "ECS":
        service = role.arn_beside("ecs", f"service/{action.text('ClusterName')}/{action.text('ServiceName')}")
        yield Permission(actions=("ecs:describeservices", "ecs:updateservice"), resources=(service,))
        yield DESCRIBE_TASK_DEFINITION
        yield from register_task_definition(identity, inventory)


def _blue_green(action: Action, identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    role = identity.resource
    application, group = action.text("ApplicationName"), action.text("DeploymentGroupName")
    yield Permission(
        actions=("codedeploy:createdeployment", "codedeploy:getdeployment"),
        resources=(role.arn_beside("codedeploy", f"deploymentgroup:{application}/{group}"),),
    )
    yield Permission(
        actions=(
            "codedeploy:getapplication",
            "codedeploy:getapplicationrevision",
            "codedeploy:registerapplicationrevision",
        ),
        resources=(role.arn_beside("codedeploy", f"application:{application}"),),
    )
    configurations = lookups.configurations(inventory, group)
    if configurations:
        yield Permission(
            actions=("codedeploy:getdeploymentconfig",),
            resources=tuple(role.arn_beside("codedeploy", f"deploymentconfig:{c}") for c in configurations),
        )
    yield from register_task_definition(identity, inventory)


def register_task_definition(identity: Identity, inventory: Inventory) -> Iterator[Permission]:
    """Registering a revision of the service's own family, with its own two roles."""
    families = tuple(
        identity.resource.arn_beside("ecs", f"task-definition/{family}:*")
        for family in lookups.families(inventory, identity.service)
    )
    creating = {"ecs:CreateAction": ("RegisterTaskDefinition",)}
    yield Permission(actions=("ecs:registertaskdefinition",), resources=families or ("*",))
    yield Permission(actions=("ecs:tagresource",), resources=families, conditions=creating)
    yield pass_to_tasks(identity, inventory)


def pass_to_tasks(identity: Identity, inventory: Inventory) -> Permission:
    """Passing the service's task and execution roles to ECS tasks."""
    return Permission(
        actions=("iam:passrole",),
        resources=(*lookups.task_roles(inventory, identity.service), *inventory.settings.passable_roles),
        conditions={"iam:PassedToService": ("ecs-tasks.amazonaws.com",)},
    )
