"""What stops a rehearsal before there is anything to report: each message is one sentence for a person."""

from __future__ import annotations


class RehearsalError(Exception):
    """The rehearsal cannot be done."""


class UsageError(RehearsalError):
    """The command, the project's files or the stack's configuration are not what they must be."""


class PolicyPackError(RehearsalError):
    """A policy pack could not be started, or one of its policies broke."""


class Refused(Exception):  # noqa: N818  its text is the whole error
    """The rehearsal cannot answer what the program asks; the message says what to do."""
