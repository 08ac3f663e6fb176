"""Every feature, from clients of either era, with servers of either era."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError
from tests.gateway.matrix.conversation import ClientEra, conversation
from tests.gateway.matrix.features import FEATURES
from tests.gateway.matrix.server_kinds import KINDS, RunningServer
from tests.gateway.matrix.table import NOTHING, PAGE, PASSES, cell, table
from tests.running_gateway import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
Started = Callable[[str], Awaitable[tuple[str, RunningServer]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started() -> AsyncIterator[Started]:
    """Starts a kind of server and a gateway before it, once; the gateway's URL, and the server."""
    running: dict[str, tuple[str, RunningServer]] = {}
    async with AsyncExitStack() as stack:

        async def start(kind: str) -> tuple[str, RunningServer]:
            if kind not in running:
                server = await stack.enter_async_context(KINDS[kind]())
                settings = {**server.settings, "prefix": ""}
                gateway = await stack.enter_async_context(running_gateway({"behind": settings}))
                running[kind] = f"{gateway}/mcp", server
            return running[kind]

        yield start


TRIED = [
    (kind, era, feature)
    for kind in KINDS
    for era in ("modern", "legacy")
    for feature in FEATURES
    if cell(era, kind, feature) != NOTHING
]


@pytest.mark.parametrize(("kind", "era", "feature"), TRIED)
async def test_the_feature(kind: str, era: ClientEra, feature: str, started: Started) -> None:
    url, server = await started(kind)
    outcome, problem = PASSES, None
    async with conversation(url, era) as talk:
        try:
            await FEATURES[feature](talk, server)
        except MCPError as refused:
            outcome = str(refused.error.code)
        except Exception as error:  # told when the client has gone: it wraps all in groups
            problem = error
    if problem is not None:
        raise problem
    assert outcome == cell(era, kind, feature)


async def test_the_reference_has_this_table() -> None:
    assert table() in PAGE.read_text("utf-8"), "put there what `python -m tests.gateway.matrix.table` says"
