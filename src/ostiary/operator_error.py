"""What whoever runs Ostiary has to do something about."""

from __future__ import annotations

from typing import ClassVar

JOB_FAILED = 1
BAD_USAGE = 2


class OperatorError(Exception):
    """The message says what is wrong, where, and what to do, and shows no secret."""

    exit_code: ClassVar[int] = JOB_FAILED
    """Of the command that it ends."""
