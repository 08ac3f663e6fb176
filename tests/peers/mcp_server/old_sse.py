"""The fixture over HTTP+SSE, the transport of MCP 2024-11-05."""

from __future__ import annotations

from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.sse import SseServerTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from tests.peers.mcp_server.server import FixtureServer


def sse_app(fixture: FixtureServer) -> Starlette:
    """Its endpoint is `/sse`."""
    transport = SseServerTransport("/messages/")
    announces = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)

    async def open_stream(request: Request) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await fixture.sdk.run(read, write, fixture.sdk.create_initialization_options(announces))
        return Response()

    messages = Mount("/messages/", app=transport.handle_post_message)
    return Starlette(routes=[Route("/sse", endpoint=open_stream), messages])
