"""Calls that go on after their answer, as tasks (the extension of MCP 2026-07-28, SEP-2663).

A server answers a call with a task's id, by which the client asks for it from then on. Who has an id has not
yet shown that the task is theirs.
"""

from __future__ import annotations

import msgspec

from ostiary.mcp.eras import CAPABILITIES_KEY, TASKS_EXTENSION
from ostiary.mcp.errors import McpError
from ostiary.mcp.raw_object import Members, Raw, RawObject, read_members, read_string

ID_KEY = "taskId"


def knows_tasks(meta: Members) -> bool:
    """Whether the capabilities in a request's `_meta` have the extension."""
    try:
        declared = read_members(meta.get(CAPABILITIES_KEY, b"{}"))
        return TASKS_EXTENSION in read_members(declared.get("extensions", b"{}"))
    except McpError:
        return False


def became_task(result: Members) -> bool:
    """Whether a call goes on as a task."""
    return bytes(result.get("resultType", b"")) == b'"task"'


def read_task_id(result: Members) -> str | None:
    """The id that a result tells. Raises InvalidRequest."""
    return read_string(result[ID_KEY], ID_KEY) if ID_KEY in result else None


def with_task_id(result: Raw, task_id: str) -> bytes:
    """The result as it is about a task with another id."""
    return RawObject(result).with_member(ID_KEY, msgspec.json.encode(task_id))
