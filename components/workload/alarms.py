"""Alarms that roll a release back, over both target groups of a service together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from components import settings
from components.naming import ServiceNames
from components.workload.load_balancer import LoadBalancer

ERRORS, LATENCY, UNHEALTHY = "errors", "latency", "unhealthy-hosts"

_LATE = 2
"""Measurements that may be late, or fall out of a row, before the alarm misses an outage."""

_COMPARISONS = {">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold"}


class _Measure(NamedTuple):
    """What is measured, in what, and from where on it is too much."""

    kind: str
    words: str
    comparison: str
    threshold: float


def alarm_names(names: ServiceNames) -> tuple[str, ...]:
    """Names of a service's alarms."""
    return tuple(f"{names.base}-{kind}" for kind in (ERRORS, LATENCY, UNHEALTHY))


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """`Alarms`' arguments."""

    names: ServiceNames
    limits: settings.Alarms
    balancer: LoadBalancer
    topic: pulumi.Input[str]


class Alarms(pulumi.ComponentResource):
    """Share of 5xx answers, 95th percentile of latency and unhealthy tasks, each over blue and green.

    During a deployment the traffic is in both groups, so that an alarm on one of them sees half of it. Metrics:
    Elastic Load Balancing user guide, "CloudWatch metrics for your Application Load Balancer".

    The newest measurements may not be there yet. What is missing is skipped and older measurements count in its place
    (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data"), unless FILL makes a value of it:
    then the newest is always that value (the same guide, "Using metric math"). So FILL stands only around counts that
    exist where they are not zero, beside a total that is missing when they are late, and the alarm looks at `_LATE`
    measurements more than it needs.
    """

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Alarms", name, None, opts)
        self._name, self._args = name, args
        groups = args.balancer.target_groups()
        limits = args.limits
        answered = [self._metric(f"requests{i}", "RequestCount", "Sum", g) for i, g in enumerate(groups)]
        failed = [self._metric(f"failed{i}", "HTTPCode_Target_5XX_Count", "Sum", g) for i, g in enumerate(groups)]
        failed.append(self._metric("unanswered", "HTTPCode_ELB_5XX_Count", "Sum", None))
        errors = "+".join(f"FILL({m['id']},0)" for m in failed)
        total = _over("SUM", [*answered, failed[-1]])
        self.alarms = [
            self._alarm(
                _Measure(ERRORS, "5xx answers in per cent of all requests", ">", limits.error_ratio_percent),
                f"100*({errors})/{total}",
                [*answered, *failed],
            ),
            self._over_groups(
                _Measure(LATENCY, "seconds to answer, 95th percentile", ">", limits.latency_seconds),
                "TargetResponseTime",
                "p95",
            ),
            self._over_groups(
                _Measure(UNHEALTHY, "unhealthy tasks", ">=", limits.unhealthy_hosts), "UnHealthyHostCount", "Maximum"
            ),
        ]
        self.register_outputs({"names": [a.name for a in self.alarms]})

    def _over_groups(self, measure: _Measure, metric: str, stat: str) -> aws.cloudwatch.MetricAlarm:
        groups = self._args.balancer.target_groups()
        metrics = [self._metric(f"group{i}", metric, stat, g) for i, g in enumerate(groups)]
        return self._alarm(measure, _over("MAX" if stat == "p95" else "SUM", metrics), metrics)

    def _metric(
        self, ident: str, metric: str, stat: str, group: aws.lb.TargetGroup | None
    ) -> aws.cloudwatch.MetricAlarmMetricQueryArgsDict:
        dimensions: dict[str, pulumi.Input[str]] = {"LoadBalancer": self._args.balancer.load_balancer.arn_suffix}
        if group is not None:
            dimensions["TargetGroup"] = group.arn_suffix
        return {
            "id": ident,
            "metric": {
                "namespace": "AWS/ApplicationELB",
                "metric_name": metric,
                "dimensions": dimensions,
                "period": self._args.limits.period_seconds,
                "stat": stat,
            },
        }

    def _alarm(
        self,
        measure: _Measure,
        expression: str,
        metrics: list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict],
    ) -> aws.cloudwatch.MetricAlarm:
        names = self._args.names
        result: aws.cloudwatch.MetricAlarmMetricQueryArgsDict = {
            "id": "result",
            "expression": expression,
            "label": measure.words,
            "return_data": True,
        }
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{measure.kind}",
            name=f"{names.base}-{measure.kind}",
            alarm_description=f"{names.base}: {measure.words}, blue and green together; rolls a release back",
            comparison_operator=_COMPARISONS[measure.comparison],
            threshold=measure.threshold,
            datapoints_to_alarm=self._args.limits.evaluation_periods,
            evaluation_periods=self._args.limits.evaluation_periods + _LATE,
            treat_missing_data="notBreaching",
            metric_queries=[result, *metrics],
            alarm_actions=[self._args.topic],
            ok_actions=[self._args.topic],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _over(function: str, metrics: list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict]) -> str:
    """A function of those metrics that have a value."""
    return f"{function}([{','.join(str(m['id']) for m in metrics)}])"
