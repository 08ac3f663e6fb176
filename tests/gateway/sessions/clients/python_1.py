# mypy: ignore-errors
"""The official Python client of before MCP 2026-07-28. Run with the endpoint's URL and what names begin with.

Prints what it came across, as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession, McpError, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl, FileUrl

URL, PREFIX = sys.argv[1:3]
FOUND: dict[str, Any] = {"progress": [], "logged": [], "heard": []}


async def elicit(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def sample(_: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="cheese")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def roots(_: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri=FileUrl("file:///work"))])


async def log(params: types.LoggingMessageNotificationParams) -> None:
    FOUND["logged"].append(params.data)


async def hear(message: Any) -> None:
    if isinstance(message, types.ServerNotification):
        method = message.root.method
        if method not in {"notifications/message", "notifications/progress"}:
            FOUND["heard"].append(method)


async def note(progress: float, total: float | None, message: str | None) -> None:
    FOUND["progress"].append(progress)


async def said(session: ClientSession, tool: str, **arguments: Any) -> str:
    result = await session.call_tool(PREFIX + tool, arguments, progress_callback=note)
    return "".join(part.text for part in result.content if isinstance(part, types.TextContent))


async def walk(session: ClientSession) -> None:
    begun = await session.initialize()
    FOUND["version"] = begun.protocolVersion
    await session.send_ping()
    FOUND["tools"] = len((await session.list_tools()).tools)
    FOUND["add"] = await said(session, "add", one=1, two=2)
    await session.set_logging_level("info")
    FOUND["work"] = await said(session, "work")
    FOUND["greet"] = await said(session, "greet")
    FOUND["cheese"] = await said(session, "cheese")
    FOUND["folders"] = await said(session, "folders")
    (resource,) = (await session.list_resources()).resources
    (content,) = (await session.read_resource(resource.uri)).contents
    FOUND["resource"] = content.text if isinstance(content, types.TextResourceContents) else None
    try:
        await session.read_resource(AnyUrl(str(resource.uri) + "-not-there"))
    except McpError as error:
        FOUND["error"] = error.error.code
    await session.subscribe_resource(resource.uri)
    async with asyncio.timeout(10):
        while "notifications/resources/updated" not in FOUND["heard"]:
            await said(session, "change")
            await asyncio.sleep(0.1)
    await session.send_ping()


async def main() -> None:
    options: dict[str, Any] = {
        "elicitation_callback": elicit,
        "sampling_callback": sample,
        "list_roots_callback": roots,
        "logging_callback": log,
        "message_handler": hear,
    }
    if URL.endswith("/sse"):
        async with sse_client(URL) as streams, ClientSession(*streams, **options) as session:
            await walk(session)
    else:
        async with (
            streamable_http_client(URL) as (reading, writing, _),
            ClientSession(reading, writing, **options) as session,
        ):
            await walk(session)
    FOUND["heard"] = sorted(set(FOUND["heard"]))
    sys.stdout.write(json.dumps(FOUND))


asyncio.run(main())
