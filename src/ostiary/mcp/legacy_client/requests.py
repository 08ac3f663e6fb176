"""What a legacy client asks, with all that a modern request says of its sender (`_meta`)."""

from __future__ import annotations

from collections.abc import Mapping

from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY, MODERN, VERSION_KEY
from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.legacy_client.handshake import Introduction
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Members, Raw, read_string, write_object
from ostiary.mcp.request_state import RESPONSES_KEY, STATE_KEY

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the least important first (RFC 5424 section 6.2.1)."""
UNASKED_LEVEL = "info"
"""What is logged for a client that has not said: legacy servers send what they think fit."""
MODERN_METHODS = frozenset({b"server/discover", b"subscriptions/listen"})
"""What no legacy client may ask."""
_VERSION = b'"%s"' % MODERN.encode()


def sender_meta(introduction: Introduction, level: str) -> Mapping[str, bytes]:
    """What every request of this client says of it, raw."""
    return {
        VERSION_KEY: _VERSION,
        CAPABILITIES_KEY: introduction.capabilities,
        CLIENT_INFO_KEY: introduction.client_info,
        LOG_LEVEL_KEY: b'"%s"' % level.encode(),
    }


def modern_request(message: Message, sender: Mapping[str, bytes]) -> Message:
    """The request as a modern client sends it; its own `_meta` stays, as far as it is no lie."""
    params: dict[str, Raw] = {
        name: raw for name, raw in message.params.items() if name not in {STATE_KEY, RESPONSES_KEY}
    }
    params["_meta"] = write_object({**message.meta.members, **sender})
    return Message(message.method, message.id, write_object(params))


def asking(method: bytes, sender: Mapping[str, bytes], params: Mapping[str, Raw] | None = None) -> Message:
    """A request of ours on the client's behalf."""
    return Message(method, b"0", write_object({**(params or {}), "_meta": write_object(sender)}))


def read_level(params: Members) -> str:
    """What `logging/setLevel` says. Raises InvalidRequest."""
    level = read_string(params.get("level"), "params.level")
    if level not in LEVELS:
        raise InvalidRequest(f"params.level must be one of {', '.join(LEVELS)}")
    return level


def withdrawn_request(params: Members) -> bytes:
    """The raw id of the request that `notifications/cancelled` takes back."""
    return bytes(params.get("requestId", b""))
