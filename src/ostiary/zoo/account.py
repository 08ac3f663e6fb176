"""The second example server: it is given its caller's own token of an identity provider, and says whose.

It asks the provider, and shows the token to nobody else.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, ValidationError

from ostiary.transport.application import exact
from ostiary.transport.fetch import Fetcher, FetchError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ostiary.oauth.canonical_url import CanonicalUrl

READS_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True)


class Account(BaseModel):
    """Of whom the provider says that the token is."""

    model_config = ConfigDict(frozen=True)

    name: str
    email: str


def account_app(userinfo: CanonicalUrl) -> ASGIApp:
    """The server as an ASGI app that answers `/mcp` on this machine. userinfo: OIDC Core section 5.3."""
    server: MCPServer[None] = MCPServer(
        "account",
        title="Your account",
        instructions="Ask whose account at the identity provider you act with.",
        version=metadata.version("ostiary"),
        subscriptions=False,
        log_level="WARNING",
    )
    fetcher = Fetcher()

    @server.tool(title="Who am I upstream?", annotations=READS_ONLY)
    async def whoami(context: Context[Any, Any]) -> Account:
        """Whose account at the identity provider you act with, as the provider says."""
        presented = (context.headers or {}).get("authorization", "")
        try:
            answer = await fetcher.get(userinfo, headers={"authorization": presented})
        except FetchError as error:
            raise ToolError(str(error)) from None
        if answer.status != 200:
            raise ToolError("the provider knows nobody by the token that came with the call")
        try:
            return Account.model_validate_json(answer.body)
        except ValidationError:
            raise ToolError("the provider does not say whose the token is") from None

    return exact(server.streamable_http_app(stateless_http=True, json_response=True))
