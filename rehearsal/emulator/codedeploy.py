"""CodeDeploy of the rehearsal: the life cycle of a blue/green deployment as the declared group and the AppSpec say.

Source: CodeDeploy user guide, "AppSpec 'hooks' section for an Amazon ECS deployment" and "Monitoring deployments with
Amazon CloudWatch Events"; CodeDeploy API reference, DeploymentInfo and ErrorInformation.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from .ecs import short
from .errors import NotDeclaredError

if TYPE_CHECKING:
    from .account import Account, Answer
    from .declared import Service
    from .ecs import Ecs
    from .events import Bus
    from .lambdas import Lambdas
    from .load_balancers import LoadBalancers
    from .network import ListenerStub
    from .timeline import Timeline

ROLLBACK: Final = "codeDeployRollback"
_LINEAR: Final = re.compile(r".*Linear(?P<percent>\d+)PercentEvery(?P<minutes>\d+)Minutes?")
_CANARY: Final = re.compile(r".*Canary(?P<percent>\d+)Percent(?P<minutes>\d+)Minutes?")


def group_of(service: Service) -> Mapping[str, Any]:
    """The inputs of the service's deployment group.

    Raises:
        NotDeclaredError: it has none.
    """
    if service.group is None:
        raise NotDeclaredError(f"Service {service.name} deploys blue/green and has no deployment group.")
    return service.group


@dataclass(kw_only=True)
class Deployment:
    """One deployment, in CodeDeploy's own words."""

    id: str
    service: Service
    creator: str = "user"
    status: str = "Created"
    error: dict[str, str] = field(default_factory=dict)
    rollback: dict[str, str] = field(default_factory=dict)
    stop_asked: bool = False
    listed: bool = False
    """Whether ListDeployments shows it already; a list lags behind the first event."""
    hooks: dict[str, str] = field(default_factory=dict)
    """Executions of hooks: id to what the hook answered, empty until it did."""

    def info(self) -> dict[str, Any]:
        """GetDeployment's deploymentInfo."""
        group = group_of(self.service)
        return {
            "deploymentId": self.id,
            "applicationName": group["appName"],
            "deploymentGroupName": group["deploymentGroupName"],
            "status": self.status,
            "creator": self.creator,
            **({"errorInformation": self.error} if self.error else {}),
            **({"rollbackInfo": self.rollback} if self.rollback else {}),
        }


class _EndedError(Exception):
    """A deployment ends before its time."""

    def __init__(self, code: str, message: str, trigger: str) -> None:
        super().__init__(message)
        self.code, self.trigger = code, trigger
        self.stopped = trigger != "DEPLOYMENT_FAILURE"


@dataclass(kw_only=True)
class _Sets:
    """The two sides of one deployment."""

    old: str
    production: ListenerStub
    test: ListenerStub
    blue: str
    green: str
    network: Mapping[str, Any]
    """The network of the old tasks."""
    new: str | None = None
    new_revision: str = ""
    old_revision: str = ""


