"""A conversation with a server as a gateway has it: a program, or one that speaks HTTP+SSE.

The gateway is in this process, and has no other server and no listener. Its log is not shown: a failure says
what it would, with the last lines that a program wrote.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2

from ostiary.cli.failure import Failure
from ostiary.cli.gateway_within import gateway_within
from ostiary.cli.mcp_client.client import InvalidAnswer, McpClient, ServerError
from ostiary.cli.mcp_client.streamable_http import StreamableHttp
from ostiary.cli.mcp_client.within import WithinTransport
from ostiary.cli.server_words import not_valid, shown
from ostiary.event_log import Event
from ostiary.gateway.errors import BadAnswer
from ostiary.gateway.record import PROGRAM_SAID

if TYPE_CHECKING:
    from ostiary.cli.target import ChosenServer

OUR_CODES = range(-32019, -32009)
"""Of errors of the gateway itself, which say in whole sentences what is wrong with which server."""
LAST_LINES = 5
"""How many are told of what a program wrote."""
PATIENCE = timedelta(seconds=60)
"""For an answer, where the configuration says nothing."""
_WITHIN = "http://localhost/mcp"


class ServerFailed(Failure):
    """The gateway has no usable answer of the server. reason: why; wrote: a program's last lines."""

    def __init__(self, code: int, reason: str, wrote: tuple[str, ...]) -> None:
        super().__init__(f"{reason}; it wrote: {' / '.join(wrote)}" if wrote else reason)
        self.code = code
        self.reason = reason
        self.wrote = wrote


class NotThere(ServerFailed):
    """Something answers, and it is not what was asked for."""


@contextlib.asynccontextmanager
async def connected_by_gateway(
    chosen: ChosenServer, *, transport: str | None = None, patience: timedelta | None = PATIENCE
) -> AsyncIterator[McpClient]:
    """A client, connected to the server. Whatever goes wrong inside becomes a Failure.

    transport: another than the configuration says; patience: for an answer, where that says nothing.
    """
    async with contextlib.AsyncExitStack() as running:
        wrote = running.enter_context(_overheard())
        runtime = await running.enter_async_context(chosen.runtime())
        gateway = gateway_within(chosen, runtime, patience=patience, transport=transport)
        try:
            async with (
                gateway,
                httpx2.AsyncClient(transport=WithinTransport(gateway.endpoint), trust_env=False) as http,
                McpClient(StreamableHttp(http, _WITHIN), may_be_old=False) as client,
            ):
                client.server_version = gateway.version or client.protocol_version
                yield client
        except Exception as error:
            raise _cause(error, chosen.place, gateway.sent, wrote) from error


@contextlib.contextmanager
def _overheard() -> Iterator[deque[str]]:
    """The last lines of what programs write. The gateway's log is shown to nobody meanwhile."""
    heard = _Hearing()
    logger = logging.getLogger("ostiary.gateway")
    before = logger.level, logger.propagate
    logger.addHandler(heard)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield heard.lines
    finally:
        logger.removeHandler(heard)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _Hearing(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LAST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        said = record.msg
        if isinstance(said, Event) and said["event"] == PROGRAM_SAID:
            self.lines.append(said["text"])
        elif record.levelno >= logging.ERROR and logging.lastResort is not None:
            logging.lastResort.handle(record)  # a fault of ours


def _cause(error: Exception, place: str, sent: Iterable[str], wrote: Iterable[str]) -> Exception:
    """The error that a person can act on. sent: secrets, which the server may repeat."""
    match error:
        case ServerError() if error.code in OUR_CODES:
            kind = NotThere if error.code == BadAnswer.code else ServerFailed
            return kind(error.code, shown(error.message, sent), tuple(shown(line, sent) for line in wrote))
        case ServerError():
            said = shown(error.message, sent)
            return Failure(f"{place} answered: {said} (JSON-RPC error {error.code})")
        case RecursionError():
            return not_valid(place, "it is nested too deeply")
        case InvalidAnswer():
            return not_valid(place, shown(str(error), sent).partition("\n")[0])
        case Failure():
            return type(error)(shown(str(error), sent))
    return error
