"""FastMCP's client."""

import asyncio

from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime
from fastmcp import Client

from ostiary.credentials.adapters.fastmcp import CredentialAuth


async def main() -> None:
    async with Client(URL, auth=CredentialAuth(credential, server_url=URL, runtime=runtime)) as client:
        await converse(lambda: client.call_tool(TOOL, ARGUMENTS))


asyncio.run(main())
