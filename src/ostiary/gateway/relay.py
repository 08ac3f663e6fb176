"""Send one call on to the server that is meant, and translate its answer back."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.gateway.server import Server
from ostiary.gateway.translate import Rename, translate, translate_large
from ostiary.identity.principal import Principal
from ostiary.mcp.messages import Change, Message
from ostiary.transport.direct import Answer, Request, StreamedAnswer
from ostiary.transport.upstream import LARGE


@dataclass(frozen=True, slots=True)
class Relay:
    """A route to one server.

    name_line: its `Mcp-Name` header; change: the parameter that is another there;
    rename: the server's resource URI → the URI here.
    """

    server: Server
    name_line: bytes = b""
    change: Change | None = None
    rename: Rename | None = None

    async def follow(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        answer, message_id = await self.server.forward(
            message, self.change, self.name_line, principal, request
        )
        caller_id = message.id or b"null"
        if len(answer.body) > LARGE:
            return await translate_large(self.server, answer, message_id, caller_id, self.rename)
        return translate(self.server, answer, message_id, caller_id, self.rename)
