"""Plain `aiohttp`."""

import asyncio

import aiohttp
from conversation import URL, RawSession, converse, credential, runtime

from ostiary.credentials.adapters.aiohttp import CredentialAuth


async def main() -> None:
    session = RawSession()
    auth = CredentialAuth(credential, server_url=URL, runtime=runtime)
    async with aiohttp.ClientSession(middlewares=[auth]) as http:
        async with http.post(URL, json=session.initialize, headers=session.headers) as begun:
            session.begun(begun.headers["mcp-session-id"])
        async with http.post(URL, json=session.initialized, headers=session.headers):
            pass

        async def call() -> str:
            async with http.post(URL, json=session.call, headers=session.headers) as answered:
                return await answered.text()

        await converse(call)


asyncio.run(main())
