"""Every physical name and ARN of a stack, computed from its settings, so that all of them are known at preview.

A policy that meets an unknown value at preview becomes advisory; an IAM document built from these never does.
The environment is the prefix of every name, so that environments can share an account.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.arguments import ArgumentError
from contract import files, partition
from contract.regions import AS_OF, REGIONS

# No hyphen: `dev-1` + `api` and `dev` + `1-api` would be one name. AWS keeps sg-, internal- and aws for itself.
ENVIRONMENT = r"(?!(sg|internal|aws)$)[a-z][a-z0-9]*"
NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
ANY_SERVICE = "{service}"
"""Placeholder in a name of which a function makes each service's."""
_ACCOUNT = r"[0-9]{12}"


def _checked(what: str, pattern: str, value: str) -> None:
    """Refuse what would become part of a name or an ARN that means something else, such as `*`."""
    if not re.fullmatch(pattern, value):
        raise ArgumentError(f"{what}: {value!r}; allowed: {pattern}")


@dataclass(frozen=True, kw_only=True)
class Names:
    """The environment that every physical name begins with, and the account and region of every ARN."""

    environment: str
    """Environment, such as dev."""
    account: str
    """AWS account id."""
    region: str
    """Region of the AWS partition `aws`."""

    def __post_init__(self) -> None:
        _checked("Names.environment", ENVIRONMENT, self.environment)
        _checked("Names.account", _ACCOUNT, self.account)
        if self.region not in REGIONS:
            raise ArgumentError(
                f"Names.region: {self.region!r}; allowed: a region of the AWS partition aws as of {AS_OF}"
            )

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """ARN of `resource` in this account; `region=""` for services that have none (IAM)."""
        return partition.arn(service, self.region if region is None else region, self.account, resource)

    def role_arn(self, role: str) -> str:
        """ARN of an IAM role of this account."""
        return self.arn("iam", f"role/{role}", region="")

    def bucket_arn(self, bucket: str) -> str:
        """ARN of a bucket; append `/key` for an object."""
        return partition.arn("s3", "", "", bucket)

    def oidc_provider_arn(self, host: str) -> str:
        """ARN of the account's OIDC provider of `host` (the issuer's URL without https://)."""
        return self.arn("iam", f"oidc-provider/{host}", region="")

    @property
    def cluster(self) -> str:
        """ECS cluster."""
        return self.environment

    @property
    def handoff_bucket(self) -> str:
        """Bucket in which CI puts each service's hand-off."""
        return f"{self.environment}-ecsdef-{self.account}"

    @property
    def template_bucket(self) -> str:
        """Bucket of the templates that infrastructure owns; CI cannot reach it."""
        return f"{self.environment}-ecstemplate-{self.account}"

    @property
    def artifact_bucket(self) -> str:
        """Bucket of the pipelines' artifacts."""
        return f"{self.environment}-ecsartifacts-{self.account}"

    @property
    def trail(self) -> str:
        """CloudTrail trail that sees the hand-offs being written."""
        return f"{self.environment}-ecs-release"

    @property
    def trail_bucket(self) -> str:
        """Bucket of the trail's log files."""
        return f"{self.environment}-ecstrail-{self.account}"

    @property
    def approvals_topic(self) -> str:
        """SNS topic of releases that wait for approval."""
        return f"{self.environment}-approvals"

    @property
    def alarms_topic(self) -> str:
        """SNS topic of the services' alarms."""
        return f"{self.environment}-alarms"

    @property
    def scaling_guard(self) -> str:
        """Function that suspends auto scaling while a deployment shifts traffic."""
        return f"{self.environment}-scaling-guard"

    @property
    def notifier(self) -> str:
        """Function that posts the notifications of releases."""
        return f"{self.environment}-notify"

    @property
    def dead_letters(self) -> str:
        """Dead-letter queue of functions and rules."""
        return f"{self.environment}-dead-letters"

    def guard_rule(self, source: str) -> str:
        """EventBridge rule that invokes the scaling guard on `deployments`, or by schedule (`sweep`)."""
        return f"{self.environment}-{source}-guard"

    def notifier_rule(self, source: str) -> str:
        """EventBridge rule that invokes the notifier on `pipelines` or `deployments`."""
        return f"{self.environment}-{source}-notify"

    @property
    def releases_topic(self) -> str:
        """SNS topic of which Amazon Q Developer gets releases."""
        return f"{self.environment}-releases"

    def function_arn(self, function: str) -> str:
        """ARN of a Lambda function of this account."""
        return self.arn("lambda", f"function:{function}")

    def service(self, name: str) -> "ServiceNames":
        """Names of one service's parts."""
        return ServiceNames(stack=self, service=name)


