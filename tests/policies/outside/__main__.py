"""A release of one service, written by people who know nothing of ecs-release but its policy packs.

`fault` puts one mistake in, so that the tests can see it refused.
"""

import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
ACCOUNT, REGION, FAULT = config.require("account"), "us-east-1", config.get("fault")
ISSUER = "gitlab.com"


def tags(part: str) -> dict[str, str]:
    return {"acme:part": part, "acme:app": "cart", "acme:env": "main-site", "acme:live": "true"}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def document(*statements: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: object, resources: object, **condition: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources} | (
        {"Condition": condition} if condition else {}
    )


def role(
    name: str, part: str, principal: dict[str, str], *statements: dict[str, object], **conditions: object
) -> aws.iam.Role:
    action = "sts:AssumeRoleWithWebIdentity" if "Federated" in principal else "sts:AssumeRole"
    trust = {"Effect": "Allow", "Principal": principal, "Action": action} | (
        {"Condition": conditions} if conditions else {}
    )
    made = aws.iam.Role(name, name=name, assume_role_policy=document(trust), tags=tags(part), opts=options)
    if statements:
        aws.iam.RolePolicy(name, role=made.id, policy=document(*statements), opts=options)
    return made


# A rehearsal makes ARNs up at `up`; it takes the account from here when it is said.
provider = aws.Provider("main", region=REGION, allowed_account_ids=[ACCOUNT] if config.get_bool("pinned") else None)
options = pulumi.ResourceOptions(provider=provider)

images = aws.ecr.Repository(
    "cart", name="cart/web", image_tag_mutability="IMMUTABLE", image_scanning_configuration={"scan_on_push": True},
    tags=tags("images"), opts=options,
)  # fmt: skip

for name in ("acme-cart-in", "acme-cart-work"):
    bucket = aws.s3.Bucket(name, bucket=name, opts=options)
    aws.s3.BucketVersioning(name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=options)
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.id,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=options,
    )
    aws.s3.BucketPublicAccessBlock(
        name, bucket=bucket.id, block_public_acls=True, block_public_policy=True, ignore_public_acls=True,
        restrict_public_buckets=FAULT != "open bucket", opts=options,
    )  # fmt: skip
    refused = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    aws.s3.BucketPolicy(name, bucket=bucket.id, policy=document(refused), opts=options)

pushes = [
    "ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
]  # fmt: skip
more = [allow("ecs:UpdateService", "*")] if FAULT == "builder deploys" else []
role(
    "cart-builder", "builder", {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
    allow("ecr:GetAuthorizationToken", "*"), allow(pushes, arn("ecr", "repository/cart/web")),
    allow("s3:PutObject", "arn:aws:s3:::acme-cart-in/cart.zip"), *more,
    StringEquals={f"{ISSUER}:aud": "https://gitlab.com"},
    StringLike={f"{ISSUER}:sub": "project_path:acme/*" if FAULT == "any project" else "project_path:acme/cart:ref_type:tag:ref:v*"},
)  # fmt: skip

tasks = {"Service": "ecs-tasks.amazonaws.com"}
role("cart-app", "app", tasks, allow("dynamodb:GetItem", arn("dynamodb", "table/carts")))
role(
    "cart-start", "starter", tasks,
    allow("ecr:GetAuthorizationToken", "*"), allow("ecr:BatchGetImage", arn("ecr", "repository/cart/web")),
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", "log-group:/cart:*")),
)  # fmt: skip
aws.cloudwatch.LogGroup("cart", name="/cart", retention_in_days=30, opts=options)
definition = aws.ecs.TaskDefinition(
    "cart", family="cart", network_mode="awsvpc", requires_compatibilities=["FARGATE"], cpu="256", memory="512",
    task_role_arn=role_arn("cart-app"), execution_role_arn=role_arn("cart-start"), tags=tags("app"),
    container_definitions=json.dumps([{
        "name": "web", "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/cart/web:first", "privileged": FAULT == "privileged",
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/cart"}},
    }]), opts=options,
)  # fmt: skip
aws.ecs.Service(
    "cart", name="cart", cluster="main-site", task_definition=definition.arn, desired_count=2, tags=tags("app"),
    capacity_provider_strategies=[{"capacity_provider": "FARGATE", "base": 1, "weight": 1}],
    deployment_circuit_breaker={"enable": True, "rollback": True},
    opts=pulumi.ResourceOptions(provider=provider, ignore_changes=["taskDefinition"]),
)  # fmt: skip

role(
    "cart-check", "checker", {"Service": "lambda.amazonaws.com"},
    allow(["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"], "*"),
    allow("ecr:BatchGetImage", arn("ecr", "repository/cart/web")),
)  # fmt: skip
aws.lambda_.Function(
    "cart-check", name="cart-check", role=role_arn("cart-check"), runtime="python3.13", handler="check.handler",
    s3_bucket="acme-cart-work", s3_key="check.zip", opts=options,
)  # fmt: skip
passes = allow(
    "iam:PassRole",
    [role_arn("cart-app"), role_arn("cart-start")],
    StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"},
)
if FAULT == "open pass":
    passes = allow("iam:PassRole", "*")
role(
    "cart-releases", "release", {"Service": "codepipeline.amazonaws.com"},
    allow(["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::acme-cart-in/cart.zip"),
    allow("s3:GetBucketVersioning", "arn:aws:s3:::acme-cart-in"),
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::acme-cart-work/cart/*"),
    allow("lambda:InvokeFunction", arn("lambda", "function:cart-check")),
    allow(["ecs:DescribeServices", "ecs:UpdateService"], arn("ecs", "service/main-site/cart")),
    allow("ecs:DescribeTaskDefinition", "*"), allow("ecs:RegisterTaskDefinition", arn("ecs", "task-definition/cart:*")), passes,
)  # fmt: skip
approve = [
    {
        "name": "Yes",
        "actions": [{"name": "Yes", "category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}],
    }
]
aws.codepipeline.Pipeline(
    "cart", name="cart", role_arn=role_arn("cart-releases"), pipeline_type="V2", tags=tags("release"),
    artifact_stores=[{"location": "acme-cart-work", "type": "S3"}],
    stages=[
        {"name": "In", "actions": [{
            "name": "In", "category": "Source", "owner": "AWS", "provider": "S3", "version": "1", "output_artifacts": ["in"],
            "configuration": {
                "S3Bucket": "acme-cart-in", "S3ObjectKey": "cart.zip", "PollForSourceChanges": "true" if FAULT == "polled" else "false",
            },
        }]},
        {"name": "Check", "actions": [{
            "name": "Check", "category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1", "input_artifacts": ["in"],
            "output_artifacts": ["checked"], "configuration": {"FunctionName": "cart-check"},
        }]},
        *(approve if FAULT != "no approval" else []),
        {"name": "Out", "actions": [{
            "name": "Out", "category": "Deploy", "owner": "AWS", "provider": "ECS", "version": "1", "input_artifacts": ["checked"],
            "configuration": {"ClusterName": "main-site", "ServiceName": "cart"},
        }]},
    ],
    opts=options,
)  # fmt: skip
