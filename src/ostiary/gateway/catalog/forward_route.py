"""Send one call on to the server that is meant, and translate its answer back."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import Rename, translate, translate_large
from ostiary.gateway.upstreams.server import Server
from ostiary.identity.principal import Principal
from ostiary.mcp.messages import Change, Message, read_name
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer
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

    def target(self, message: Message) -> RouteTarget:
        """What the message is about."""
        meant = self.meant
        if meant is None and message.name is not None:
            meant = read_name(message.name, "uri" if message.method == b"resources/read" else "name")
        return target_of(self.server.name, message.method, meant)

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
