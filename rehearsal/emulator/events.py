"""EventBridge of the rehearsal: the declared rules, matched by their own patterns, and the events of AWS's services."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .account import Account
from .declared import Rule, Target
from .errors import NotDeclaredError
from .patterns import matched, transformed
from .timeline import Timeline

Event = dict[str, Any]


class Bus:
    """Sends each event to the targets of every rule that matches it.

    `drop_event` is asked before a delivery (rule, event); True loses it. `invoke` calls a function by ARN and `start` a
    pipeline by ARN.
    """

    def __init__(self, account: Account, timeline: Timeline) -> None:
        self._account, self._declared, self._timeline = account, account.declared, timeline
        self.invoke: Callable[[str, Event], Any]
        self.start: Callable[[str, Mapping[str, Any]], None]
        self.drop_event: Callable[[Rule, Event], bool] = lambda _rule, _event: False

    def send(self, event: Event) -> list[str]:
        """Deliver an event; returns the names of the rules that matched."""
        names = []
        for rule in self._declared.rules:
            if rule.pattern is not None and matched(rule.pattern, event):
                names.append(rule.name)
                self._deliver(rule, event)
        return names

    def tick(self, rule: Rule) -> None:
        """Fire a scheduled rule once."""
        self._timeline.note("EventBridge", f"{rule.name} fires ({rule.schedule})")
        self._deliver(rule, self.event("aws.events", "Scheduled Event", {}, [rule.arn]))

    def scheduled(self) -> Iterator[Rule]:
        """The rules that fire by schedule."""
        return (rule for rule in self._declared.rules if rule.schedule)

    def _deliver(self, rule: Rule, event: Event) -> None:
        for target in rule.targets:
            if self.drop_event(rule, event):
                state = event["detail"].get("state", "")
                self._timeline.note("EventBridge", f"{state} for {rule.name} is lost on its way", trouble=True)
                continue
            given = transformed(target.paths, target.template, event)
            if target.arn in self._declared.functions:
                self._permitted(rule, target)
                self.invoke(target.arn, given)
            elif target.arn in self._declared.pipelines:
                self._start(rule, target, given)
            else:
                raise NotDeclaredError(f"The rule {rule.name} has the target {target.arn}, which is not declared.")

    def _start(self, rule: Rule, target: Target, given: Mapping[str, Any]) -> None:
        if target.role is None:
            raise NotDeclaredError(f"The rule {rule.name} starts {target.arn} without a role.")
        self._account.assume_role(target.role, "events.amazonaws.com", rule.arn)
        self._account.record_call(target.role, "codepipeline:StartPipelineExecution", target.arn)
        self._timeline.note("EventBridge", f"{rule.name} matches and starts the pipeline", target.role)
        self.start(target.arn, given)

    def _permitted(self, rule: Rule, target: Target) -> None:
        """A function lets a rule call it by its own resource policy."""
        function = self._declared.functions[target.arn]
        for permission in self._declared.inputs("aws:lambda/permission:Permission"):
            if (
                permission["function"] in {function.name, function.arn}
                and permission["principal"] == "events.amazonaws.com"
                and permission["action"] == "lambda:InvokeFunction"
                and permission.get("sourceArn") in {None, rule.arn}
                and permission.get("sourceAccount") in {None, self._declared.account}
            ):
                return
        self._account.permissions.report_denied(
            f"The function {function.name} does not let the rule {rule.name} call it."
        )

    # ------------------------------------------------------------ events

    def event(self, source: str, kind: str, detail: Mapping[str, Any], resources: list[str]) -> Event:
        """An event as EventBridge delivers it (EventBridge user guide, "Event structure")."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": kind,
            "source": source,
            "account": self._declared.account,
            "time": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._declared.region,
            "resources": resources,
            "detail": dict(detail),
        }

    def of_put(self, put: Mapping[str, Any], role: str) -> list[Event]:
        """The events that a put into a bucket makes, as far as the stack declares that it makes any."""
        bucket, key = f"arn:aws:s3:::{put['bucket']}", f"arn:aws:s3:::{put['bucket']}/{put['key']}"
        out = []
        if any(
            n["bucket"] == put["bucket"] and n.get("eventbridge")
            for n in self._declared.inputs("aws:s3/bucketNotification:BucketNotification")
        ):
            out.append(self.event("aws.s3", "Object Created", self._created(put), [bucket]))
        trails = self._declared.inputs("aws:cloudtrail/trail:Trail")
        if not out and not trails:
            self._timeline.note("CloudTrail", "the stack declares no trail: the account's own is taken to log the put")
        if any(_logs(trail, key) for trail in trails) or not (out or trails):
            out.append(self.event("aws.s3", "AWS API Call via CloudTrail", self._logged(put, role, bucket, key), []))
        return out

    def _created(self, put: Mapping[str, Any]) -> dict[str, Any]:
        """Amazon S3 user guide, "EventBridge event message structure"."""
        return {
            "version": "0",
            "bucket": {"name": put["bucket"]},
            "object": {"key": put["key"], "size": put["size"], "etag": "0" * 32, "version-id": put["version"]},
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": self._declared.account,
            "source-ip-address": "198.51.100.7",
            "reason": "PutObject",
        }

    def _logged(self, put: Mapping[str, Any], role: str, bucket: str, key: str) -> dict[str, Any]:
        """AWS CloudTrail user guide, "CloudTrail record contents"; a data event of Amazon S3."""
        name, account = role.rpartition("/")[2], self._declared.account
        return {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": f"arn:aws:sts::{account}:assumed-role/{name}/rehearsal",
                "accountId": account,
            },
            "eventTime": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "s3.amazonaws.com",
            "eventName": "PutObject",
            "awsRegion": self._declared.region,
            "sourceIPAddress": "198.51.100.7",
            "requestParameters": {
                "bucketName": put["bucket"],
                "key": put["key"],
                "Host": f"{put['bucket']}.s3.{self._declared.region}.amazonaws.com",
            },
            "responseElements": {"x-amz-version-id": put["version"]},
            "readOnly": False,
            "resources": [
                {"type": "AWS::S3::Object", "ARN": key},
                {"accountId": account, "type": "AWS::S3::Bucket", "ARN": bucket},
            ],
            "eventType": "AwsApiCall",
            "managementEvent": False,
            "recipientAccountId": account,
            "eventCategory": "Data",
        }


def _logs(trail: Mapping[str, Any], key: str) -> bool:
    """Whether a trail's selectors log a write of this object (CloudTrail API reference, AdvancedFieldSelector)."""
    seen = {"eventCategory": "Data", "resources.type": "AWS::S3::Object", "readOnly": "false", "resources.ARN": key}
    seen |= {"eventSource": "s3.amazonaws.com", "eventName": "PutObject"}
    return any(
        all(_selects(field, seen) for field in selector["fieldSelectors"])
        for selector in trail.get("advancedEventSelectors", [])
    )


def _selects(field: Mapping[str, Any], seen: Mapping[str, str]) -> bool:
    value = seen.get(field["field"])
    if value is None:
        return False
    tests: dict[str, Callable[[str], bool]] = {
        "equals": lambda one: value == one,
        "startsWiths": value.startswith,
        "endsWiths": value.endswith,
    }
    unknown = set(field) - {"field", *tests}
    if unknown:
        raise NotImplementedError(f"the rehearsal does not know the field selector {json.dumps(sorted(unknown))}")
    return all(any(test(one) for one in field[name]) for name, test in tests.items() if field.get(name))
