"""What an endpoint shows of one server: which of its tools, prompts and resources, and as what.

An operator renames, describes or hides what a server has, and may pin what it says of a thing: one that says
something else than when it was looked at is shown to nobody (a tool may change after it was trusted).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from ostiary.mcp.raw_object import Raw, RawObject, write_object

TOLD = ("title", "description", "arguments", "inputSchema", "outputSchema", "annotations")
"""The members of a thing that a model or a person is told, and decides by."""


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator says of one thing. sha256: of what its server says of it; see `digest_of`.

    timeout: seconds that a call of it may take.
    """

    name: str | None = None
    description: str | None = None
    hidden: bool = False
    sha256: str | None = None
    timeout: float | None = None


NO_OVERRIDE = Override()


class View:
    """What is shown of one server. Kinds are the members of lists: `tools`, `prompts`, `resources`."""

    def __init__(
        self, overrides: Mapping[str, Mapping[str, Override]] | None = None, only: Sequence[str] | None = None
    ) -> None:
        """overrides: kind → the server's own name, or URI → what is said of it.

        only: patterns, of which one has to match a name or URI (`*` stands for any text); None for all.
        """
        self._overrides = overrides or {}
        self._only = None if only is None else tuple(only)
        self._renamed = {
            kind: {said.name: own for own, said in things.items() if said.name is not None}
            for kind, things in self._overrides.items()
            if kind in {"tools", "prompts"}
        }

    def override(self, kind: str, own: str) -> Override:
        """What is said of a thing."""
        things = self._overrides.get("resources" if kind == "resourceTemplates" else kind)
        return NO_OVERRIDE if things is None else things.get(own, NO_OVERRIDE)

    def shows(self, kind: str, own: str) -> bool:
        """Whether it is there at all."""
        if self._only is not None and not any(fnmatchcase(own, pattern) for pattern in self._only):
            return False
        return not self.override(kind, own).hidden

    def here(self, kind: str, own: str) -> str:
        """What the server's own name is here. URIs stay."""
        renamed = self._renamed.get(kind)
        return own if not renamed else self.override(kind, own).name or own

    def own(self, kind: str, name: str) -> str | None:
        """The server's own name for what is called so here; None when nothing is."""
        renamed = self._renamed.get(kind)
        if renamed:
            own = renamed.get(name)
            if own is None and self.here(kind, name) != name:
                return None
            name = own or name
        return name if self.shows(kind, name) else None

    def says(self, kind: str, own: str, item: RawObject) -> RawObject:
        """The item with the operator's words in place of its server's."""
        said = self.override(kind, own)
        words: dict[str, Raw] = {}
        if said.description is not None:
            words["description"] = msgspec.json.encode(said.description)
        if said.name is not None and kind not in self._renamed:
            words["name"] = msgspec.json.encode(said.name)
        return RawObject(write_object({**item.members, **words})) if words else item


ALL = View()


def digest_of(members: Mapping[str, Raw]) -> str:
    """SHA-256 of what is told of a thing, in hexadecimal: however its JSON is spaced and ordered."""
    return digest_of_values({key: msgspec.json.decode(members[key]) for key in TOLD if key in members})


def digest_of_values(thing: Mapping[str, Any]) -> str:
    """The same for a thing whose JSON was read."""
    told = {key: thing[key] for key in TOLD if key in thing}
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()
