"""pydantic-ai's toolset."""

import asyncio

from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime
from pydantic_ai.mcp import MCPToolset

from ostiary.credentials.adapters.httpx2 import CredentialAuth


async def main() -> None:
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    async with MCPToolset(URL, auth=auth) as toolset:
        await toolset.list_tools()
        await converse(lambda: toolset.direct_call_tool(TOOL, ARGUMENTS))


asyncio.run(main())