class CodeDeploy:
    """Runs blue/green deployments.

    `at` is called at each moment (an event of the life cycle, or "20 % of the traffic") before alarms are looked at;
    it may raise one in `alarms` (name to state) or ask a deployment to stop.
    """

    def __init__(
        self,
        *,
        account: Account,
        bus: Bus,
        lambdas: Lambdas,
        ecs: Ecs,
        timeline: Timeline,
        load_balancers: LoadBalancers,
    ) -> None:
        self._account, self._bus, self._lambdas, self._ecs, self._timeline = account, bus, lambdas, ecs, timeline
        self._listeners, self._groups = load_balancers.listeners, load_balancers.groups
        self.alarms = {a["name"]: "OK" for a in account.declared.inputs("aws:cloudwatch/metricAlarm:MetricAlarm")}
        self.deployments: dict[str, Deployment] = {}
        self.at: Callable[[str, Deployment], None] = lambda _moment, _deployment: None
        account.stub_handlers["codedeploy:ListDeployments"] = self._list
        account.stub_handlers["codedeploy:GetDeployment"] = self._get
        account.stub_handlers["codedeploy:PutLifecycleEventHookExecutionStatus"] = self._take

    # ------------------------------------------------------------ API

    def _list(self, params: Mapping[str, Any]) -> Answer:
        found = [
            d.id
            for d in self.deployments.values()
            if d.info()["applicationName"] == params["applicationName"]
            and d.info()["deploymentGroupName"] == params["deploymentGroupName"]
            and d.listed
            and d.status in params.get("includeOnlyStatuses", [d.status])
        ]
        return 200, {"deployments": found}

    def _get(self, params: Mapping[str, Any]) -> Answer:
        return 200, {"deploymentInfo": self.deployments[params["deploymentId"]].info()}

    def _take(self, params: Mapping[str, Any]) -> Answer:
        deployment = self.deployments[params["deploymentId"]]
        execution = params["lifecycleEventHookExecutionId"]
        deployment.hooks[execution] = deployment.hooks[execution] or params["status"]
        return 200, {"lifecycleEventHookExecutionId": params["lifecycleEventHookExecutionId"]}

    # ------------------------------------------------------------ deployments

    def create(self, service: Service, creator: str = "user", rollback: Mapping[str, str] | None = None) -> Deployment:
        """A new deployment of a service; it does nothing before it is run."""
        name = f"d-{uuid.uuid4().hex[:9].upper()}"
        deployment = Deployment(id=name, service=service, creator=creator, rollback=dict(rollback or {}))
        self.deployments[name] = deployment
        info = deployment.info()
        self._account.know_deployment(name, f"{info['applicationName']}/{info['deploymentGroupName']}")
        return deployment

    def run(self, deployment: Deployment, app_spec: Mapping[str, Any]) -> None:
        """Run a deployment to its end, and its rollback to the end of that."""
        deployment.status = "InProgress"
        role = group_of(deployment.service)["serviceRoleArn"]
        info = deployment.info()
        group = f"deploymentgroup:{info['applicationName']}/{info['deploymentGroupName']}"
        self._account.assume_role(role, "codedeploy.amazonaws.com", self._account.arn("codedeploy", group))
        self._timeline.note("CodeDeploy", f"{deployment.id} begins", role)
        self._send(deployment, "START")
        deployment.listed = True
        sets = self._look(deployment, role)
        try:
            self._deploy(deployment, app_spec, sets, role)
        except _EndedError as end:
            self._end_early(deployment, end, sets, role)
            return
        except ClientError as error:
            refused = _EndedError("IAM_ROLE_PERMISSIONS", str(error), "DEPLOYMENT_FAILURE")
            self._end_early(deployment, refused, sets, role)
            return
        deployment.status = "Succeeded"
        self._timeline.note("CodeDeploy", f"{deployment.id} has succeeded", role)
        self._send(deployment, "SUCCESS")

    def _look(self, deployment: Deployment, role: str) -> _Sets:
        service, pair = deployment.service, group_of(deployment.service)["loadBalancerInfo"]["targetGroupPairInfo"]
        found = self._account.client("ecs", role).describe_services(cluster=service.cluster, services=[service.base])
        (primary,) = [t for t in found["services"][0]["taskSets"] if t["status"] == "PRIMARY"]
        for action in ("DescribeTargetGroups", "DescribeListeners", "DescribeRules"):
            self._account.record_call(role, f"elasticloadbalancing:{action}")
        production = self._listeners[pair["prodTrafficRoute"]["listenerArns"][0]]
        test = self._listeners[pair["testTrafficRoute"]["listenerArns"][0]]
        names = {g["name"] for g in pair["targetGroups"]}
        both = [arn for arn, group in self._groups.items() if group.name in names]
        (blue,) = production.weights
        (green,) = [arn for arn in both if arn != blue]
        return _Sets(
            old=primary["taskSetArn"],
            old_revision=primary["taskDefinition"],
            production=production,
            test=test,
            blue=blue,
            green=green,
            network=primary["networkConfiguration"],
        )

    def _deploy(self, deployment: Deployment, app_spec: Mapping[str, Any], sets: _Sets, role: str) -> None:
        service, group = deployment.service, group_of(deployment.service)
        hooks = {event: arn for entry in app_spec.get("Hooks", []) for event, arn in entry.items()}
        names = {"cluster": service.cluster, "service": service.base}
        ecs = self._account.client("ecs", role)

        self._hook(deployment, hooks, "BeforeInstall", role)
        (resource,) = app_spec["Resources"]
        properties = resource["TargetService"]["Properties"]
        sets.new_revision, traffic = properties["TaskDefinition"], properties["LoadBalancerInfo"]
        balancer = {
            "targetGroupArn": sets.green,
            "containerName": traffic["ContainerName"],
            "containerPort": traffic["ContainerPort"],
        }
        network = network_of(properties) or sets.network
        sets.new = ecs.create_task_set(
            **names,
            taskDefinition=sets.new_revision,
            loadBalancers=[balancer],
            capacityProviderStrategy=[
                {"capacityProvider": c["CapacityProvider"], "base": c["Base"], "weight": c["Weight"]}
                for c in properties["CapacityProviderStrategy"]
            ],
            networkConfiguration=network,
        )["taskSet"]["taskSetArn"]
        if network != sets.network:
            self._timeline.note(
                "CodeDeploy", f"moves the tasks from {_placed(sets.network)} to {_placed(network)}", role
            )
        self._ecs.start_tasks(service, sets.new_revision)
        self._groups[sets.green].revision = short(sets.new_revision)
        self._hook(deployment, hooks, "AfterInstall", role)

        self._shift(sets.test, {sets.green: 100}, role)
        self._timeline.note("CodeDeploy", f"test traffic goes to {self._groups[sets.green].name}", role)
        self._hook(deployment, hooks, "AfterAllowTestTraffic", role)
        self._wait_for_a_person(deployment)
        self._hook(deployment, hooks, "BeforeAllowTraffic", role)

        for percent, minutes in steps(group["deploymentConfigName"]):
            weights = {sets.green: percent, sets.blue: 100 - percent}
            self._shift(sets.production, {arn: weight for arn, weight in weights.items() if weight}, role)
            self._timeline.note(
                "CodeDeploy", f"{percent} % of the traffic goes to {self._groups[sets.green].name}", role
            )
            self._watch(deployment, f"{percent} % of the traffic", role)
            self._timeline.wait(minutes * 60)
        ecs.update_service_primary_task_set(**names, primaryTaskSet=sets.new)
        self._hook(deployment, hooks, "AfterAllowTraffic", role)

        bake = group["blueGreenDeploymentConfig"]["terminateBlueInstancesOnDeploymentSuccess"]
        deployment.status = "Baking"
        minutes = int(bake.get("terminationWaitTimeInMinutes", 0))
        self._timeline.note("CodeDeploy", f"keeps the tasks before for {minutes} more minutes", role)
        self._watch(deployment, "bake time", role)
        self._timeline.wait(minutes * 60)
        if bake["action"] == "TERMINATE":
            ecs.delete_task_set(**names, taskSet=sets.old, force=True)
            self._groups[sets.blue].revision = ""
            self._timeline.note("CodeDeploy", f"ends the tasks of {short(sets.old_revision)}", role)

    def _wait_for_a_person(self, deployment: Deployment) -> None:
        ready = group_of(deployment.service)["blueGreenDeploymentConfig"]["deploymentReadyOption"]
        if ready["actionOnTimeout"] == "STOP_DEPLOYMENT":
            deployment.status = "Ready"
            self._send(deployment, "READY")
            self._timeline.note("a person", "lets the traffic be rerouted")
            deployment.status = "InProgress"

    def _hook(self, deployment: Deployment, hooks: Mapping[str, str], event: str, role: str) -> None:
        self._watch(deployment, event, role)
        if event not in hooks:
            return
        arn, execution = hooks[event], str(uuid.uuid4())
        name = arn.rpartition(":")[2]
        self._account.record_call(role, "lambda:InvokeFunction", arn)
        if arn not in self._account.declared.functions:
            self._timeline.note("CodeDeploy", f"{event}: {name} is not this stack's, and is taken to agree", role)
            return
        deployment.hooks[execution] = ""
        self._lambdas.invoke(arn, {"DeploymentId": deployment.id, "LifecycleEventHookExecutionId": execution})
        said = deployment.hooks[execution]
        own = self._account.declared.functions[arn].role
        self._timeline.note("Hook", f"{event}: {name} answers {said or 'nothing'}", own, trouble=said != "Succeeded")
        if said != "Succeeded":
            raise _EndedError(
                "HOOK_EXECUTION_FAILURE",
                f"The lifecycle event {event} failed: the function {name} answered {said or 'nothing'}.",
                "DEPLOYMENT_FAILURE",
            )

    def _watch(self, deployment: Deployment, moment: str, role: str) -> None:
        """Look at the alarms, and whether somebody stopped the deployment."""
        self.at(moment, deployment)
        if deployment.stop_asked:
            raise _EndedError("MANUAL_STOP", "The deployment was stopped by a person.", "DEPLOYMENT_STOP_ON_REQUEST")
        watched = group_of(deployment.service).get("alarmConfiguration") or {}
        names = watched.get("alarms", []) if watched.get("enabled") else []
        if names:
            arns = [self._account.arn("cloudwatch", f"alarm:{name}") for name in names]
            self._account.record_call(role, "cloudwatch:DescribeAlarms", *arns)
        for name in names:
            if self.alarms.get(name) == "ALARM":
                self._timeline.note("CodeDeploy", f"sees the alarm {name}", role, trouble=True)
                raise _EndedError("ALARM_ACTIVE", f"The alarm {name} was raised.", "DEPLOYMENT_STOP_ON_ALARM")

    def _shift(self, listener: ListenerStub, weights: dict[str, int], role: str) -> None:
        self._account.record_call(role, "elasticloadbalancing:ModifyListener", listener.arn)
        listener.weights = weights

    # ------------------------------------------------------------ rollback

    def _end_early(self, deployment: Deployment, end: _EndedError, sets: _Sets, role: str) -> None:
        deployment.status = "Stopped" if end.stopped else "Failed"
        deployment.error = {"code": end.code, "message": str(end)}
        back = group_of(deployment.service).get("autoRollbackConfiguration") or {}
        rollback = None
        if back.get("enabled") and end.trigger in back.get("events", []):
            rollback = self.create(deployment.service, ROLLBACK, {"rollbackTriggeringDeploymentId": deployment.id})
            rollback.listed = True
            deployment.rollback = {"rollbackDeploymentId": rollback.id}
        word = "is stopped" if end.stopped else "has failed"
        self._timeline.note("CodeDeploy", f"{deployment.id} {word}: {end}", role, trouble=True)
        self._send(deployment, "STOP" if end.stopped else "FAILURE")
        if rollback is not None:
            self._roll_back(rollback, sets, role)

    def _roll_back(self, rollback: Deployment, sets: _Sets, role: str) -> None:
        service, ecs = rollback.service, self._account.client("ecs", role)
        names = {"cluster": service.cluster, "service": service.base}
        rollback.status = "InProgress"
        self._timeline.note("CodeDeploy", f"{rollback.id} rolls back to {short(sets.old_revision)}", role)
        self._send(rollback, "START")
        self._shift(sets.production, {sets.blue: 100}, role)
        self._shift(sets.test, {sets.blue: 100}, role)
        ecs.update_service_primary_task_set(**names, primaryTaskSet=sets.old)
        if sets.new is not None:
            ecs.delete_task_set(**names, taskSet=sets.new, force=True)
            self._groups[sets.green].revision = ""
        rollback.status = "Succeeded"
        self._timeline.note("CodeDeploy", f"{rollback.id}: all traffic goes to {short(sets.old_revision)}", role)
        self._send(rollback, "SUCCESS")

    def _send(self, deployment: Deployment, state: str) -> None:
        info = deployment.info()
        names = f"{info['applicationName']}/{info['deploymentGroupName']}"
        detail = {
            "region": self._account.declared.region,
            "application": info["applicationName"],
            "deploymentGroup": info["deploymentGroupName"],
            "deploymentId": deployment.id,
            "instanceGroupId": str(uuid.uuid4()),
            "state": state,
        }
        resources = [
            self._account.arn("codedeploy", f"deploymentgroup:{names}"),
            self._account.arn("codedeploy", f"application:{info['applicationName']}"),
        ]
        kind = "CodeDeploy Deployment State-change Notification"
        self._bus.send(self._bus.event("aws.codedeploy", kind, detail, resources))


