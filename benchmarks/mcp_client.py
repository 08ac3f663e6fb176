"""A client of either era, as small as can be: to begin a session, and to see that a call is answered."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

MODERN, LEGACY = "2026-07-28", "2025-11-25"
_PATIENCE = 30
_INFO = {"name": "bench", "version": "1"}
_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": _INFO,
}
_ARGUMENTS = {"species": "penguin"}


class Refused(Exception):
    """What was asked was not done."""


class McpClient:
    """One connection to one server."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {token}",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin_session(self) -> str:
        """A new session's id. Raises Refused."""
        said = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _INFO}
        answer, text = self._post({"id": 1, "method": "initialize", "params": said}, {})
        session = answer.getheader("mcp-session-id")
        if session is None or '"result"' not in text:
            raise Refused(f"initialize: {answer.status} {text[:200]}")
        self._post({"method": "notifications/initialized"}, _in_session(session))
        return session

    def call(self, tool: str, session: str | None) -> None:
        """Call it, in this session or as a modern client. Raises Refused unless the answer has animals."""
        params: dict[str, Any] = {"name": tool, "arguments": _ARGUMENTS}
        headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": tool}
        if session is None:
            params["_meta"] = _META
        else:
            headers = _in_session(session)
        answer, text = self._post({"id": 2, "method": "tools/call", "params": params}, headers)
        if "Waddles" not in text:
            raise Refused(f"tools/call: {answer.status} {text[:200]}")

    def _post(
        self, message: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, str]:
        body = json.dumps({"jsonrpc": "2.0", **message})
        try:
            self._connection.request("POST", self._path, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
            return answer, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"{message['method']}: {error!r}") from None


def _in_session(session: str) -> dict[str, str]:
    return {"mcp-protocol-version": LEGACY, "mcp-session-id": session}
