"""Between two updates: what the second must not change, and what it changes at once, while revisions of the first run.

Pure functions over two plain descriptions as `components.needs.of_stack` gives them, the old one read from the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.settings.values import NAMESPACE

Plain = Mapping[str, Any]

GUIDE = "docs/operations.md, Changing what runs"

KEPT = {
    "secrets": ("secret", "tasks that need it cannot start"),
    "containers": ("container", "tasks that have it cannot pull its image"),
    "ports": ("port", "the load balancer no longer reaches the tasks that listen on it"),
    "hooks": ("hook", "the deployment that goes back to an earlier release cannot call it"),
    "permissions": ("permission", "running tasks lose it"),
}
"""Key of `retiring` to what stays under it and what is lost with it."""


class NeededError(Exception):
    """An update would take something from revisions that may still be started; a line for each such thing."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = "this update would break running revisions; nothing was changed:"
        super().__init__("\n".join([head, *(f"  {p}" for p in problems)]))


def refusals(old: Plain, new: Plain) -> list[str]:
    """One sentence for each thing that an update may not do; none where the state has no earlier update."""
    if "place" not in old:
        return []
    elsewhere = [*_place(old, new)]
    if elsewhere:
        return elsewhere  # the other messages would repeat it: what is needed has its ARN
    services = (line for name in _both(old, new) for line in _service(name, old, new))
    return [*_load_balancers(old, new), *_network(old["network"], new["network"]), *services]


def other_vpc(old: object, new: object) -> list[str]:
    """The sentence about a network that now means another VPC; an unknown VPC is not the old one."""
    if old is None or old == new:
        return []
    found = new if isinstance(new, str) else "one that this update makes"
    return [_fixed("network", old, f"the VPC {found}", "everything in it would be replaced")]


def warnings(old: Plain, new: Plain) -> list[str]:
    """One sentence for each thing that an update does at once to what runs."""
    if "place" not in old:
        return []
    services = (line for name in _both(old, new) for line in _at_once(name, old, new))
    return [*_at_once_in_the_stack(old, new), *services]


def _both(old: Plain, new: Plain) -> list[str]:
    return sorted(old["services"].keys() & new["services"].keys())


# ---------------------------------------------------------------- refused


def _place(old: Plain, new: Plain) -> Iterator[str]:
    for key in ("environment", "account", "region"):
        if old["place"][key] != new["place"][key]:
            yield _fixed(key, old["place"][key], new["place"][key], "everything would be replaced")


def _load_balancers(old: Plain, new: Plain) -> Iterator[str]:
    if not any("balancer" in old["services"][n] for n in _both(old, new)):
        return
    if old["exposure"] != new["exposure"]:
        yield _fixed("loadBalancer.exposure", old["exposure"], new["exposure"], "load balancers would be replaced")
    if old["certificate"] and not new["certificate"]:
        yield _fixed("loadBalancer.certificateArn", old["certificate"], "nothing", "HTTPS clients would lose access")


def _network(old: Plain, new: Plain) -> Iterator[str]:
    before, after = _kind(old), _kind(new)
    if before != after:
        if "create" in (before, after):
            yield _fixed("network", before, after, "services would move to another VPC")
        return
    was, is_ = old[before], new[after]
    if before == "existing" and was["vpcId"] != is_["vpcId"]:
        yield _fixed("network.existing.vpcId", was["vpcId"], is_["vpcId"], "services would move to another VPC")
    if before == "create":
        for key in ("cidr", "zones"):
            if was[key] != is_[key]:
                yield _fixed(f"network.create.{key}", _number(was[key]), is_[key], "subnets would be replaced")
        if was["egress"] != is_["egress"] and "endpoints" in (was["egress"], is_["egress"]):
            yield _fixed("network.create.egress", was["egress"], is_["egress"], "subnets would be replaced")


def _kind(network: Plain) -> str:
    return next(k for k in ("lookUp", "existing", "create") if k in network)


