"""What policies let through goes on; all else goes nowhere. The one place where calls are authorized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.catalog.listed_names import ListedNames
    from ostiary.gateway.policy.access import Access
    from ostiary.gateway.policy.authorizer import Authorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedRoute(ForwardRoute):
    """A route to one server for whoever may go there. listed: what the server says of its tools."""

    authorizer: Authorizer
    access: Access
    listed: ListedNames

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        if not self.authorizer.lets_through(call.principal, self.access):
            await self.require(call)
        call.permitted = (self.access.action, self.access.name)
        return await ForwardRoute.follow(self, call)

    async def require(self, call: Call) -> None:
        """Raise McpError unless the caller may."""
        access = self.access
        if self.authorizer.reads_hints(access):
            access = access._replace(hints=await self.listed.hints(call, self.server, access.name))
        self.authorizer.require(call, access)
