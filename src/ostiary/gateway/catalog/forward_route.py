"""Send one call on to the server that is meant, and translate its answer back."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import Rename, translate, translate_large
from ostiary.gateway.errors import NotConnected
from ostiary.gateway.upstreams.server import Server, Special
from ostiary.mcp.elicitation import (
    ask_to_open,
    may_be_asked_to_open,
    refused_to_open,
    without_our_answer,
)
from ostiary.mcp.headers import NAME_HEADER, encode_value
from ostiary.mcp.messages import Change, Message, read_name, write_answer
from ostiary.mcp.request_state import RESPONSES_KEY, STATE_KEY
from ostiary.transport.inline_http import Answer, StreamedAnswer
from ostiary.transport.upstream import LARGE


@dataclass(frozen=True, slots=True)
class ForwardRoute:
    """A route to one server."""

    server: Server
    name_line: bytes = b""
    """The `Mcp-Name` header there, with its line break."""
    change: Change | None = None
    """The parameter that is another there."""
    rename: Rename | None = None
    """The server's resource URI → the URI here."""
    meant: str | None = None
    """What is named, as the server calls it; None where the message says that untouched."""
    special: Special | None = None
    """What is so of it, and not of all."""

    def target(self, message: Message) -> RouteTarget:
        """What the message is about."""
        meant = self.meant
        if meant is None and message.name is not None:
            meant = read_name(message.name, "uri" if message.method == b"resources/read" else "name")
        return target_of(self.server.name, message.method, meant)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        message = call.message
        forwarded = call if RESPONSES_KEY not in message.params else call.about(without_our_answer(message))
        if STATE_KEY in message.params:
            forwarded = self.server.request_states.open(forwarded)
        try:
            answer, message_id = await self.server.forward(
                forwarded, self.change, self.name_line, None, self.special
            )
        except NotConnected as error:
            return _asked_to_connect(error, message, self.server.name)
        if len(answer.body) > LARGE:
            return await translate_large(self.server, answer, message_id, call, self.rename)
        return translate(self.server, answer, message_id, call, self.rename)


def name_line(raw_name: bytes | None) -> bytes:
    """The `Mcp-Name` header for a raw name, with its line break; empty for none."""
    return b"" if raw_name is None else b"%s: %s\r\n" % (NAME_HEADER, encode_value(read_name(raw_name)))


def _asked_to_connect(error: NotConnected, message: Message, server: str) -> Answer:
    """The caller's person is asked, once, where their client can do that. Raises the error otherwise."""
    if not may_be_asked_to_open(message) or refused_to_open(message):
        raise error
    why = f"Server {server} wants your account at {error.idp}. Connect it on this page, then go on."
    result = ask_to_open(error.connect_url, why, SERVER_INFO)
    return Answer(200, write_answer(message.id or b"null", "result", result))
