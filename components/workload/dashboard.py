"""One CloudWatch dashboard per service, for watching a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.naming import ServiceNames
from components.workload.alarms import alarm_names
from components.workload.load_balancer import LoadBalancer

_WIDTH, _HEIGHT = 12, 6


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """`Dashboard`'s arguments; without a load balancer it shows tasks and their load alone."""

    names: ServiceNames
    balancer: LoadBalancer | None


class Dashboard(pulumi.ComponentResource):
    """Traffic, 5xx and latency by target group, tasks by colour, load, alarms."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ecs-release:index:Dashboard", name, None, opts)
        widgets = [*self._traffic(args), *self._tasks(args)]
        for i, widget in enumerate(widgets):
            widget |= {"x": i % 2 * _WIDTH, "y": i // 2 * _HEIGHT, "width": _WIDTH, "height": _HEIGHT}
        self.dashboard = aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.names.base,
            dashboard_body=pulumi.Output.json_dumps({"widgets": widgets}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"dashboard": self.dashboard.dashboard_name})

    def _traffic(self, args: DashboardArgs) -> list[dict[str, Any]]:
        if args.balancer is None:
            return []
        region, balancer = args.names.stack.region, args.balancer
        groups = dict(zip(("blue", "green"), balancer.target_groups(), strict=False))

        def by_colour(title: str, metric: str, stat: str) -> dict[str, Any]:
            lines = [
                [
                    "AWS/ApplicationELB", metric, "TargetGroup", group.arn_suffix,
                    "LoadBalancer", balancer.load_balancer.arn_suffix, {"label": colour, "stat": stat},
                ]
                for colour, group in groups.items()
            ]  # fmt: skip
            return _graph(region, title, lines)

        alarms = [args.names.stack.arn("cloudwatch", f"alarm:{alarm}") for alarm in alarm_names(args.names)]
        return [
            by_colour("Requests", "RequestCount", "Sum"),
            by_colour("Answers of the 5xx kind", "HTTPCode_Target_5XX_Count", "Sum"),
            by_colour("Seconds to answer, 95th percentile", "TargetResponseTime", "p95"),
            by_colour("Healthy tasks", "HealthyHostCount", "Minimum"),
            {"type": "alarm", "properties": {"title": "What rolls a release back", "alarms": alarms}},
        ]

    def _tasks(self, args: DashboardArgs) -> list[dict[str, Any]]:
        region, cluster, service = args.names.stack.region, args.names.stack.cluster, args.names.base
        of_service = ["ClusterName", cluster, "ServiceName", service]
        insights = "ECS/ContainerInsights"
        return [
            _graph(
                region,
                "Tasks and deployments",
                [
                    [insights, metric, *of_service, {"label": label, "stat": "Average"}]
                    for metric, label in (
                        ("RunningTaskCount", "running"),
                        ("DesiredTaskCount", "desired"),
                        ("DeploymentCount", "deployments"),
                        ("TaskSetCount", "task sets"),
                    )
                ],
            ),
            _graph(
                region,
                "Load in per cent",
                [
                    ["AWS/ECS", f"{m}Utilization", *of_service, {"label": m, "stat": "Average"}]
                    for m in ("CPU", "Memory")
                ],
            ),
        ]


def _graph(region: str, title: str, metrics: list[list[Any]]) -> dict[str, Any]:
    properties = {"title": title, "view": "timeSeries", "region": region, "period": 60, "metrics": metrics}
    return {"type": "metric", "properties": properties}