@dataclass(frozen=True, kw_only=True)
class ServiceNames:
    """The service whose name follows the environment's in the names of its parts."""

    stack: Names
    """Environment, account and region."""
    service: str
    """The service's own name."""

    def __post_init__(self) -> None:
        if self.service != ANY_SERVICE:
            _checked("ServiceNames.service", NAME, self.service)

    @property
    def base(self) -> str:
        """The service's own name: pipeline, ECS service, load balancer, task family, CodeDeploy application."""
        return f"{self.stack.environment}-{self.service}"

    @property
    def stand_in_family(self) -> str:
        """Task family of what runs until the first release. No other name has an underscore, so it is no service's."""
        return f"{self.base}_stand-in"

    def role(self, purpose: str) -> str:
        """IAM role of the service for one purpose."""
        return f"{self.base}-{purpose}"

    def role_arn(self, purpose: str) -> str:
        """ARN of `role(purpose)`."""
        return self.stack.role_arn(self.role(purpose))

    def target_group(self, colour: str) -> str:
        """Target group, blue or green."""
        return f"{self.base}-{colour}"

    def function(self, purpose: str) -> str:
        """Lambda function of the service."""
        return f"{self.base}-{purpose}"

    def function_arn(self, purpose: str) -> str:
        """ARN of `function(purpose)`."""
        return self.stack.function_arn(self.function(purpose))

    def repository(self, container: str) -> str:
        """ECR repository of one container's image."""
        _checked("containers", NAME, container)
        return f"{self.stack.environment}/{self.service}/{container}"

    @property
    def cache_repository(self) -> str:
        """ECR repository of the build cache; nothing in it can be released."""
        return self.repository("cache")

    def repository_arn(self, repository: str) -> str:
        """ARN of an ECR repository."""
        return self.stack.arn("ecr", f"repository/{repository}")

    def repository_url(self, repository: str) -> str:
        """The repository part of an image's URI."""
        return f"{partition.registry(self.stack.account, self.stack.region)}/{repository}"

    @property
    def handoff_key(self) -> str:
        """Key of the hand-off in the hand-off bucket."""
        return f"{self.service}/{files.HANDOFF_ARCHIVE}"

    @property
    def template_key(self) -> str:
        """Key of the template in the template bucket."""
        return f"{self.service}/{files.TEMPLATE_ARCHIVE}"

    @property
    def log_group(self) -> str:
        """Log group of the service's containers."""
        return f"/ecs/{self.stack.environment}/{self.service}"

    @property
    def pipeline_arn(self) -> str:
        """ARN of the service's pipeline."""
        return self.stack.arn("codepipeline", self.base)

    @property
    def artifact_folder(self) -> str:
        """Folder of the pipeline's artifacts: CodePipeline cuts the pipeline's name to twenty characters.

        Source: AWS re:Post, "Code pipeline truncates folder names in output artifact S3 bucket", answered by AWS.
        """
        return self.base[:20]

    @property
    def rule(self) -> str:
        """EventBridge rule that starts the pipeline."""
        return f"{self.base}-handoff"

    def length_limits(self, *, balanced: bool) -> Iterator[tuple[str, str, int]]:
        """(kind, name, most characters AWS allows) of the names that a long service name breaks first.

        Sources: API references of Elastic Load Balancing (CreateLoadBalancer, CreateTargetGroup: 32),
        IAM (CreateRole: 64), Lambda (CreateFunction: 64), EventBridge (PutRule: 64).
        """
        if balanced:
            yield "target group", self.target_group("green"), 32
        yield "IAM role", self.role("source-action"), 64
        yield "Lambda function", self.function("gate"), 64
        yield "EventBridge rule", self.rule, 64
