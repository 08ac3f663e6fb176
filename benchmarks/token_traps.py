"""Count token requests and waiting calls where providers are known to fail; prints JSON.

Runs in the peers' environment: `python -m benchmarks.token_traps REFUSED RENEWING LIFETIME NAME...`, seconds
of calls while the token server refuses, while tokens are renewed, and that a token lives meanwhile.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.counting_servers import SLOW, CountingServers

if TYPE_CHECKING:
    from benchmarks.token_callers.posting import Call

AT_ONCE = 64
"""First calls, on a cold cache."""
BEHIND = 16
"""Quick calls that follow a slow one."""
RATE = 50
"""Calls a second, whether or not the earlier ones are answered."""
DELAY = 0.3
"""Seconds that the token server takes for a token, but for a refusal none."""


@asynccontextmanager
async def calling(name: str, servers: CountingServers) -> AsyncIterator[Call]:
    """A new caller, to servers that run."""
    caller = importlib.import_module(f"benchmarks.token_callers.{name}")
    async with servers.running(), caller.calling(servers) as call:
        yield call


async def seconds_of(call: Call, path: str = "/mcp") -> float:
    begun = time.perf_counter()
    await call(path)
    return time.perf_counter() - begun


async def steadily(call: Call, seconds: float) -> list[float | BaseException]:
    """How long each call took, or what it failed with."""
    begun, tasks = time.perf_counter(), []
    for number in range(round(seconds * RATE)):
        await asyncio.sleep(max(0, begun + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(seconds_of(call)))
    return await asyncio.gather(*tasks, return_exceptions=True)


async def first_calls(name: str) -> dict[str, int]:
    """Token requests for many calls that find no token."""
    servers = CountingServers(delay=DELAY)
    async with calling(name, servers) as call:
        await asyncio.gather(*(call("/mcp") for _ in range(AT_ONCE)))
    return {"first": servers.token_requests}


async def refused(name: str, seconds: float) -> dict[str, int]:
    """Token requests while the answer is `invalid_client`, and calls keep coming."""
    servers = CountingServers(refusing=True)
    async with calling(name, servers) as call:
        took = await steadily(call, seconds)
    if not all(isinstance(outcome, Exception) for outcome in took):
        raise RuntimeError(f"{name}: a call succeeded without a token")
    return {"refused": servers.token_requests, "refused_calls": len(took)}


async def renewing(name: str, seconds: float, lifetime: int) -> dict[str, int]:
    """Calls that waited for most of a token request after the first, those that failed, and such requests."""
    servers = CountingServers(delay=DELAY, lifetime=lifetime)
    async with calling(name, servers) as call:
        await call("/mcp")
        took = await steadily(call, seconds)
    spent = [outcome for outcome in took if not isinstance(outcome, BaseException)]
    return {
        "waited": sum(each > DELAY / 2 for each in spent),
        "failed": len(took) - len(spent),
        "renewing_calls": len(took),
        "renewals": servers.token_requests - 1,
    }


async def behind_a_slow_one(name: str) -> dict[str, int]:
    """Calls that waited for another call's answer, a token being at hand."""
    async with calling(name, CountingServers()) as call:
        await call("/mcp")
        slow = asyncio.create_task(call("/slow"))
        await asyncio.sleep(SLOW / 10)
        took = await asyncio.gather(*(seconds_of(call) for _ in range(BEHIND)))
        await slow
    return {"behind": sum(each > SLOW / 2 for each in took)}


async def main(refused_for: float, renewing_for: float, lifetime: int, names: Sequence[str]) -> None:
    measured = {
        name: {
            **await first_calls(name),
            **await refused(name, refused_for),
            **await renewing(name, renewing_for, lifetime),
            **await behind_a_slow_one(name),
        }
        for name in names
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()  # the peers log a traceback for each refusal
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
