"""A modern request as a server of MCP 2025-11-25 and before reads it.

What a handshake has said already is taken off, and so is what belongs to a call that comes again. Progress is
told by a token of ours: callers of one session choose theirs alike.
"""

from __future__ import annotations

from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY, PROGRESS_KEY, VERSION_KEY
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Raw, write_object
from ostiary.mcp.request_state import RESPONSES_KEY, STATE_KEY

NOT_OF_LEGACY = frozenset({VERSION_KEY, CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY})
_NOT_SENT = frozenset({STATE_KEY, RESPONSES_KEY, "_meta"})


def legacy_request(message: Message, request_id: int) -> bytes:
    """The request with this id, which is its progress token too where the caller wants to hear of any."""
    params: dict[str, Raw] = {name: raw for name, raw in message.params.items() if name not in _NOT_SENT}
    meta: dict[str, Raw] = {
        name: raw for name, raw in message.meta.members.items() if name not in NOT_OF_LEGACY
    }
    if PROGRESS_KEY in meta:
        meta[PROGRESS_KEY] = b"%d" % request_id
    if meta:
        params["_meta"] = write_object(meta)
    return b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (
        request_id,
        message.method,
        write_object(params),
    )


def cancelled(request_id: int) -> bytes:
    """Says that nobody waits for this request any more."""
    return (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled",'
        b'"params":{"requestId":%d,"reason":"nobody waits for it any more"}}' % request_id
    )
