"""What the tasks of one server are called here: it says which server, and opens for their caller alone."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.seals import SealBroken, Seals
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.messages import is_about_task, read_name
from ostiary.mcp.tasks import ID_KEY

SECONDS = 30 * 24 * 3600.0
"""How long a task can be asked for: longer than servers keep one."""
_MARK = "."
"""Between server and seal: neither has one."""


class OwnTask(NamedTuple):
    """id: the server's own; permitted: what the call was that became it, as of a Call."""

    id: str
    permitted: tuple[str, str] | None


class TaskIds:
    """Of one server."""

    def __init__(self, server: str, seals: Seals) -> None:
        self._server = server
        self._seals = seals

    def here(self, call: Call, own: str) -> str:
        """What the caller calls the task that this call has become, or that it is about."""
        if is_about_task(call.message):
            return read_name(call.message.name or b"", ID_KEY)
        told = msgspec.json.encode(OwnTask(own, call.permitted))
        sealed = self._seals.seal(told, purpose=self._purpose(call), seconds=SECONDS)
        return f"{self._server}{_MARK}{sealed}"

    def open(self, call: Call, here: str) -> OwnTask:
        """The server's own task. Raises InvalidParams."""
        try:
            sealed = here.removeprefix(f"{self._server}{_MARK}")
            opened = self._seals.open(sealed, purpose=self._purpose(call))
        except SealBroken:
            raise no_such_task() from None
        return msgspec.json.decode(opened, type=OwnTask)

    def _purpose(self, call: Call) -> bytes:
        return msgspec.json.encode(["task", self._server, call.account])


def server_of_task(here: str) -> str:
    """The name of the server that is meant; no server's for an id that is none of ours."""
    return here.partition(_MARK)[0]


def no_such_task() -> InvalidParams:
    """Somebody else's is no different from one that never was."""
    return InvalidParams("params.taskId is the id of no task of yours, or of one that is long over")
