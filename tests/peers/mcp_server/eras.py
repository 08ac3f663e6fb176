"""The fixture as a server of one era alone: what it refuses, and the sessions that it loses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

INVALID_REQUEST = -32600
UNSUPPORTED_VERSION = -32022


def modern_alone(app: ASGIApp) -> ASGIApp:
    """Refuse what does not say that it is of 2026-07-28."""
    data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": "none of them"}
    refusal = {"code": UNSUPPORTED_VERSION, "message": "speak 2026-07-28", "data": data}
    return _refusing(app, lambda version: version not in MODERN_PROTOCOL_VERSIONS, refusal)


def legacy_alone(app: ASGIApp) -> ASGIApp:
    """Refuse what says that it is of 2026-07-28, in the words of servers that never heard of it."""
    refusal = {"code": INVALID_REQUEST, "message": "Bad Request: Unsupported protocol version"}
    return _refusing(app, lambda version: version in MODERN_PROTOCOL_VERSIONS, refusal)


def _refusing(app: ASGIApp, is_refused: Callable[[str | None], bool], error: dict[str, Any]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_refused(Headers(scope=scope).get("mcp-protocol-version")):
            await app(scope, receive, send)
            return
        asked = await Request(scope, receive).body()
        message_id = json.loads(asked).get("id") if asked else None
        refused = JSONResponse({"jsonrpc": "2.0", "id": message_id, "error": error}, 400)
        await refused(scope, receive, send)

    return answer


@dataclass
class Forgetful:
    """Loses sessions: when it is told to, and after so many requests in one."""

    app: ASGIApp
    most_requests: int | None = None
    begun: int = 0
    """How many sessions there were."""
    _requests: dict[str, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Know none of the sessions that there are now."""
        self._requests = dict.fromkeys(self._requests, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = Headers(scope=scope).get("mcp-session-id") if scope["type"] == "http" else None
        if session is not None and scope["method"] == "POST":
            if self._requests.get(session, 0) <= 0:
                lost = {"code": INVALID_REQUEST, "message": "Session not found"}
                answer = JSONResponse({"jsonrpc": "2.0", "id": None, "error": lost}, 404)
                await answer(scope, receive, send)
                return
            self._requests[session] -= 1

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and session is None:
                given = Headers(raw=message["headers"]).get("mcp-session-id")
                if given is not None:
                    self.begun += 1
                    self._requests[given] = self.most_requests or 1_000_000
            await send(message)

        await self.app(scope, receive, noting)
