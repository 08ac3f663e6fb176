"""What every client does, at each URL of its command line: list the tools, and have itself greeted.

It says in a line of JSON how many tools there were, and what the greeting was.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

TOOL = "greet"
ARGUMENTS = {"name": "Ada"}

Greeted = tuple[int, Any]
"""How many tools there are, and the result of the call, of whatever type the client has."""


def greet(at: Callable[[str], Awaitable[Greeted]]) -> None:
    async def everywhere() -> None:
        for url in sys.argv[1:]:
            tools, result = await at(url)
            print(json.dumps({"tools": tools, "said": str(result)}), flush=True)  # noqa: T201

    asyncio.run(everywhere())
