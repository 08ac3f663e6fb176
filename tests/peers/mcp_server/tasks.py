"""Calls that go on after their answer: the extension io.modelcontextprotocol/tasks (SEP-2663).

A tool returns a `Job`: its work goes on as a task when the client knows tasks, and at once when not.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from tests.peers.mcp_server.call import Call, Content, Context, Questions, ToolFailed

EXTENSION = "io.modelcontextprotocol/tasks"
TTL_MS = 60_000
POLL_INTERVAL_MS = 50


@dataclass(frozen=True)
class Job:
    """What a tool has still to do."""

    work: Callable[[Call], Awaitable[Content | str]]
    needs_tasks: bool = False
    """Whether it is never done at once."""


def job(work: Callable[[Call], Awaitable[Content | str]]) -> Callable[[Call], Awaitable[Job]]:
    """All that a tool does is a job."""

    async def begin(_: Call) -> Job:
        return Job(work)

    return begin


def require_tasks(capabilities: types.ClientCapabilities) -> None:
    """Raise MissingRequiredClientCapability unless the client knows tasks."""
    if EXTENSION not in (capabilities.extensions or {}):
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "declare the extension of tasks to do this",
            {"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
        )


@dataclass
class RunningTask:
    """One of them. It is also what a job asks its questions (see Call.ask)."""

    task_id: str = field(default_factory=lambda: secrets.token_hex(8))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "working"
    outcome: dict[str, Any] = field(default_factory=dict)
    questions: dict[str, types.InputRequest] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    work: asyncio.Task[None] | None = None
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, questions: Questions) -> dict[str, Any]:
        self.questions, self.status = dict(questions), "input_required"
        await self._answered.wait()
        return self.answers

    def answer(self, answers: dict[str, Any]) -> None:
        for name in answers.keys() & self.questions.keys():
            self.answers[name] = answers[name]
            del self.questions[name]
        if not self.questions and self.status == "input_required":
            self.status = "working"
            self._answered.set()

    async def run(
        self, call: Call, job: Job, shaped: Callable[[Content | str], types.CallToolResult]
    ) -> None:
        try:
            result = shaped(await job.work(replace(call, task=self)))
        except asyncio.CancelledError:
            self.status = "cancelled"
        except ToolFailed as failed:
            result = shaped(str(failed)).model_copy(update={"is_error": True})
            self._complete(result)
        except MCPError as problem:
            self.status, self.outcome = "failed", {"error": problem.error.model_dump(exclude_none=True)}
        else:
            self._complete(result)

    def told(self) -> dict[str, Any]:
        """What both kinds of answers say of it."""
        now = datetime.now(UTC)
        return {
            "taskId": self.task_id,
            "status": self.status,
            "createdAt": self.created.isoformat(),
            "lastUpdatedAt": now.isoformat(),
            "ttlMs": TTL_MS,
            "pollIntervalMs": POLL_INTERVAL_MS,
        }

    def _complete(self, result: types.CallToolResult) -> None:
        wire = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        self.status, self.outcome = "completed", {"result": wire}


class TaskParams(types.RequestParams):
    task_id: str


class UpdateTaskParams(TaskParams):
    input_responses: dict[str, Any]


class Tasks:
    """All of a server's, until it ends."""

    def __init__(self) -> None:
        self._tasks: dict[str, RunningTask] = {}

    def begin(
        self, call: Call, job: Job, shaped: Callable[[Content | str], types.CallToolResult]
    ) -> dict[str, Any]:
        """Go on with a job; the answer to its call."""
        task = RunningTask()
        self._tasks[task.task_id] = task
        answer = {"resultType": "task", **task.told()}
        task.work = asyncio.create_task(task.run(call, job, shaped))
        return answer

    async def get(self, context: Context, params: TaskParams) -> dict[str, Any]:
        task = self._known(context, params)
        questions = {
            name: question.model_dump(by_alias=True, mode="json", exclude_none=True)
            for name, question in task.questions.items()
        }
        return {**task.told(), **task.outcome, **({"inputRequests": questions} if questions else {})}

    async def update(self, context: Context, params: UpdateTaskParams) -> dict[str, Any]:
        self._known(context, params).answer(params.input_responses)
        return {}

    async def cancel(self, context: Context, params: TaskParams) -> dict[str, Any]:
        task = self._known(context, params)
        if task.work is not None and not task.work.done():
            task.work.cancel()
            await asyncio.wait([task.work])
            task.status = "cancelled"
        return {}

    def _known(self, context: Context, params: TaskParams) -> RunningTask:
        require_tasks(context.session.client_capabilities or types.ClientCapabilities())
        if params.task_id not in self._tasks:
            raise MCPError(types.INVALID_PARAMS, "there is no such task")
        return self._tasks[params.task_id]
