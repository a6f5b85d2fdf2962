"""Quantities of billed resources of each stack; prices are the reader's to fill in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulumi_rehearsal import Rehearsal

_ITEMS: dict[str, tuple[str, Callable[[Rehearsal], float]]] = {}


def _item(text: str, price: str) -> Callable[[Callable[[Rehearsal], float]], Callable[[Rehearsal], float]]:
    def keep(count: Callable[[Rehearsal], float]) -> Callable[[Rehearsal], float]:
        _ITEMS[text] = (price, count)
        return count

    return keep


def table(stacks: Sequence[Rehearsal]) -> str:
    """Quantities by stack as Markdown, with the name of each price."""
    head = f"| what, a month | {' | '.join(s.stack for s in stacks)} | times the price of |"
    lines = [head, "| --- |" + " ---: |" * len(stacks) + " --- |"]
    for text, (price, count) in _ITEMS.items():
        lines.append(f"| {text} | {' | '.join(f'{count(s):,.6g}' for s in stacks)} | {price} |")
    return "\n".join(lines)


def _tasks(rehearsal: Rehearsal) -> list[tuple[float, float, float, float]]:
    """(on-demand tasks, Spot tasks, vCPU, GB) of each service at its desired count."""
    sizes = {
        r.outputs["arn"]: (int(r.inputs["cpu"]) / 1024, int(r.inputs["memory"]) / 1024)
        for r in rehearsal.all("aws:ecs/taskDefinition:TaskDefinition")
    }
    out = []
    for service in rehearsal.all("aws:ecs/service:Service"):
        wanted = float(service.inputs["desiredCount"])
        strategy = service.inputs["capacityProviderStrategies"]
        base = min(wanted, sum(float(c["base"]) for c in strategy))
        based = sum(float(c["base"]) for c in strategy if c["capacityProvider"] == "FARGATE")
        weights = sum(float(c["weight"]) for c in strategy)
        share = sum(float(c["weight"]) for c in strategy if c["capacityProvider"] == "FARGATE") / weights
        on_demand = min(base, based) + (wanted - base) * share
        out.append((on_demand, wanted - on_demand, *sizes[service.inputs["taskDefinition"]]))
    return out


@_item("Fargate on demand: vCPU by 730 h", "a vCPU-hour of the architecture")
def _vcpu(rehearsal: Rehearsal) -> float:
    return sum(on_demand * cpu for on_demand, _, cpu, _ in _tasks(rehearsal)) * 730


@_item("Fargate on demand: GB by 730 h", "a GB-hour of the architecture")
def _memory(rehearsal: Rehearsal) -> float:
    return sum(on_demand * gb for on_demand, _, _, gb in _tasks(rehearsal)) * 730


@_item("Fargate Spot: vCPU by 730 h", "a Spot vCPU-hour")
def _spot_vcpu(rehearsal: Rehearsal) -> float:
    return sum(spot * cpu for _, spot, cpu, _ in _tasks(rehearsal)) * 730


@_item("Fargate Spot: GB by 730 h", "a Spot GB-hour")
def _spot_memory(rehearsal: Rehearsal) -> float:
    return sum(spot * gb for _, spot, _, gb in _tasks(rehearsal)) * 730


def _count(kind: str) -> Callable[[Rehearsal], float]:
    return lambda rehearsal: len(rehearsal.all(kind))


_item("Load balancers by 730 h", "a load balancer-hour (capacity units come on top)")(
    lambda rehearsal: len(rehearsal.all("aws:lb/loadBalancer:LoadBalancer")) * 730
)
_item("Metrics in alarms", "an alarm metric")(
    lambda rehearsal: sum(
        sum(
            "metric" in query
            for query in alarm.inputs.get("metricQueries", [{"metric": alarm.inputs.get("metricName")}])
        )
        for alarm in rehearsal.all("aws:cloudwatch/metricAlarm:MetricAlarm")
    )
)
_item("Metrics of its own", "a custom metric")(
    # Those that an alarm reads and that AWS does not write.
    lambda rehearsal: len(
        {
            (alarm.inputs["namespace"], alarm.inputs["metricName"])
            for alarm in rehearsal.all("aws:cloudwatch/metricAlarm:MetricAlarm")
            if not alarm.inputs.get("namespace", "AWS/").startswith("AWS/")
        }
    )
)
_item("Dashboards", "a dashboard")(_count("aws:cloudwatch/dashboard:Dashboard"))
_item("Pipelines (V2, by action minute)", "an action execution minute, times the minutes of your releases")(
    _count("aws:codepipeline/pipeline:Pipeline")
)
_item("Trails (one data event a hand-off)", "a data event, times your hand-offs")(_count("aws:cloudtrail/trail:Trail"))
