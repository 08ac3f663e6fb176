"""A client's half of io.modelcontextprotocol/tasks (SEP-2663): it asks until a task is done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import mcp_types as types
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim

BETWEEN = 0.05
MOST_QUESTIONS = 100


class TaskBegun(types.Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class TaskTold(types.Result):
    task_id: str
    status: str
    result: dict[str, Any] | None = None


class TaskParams(types.RequestParams):
    task_id: str


class GetTask(types.Request[TaskParams, Literal["tasks/get"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


@dataclass
class TasksExtension(ClientExtension):
    """begun: the ids of the tasks that calls have become."""

    identifier: str = "io.modelcontextprotocol/tasks"
    begun: list[str] = field(default_factory=list)

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=TaskBegun, resolve=self._finish)]

    async def _finish(self, begun: TaskBegun, context: ClaimContext) -> types.CallToolResult:
        self.begun.append(begun.task_id)
        for _ in range(MOST_QUESTIONS):
            told = await context.session.send_request(
                GetTask(params=TaskParams(task_id=begun.task_id)), TaskTold
            )
            assert told.task_id == begun.task_id
            if told.status == "completed":
                return types.CallToolResult.model_validate(told.result, by_name=False)
            await asyncio.sleep(BETWEEN)
        raise AssertionError("the task is never done")
