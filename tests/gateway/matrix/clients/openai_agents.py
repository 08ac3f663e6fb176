"""The OpenAI Agents SDK."""

from agents.mcp import MCPServerStreamableHttp
from greeting import ARGUMENTS, TOOL, Greeted, greet


async def at(url: str) -> Greeted:
    async with MCPServerStreamableHttp(params={"url": url}) as server:
        return len(await server.list_tools()), await server.call_tool(TOOL, ARGUMENTS)


greet(at)
