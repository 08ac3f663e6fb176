"""What a server of MCP 2025-11-25 and before offers, for tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestURLParams,
    EmptyResult,
    ListRootsRequest,
    ListRootsResult,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel

if TYPE_CHECKING:
    from tests.gateway.legacy.conftest import OldServer


class Name(BaseModel):
    name: str


def add_tools(server: MCPServer[None]) -> None:
    """Tools that answer."""

    @server.tool()
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    @server.tool()
    async def large(size: int) -> str:
        """So many characters."""
        return "x" * size

    @server.tool()
    async def fail() -> str:
        """Fail."""
        raise ToolError("it did not work")


def add_tools_that_tell(server: MCPServer[None]) -> None:
    """Tools that say something before they answer."""

    @server.tool()
    async def progress(context: Context) -> str:
        """Report."""
        await context.report_progress(1, 2, "half")
        await context.report_progress(2, 2, "done")
        return "reported"

    @server.tool()
    async def say(context: Context) -> str:
        """Log."""
        for level, data in (("debug", "quietly"), ("error", "loudly")):
            params = LoggingMessageNotificationParams(level=level, data=data)
            told = LoggingMessageNotification(params=params)
            await context.session.send_notification(told, related_request_id=context.request_id)
        return "said"

    @server.tool()
    async def touch(context: Context, uri: str = "notes://one") -> str:
        """Say that a resource, and the list of tools, are others now."""
        await context.session.send_resource_updated(uri)
        await context.session.send_tool_list_changed()
        return "touched"


def add_tools_that_wait(server: MCPServer[None], old: OldServer) -> None:
    """Tools that answer when the test says so."""

    @server.tool()
    async def wait() -> str:
        """Wait until the test goes on."""
        old.begun.set()
        try:
            await old.go_on.wait()
        except asyncio.CancelledError:
            old.cancelled.set()
            raise
        return "waited"

    @server.tool()
    async def polled(context: Context) -> str:
        """End the stream, and go on."""
        await context.close_sse_stream()
        old.polled.set()
        await old.go_on.wait()
        return "polled"

    @server.tool()
    async def ask_later(context: Context) -> str:
        """Answer, and ask on that stream when the test says so."""

        async def ask() -> str:
            await old.go_on.wait()
            said = await context.session.elicit_form("Name?", Name.model_json_schema())
            return f"{said.action} {said.content}"

        old.later = asyncio.create_task(ask())
        return "later"


def add_tools_that_ask(server: MCPServer[None], old: OldServer) -> None:
    """Tools that ask their caller something."""

    @server.tool()
    async def ask(context: Context, times: int = 1) -> str:
        """Ask for a name, so often."""
        names = []
        for number in range(times):
            said = await context.elicit(f"Name {number + 1}?", Name)
            names.append(said.data.name if said.action == "accept" else said.action)
        return ", ".join(names)

    @server.tool()
    async def ask_elsewhere(context: Context) -> str:
        """Ask on the stream of what comes unasked."""
        said = await context.session.elicit_form("Name?", Name.model_json_schema())
        return f"{said.action} {said.content}"

    @server.tool()
    async def sample(context: Context) -> str:
        """Ask the client's model."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text="Hello?"))
        params = CreateMessageRequestParams(messages=[message], max_tokens=10)
        said = await context.session.send_request(
            CreateMessageRequest(params=params),
            CreateMessageResult,
            metadata=ServerMessageMetadata(related_request_id=context.request_id),
        )
        return str(said.content.text)

    @server.tool()
    async def roots(context: Context) -> str:
        """Ask for the client's folders."""
        said = await context.session.send_request(ListRootsRequest(), ListRootsResult)
        return ", ".join(str(root.uri) for root in said.roots)

    @server.tool()
    async def page(context: Context) -> str:
        """Have a page opened."""
        said = await context.elicit_url("Open it", "https://pages.example/1", "elicitation-1")
        return said.action

    @server.tool()
    async def page_first() -> str:
        """Refuse until a page has been opened."""
        if not old.opened:
            page = ElicitRequestURLParams(
                mode="url", message="Open it", url="https://pages.example/2", elicitation_id="e-2"
            )
            raise UrlElicitationRequiredError([page])
        return "opened"


def add_resources_and_prompts(server: MCPServer[None]) -> None:
    """A note, a greeting, and completions."""

    @server.resource("notes://one")
    def one() -> str:
        """A note."""
        return "a note"

    @server.prompt()
    def greet(name: str) -> str:
        """Greet."""
        return f"Hello {name}"

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK leaves it so
    async def complete(*_: Any) -> Completion:
        return Completion(values=["Ada"], total=1, has_more=False)


def add_what_is_noted(server: MCPServer[None], old: OldServer) -> None:
    """Subscriptions and log levels, which the server notes."""
    low = server._lowlevel_server

    async def subscribe(_: ServerRequestContext[Any], params: SubscribeRequestParams) -> EmptyResult:
        if str(params.uri) == "notes://secret":
            raise MCPError(code=-32602, message="not this one")
        old.subscribed.append(f"+{params.uri}")
        return EmptyResult()

    async def unsubscribe(_: ServerRequestContext[Any], params: UnsubscribeRequestParams) -> EmptyResult:
        old.subscribed.append(f"-{params.uri}")
        old.unsubscribed.set()
        return EmptyResult()

    async def set_level(_: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
        old.levels.append(params.level)
        return EmptyResult()

    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
