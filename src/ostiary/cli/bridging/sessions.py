"""The session that a server gave (MCP 2025-11-25, transports), and a new one when it knows ours no more.

The client shook hands once and goes by that. A server that was restarted answers 404 for the session, or 400
with words about it, as many do: then the same handshake is made again, and what the client had sent goes out
once more, under the new session.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostiary.mcp.lost_session import read_message

if TYPE_CHECKING:
    import httpx2

SESSION = "mcp-session-id"
LAST_EVENT = "last-event-id"
MOST_EVENTS = 1000
"""Ids that are remembered: a stream that broke off goes on soon, or never."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the client began with, and the version that the server chose."""

    initialize: bytes
    initialized: bytes | None = None
    version: str | None = None


class Sessions:
    """Sees what goes and comes, and puts the session of today on it."""

    def __init__(self) -> None:
        self.handshake: Handshake | None = None
        self.current: str | None = None
        self.listened = False
        """Whether the server ever let us listen to what it says unasked."""
        self._heard: str | None = None
        """The last event that the server sent unasked in this session."""
        self._of_answers: deque[str] = deque(maxlen=MOST_EVENTS)
        """Events after which only the rest of one answer is wanted."""

    def put_on(self, request: httpx2.Request) -> str | None:
        """The session that it goes under; None for none."""
        if SESSION not in request.headers:
            return None
        if _method(request) == "initialize" or self.current is None:
            del request.headers[SESSION]
            return None
        if request.headers.get(LAST_EVENT) != self._heard and not self.resumes_an_answer(request):
            request.headers.pop(LAST_EVENT, None)  # it is of the session before
        request.headers[SESSION] = self.current
        return self.current

    def taken(self, request: httpx2.Request, response: httpx2.Response) -> None:
        """The server took it: remember what a handshake is made of."""
        match _method(request):
            case "initialize":
                self.current = response.headers.get(SESSION)
                self.handshake = Handshake(request.content)
            case "notifications/initialized" if self.handshake is not None:
                version = request.headers.get("mcp-protocol-version")
                self.handshake = Handshake(self.handshake.initialize, request.content, version)

    def disagreement(self, answer: Any) -> str:
        """Why a new handshake came to something else than the client goes by, which is the first; or ""."""
        agreed, version = self.handshake and self.handshake.version, version_of(answer)
        if version == agreed is not None:
            return ""
        return f"agrees to {version or 'no version'} now, where it had agreed to {agreed or 'none'}"

    def begun_anew(self, session: str | None) -> None:
        """The server gave another one."""
        self.current, self._heard = session, None

    def heard(self, event_id: str) -> None:
        """The server said something unasked, under this id."""
        self._heard = event_id

    def part_of_an_answer(self, event_id: str) -> None:
        """An event of this id came in the stream that answers one request."""
        self._of_answers.append(event_id)

    def resumes_an_answer(self, request: httpx2.Request) -> bool:
        """Whether it asks for the rest of an answer, of which a new session knows nothing."""
        return request.headers.get(LAST_EVENT) in self._of_answers


def version_of(answer: Any) -> str | None:
    result = answer.get("result") if isinstance(answer, dict) else None
    version = result.get("protocolVersion") if isinstance(result, dict) else None
    return version if isinstance(version, str) else None


def _method(request: httpx2.Request) -> str | None:
    method = _asked(request).get("method")
    return method if isinstance(method, str) else None


def _asked(request: httpx2.Request) -> dict[str, Any]:
    return read_message(request.content) if request.method == "POST" else {}


def is_question(request: httpx2.Request) -> bool:
    """Whether it wants an answer."""
    asked = _asked(request)
    return "method" in asked and "id" in asked


def is_message(body: bytes) -> bool:
    """Whether it is a message of JSON-RPC, as far as one can tell at a glance."""
    message = read_message(body)
    known = isinstance(message.get("result"), dict) or isinstance(message.get("error"), dict)
    return message.get("jsonrpc") == "2.0" and (known or "method" in message)
