"""Blue/green deployments by CodeDeploy: the pipeline's action starts one, hooks and alarms watch it, traffic shifts.

Source: CodePipeline user guide, "Amazon ECS and CodeDeploy blue-green action reference"; what CodeDeploy itself does is
in `rehearsal.emulator.codedeploy`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import yaml

from contract import variables
from contract.files import APPSPEC, TASK_DEFINITION_PLACEHOLDER
from rehearsal.emulator.codedeploy import CodeDeploy, group_of, steps
from rehearsal.emulator.ecs import short
from rehearsal.emulator.errors import NotDeclaredError
from rehearsal.emulator.executions import ActionFailedError
from rehearsal.emulator.post_release_checks import flags
from rehearsal.emulator.steps import ALARM, FAILED_SMOKE_TEST, STOP, Step

if TYPE_CHECKING:
    from rehearsal.emulator.codedeploy import Deployment
    from rehearsal.emulator.declared import Action, Rule, Service
    from rehearsal.emulator.deployer import Finding
    from rehearsal.emulator.events import Event
    from rehearsal.emulator.executions import Execution
    from rehearsal.emulator.stage import Stage

LOST_EVENT: Final = Step(
    name="lost-event", text="the end of the deployment never reaches the scaling guard", released=True
)
_ENDED: Final = frozenset({"Succeeded", "Failed", "Stopped"})
_SWEEP_SECONDS: Final = 15 * 60


class BlueGreen:
    """CodeDeploy's blue/green deployment."""

    name = "blue-green"
    steps = (FAILED_SMOKE_TEST, ALARM, STOP, LOST_EVENT)

    def impossible(self, service: Service, step: Step) -> str | None:
        """An alarm has to be watched before it can stop anything."""
        return "its deployments watch no alarm" if step == ALARM and not _watched(service) else None

    def port(self, service: Service, files: Mapping[str, bytes]) -> int | None:
        """The AppSpec says it: what the ECS service says belongs to its first deployment."""
        properties = yaml.safe_load(files[APPSPEC])["Resources"][0]["TargetService"]["Properties"]
        return int(properties["LoadBalancerInfo"]["ContainerPort"])

    def hooks(self, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Those of the AppSpec."""
        return tuple(arn for hook in yaml.safe_load(files[APPSPEC]).get("Hooks", ()) for arn in hook.values())

    def hook_role(self, service: Service) -> str | None:
        """CodeDeploy's own."""
        return str(group_of(service)["serviceRoleArn"])

    def set_up(self, stage: Stage) -> BlueGreenDeployer:
        """Put CodeDeploy on the stage."""
        return BlueGreenDeployer(stage)


def _watched(service: Service) -> list[str]:
    """The alarms that the service's deployments watch."""
    watched = group_of(service).get("alarmConfiguration") or {}
    return list(watched.get("alarms", [])) if watched.get("enabled") else []


class BlueGreenDeployer:
    """Deploys by CodeDeploy, and makes a deployment fail where `--fail-at` says so."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._account, self._timeline = stage, stage.account, stage.timeline
        self._codedeploy = CodeDeploy(
            account=stage.account,
            bus=stage.bus,
            lambdas=stage.lambdas,
            ecs=stage.ecs,
            timeline=stage.timeline,
            load_balancers=stage.load_balancers,
        )
        self._codedeploy.at = self._at
        self._suspended: dict[str, bool] = {}
        """Services and whether their scaling was suspended when their traffic was first shifted."""
        self._forgotten: dict[str, bool] = {}
        """Services and whether their scaling was suspended once their deployment was over."""
        if stage.step == FAILED_SMOKE_TEST:
            stage.lambdas.env_overrides[variables.SMOKE_SECONDS] = "0.3"
        if stage.step == LOST_EVENT:
            stage.bus.drop_event = self._drops

    @property
    def actions(self) -> dict[tuple[str, str], Any]:
        """CodePipeline's action for CodeDeploy and ECS."""
        return {("Deploy", "CodeDeployToECS"): self._deploy}

    def _deploy(self, execution: Execution, action: Action, role: str) -> dict[str, str]:
        pipeline, service, own = self._stage.codepipeline, execution.service, group_of(execution.service)
        given = pipeline.resolved(execution, action)
        definition = json.loads(
            pipeline.member(
                execution, role, given["TaskDefinitionTemplateArtifact"], given["TaskDefinitionTemplatePath"]
            )
        )
        app_spec = pipeline.member(execution, role, given["AppSpecTemplateArtifact"], given["AppSpecTemplatePath"])
        registered = self._account.client("ecs", role).register_task_definition(**definition)["taskDefinition"]
        revision = registered["taskDefinitionArn"]
        self._timeline.note("CodePipeline", f"registers {short(revision)}", role)
        group = f"{given['ApplicationName']}/{given['DeploymentGroupName']}"
        if group != f"{own['appName']}/{own['deploymentGroupName']}":
            raise NotDeclaredError(
                f"The action {action.name} of {service.pipeline.name} deploys {group}, which is not the service's."
            )
        # What the action calls before and while a deployment runs (CodePipeline user guide, its reference).
        application = self._account.arn("codedeploy", f"application:{own['appName']}")
        for call in ("GetApplication", "RegisterApplicationRevision", "GetApplicationRevision"):
            self._account.record_call(role, f"codedeploy:{call}", application)
        configuration = self._account.arn("codedeploy", f"deploymentconfig:{own['deploymentConfigName']}")
        self._account.record_call(role, "codedeploy:GetDeploymentConfig", configuration)
        arn = self._account.arn("codedeploy", f"deploymentgroup:{group}")
        self._account.record_call(role, "codedeploy:CreateDeployment", arn)
        self._account.record_call(role, "codedeploy:GetDeployment", arn)
        deployment = self._codedeploy.create(service)
        filled = app_spec.replace(TASK_DEFINITION_PLACEHOLDER.encode(), revision.encode())
        self._codedeploy.run(deployment, yaml.safe_load(filled))
        if deployment.status != "Succeeded":
            said = f"Deployment {deployment.id} {deployment.status.lower()}: {deployment.error['message']}"
            raise ActionFailedError(said)
        return {"DeploymentId": deployment.id}

    # ------------------------------------------------------------ what goes wrong

    def _at(self, moment: str, deployment: Deployment) -> None:
        service = deployment.service
        if self._stage.step == FAILED_SMOKE_TEST and moment == "AfterAllowTestTraffic":
            for group in self._stage.load_balancers.groups.values():
                if group.revision not in {"", *self._account.live_before.values()}:
                    group.healthy = False
        shifts = list(steps(str(group_of(service)["deploymentConfigName"])))
        if moment == f"{shifts[0][0]} % of the traffic":
            self._suspended[service.name] = all(self._account.suspended(service).values())
        *_, last = shifts[:2]
        if moment != f"{last[0]} % of the traffic":
            return
        if self._stage.step == ALARM:
            name = _watched(service)[0]
            self._codedeploy.alarms[name] = "ALARM"
            self._timeline.note("CloudWatch", f"the alarm {name} is raised{self._alarmed(name)}", trouble=True)
        if self._stage.step == STOP:
            deployment.stop_asked = True
            self._timeline.note("a person", "stops the deployment", trouble=True)

    def _alarmed(self, alarm: str) -> str:
        """Whom an alarm reaches, as the stack declares it."""
        alarms = self._stage.declared.inputs("aws:cloudwatch/metricAlarm:MetricAlarm")
        topics = [topic for a in alarms if a["name"] == alarm for topic in a.get("alarmActions", [])]
        readers = [reader for topic in topics for reader in self._account.subscribers(topic)]
        return f" and notifies {', '.join(readers)}" if readers else ""

    def _drops(self, rule: Rule, event: Event) -> bool:
        declared = self._stage.declared.functions
        functions = [declared[t.arn] for t in rule.targets if t.arn in declared]
        guards = any(variables.GUARDED_SERVICES in function.environment for function in functions)
        return guards and event["detail"].get("state") == "SUCCESS"

    # ------------------------------------------------------------ before and after

    def prepare(self, service: Service) -> None:
        """Nothing."""

    def advance(self, service: Service) -> None:
        """A deployment ends within its action."""

    def settle(self, service: Service) -> None:
        """A deployment ends within its action."""

    def finish(self, service: Service) -> None:
        """Where the guard missed the end of the deployment, its sweep comes."""
        if self._stage.step == LOST_EVENT:
            suspended = self._account.suspended(service)
            self._forgotten[service.name] = all(suspended.values())
            text = f"the deployment is over and scaling: {flags(suspended)}"
            self._timeline.note("Scaling guard", text, trouble=True)
            for rule in self._stage.bus.scheduled():
                self._timeline.wait(_SWEEP_SECONDS)
                self._stage.bus.tick(rule)

    def live(self, service: Service) -> str:
        """What the production listener answers."""
        pair = group_of(service)["loadBalancerInfo"]["targetGroupPairInfo"]
        arn = pair["prodTrafficRoute"]["listenerArns"][0]
        return ", ".join(sorted({self._stage.load_balancers.get(arn) for _ in range(3)}))

    def unfinished(self, service: Service) -> Iterator[str]:
        """More than one task set, and deployments that have not ended."""
        sets = [short(t.task_definition) for t in self._account.emulated_service(service).task_sets]
        if len(sets) != 1:
            yield f"task sets of {', '.join(sets)}"
        yield from (f"deployment {d.id}" for d in self._codedeploy.deployments.values() if d.status not in _ENDED)

    def notices(self, service: Service) -> list[str]:
        """People hear of CodeDeploy's own events, and of the pipeline's."""
        if self._stage.step in {None, LOST_EVENT}:
            return ["deployed"]
        ended = "deployment failed" if self._stage.step == FAILED_SMOKE_TEST else "deployment stopped"
        return [ended, "rolling back", "rolled back", "release failed at Deploy/Deploy"]

    def findings(self, service: Service) -> Iterator[Finding]:
        """Auto scaling has to be suspended while traffic shifts, and restored where the guard missed the end."""
        if service.name in self._suspended:
            held = self._suspended[service.name]
            yield "auto scaling was suspended while traffic shifted", held, "suspended" if held else "it was not"
        if self._stage.step == LOST_EVENT:
            own = [e for e in self._timeline.entries if e.service == service.name and e.stage == "Scaling guard"]
            restored = self._forgotten[service.name] and "restore" in own[-1].text
            yield "the sweep restored what the lost event left suspended", restored, own[-1].text


STRATEGY: Final = BlueGreen()
