"""Ask for a task, tell it something, or end it: at the server whose it is, under its own id there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.forward_route import ForwardRoute, name_line
from ostiary.gateway.catalog.target import RouteTarget, target_of
from ostiary.gateway.catalog.translate import Rename
from ostiary.gateway.upstreams.server import Server
from ostiary.mcp.eras import TASKS_EXTENSION
from ostiary.mcp.errors import MissingCapability
from ostiary.mcp.messages import Message
from ostiary.mcp.tasks import ID_KEY
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer


@dataclass(frozen=True, slots=True)
class TaskRoute:
    """A route to one server. here: the task's id, as the caller has it; rename: as in ForwardRoute.

    authorizer: whoever may no longer call what became the task may not ask for it either.
    """

    server: Server
    here: str
    rename: Rename | None = None
    authorizer: Authorizer | None = None

    def target(self, message: Message) -> RouteTarget:
        """The server; which task it is stays between it and the caller."""
        return target_of(self.server.name, message.method, None)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """The caller's answer. Raises McpError."""
        require_tasks(call.message)
        task = self.server.task_ids.open(call, self.here)
        if self.authorizer is not None:
            self.authorizer.require_task(call, self.server.name, task.permitted)
        raw = msgspec.json.encode(task.id)
        return await ForwardRoute(self.server, name_line(raw), (ID_KEY, raw), self.rename).follow(call)


def require_tasks(message: Message) -> None:
    """Raise MissingCapability unless the caller knows tasks."""
    if not message.meta.knows_tasks:
        raise MissingCapability(
            f"declare the extension {TASKS_EXTENSION} in params._meta to speak of tasks",
            data={"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}},
        )
