"""What ends a rehearsal before it has an outcome: each message is one sentence for the user of the command."""

from pulumi_rehearsal.errors import UsageError


class NotDeclaredError(UsageError):
    """The stack does not declare something that the release needs."""


class StepError(UsageError):
    """The step cannot happen in this stack, or the service is not in it."""


class HandoffFailedError(Exception):
    """CI's script did not hand over; the message is its own."""
