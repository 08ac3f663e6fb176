"""The fixture as a program that speaks on its standard input and output."""

from __future__ import annotations

import asyncio
import sys

from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server
from tests.peers.mcp_server.server import FixtureServer


async def main(page: int | None) -> None:
    sdk = FixtureServer(page=page).sdk
    announces = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    async with stdio_server() as (read, write):
        await sdk.run(read, write, sdk.create_initialization_options(announces))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