def _service(name: str, old_stack: Plain, new_stack: Plain) -> Iterator[str]:
    old, new = old_stack["services"][name], new_stack["services"][name]
    key = f"services[{name}]"
    if old["strategy"] != new["strategy"]:
        yield _fixed(f"{key}.strategy", old["strategy"], new["strategy"], "the service would be replaced")
        return
    if "balancer" in old and "balancer" not in new:
        yield _fixed(f"{key}.loadBalancer", "one", "none", "its traffic would be cut off")
        return
    for part, (kind, loss) in KEPT.items():
        gone = sorted(set(old["used"].get(part, ())) - {*new["used"].get(part, ()), *new["retiring"].get(part, ())})
        if gone:
            yield (
                f"{NAMESPACE}:{key}: the {kind} {' and '.join(gone)} is missing; add `retiring: {{{part}: "
                f"[{', '.join(_written(part, gone))}]}}` to {key} until no revision that needs it can be started, "
                f"because without it {loss} ({GUIDE})."
            )
    target = new.get("balancer", {}).get("target")
    if new["controller"] == "ECS" and target and target not in old.get("listens", ()):
        listens = ", ".join(old.get("listens", ())) or "nothing"
        yield (
            f"{NAMESPACE}:{key}.loadBalancer: found {target}; allowed: where the running revision listens ({listens}), "
            f"since Amazon ECS moves the service at once; release the container with that port first ({GUIDE})."
        )
    if len(new["targetGroups"]) > 1 and new_stack["certificate"] and not old_stack["certificate"]:
        if new["balancer"]["traffic"]:
            return
        yield (
            f"{NAMESPACE}:{key}.loadBalancer.traffic: found nothing; allowed beside a new certificate: blue or green, "
            f"whichever target group has the traffic now: the HTTPS listener begins with it ({GUIDE})."
        )


def _written(part: str, gone: Sequence[str]) -> list[str]:
    """How a stack's file says it."""
    if part == "secrets":
        return [f"{{{store}: {json.dumps(name)}}}" for store, _, name in (g.partition(" ") for g in gone)]
    if part == "permissions":
        actions: dict[str, list[str]] = {}
        for action, _, resource in (g.partition(" on ") for g in gone):
            actions.setdefault(resource, []).append(action)
        sid = "Why" if len(actions) == 1 else "Why{}"
        return [
            f"{{sid: {sid.format(n)}, actions: {json.dumps(listed)}, resources: {json.dumps([resource])}}}"
            for n, (resource, listed) in enumerate(actions.items(), 1)
        ]
    return list(gone)


def _fixed(key: str, found: object, wanted: object, why: str) -> str:
    return (
        f"{NAMESPACE}:{key}: found {_number(wanted)}; allowed: {_number(found)}, unchanged, because {why}; create a "
        f"second one beside it instead ({GUIDE})."
    )


def _number(value: object) -> object:
    """A whole number as it was written: the state keeps every number as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# ---------------------------------------------------------------- done at once


def _at_once_in_the_stack(old: Plain, new: Plain) -> Iterator[str]:
    for name in sorted(old["services"].keys() - new["services"].keys()):
        yield (
            f"{NAMESPACE}:services[{name}] is removed: this update deletes the service and its tasks, but not its "
            "repositories. A renamed service is a new one and starts with the placeholder image."
        )
    for cidr in sorted(set(old["allowedCidrs"]) - set(new["allowedCidrs"])):
        yield f"{NAMESPACE}:loadBalancer.allowedCidrs: this update closes the load balancers to {cidr}."
    if old["network"] != new["network"]:
        yield (
            f"{NAMESPACE}:network: load balancers change their subnets at this update, rolling services replace their "
            "tasks, blue/green ones move with the next release; until then a zone that the load balancers leave has "
            f"tasks without traffic ({GUIDE})."
        )
    if old["standInImage"] != new["standInImage"]:
        yield (
            f"{NAMESPACE}:standInImage: a service without a release keeps the old image, and can no longer pull it if "
            "it is in this account's registry; release it first."
        )


def _at_once(name: str, old_stack: Plain, new_stack: Plain) -> Iterator[str]:
    old, new = old_stack["services"][name], new_stack["services"][name]
    key = f"{NAMESPACE}:services[{name}]"
    for part, (kind, loss) in KEPT.items():
        gone = sorted(set(old["retiring"].get(part, ())) - {*new["used"].get(part, ()), *new["retiring"].get(part, ())})
        if gone:
            yield (
                f"{key}.retiring.{part}: the {kind} {' and '.join(gone)} is removed by this update; check that no "
                f"revision needing it runs, waits for approval or may be rolled back to: without it {loss} ({GUIDE})."
            )
    before, after = old.get("balancer"), new.get("balancer")
    if before and after and before["healthCheck"] != after["healthCheck"]:
        yield (
            f"{key}.loadBalancer.healthCheck: this update checks running tasks by {after['healthCheck']} instead of "
            f"{before['healthCheck']}, and replaces those that fail."
        )
    moved = (before or {}).get("target") != (after or {}).get("target")
    if new["controller"] == "ECS" and (moved or old["capacity"] != new["capacity"]):
        yield f"{key}: Amazon ECS replaces its tasks one after another at this update."
    if int(new["max"]) < int(old["max"]):
        yield f"{key}.max: after this update auto scaling stops tasks beyond {new['max']}."
