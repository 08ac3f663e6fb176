"""Whether a server says that it knows a session no more (MCP 2025-11-25, transports).

A server that was restarted answers 404, as the protocol says, or 400 with words about it, as many do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

NOT_FOUND, BAD_REQUEST = 404, 400
UNKNOWN_METHOD = -32601
_ABOUT_SESSIONS = re.compile(rb"\bsession\b|\bnot initialized\b|initialization was complete", re.IGNORECASE)
"""What servers of the SDKs say with 400: "No valid session ID provided", "Server not initialized"."""


def is_session_lost(status: int, body: bytes, asked: Mapping[str, Any] | None) -> bool:
    """Whether a refusal of what was sent under a session says that there is none, so that nothing was done.

    asked: the message that was sent, None for a request to listen. A method that nobody knows is told with
    404 as well, and with 400 much else; who answers by the id of the request knows the session. The answer of
    a client is of the session that is gone.
    """
    if status not in {NOT_FOUND, BAD_REQUEST}:
        return False
    refusal = read_message(body)
    error = refusal.get("error")
    if isinstance(error, dict) and error.get("code") == UNKNOWN_METHOD:
        return False
    if status == BAD_REQUEST:
        by_its_id = asked is not None and "id" in asked and refusal.get("id") == asked["id"]
        if by_its_id or _ABOUT_SESSIONS.search(body) is None:
            return False
    return asked is None or isinstance(asked.get("method"), str)


def read_message(body: bytes) -> dict[str, Any]:
    """The JSON object; empty for what is none."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
