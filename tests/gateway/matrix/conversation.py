"""A client of either era, on the official SDK, that answers what it is asked and keeps what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.gateway.matrix.tasks_extension import TasksExtension
from tests.loopback import TRUSTING_NOBODY

ClientEra = Literal["modern", "legacy"]
PATIENCE = 10
"""Seconds that one request may take; a bound against hanging."""


@dataclass
class Heard:
    """What the client was told or asked."""

    notifications: list[Any] = field(default_factory=list)
    logged: list[types.LoggingMessageNotificationParams] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def note(self, message: Any) -> None:
        self.notifications.append(message)

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params)

    async def fill_in(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params)
        if isinstance(params, types.ElicitRequestURLParams):
            return types.ElicitResult(action="accept")
        content: dict[str, Any] = {
            "name": "Ada",
            "color": "blue",
            "ok": True,
            "context": "rain",
            "word": "hello",
        }
        wanted = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={key: content.get(key, "?") for key in wanted})

    async def think(
        self, context: Any, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.asked.append(params)
        said = types.TextContent(type="text", text="Paris")
        return types.CreateMessageResult(role="assistant", content=said, model="a model")

    async def roots(self, context: Any) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///work"}]})


@dataclass(frozen=True)
class Conversation:
    """A client that is connected, and what it has heard."""

    client: Client
    era: ClientEra
    heard: Heard
    tasks: TasksExtension

    async def call(self, tool: str, **arguments: Any) -> str:
        """The text of a tool's result. Raises MCPError, and AssertionError for a result with `isError`."""
        result = await self.client.call_tool(tool, arguments)
        said = " ".join(block.text for block in result.content if isinstance(block, types.TextContent))
        assert not result.is_error, said
        return said


@asynccontextmanager
async def conversation(
    url: str, era: ClientEra, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Conversation]:
    """Connect in that era alone. headers: sent with each request."""
    heard, tasks = Heard(), TasksExtension()
    async with httpx2.AsyncClient(
        trust_env=False, verify=TRUSTING_NOBODY, timeout=PATIENCE, headers=dict(headers or {})
    ) as http:
        client = Client(
            streamable_http_client(url, http_client=http),
            mode="legacy" if era == "legacy" else "2026-07-28",
            log_level="warning",
            message_handler=heard.note,
            logging_callback=heard.log,
            elicitation_callback=heard.fill_in,
            sampling_callback=heard.think,
            list_roots_callback=heard.roots,
            read_timeout_seconds=PATIENCE,
            extensions=[tasks],
            cache=None,
        )
        async with client:
            yield Conversation(client, era, heard, tasks)
