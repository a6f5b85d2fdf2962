"""CodePipeline of the rehearsal: an execution of the declared pipeline, stage by stage and action by action.

Source: CodePipeline user guide, "Monitoring CodePipeline events", "Variables reference", and the action references of
Amazon S3, AWS Lambda and manual approval; those of a deployment strategy are in `strategies/`.
"""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from .account import Account, Answer
from .declared import Action, Pipeline, Service
from .deployer import ActionHandler, Deployer
from .ecs import POLL_SECONDS
from .errors import NotDeclaredError
from .events import Bus
from .executions import ActionFailedError, Execution, Question
from .lambdas import Lambdas
from .timeline import Timeline

_VARIABLE: Final = re.compile(r"#\{(?P<namespace>[A-Za-z0-9_-]+)\.(?P<name>[A-Za-z0-9_-]+)\}")
#: CodePipeline user guide, "Variables reference": the one that no action gives.
_EXECUTION: Final = "#{codepipeline.PipelineExecutionId}"
#: CodePipeline user guide, "Quotas in AWS CodePipeline": characters of a configuration value, variables resolved.
_VALUE_CAP: Final = 1000
_MOST_JOBS: Final = 200
#: What somebody may have tagged a source object with; an artifact gets the same tags.
_TAGS: Final = "team=release"


