"""pydantic-ai's toolset."""

from greeting import ARGUMENTS, TOOL, Greeted, greet
from pydantic_ai.mcp import MCPToolset


async def at(url: str) -> Greeted:
    async with MCPToolset(url) as toolset:
        return len(await toolset.list_tools()), await toolset.direct_call_tool(TOOL, ARGUMENTS)


greet(at)
