"""Asks servers now and then whether they are there, with the credential that calls have.

What comes of it counts for their health as a call does; and here silence counts, too: no tool is slow.
A server that wants its caller's own account is asked by nobody but callers: it needs a user, and is not ill.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable, Iterable, Mapping

from ostiary import __version__
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.questions import DISCOVERY_BYTES, result_of
from ostiary.gateway.errors import ServerTimedOut
from ostiary.gateway.upstreams.server import Server
from ostiary.inline_coroutines import InlineFuture, as_future
from ostiary.mcp.era_signs import probe
from ostiary.mcp.errors import McpError
from ostiary.mcp.messages import read_message
from ostiary.transport.inline_http import Answer, Request

_PROBE = read_message(probe({"name": "ostiary", "version": __version__}))


class _Check(Call):
    """On nobody's account but its own."""

    __slots__ = ()

    @property
    def account(self) -> Hashable:
        """As of every call."""
        return "health check"


class HealthChecks:
    """Of the servers of a gateway for which they are configured."""

    def __init__(self) -> None:
        self._running: dict[Server, asyncio.Task[None]] = {}

    def check(self, servers: Mapping[Server, float]) -> None:
        """Check these from now on, each once in so many seconds, and no others."""
        self._stop(server for server in list(self._running) if server not in servers)
        for server, seconds in servers.items():
            if server not in self._running and not server.is_per_caller:
                self._running[server] = asyncio.create_task(_keep_checking(server, seconds))

    def close(self) -> None:
        """Check none."""
        self._stop(list(self._running))

    def _stop(self, servers: Iterable[Server]) -> None:
        for server in servers:
            self._running.pop(server).cancel()


async def _keep_checking(server: Server, seconds: float) -> None:
    while True:
        await check(server)
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - so that not all are asked at once


async def check(server: Server) -> None:
    """Ask once. Raises nothing: what is wrong is noted by the server, and told once."""
    call = _Check(_PROBE, None, Request(_no_door, {}, frozenset(), keep_alive=False, arriving=InlineFuture))
    try:
        await as_future(result_of(call, server, DISCOVERY_BYTES))
    except ServerTimedOut as silent:
        server.health.failed(silent.step, is_check=True)
    except McpError:
        pass  # that it answers is enough; that it does not was noted
    else:
        server.health.succeeded()


async def _no_door(_: Request) -> Answer:
    raise AssertionError("a check comes by no door")
