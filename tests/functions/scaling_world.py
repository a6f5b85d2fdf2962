"""What the scaling guard speaks to, in memory, so that every order of everything can be tried."""

# The fake takes what boto3's clients take.
# ruff: noqa: ARG002, N803

from __future__ import annotations

from botocore.exceptions import ClientError

from functions.guard import scaling_guard
from functions.guard.scaling_guard import ALL_SUSPENDED, Flags
from tests.functions.world import context

SERVICES = {
    "services": ["api", "worker"],
    "application": "prod-{service}",
    "group": "prod-{service}",
    "resourceId": "service/prod/prod-{service}",
    "parameter": "/ecs-release/prod/{service}/scaling-guard",
    "letItScale": "/ecs-release/prod/{service}/let-it-scale",
}
LET_IT_SCALE = "/ecs-release/prod/api/let-it-scale"
FREE = Flags(scale_in=False, scale_out=False, scheduled=False)
BY_HAND = [
    FREE,
    ALL_SUSPENDED,
    Flags(scale_in=True, scale_out=False, scheduled=False),
    Flags(scale_in=False, scale_out=True, scheduled=True),
]
ENDS = {"SUCCESS": "Succeeded", "FAILURE": "Failed", "STOP": "Stopped"}
SWEEP = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def event(state, deployment="d-1", service="api"):
    """A CodeDeploy event as EventBridge delivers it."""
    arn = "arn:aws:codedeploy:ap-northeast-1:123456789012"
    return {
        "version": "0",
        "id": "c071bfbf-83c4-49ca-a6ff-3df053957145",
        "account": "123456789012",
        "region": "ap-northeast-1",
        "time": "2026-11-21T06:00:00Z",
        "source": "aws.codedeploy",
        "detail-type": "CodeDeploy Deployment State-change Notification",
        "resources": [
            f"{arn}:application:prod-{service}",
            f"{arn}:deploymentgroup:prod-{service}/prod-{service}",
        ],
        "detail": {
            "region": "ap-northeast-1",
            "application": f"prod-{service}",
            "deploymentGroup": f"prod-{service}",
            "deploymentId": deployment,
            "instanceGroupId": "9fd2fbef-2157-40d8-91e7-6845af69e2d2",
            "state": state,
        },
    }


class NoSuchParameterError(ClientError):
    """ssm's ParameterNotFound."""


class ParameterThereError(ClientError):
    """ssm's ParameterAlreadyExists."""


class Account:
    """The three services that the guard speaks to, in memory, so that every order of everything can be tried.

    `on_call` runs before the call of that number: a fault, or another invocation in between.
    """

    class exceptions:  # noqa: N801  (named as a botocore client's)
        ParameterNotFound = NoSuchParameterError
        ParameterAlreadyExists = ParameterThereError

    def __init__(self, before=FREE):
        self.flags = {"service/prod/prod-api": before, "service/prod/prod-worker": FREE}
        self.parameters = {}
        self.deployments = {}
        self.number = 0
        self.on_call = {}
        self.updates = []
        self.still_listed = set()

    def _call(self):
        self.number += 1
        if hook := self.on_call.pop(self.number, None):
            hook()

    def describe_scalable_targets(self, *, ServiceNamespace, ResourceIds, ScalableDimension):
        self._call()
        assert (ServiceNamespace, ScalableDimension) == ("ecs", "ecs:service:DesiredCount")
        found = [name for name in ResourceIds if name in self.flags]
        return {"ScalableTargets": [{"SuspendedState": self.flags[name].state()} for name in found]}

    def register_scalable_target(self, *, ServiceNamespace, ResourceId, ScalableDimension, SuspendedState):
        self._call()
        assert ResourceId in self.flags
        self.flags[ResourceId] = Flags.of(SuspendedState)
        self.updates.append(ResourceId)

    def get_paginator(self, operation):
        assert operation == "list_deployments"
        return self

    def paginate(self, *, applicationName, deploymentGroupName, includeOnlyStatuses):
        self._call()
        assert applicationName == deploymentGroupName
        running = [
            name
            for name, (application, status, listed) in self.deployments.items()
            if application == applicationName
            and ((status in includeOnlyStatuses and listed) or name in self.still_listed)
        ]
        # An empty page may come before a full one.
        return [{}, {"deployments": running}]

    def get_deployment(self, *, deploymentId):
        self._call()
        return {"deploymentInfo": {"status": self.deployments[deploymentId][1]}}

    def get_parameter(self, *, Name):
        self._call()
        if Name not in self.parameters:
            raise NoSuchParameterError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.parameters[Name]}}

    def put_parameter(self, *, Name, Description, Value, Type, Overwrite):
        self._call()
        if Name in self.parameters and not Overwrite:
            raise ParameterThereError({"Error": {"Code": "ParameterAlreadyExists"}}, "PutParameter")
        self.parameters[Name] = Value

    def delete_parameter(self, *, Name):
        self._call()
        if Name not in self.parameters:
            raise NoSuchParameterError({"Error": {"Code": "ParameterNotFound"}}, "DeleteParameter")
        del self.parameters[Name]

    @property
    def api(self):
        return self.flags["service/prod/prod-api"]

    @api.setter
    def api(self, flags):
        self.flags["service/prod/prod-api"] = flags

    def deploy(self, status="InProgress", deployment="d-1", service="api", *, listed=True):
        self.deployments[deployment] = (f"prod-{service}", status, listed)


def send(*events):
    for one in events:
        scaling_guard.handler(one, context())
