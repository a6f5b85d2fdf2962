"""What rolls a release back by itself: alarms over both target groups of a service together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from components import settings
from components.load_balancer import LoadBalancer
from components.naming import ServiceNames

ERRORS, LATENCY, UNHEALTHY = "errors", "latency", "unhealthy-hosts"

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
    """

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Alarms", name, None, opts)
        self._name, self._args = name, args
        groups = args.balancer.target_groups()
        limits = args.limits
        answered = [self._metric(f"requests{i}", "RequestCount", "Sum", g) for i, g in enumerate(groups)]
        failed = [self._metric(f"failed{i}", "HTTPCode_Target_5XX_Count", "Sum", g) for i, g in enumerate(groups)]
        failed.append(self._metric("unanswered", "HTTPCode_ELB_5XX_Count", "Sum", None))
        errors = _sum(failed)
        total = f"({_sum(answered)}+FILL(unanswered,0))"
        self.alarms = [
            self._alarm(
                _Measure(ERRORS, "5xx answers in per cent of all requests", ">", limits.error_ratio_percent),
                f"IF({total}>0,100*({errors})/{total},0)",
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
        worst = ",".join(_filled(metrics))
        return self._alarm(measure, _sum(metrics) if stat != "p95" else f"MAX([{worst}])", metrics)

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
            evaluation_periods=self._args.limits.evaluation_periods,
            treat_missing_data="notBreaching",
            metric_queries=[result, *metrics],
            alarm_actions=[self._args.topic],
            ok_actions=[self._args.topic],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _sum(metrics: list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict]) -> str:
    return "+".join(_filled(metrics))


def _filled(metrics: list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict]) -> list[str]:
    return [f"FILL({m['id']},0)" for m in metrics]
