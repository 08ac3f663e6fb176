"""What a message is about: which server, what there, by which name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ostiary.mcp.eras import TASK_METHODS


class TargetKind(StrEnum):
    """One word each."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    TASK = "task"
    COMPLETION = "completion"
    LIST = "list"
    DISCOVERY = "discovery"
    OTHER = "other"


KIND_OF_METHOD: Mapping[bytes, TargetKind] = {
    b"tools/call": TargetKind.TOOL,
    b"resources/read": TargetKind.RESOURCE,
    b"prompts/get": TargetKind.PROMPT,
    **{method.encode(): TargetKind.TASK for method in TASK_METHODS},
    b"completion/complete": TargetKind.COMPLETION,
    b"tools/list": TargetKind.LIST,
    b"resources/list": TargetKind.LIST,
    b"resources/templates/list": TargetKind.LIST,
    b"prompts/list": TargetKind.LIST,
    b"server/discover": TargetKind.DISCOVERY,
}


class RouteTarget(NamedTuple):
    """server: None for all of a federation; name: the server's own, None where none is meant."""

    server: str | None
    kind: TargetKind
    name: str | None = None


def target_of(server: str | None, method: bytes, name: str | None = None) -> RouteTarget:
    """By the method; one that is none of these goes on to a single server as it is."""
    return RouteTarget(server, KIND_OF_METHOD.get(method, TargetKind.OTHER), name)
