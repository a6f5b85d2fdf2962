"""Why a grant stays although no rehearsal of a release uses it. A reason for nothing is an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .permissions import Grant


@dataclass(frozen=True, kw_only=True)
class Reason:
    """`why` the grants of a kind of role stay; an empty `sid` or `action` stands for all of them."""

    role: str
    sid: str = ""
    action: str = ""
    why: str

    def covers(self, grant: Grant) -> bool:
        """Whether it speaks of this grant."""
        return self.role == grant.role and self.sid in {"", grant.sid} and self.action in {"", grant.action}

    def __str__(self) -> str:
        return " ".join(part for part in (self.role, self.sid, self.action) if part)


_LAMBDA_TIDIES: Final = "Lambda itself calls it when it changes or removes the function's network interfaces"

REASONS: Final = (
    Reason(role="task/task", why="the application's own; a release starts its tasks and runs none of its code"),
    Reason(
        role="deployment/codedeploy",
        sid="ShiftItsTraffic",
        action="elasticloadbalancing:ModifyRule",
        why="for listeners whose traffic stands in a rule; those of the sample services have a default action only",
    ),
    Reason(
        role="function/gate",
        sid="ReadItsImages",
        action="ecr:GetDownloadUrlForLayer",
        why="for an image that is one manifest and no index, as a plain docker push leaves it; CI's script makes none",
    ),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:AssignPrivateIpAddresses", why=_LAMBDA_TIDIES),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:DeleteNetworkInterface", why=_LAMBDA_TIDIES),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:UnassignPrivateIpAddresses", why=_LAMBDA_TIDIES),
)


def unexplained(unused: Iterable[Grant]) -> list[Grant]:
    """The unused grants that no reason covers: candidates to remove."""
    return sorted(grant for grant in unused if not any(reason.covers(grant) for reason in REASONS))


def explained(unused: Iterable[Grant]) -> list[tuple[Grant, str]]:
    """The unused grants that stay, each with its reason."""
    return sorted((grant, reason.why) for grant in unused for reason in REASONS if reason.covers(grant))


def stale(unused: Iterable[Grant]) -> list[Reason]:
    """The reasons that cover no unused grant."""
    left = list(unused)
    return [reason for reason in REASONS if not any(reason.covers(grant) for grant in left)]
