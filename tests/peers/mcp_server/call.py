"""One call of the fixture, as its tools and prompts see it: they ask and report without minding the era."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from tests.peers.mcp_server.announcements import Announcements

Context = ServerRequestContext[Any, Any]
Content = list[types.ContentBlock]
Questions = Mapping[str, types.InputRequest]


class ToolFailed(Exception):
    """The tool's own error: a result with `isError`."""


@dataclass(frozen=True)
class Unanswered(Exception):
    """Questions that the client has to answer before it calls again."""

    questions: Questions
    state: str | None


@dataclass
class Counts:
    """What tools can be asked about afterwards."""

    cancelled: int = 0
    """Calls that their callers gave up."""


class Asker(Protocol):
    """Whom a call asks that goes on after its answer."""

    async def ask(self, questions: Questions) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Call:
    """One call of a tool, or one request for a prompt."""

    context: Context
    arguments: Mapping[str, Any]
    answers: Mapping[str, Any]
    state: str | None
    announcements: Announcements
    counts: Counts
    changes: Counter[str]
    """How often each list has changed, by the member that holds its entries."""
    task: Asker | None = None
    """What it has become; None while its answer is open."""

    @property
    def is_modern(self) -> bool:
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def capabilities(self) -> types.ClientCapabilities:
        return self.context.session.client_capabilities or types.ClientCapabilities()

    async def ask(self, questions: Questions, *, state: str | None = None) -> Mapping[str, Any]:
        """The client's answers: its requests on our stream before 2026-07-28, and its next call since.

        state: what comes back with the answers. Raises Unanswered, and what the client refuses with.
        """
        if self.task is not None:
            return await self.task.ask(questions)
        if not self.is_modern:
            return {name: await self._request(question) for name, question in questions.items()}
        if not questions.keys() <= self.answers.keys():
            raise Unanswered(questions, state)
        return self.answers

    async def demand(self, question: types.InputRequest) -> Any:
        """Ask now or never, as tools written before 2026-07-28 do: a modern caller gets an error."""
        return await self._request(question)

    async def log(self, level: types.LoggingLevel, text: str) -> None:
        if self.announcements.wants(self.context, level):
            message = types.LoggingMessageNotificationParams(level=level, data=text)
            await self.context.session.send_notification(
                types.LoggingMessageNotification(params=message), self.context.request_id
            )

    async def _request(self, question: types.InputRequest) -> Any:
        if isinstance(question, types.CreateMessageRequest) and self.capabilities.sampling is None:
            raise ToolFailed("this tool asks a model, and the client has none for it (sampling)")
        if isinstance(question, types.ElicitRequest) and self.capabilities.elicitation is None:
            raise ToolFailed("this tool asks a person, and the client lets it ask nobody (elicitation)")
        answered_with = {
            types.ElicitRequest: types.ElicitResult,
            types.CreateMessageRequest: types.CreateMessageResult,
            types.ListRootsRequest: types.ListRootsResult,
        }[type(question)]
        related = ServerMessageMetadata(related_request_id=self.context.request_id)
        return await self.context.session.send_request(question, answered_with, metadata=related)
