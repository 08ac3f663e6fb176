"""The official SDK before 2.0."""

from greeting import ARGUMENTS, TOOL, Greeted, greet
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def at(url: str) -> Greeted:
    async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        return len(tools), await session.call_tool(TOOL, ARGUMENTS)


greet(at)