def network_of(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The AppSpec's network in Amazon ECS's words; without one CodeDeploy takes that of the tasks that run.

    Source: CodeDeploy user guide, "AppSpec 'resources' section for Amazon ECS deployments".
    """
    given = properties.get("NetworkConfiguration")
    if given is None:
        return None
    awsvpc = given["AwsvpcConfiguration"]
    return {
        "awsvpcConfiguration": {
            "subnets": awsvpc["Subnets"],
            "securityGroups": awsvpc["SecurityGroups"],
            "assignPublicIp": awsvpc["AssignPublicIp"],
        }
    }


def _placed(network: Mapping[str, Any]) -> str:
    awsvpc = network["awsvpcConfiguration"]
    return ", ".join([*sorted(awsvpc["subnets"]), *sorted(awsvpc["securityGroups"])])


def steps(configuration: str) -> Iterator[tuple[int, int]]:
    """Percent of the traffic on the new tasks, and the minutes until the next step.

    Source: CodeDeploy user guide, "Predefined deployment configurations for an Amazon ECS compute platform". A
    configuration by another name is taken to shift all traffic at once.
    """
    if match := _LINEAR.fullmatch(configuration):
        step = int(match["percent"])
        for percent in range(step, 100, step):
            yield percent, int(match["minutes"])
    elif match := _CANARY.fullmatch(configuration):
        yield int(match["percent"]), int(match["minutes"])
    yield 100, 0
