"""The official SDK before 2.0."""

import asyncio

import httpx
from conversation import ARGUMENTS, TOOL, URL, converse, credential, runtime
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from ostiary.credentials.adapters.httpx import CredentialAuth


async def main() -> None:
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    async with (
        httpx.AsyncClient(auth=auth) as http,
        streamable_http_client(URL, http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        await converse(lambda: session.call_tool(TOOL, ARGUMENTS))


asyncio.run(main())
