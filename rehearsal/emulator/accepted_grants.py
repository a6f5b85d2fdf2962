"""Why a grant stays although no rehearsal of a release uses it. A reason for nothing is an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from .permissions import Grant


@dataclass(frozen=True, kw_only=True)
class Reason:
    """`why` the grants of a kind of role stay; an empty `sid`, `action` or `resource` stands for all of them.

    `resource` may have `*` in it, for what differs from stack to stack.
    """

    role: str
    sid: str = ""
    action: str = ""
    resource: str = ""
    why: str

    def covers(self, grant: Grant) -> bool:
        """Whether it speaks of this grant."""
        return (
            self.role == grant.role
            and self.sid in {"", grant.sid}
            and self.action in {"", grant.action}
            and fnmatchcase(grant.resource, self.resource or "*")
        )

    def __str__(self) -> str:
        return " ".join(part for part in (self.role, self.sid, self.action, self.resource) if part)


_RULES: Final = "for listeners whose traffic stands in a rule; those of the sample services have a default action only"
_VERSIONS: Final = (
    "CodePipeline's user guide gives whoever takes artifacts both reads; ours reads the newest, and whether "
    "CodePipeline reads by version before it calls a function is not documented"
)
_TWO_FORMS: Final = (
    "IAM sees a secret's ARN with its six characters or without them, by how it was asked for; both are named, so that "
    "neither way is refused"
)
_GIVEN_UP: Final = "Lambda itself sends by it what the function failed at, after its retries; a rehearsal does not wait"
_LAMBDA_TIDIES: Final = "Lambda itself calls it when it changes or removes the function's network interfaces"

REASONS: Final = (
    Reason(role="task/task", why="the application's own; a release starts its tasks and runs none of its code"),
    Reason(role="deployment/codedeploy", sid="ShiftTheTrafficOfARule", why=_RULES),
    Reason(
        role="pipeline-action/verify-action of Lambda",
        sid="CarryArtifacts",
        action="s3:GetObjectVersion",
        why=_VERSIONS,
    ),
    Reason(
        role="pipeline-action/deploy-action of Lambda",
        sid="CarryArtifacts",
        action="s3:GetObjectVersion",
        why=_VERSIONS,
    ),
    Reason(
        role="task-execution/execution",
        sid="ReadItsSecrets",
        resource="arn:*:secret:*[?][?][?][?][?][?]",
        why=_TWO_FORMS,
    ),
    Reason(role="function/notify", sid="ReadItsSecrets", resource="arn:*:secret:*[!?]", why=_TWO_FORMS),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:AssignPrivateIpAddresses", why=_LAMBDA_TIDIES),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:DeleteNetworkInterface", why=_LAMBDA_TIDIES),
    Reason(role="function/smoke", sid="StandInTheVpc", action="ec2:UnassignPrivateIpAddresses", why=_LAMBDA_TIDIES),
    *(
        Reason(role=f"function/{label}", sid="LeaveWhatItFailedAt", why=_GIVEN_UP)
        for label in ("deploy", "gate", "notify", "scaling-guard", "smoke")
    ),
)


def unexplained(unused: Iterable[Grant]) -> list[Grant]:
    """The unused grants that no reason covers: candidates to remove."""
    return sorted(grant for grant in unused if not any(reason.covers(grant) for reason in REASONS))


def explained(unused: Iterable[Grant]) -> list[tuple[Grant, str]]:
    """The unused grants that stay, each with its reason."""
    return sorted((grant, reason.why) for grant in unused for reason in REASONS if reason.covers(grant))


def stale(granted: Iterable[Grant], unused: Iterable[Grant]) -> list[Reason]:
    """The reasons for something that is granted and used, so that none is needed."""
    given, left = list(granted), list(unused)
    return [r for r in REASONS if any(map(r.covers, given)) and not any(map(r.covers, left))]
