"""LangChain's MCP adapters."""

from greeting import ARGUMENTS, TOOL, Greeted, greet
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


async def at(url: str) -> Greeted:
    client = MultiServerMCPClient({"fixture": {"transport": "streamable_http", "url": url}})
    async with client.session("fixture") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        return len(tools), await tools[TOOL].ainvoke(ARGUMENTS)


greet(at)
