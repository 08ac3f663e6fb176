"""LangChain's MCP adapters: one session, and its tools as LangChain's."""

import asyncio

from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from ostiary.credentials.adapters.httpx import CredentialAuth


async def main() -> None:
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    client = MultiServerMCPClient({"zoo": {"transport": "streamable_http", "url": URL, "auth": auth}})
    async with client.session("zoo") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        await converse(lambda: tools[TOOL].ainvoke(ARGUMENTS))


asyncio.run(main())
