"""The official SDK since 2.0, in the mode that is named."""

import asyncio
import sys

import httpx2
import mcp
from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime
from mcp.client.streamable_http import streamable_http_client

from ostiary.credentials.adapters.httpx2 import CredentialAuth


async def main() -> None:
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        mcp.Client(streamable_http_client(URL, http_client=http), mode=sys.argv[2]) as client,
    ):
        await converse(lambda: client.call_tool(TOOL, ARGUMENTS))


asyncio.run(main())
