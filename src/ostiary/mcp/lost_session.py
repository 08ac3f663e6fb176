"""Whether a server says that it knows a session no more (MCP 2025-11-25, transports).

A server that was restarted answers 404, as the protocol says, or 400 with words about it, as many do.
"""

from __future__ import annotations

import json
import re
from typing import Any

NOT_FOUND, BAD_REQUEST = 404, 400
UNKNOWN_METHOD = -32601
LONGEST_REFUSAL = 256 * 1024
"""Bytes of an answer that is looked into: whoever refuses something says so in few words."""
_ABOUT_SESSIONS = re.compile(rb"\bsession\b|\bnot initialized\b|initialization was complete", re.IGNORECASE)
"""What servers of the SDKs say with 400: "No valid session ID provided", "Server not initialized"."""


def is_session_lost(status: int, body: bytes, request: int | None) -> bool:
    """Whether a refusal of what was sent under a session says that there is none, so that nothing was done.

    request: the id of the one that was sent, None for all that has none. A method that nobody knows is told
    with 404 as well, and with 400 much else; who answers by the id of the request knows the session.
    """
    if status not in {NOT_FOUND, BAD_REQUEST}:
        return False
    refusal = read_message(body)
    error = refusal.get("error")
    if isinstance(error, dict) and error.get("code") == UNKNOWN_METHOD:
        return False
    if status == NOT_FOUND:
        return True
    by_its_id = request is not None and refusal.get("id") == request
    return not by_its_id and _ABOUT_SESSIONS.search(body, 0, LONGEST_REFUSAL) is not None


def read_message(body: bytes) -> dict[str, Any]:
    """The JSON object; empty for what is none, and for what is too long to be a refusal."""
    if len(body) > LONGEST_REFUSAL:
        return {}
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
