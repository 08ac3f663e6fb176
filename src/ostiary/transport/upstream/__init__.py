"""Connections to one MCP server: the gateway's own HTTP client.

The data plane is what the gateway exists for, so it has its own client: one write for a request, one
parser for its answer, no task in between.

    pool         all connections to one server, with their deadlines
    turns        each caller's share of them, and who is next
    connection   one connection, one request at a time
    tunnel       the same through a proxy
    answer       whole, or streamed
    unpacked     what comes compressed, as if it had not
    loop_share   a share of each turn of the event loop
    held         how much of large answers is held at once
    limits       how much, how long
    errors       at which step it failed, and why
"""

from ostiary.transport.upstream.answer import Stream, UpstreamAnswer
from ostiary.transport.upstream.errors import CallerBusy, CallStep, UpstreamFailed
from ostiary.transport.upstream.held import LARGE, Room
from ostiary.transport.upstream.limits import UpstreamLimits
from ostiary.transport.upstream.pool import Upstream

__all__ = [
    "LARGE",
    "CallStep",
    "CallerBusy",
    "Room",
    "Stream",
    "Upstream",
    "UpstreamAnswer",
    "UpstreamFailed",
    "UpstreamLimits",
]
