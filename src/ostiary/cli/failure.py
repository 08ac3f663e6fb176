"""What ends a command: one sentence to standard error, and the exit code."""

from __future__ import annotations

from ostiary.operator_error import BAD_USAGE, OperatorError


class Failure(OperatorError):
    """The job failed. The message is what the person reads."""


class BadUsage(Failure):
    """The command cannot be meant like this."""

    exit_code = BAD_USAGE
