"""What a server wants to know before it answers (`inputRequests`), as requests to a legacy client.

They go out on the stream that answers its call; what it says to them goes with the same call to the server
once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ostiary.mcp.errors import InvalidRequest, McpError
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Members, Raw, read_members, read_string, write_object
from ostiary.mcp.request_state import REQUESTS_KEY, RESPONSES_KEY, STATE_KEY

CAPABILITY_OF = {
    "elicitation/create": "elicitation",
    "roots/list": "roots",
    "sampling/createMessage": "sampling",
}
"""What may be asked → what a client must be able to do."""
MOST_AT_ONCE = 32
"""Questions of one answer."""
ELICITATION_COMPLETE = "notifications/elicitation/complete"
_NO_PARAMS = b"{}"


@dataclass(frozen=True, slots=True)
class Question:
    """One request for the client; params: raw."""

    method: str
    params: bytes

    @property
    def page(self) -> str | None:
        """The URL that the person is to open; None for any other question."""
        if self.method != "elicitation/create":
            return None
        members = _members(self.params)
        if bytes(members.get("mode", b"")) != b'"url"':
            return None
        try:
            return read_string(members.get("url"), "url")
        except InvalidRequest:
            return None

    def fits(self, capabilities: Raw) -> bool:
        """Whether a client with these can answer it."""
        declared = _members(capabilities).get(CAPABILITY_OF[self.method])
        if declared is None:
            return False
        return self.method != "elicitation/create" or self._mode in _members(declared)

    @property
    def _mode(self) -> str:
        return "form" if self.page is None else "url"

    def written(self, question_id: str) -> bytes:
        """The request with this id, which is the elicitation's too."""
        params: Raw = self.params
        if self.page is not None:
            params = write_object({**_members(params), "elicitationId": msgspec.json.encode(question_id)})
        return b'{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (
            msgspec.json.encode(question_id),
            self.method.encode(),
            params,
        )


@dataclass(frozen=True, slots=True)
class Questions:
    """What one answer asks, by the names under which it is told, and the state that goes back, raw."""

    asked: Mapping[str, Question]
    state: Raw | None

    def answered(self, message: Message, responses: Mapping[str, Raw]) -> Message:
        """The call once more, with what was said."""
        params: dict[str, Raw] = {**message.params, RESPONSES_KEY: write_object(responses)}
        params.pop(STATE_KEY, None)
        if self.state is not None:
            params[STATE_KEY] = self.state
        return Message(message.method, message.id, write_object(params))


def read_questions(result: Members) -> Questions:
    """What a result that asks wants to know. Raises ParseError or InvalidRequest."""
    requests = read_members(result.get(REQUESTS_KEY, b"{}"))
    if len(requests) > MOST_AT_ONCE:
        raise InvalidRequest(f"it asks more than {MOST_AT_ONCE} questions at once")
    return Questions({name: _question(raw) for name, raw in requests.items()}, result.get(STATE_KEY))


def is_accepted(response: Raw) -> bool:
    """Whether a person agreed to what they were asked."""
    return bytes(_members(response).get("action", b"")) == b'"accept"'


def elicitation_complete(question_id: str) -> bytes:
    """Tells the client that the page has done what it was opened for."""
    return b'{"jsonrpc":"2.0","method":"%s","params":{"elicitationId":%s}}' % (
        ELICITATION_COMPLETE.encode(),
        msgspec.json.encode(question_id),
    )


def _question(raw: Raw) -> Question:
    members = read_members(raw)
    method = read_string(members.get("method"), "method")
    if method not in CAPABILITY_OF:
        raise InvalidRequest(f"it asks {method[:40]!r}, which no client answers")
    params = bytes(members.get("params", _NO_PARAMS))
    read_members(params)
    return Question(method, params)


def _members(raw: Raw) -> Members:
    try:
        return read_members(raw)
    except McpError:
        return {}
