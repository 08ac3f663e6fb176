"""Plain `httpx`, with an event loop."""

import asyncio

import httpx
from conversation import URL, RawSession, converse, credential, runtime

from ostiary.credentials.adapters.httpx import CredentialAuth


async def main() -> None:
    session = RawSession()
    async with httpx.AsyncClient(auth=CredentialAuth(credential, server_url=URL, runtime=runtime)) as http:
        begun = await http.post(URL, json=session.initialize, headers=session.headers)
        session.begun(begun.headers["mcp-session-id"])
        await http.post(URL, json=session.initialized, headers=session.headers)

        async def call() -> str:
            return (await http.post(URL, json=session.call, headers=session.headers)).text

        await converse(call)


asyncio.run(main())
