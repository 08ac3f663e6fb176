"""What somebody wants of a server: the question that policies answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

LONGEST_NAME = 8 * 1024
"""Characters of a name, or URI, that a policy is asked about."""
MOST_UNQUOTED = 4
"""How often a URI may be percent-encoded."""
_PARTING = re.compile(r"[/\\?#;]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


class Action(StrEnum):
    """What is done."""

    CALL_TOOL = "call_tool"
    READ_RESOURCE = "read_resource"
    GET_PROMPT = "get_prompt"
    COMPLETE = "complete"
    LIST = "list"


class Kind(StrEnum):
    """With what."""

    TOOL = "Tool"
    RESOURCE = "Resource"
    PROMPT = "Prompt"
    SERVER = "Server"


class Hints(NamedTuple):
    """What a server says of its tool. Where it says nothing, as MCP has it (schema, ToolAnnotations)."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True

    def told(self) -> dict[str, bool]:
        """As policies have them."""
        return dict(zip(_HINTS, self, strict=True))


UNSAID = Hints()


class Access(NamedTuple):
    """name: the server's own, whatever it is called where the caller came from."""

    action: Action
    kind: Kind
    server: str
    name: str = ""
    hints: Hints = UNSAID

    @property
    def entity_id(self) -> str:
        """Of the thing. A server's name has no slash."""
        return self.server if self.kind is Kind.SERVER else f"{self.server}/{self.name}"


USES: Mapping[str, tuple[Action, Kind]] = {
    "tools": (Action.CALL_TOOL, Kind.TOOL),
    "prompts": (Action.GET_PROMPT, Kind.PROMPT),
    "resources": (Action.READ_RESOURCE, Kind.RESOURCE),
    "resourceTemplates": (Action.READ_RESOURCE, Kind.RESOURCE),
}
"""The member of a list → what is done with its items, and what these are."""


def use_of(kind: str, server: str, own: str) -> Access:
    """The use of a thing that stands in a list. kind: of `USES`."""
    return Access(*USES[kind], server, own)


def is_roundabout(uri: str) -> bool:
    """Whether a URI goes by `.` or `..`, however written: which servers resolve, and policies do not."""
    for _ in range(MOST_UNQUOTED):
        if any(part in {".", ".."} for part in _PARTING.split(uri)) or _CONTROL.search(uri):
            return True
        plain = unquote(uri)
        if plain == uri:
            return False
        uri = plain
    return True


def read_hints(annotations: Any) -> Hints:
    """The hints in what a server says of a tool; what is no bool says nothing."""
    if not isinstance(annotations, Mapping):
        return UNSAID
    said = zip(map(annotations.get, _HINTS), UNSAID, strict=True)
    return Hints(*(one if isinstance(one, bool) else unsaid for one, unsaid in said))


class _Tool(msgspec.Struct):
    annotations: Any = None


_READ = msgspec.json.Decoder(_Tool)


def hints_of(tool: bytes) -> Hints:
    """The hints in the JSON of a tool, as a list has it."""
    try:
        return read_hints(_READ.decode(tool).annotations)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UNSAID
