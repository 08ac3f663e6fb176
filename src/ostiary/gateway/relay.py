"""Send one call on to the server that is meant, and translate its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ostiary.gateway.server import Server
from ostiary.gateway.translate import Rename, translate
from ostiary.identity.principal import Principal
from ostiary.mcp.messages import Message
from ostiary.transport.direct import Answer, Request, StreamedAnswer


@dataclass(frozen=True, slots=True)
class Relay:
    """A route to one server.

    name_line: its `Mcp-Name` header; changes: parameters as that server knows them, raw;
    rename: the server's resource URI → the URI here.
    """

    server: Server
    name_line: bytes = b""
    changes: Mapping[str, bytes] = field(default_factory=dict)
    rename: Rename | None = None

    async def follow(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        exchange = await self.server.forward(
            message, self.changes, self.name_line, principal, request.headers
        )
        return translate(self.server, exchange, message.id or b"null", self.rename)
