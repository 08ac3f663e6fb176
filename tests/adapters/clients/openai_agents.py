"""The OpenAI Agents SDK."""

import asyncio

from agents.mcp import MCPServerStreamableHttp
from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime

from ostiary.credentials.adapters.httpx2 import CredentialAuth


async def main() -> None:
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    async with MCPServerStreamableHttp(params={"url": URL, "auth": auth}) as server:
        await server.list_tools()
        await converse(lambda: server.call_tool(TOOL, ARGUMENTS))


asyncio.run(main())
