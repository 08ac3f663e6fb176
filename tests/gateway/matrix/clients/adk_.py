"""The toolset of Google's ADK, without an agent."""

from typing import Any

from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from greeting import ARGUMENTS, TOOL, Greeted, greet


async def at(url: str) -> Greeted:
    toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=url))
    try:
        tools: dict[str, Any] = {tool.name: tool for tool in await toolset.get_tools()}
        return len(tools), await tools[TOOL].run_async(args=ARGUMENTS, tool_context=None)
    finally:
        await toolset.close()


greet(at)
