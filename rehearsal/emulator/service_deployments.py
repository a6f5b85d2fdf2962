"""Amazon ECS's records of its services' deployments, which moto does not keep.

Source: ECS API reference, ServiceDeployment and ServiceRevision.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .account import Account, Answer
    from .declared import Service


class ServiceDeployments:
    """The records; answers for them in moto's place."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._records: list[dict[str, Any]] = []
        self._revisions: dict[str, str] = {}
        """ARN of a service revision to its task definition's."""
        account.stub_handlers["ecs:ListServiceDeployments"] = self._list
        account.stub_handlers["ecs:DescribeServiceDeployments"] = self._describe
        account.stub_handlers["ecs:DescribeServiceRevisions"] = self._describe_revisions

    def begin(self, service: Service, task_definition: str, desired: int) -> dict[str, Any]:
        """The record of a deployment that begins; whoever carries it out changes it as it goes on."""
        place, number = f"{service.cluster}/{service.base}", len(self._records) + 1
        revision = self._account.arn("ecs", f"service-revision/{place}/{number}")
        self._revisions[revision] = task_definition
        record = {
            "serviceDeploymentArn": self._account.arn("ecs", f"service-deployment/{place}/{number}"),
            "serviceArn": self._account.arn("ecs", f"service/{place}"),
            "status": "IN_PROGRESS",
            "createdAt": datetime.now(tz=UTC),
            "targetServiceRevision": {"arn": revision, "requestedTaskCount": desired, "runningTaskCount": 0},
            "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 3},
        }
        self._records.append(record)
        return record

    def _list(self, params: Mapping[str, Any]) -> Answer:
        service = self._account.arn("ecs", f"service/{params['cluster']}/{params['service']}")
        listed = [
            {
                "serviceDeploymentArn": record["serviceDeploymentArn"],
                "targetServiceRevisionArn": record["targetServiceRevision"]["arn"],
                "status": record["status"],
                "createdAt": record["createdAt"],
            }
            for record in self._records
            if record["serviceArn"] == service and record["createdAt"] >= params["createdAt"]["after"]
        ]
        return 200, {"serviceDeployments": listed}

    def _describe(self, params: Mapping[str, Any]) -> Answer:
        asked = params["serviceDeploymentArns"]
        return 200, {"serviceDeployments": [r for r in self._records if r["serviceDeploymentArn"] in asked]}

    def _describe_revisions(self, params: Mapping[str, Any]) -> Answer:
        described = [
            {"serviceRevisionArn": arn, "taskDefinition": self._revisions[arn]}
            for arn in params["serviceRevisionArns"]
            if arn in self._revisions
        ]
        return 200, {"serviceRevisions": described}
