"""What may be sent again to a server that gave no answer: what it cannot have got, or may get twice."""

from __future__ import annotations

from ostiary.mcp.change_notices import LISTS
from ostiary.transport.upstream import CallStep

READING = frozenset(
    {
        *(method.encode() for methods in LISTS.values() for method in methods),
        *(b"server/discover", b"resources/read", b"prompts/get", b"completion/complete", b"tasks/get"),
    }
)
"""Methods that change nothing, however often they come."""
PAUSES = (0.05, 0.15)
"""Seconds until a server that takes no connection is tried once more: it may be about to be there again."""


def may_be_repeated(method: bytes, step: CallStep, *, changes_nothing: bool) -> bool:
    """Whether a message may be sent once more that failed at this step.

    changes_nothing: whether its server says so of the tool that it calls, or that it may be called twice.
    """
    if step is CallStep.CONNECT:
        return True
    return step is CallStep.ANSWER and (method in READING or changes_nothing)