class CodePipeline:
    """Executes pipelines.

    `approve` is asked for every manual approval; `deployer_of` gives what carries out a service's deployments.
    """

    def __init__(
        self,
        *,
        account: Account,
        bus: Bus,
        lambdas: Lambdas,
        timeline: Timeline,
        approve: Callable[[Question], bool],
        deployer_of: Callable[[Service], Deployer],
    ) -> None:
        self._account, self._bus, self._lambdas, self._timeline = account, bus, lambdas, timeline
        self._approve, self._deployer_of = approve, deployer_of
        self._actions: dict[tuple[str, str], ActionHandler] = {
            ("Source", "S3"): self._source,
            ("Invoke", "Lambda"): self._lambda,
            ("Approval", "Manual"): self._manual,
        }
        self.executions: list[Execution] = []
        self.waiting: list[Execution] = []
        """Started by a rule and not yet run."""
        self.asked: list[Question] = []
        """What was published to a topic."""
        self._answers: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._stages: dict[str, dict[str, dict[str, str]]] = {}
        """Pipeline to stage to GetPipelineState's latestExecution."""
        self._jobs: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        """Execution to the functions and events of the first job of each of its Lambda actions."""
        bus.start = self.start
        account.stub_handlers["codepipeline:PutJobSuccessResult"] = lambda p: self._answer("success", p)
        account.stub_handlers["codepipeline:PutJobFailureResult"] = lambda p: self._answer("failure", p)
        account.stub_handlers["codepipeline:ListActionExecutions"] = self._list
        account.stub_handlers["codepipeline:GetPipelineState"] = self._state

    def start(self, arn: str, given: Mapping[str, Any]) -> None:
        """StartPipelineExecution; `given` may pin the revision of a source."""
        services = self._account.declared.services.values()
        service = next(s for s in services if s.pipeline.arn == arn)
        overrides = {o["actionName"]: str(o["revisionValue"]) for o in given.get("sourceRevisions", [])}
        execution = Execution(id=str(uuid.uuid4()), service=service, overrides=overrides)
        self.executions.append(execution)
        self.waiting.append(execution)

    def run(self, execution: Execution) -> None:
        """Walk through the stages until the end or the first failure."""
        pipeline = execution.service.pipeline
        self._account.assume_role(pipeline.role, "codepipeline.amazonaws.com", pipeline.arn)
        # CodePipeline user guide, "CodePipeline service role policy": what every pipeline asks of its own store.
        store = f"arn:aws:s3:::{pipeline.artifact_bucket}"
        for call in ("GetBucketAcl", "GetBucketLocation", "GetBucketVersioning"):
            self._account.record_call(pipeline.role, f"s3:{call}", store)
        self._timeline.note("CodePipeline", f"{pipeline.name} begins", pipeline.role)
        self._send_pipeline_event(execution, "STARTED")
        for stage, actions in pipeline.stages.items():
            latest = {"pipelineExecutionId": execution.id, "status": "InProgress"}
            self._stages.setdefault(pipeline.name, {})[stage] = latest
            for action in actions:
                try:
                    self._act(execution, pipeline, action)
                except (ActionFailedError, ClientError) as failure:
                    latest["status"] = execution.state = "Failed"
                    execution.reason = str(failure)
                    execution.failed_at = f"{stage}/{action.name}"
                    self._timeline.note("CodePipeline", f"{execution.failed_at} fails: {failure}", trouble=True)
                    self._send_action_event(execution, action, "FAILED", str(failure))
                    self._send_pipeline_event(execution, "FAILED")
                    return
            latest["status"] = "Succeeded"
        execution.state = "Succeeded"
        self._timeline.note("CodePipeline", f"{pipeline.name} has succeeded", pipeline.role)
        self._send_pipeline_event(execution, "SUCCEEDED")

    def repeat_first_jobs(self, execution: Execution) -> None:
        """Let the first job of each Lambda action come once more, when nobody waits for its answer any longer."""
        for function, event in self._jobs.get(execution.id, []):
            self._timeline.note("Lambda", f"a job of an earlier release comes once more to {function.split(':')[6]}")
            self._lambdas.invoke(function, event)

    def _state(self, params: Mapping[str, Any]) -> Answer:
        stages = self._stages.get(str(params["name"]), {})
        return 200, {"stageStates": [{"stageName": name, "latestExecution": of} for name, of in stages.items()]}

    # ------------------------------------------------------------ actions

    def _act(self, execution: Execution, pipeline: Pipeline, action: Action) -> None:
        self._send_action_event(execution, action, "STARTED")
        role = action.role or pipeline.role
        if action.role is not None:
            self._account.record_call(pipeline.role, "sts:AssumeRole", action.role)
            self._account.permissions.assume(action.role, ("AWS", pipeline.role))
        actions = {**self._actions, **self._deployer_of(execution.service).actions}
        handler = actions.get((action.category, action.provider))
        if handler is None:
            raise NotDeclaredError(f"The rehearsal does not know actions of {action.category} by {action.provider}.")
        output = handler(execution, action, role)
        if action.namespace:
            execution.variables[action.namespace] = output
        self._record(execution, action, output)
        self._send_action_event(execution, action, "SUCCEEDED")

    def _source(self, execution: Execution, action: Action, role: str) -> dict[str, str]:
        s3, given = self._account.client("s3", role), action.configuration
        place = {"Bucket": given["S3Bucket"], "Key": given["S3ObjectKey"]}
        s3.get_bucket_location(Bucket=place["Bucket"])
        # What else the action calls (CodePipeline user guide, "Service role permissions: S3 source action").
        arn = f"arn:aws:s3:::{place['Bucket']}"
        self._account.record_call(role, "s3:GetBucketAcl", arn)
        if s3.get_bucket_versioning(Bucket=place["Bucket"]).get("Status") != "Enabled":
            raise ActionFailedError(f"The bucket {place['Bucket']} is not versioned.")
        version = execution.overrides.get(action.name) or str(s3.head_object(**place)["VersionId"])
        data = s3.get_object(**place, VersionId=version)["Body"].read()
        (artifact,) = action.outputs
        bucket, key = self._place(execution, artifact)
        carried = {"source object": f"{arn}/{place['Key']}", "artifact": f"arn:aws:s3:::{bucket}/{key}"}
        if refused := self._account.also_required(role, "codepipeline:Source/S3", carried):
            raise ActionFailedError(refused)
        s3.put_object(Bucket=bucket, Key=key, Body=data, Tagging=_TAGS)
        pinned = " (pinned by the event)" if action.name in execution.overrides else ""
        text = f"{action.stage}/{action.name}: s3://{place['Bucket']}/{place['Key']}, version {version}{pinned}"
        self._timeline.note("CodePipeline", text, role)
        return {"VersionId": version, "BucketName": place["Bucket"], "ObjectKey": place["Key"]}

    def _place(self, execution: Execution, artifact: str) -> tuple[str, str]:
        """Where CodePipeline puts an artifact; it chooses such keys itself."""
        pipeline = execution.service.pipeline
        key = f"{pipeline.name[:20]}/{artifact[:10]}/{uuid.uuid4().hex[:7]}"
        execution.artifacts[artifact] = (pipeline.artifact_bucket, key)
        return execution.artifacts[artifact]

    def _lambda(self, execution: Execution, action: Action, role: str) -> dict[str, str]:
        given = self.resolved(execution, action)
        function = self._account.declared.function_named(given["FunctionName"])
        for artifact in action.outputs:
            self._place(execution, artifact)
        token: str | None = None
        for _ in range(_MOST_JOBS):
            self._account.record_call(role, "lambda:InvokeFunction", function.arn)
            job = str(uuid.uuid4())
            event = self._job(execution, action, job=job, given=given, role=role, token=token)
            if token is None:
                self._jobs.setdefault(execution.id, []).append((function.arn, event))
            self._lambdas.invoke(function.arn, event)
            outcome, said = self._answers.pop(job, ("silence", {}))
            where = f"{action.stage}/{action.name}: {function.name}"
            if outcome == "silence":
                raise ActionFailedError(f"The function {function.name} did not answer its job within 20 minutes.")
            if outcome == "failure":
                details = said["failureDetails"]
                self._timeline.note("CodePipeline", f"{where} refuses ({details['type']})", function.role, trouble=True)
                raise ActionFailedError(details["message"])
            token = said.get("continuationToken")
            summary = said.get("executionDetails", {}).get("summary", "done")
            self._timeline.note("CodePipeline", f"{where}: {summary}", function.role)
            if token is None:
                return {k: str(v) for k, v in said.get("outputVariables", {}).items()}
            self._timeline.wait(POLL_SECONDS)
            self._deployer_of(execution.service).advance(execution.service)
        raise ActionFailedError(f"The function {function.name} asked to be called again {_MOST_JOBS} times.")

    def _job(
        self,
        execution: Execution,
        action: Action,
        *,
        job: str,
        given: Mapping[str, str],
        role: str,
        token: str | None,
    ) -> dict[str, Any]:
        """CodePipeline user guide, "JSON event example" of the Lambda action."""

        def places(artifacts: tuple[str, ...]) -> list[dict[str, Any]]:
            return [
                {
                    "name": name,
                    "revision": None,
                    "location": {
                        "type": "S3",
                        "s3Location": dict(zip(("bucketName", "objectKey"), execution.artifacts[name], strict=True)),
                    },
                }
                for name in artifacts
            ]

        lent = self._account.credentials(role)
        return {
            "CodePipeline.job": {
                "id": job,
                "accountId": self._account.declared.account,
                "data": {
                    "actionConfiguration": {"configuration": dict(given)},
                    "inputArtifacts": places(action.inputs),
                    "outputArtifacts": places(action.outputs),
                    "artifactCredentials": {
                        "accessKeyId": lent["aws_access_key_id"],
                        "secretAccessKey": lent["aws_secret_access_key"],
                        "sessionToken": lent["aws_session_token"],
                    },
                    **({"continuationToken": token} if token else {}),
                },
            }
        }

    def _manual(self, execution: Execution, action: Action, role: str) -> dict[str, str]:
        given, pipeline = self.resolved(execution, action), execution.service.pipeline
        question = Question(
            pipeline=pipeline.name,
            text=given.get("CustomData", ""),
            link=given.get("ExternalEntityLink", ""),
            topic=given.get("NotificationArn", ""),
        )
        if question.topic:
            message = {"approval": {"pipelineName": pipeline.name, "customData": question.text}}
            self._account.client("sns", role).publish(TopicArn=question.topic, Message=json.dumps(message))
            self.asked.append(question)
            name, who = question.topic.rpartition(":")[2], ", ".join(self._account.subscribers(question.topic))
            self._timeline.note(
                "CodePipeline", f"asks for approval by the topic {name} ({who or 'nobody reads it'})", role
            )
        agreed = self._approve(question)
        self._timeline.note("a person", "approves" if agreed else "rejects the release", trouble=not agreed)
        if not agreed:
            raise ActionFailedError("The approval was rejected.")
        return {}

    def member(self, execution: Execution, role: str, artifact: str, path: str) -> bytes:
        """A file of an artifact, read under the role of an action."""
        bucket, key = execution.artifacts[artifact]
        s3 = self._account.client("s3", role)
        version = str(s3.head_object(Bucket=bucket, Key=key)["VersionId"])
        data = s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(path)

    def resolved(self, execution: Execution, action: Action) -> dict[str, str]:
        """The action's configuration with the variables of the actions before it."""

        def value(match: re.Match[str]) -> str:
            if match[0] == _EXECUTION:
                return execution.id
            try:
                return execution.variables[match["namespace"]][match["name"]]
            except KeyError:
                raise ActionFailedError(
                    f"The variable {match[0]} of {action.stage}/{action.name} has no value."
                ) from None

        out = {}
        for key, text in action.configuration.items():
            out[key] = _VARIABLE.sub(value, text)
            if len(out[key]) > _VALUE_CAP and out[key] != text:
                raise ActionFailedError(
                    f"{action.stage}/{action.name}: {key} has {len(out[key])} characters once its variables are filled "
                    f"in; CodePipeline takes {_VALUE_CAP}."
                )
        return out

    # ------------------------------------------------------------ API

    def _answer(self, outcome: str, params: Mapping[str, Any]) -> Answer:
        self._answers.setdefault(params["jobId"], (outcome, params))
        return 200, {}

    def _list(self, params: Mapping[str, Any]) -> Answer:
        wanted = params.get("filter", {}).get("pipelineExecutionId")
        found = [
            e for e in self.executions if e.service.pipeline.name == params["pipelineName"] and wanted in {None, e.id}
        ]
        return 200, {"actionExecutionDetails": [entry for execution in found for entry in execution.done]}

    def _record(self, execution: Execution, action: Action, output: Mapping[str, str]) -> None:
        execution.done.insert(
            0,
            {
                "pipelineExecutionId": execution.id,
                "actionExecutionId": str(uuid.uuid4()),
                "stageName": action.stage,
                "actionName": action.name,
                "status": "Succeeded",
                "output": {"outputVariables": dict(output)},
            },
        )

    # ------------------------------------------------------------ events

    def _send_pipeline_event(self, execution: Execution, state: str) -> None:
        pipeline = execution.service.pipeline
        detail = {"pipeline": pipeline.name, "execution-id": execution.id, "state": state, "version": 1.0}
        kind = "CodePipeline Pipeline Execution State Change"
        self._bus.send(self._bus.event("aws.codepipeline", kind, detail, [pipeline.arn]))

    def _send_action_event(self, execution: Execution, action: Action, state: str, reason: str = "") -> None:
        pipeline = execution.service.pipeline
        detail: dict[str, Any] = {
            "pipeline": pipeline.name,
            "execution-id": execution.id,
            "stage": action.stage,
            "action": action.name,
            "state": state,
            "region": self._account.declared.region,
            "type": {"owner": "AWS", "provider": action.provider, "category": action.category, "version": "1"},
            "version": 1.0,
        }
        if reason:
            detail["execution-result"] = {"external-execution-summary": reason, "error-code": "JobFailed"}
        kind = "CodePipeline Action Execution State Change"
        self._bus.send(self._bus.event("aws.codepipeline", kind, detail, [pipeline.arn]))
