"""Grants that no rehearsal of a release uses and that are accepted all the same, each with its reason.

An entry whose grants are used is obsolete, which is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from .permissions import Grant


@dataclass(frozen=True, kw_only=True)
class AcceptedGrant:
    """`why` grants of a kind of role are accepted; an empty `sid`, `action` or `resource` stands for all of them.

    `resource` may have `*` in it, for what differs from stack to stack.
    """

    role: str
    sid: str = ""
    action: str = ""
    resource: str = ""
    why: str

    def covers(self, grant: Grant) -> bool:
        """Whether it is about this grant."""
        return (
            self.role == grant.role
            and self.sid in {"", grant.sid}
            and self.action in {"", grant.action}
            and fnmatchcase(grant.resource, self.resource or "*")
        )

    def __str__(self) -> str:
        return " ".join(part for part in (self.role, self.sid, self.action, self.resource) if part)


_RULES: Final = "for listeners that forward by a rule; those of the sample services have a default action only"
_VERSIONS: Final = (
    "CodePipeline's user guide gives whoever takes artifacts both reads; ours reads the newest, and whether "
    "CodePipeline reads by version before it calls a function is not documented"
)
_TWO_FORMS: Final = (
    "IAM sees a secret's ARN with its six characters or without them, by how it was asked for; both are named, so that "
    "neither way is refused"
)
_FAILED_EVENTS: Final = (
    "Lambda itself sends by it what the function failed at, after its retries; a rehearsal does not wait"
)
_LAMBDA_CLEANS_UP: Final = "Lambda itself calls it when it changes or removes the function's network interfaces"

ACCEPTED: Final = (
    AcceptedGrant(role="task/task", why="the application's own; a release starts its tasks and runs none of its code"),
    AcceptedGrant(role="deployment/codedeploy", sid="ShiftTheTrafficOfARule", why=_RULES),
    AcceptedGrant(
        role="pipeline-action/verify-action of Lambda",
        sid="CarryArtifacts",
        action="s3:GetObjectVersion",
        why=_VERSIONS,
    ),
    AcceptedGrant(
        role="pipeline-action/deploy-action of Lambda",
        sid="CarryArtifacts",
        action="s3:GetObjectVersion",
        why=_VERSIONS,
    ),
    AcceptedGrant(
        role="task-execution/execution",
        sid="ReadItsSecrets",
        resource="arn:*:secret:*[?][?][?][?][?][?]",
        why=_TWO_FORMS,
    ),
    AcceptedGrant(role="function/notify", sid="ReadItsSecrets", resource="arn:*:secret:*[!?]", why=_TWO_FORMS),
    AcceptedGrant(
        role="function/smoke", sid="StandInTheVpc", action="ec2:AssignPrivateIpAddresses", why=_LAMBDA_CLEANS_UP
    ),
    AcceptedGrant(
        role="function/smoke", sid="StandInTheVpc", action="ec2:DeleteNetworkInterface", why=_LAMBDA_CLEANS_UP
    ),
    AcceptedGrant(
        role="function/smoke", sid="StandInTheVpc", action="ec2:UnassignPrivateIpAddresses", why=_LAMBDA_CLEANS_UP
    ),
    *(
        AcceptedGrant(role=f"function/{label}", sid="LeaveWhatItFailedAt", why=_FAILED_EVENTS)
        for label in ("deploy", "gate", "notify", "scaling-guard", "smoke")
    ),
)


def unaccepted(unused: Iterable[Grant]) -> list[Grant]:
    """The unused grants that no entry covers: remove them, or add an entry."""
    return sorted(grant for grant in unused if not any(entry.covers(grant) for entry in ACCEPTED))


def accepted(unused: Iterable[Grant]) -> list[tuple[Grant, str]]:
    """The unused grants that an entry covers, each with its reason."""
    return sorted((grant, entry.why) for grant in unused for entry in ACCEPTED if entry.covers(grant))


def obsolete(granted: Iterable[Grant], unused: Iterable[Grant]) -> list[AcceptedGrant]:
    """The entries for grants that are all used, so that no exception is needed."""
    given, left = list(granted), list(unused)
    return [entry for entry in ACCEPTED if any(map(entry.covers, given)) and not any(map(entry.covers, left))]
