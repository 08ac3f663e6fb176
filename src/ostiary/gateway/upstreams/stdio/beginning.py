"""A process, until it has said its first word.

Each one is asked `server/discover` by us, whoever wants it. So what ends it now is no caller's doing, but the
program's own; and what it says tells its era.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ostiary import __version__
from ostiary.gateway import record
from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, MODERN, VERSION_KEY
from ostiary.mcp.errors import McpError
from ostiary.mcp.server_message import read_server_message

if TYPE_CHECKING:
    from ostiary.transport.child_process import ChildProcess
    from ostiary.transport.upstream import Room

STRAY_BYTES = 4 * 1024 * 1024
"""How much a process may write in a row that is nobody's."""
LINE_COSTS = 1000
"""Bytes that each such line counts as besides its own: it is read, however short it is."""
ID = b'"begin"'
"""No caller's: theirs are numbers."""


def discover(message_id: bytes) -> bytes:
    """The question, with this id."""
    return b'{"jsonrpc":"2.0","id":%s,"method":"server/discover","params":%s}' % (message_id, _PARAMS)


class Ended(Exception):
    """It ended. The message says why."""


class Beginning:
    """Hears a process whose first word is awaited. first_word: done with the answer to our question."""

    def __init__(self, server: str, loop: asyncio.AbstractEventLoop) -> None:
        self.first_word: asyncio.Future[bytes] = loop.create_future()
        self._server = server
        self._stray = 0
        self.child: ChildProcess | None = None

    def heard(self, line: bytes, room: Room | None) -> None:
        """A line: the answer, or what the program says before it begins, which is often no MCP."""
        try:
            is_answer = bytes(read_server_message(line).id) == ID
        except McpError:
            is_answer = False
        if is_answer and not self.first_word.done():
            self.first_word.set_result(line)
            return
        self._stray += len(line) + LINE_COSTS
        if self._stray > STRAY_BYTES and self.child is not None:
            self.child.kill("it writes on and on what nobody asked for")

    def said(self, text: str) -> None:
        """A line for the log."""
        record.program_said(self._server, text)

    def ended(self, why: str) -> None:
        """It is gone."""
        record.program_ended(self._server, why)
        if not self.first_word.done():
            self.first_word.set_exception(Ended(why))


class Spare:
    """Hears a process that has begun, and that nobody wants yet."""

    def __init__(self, server: str, gone: Callable[[], None]) -> None:
        self._server = server
        self._gone = gone

    def heard(self, line: bytes, room: Room | None) -> None:
        """Nothing that anybody asked for."""
        self._gone()

    def said(self, text: str) -> None:
        """A line for the log."""
        record.program_said(self._server, text)

    def ended(self, why: str) -> None:
        """It is gone."""
        record.program_ended(self._server, why)
        self._gone()


_PARAMS = msgspec.json.encode(
    {
        "_meta": {
            VERSION_KEY: MODERN,
            CLIENT_INFO_KEY: {"name": "ostiary", "version": __version__},
            CAPABILITIES_KEY: {},
        }
    }
)
