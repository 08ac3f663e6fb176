"""One session of a legacy client: what was settled when it began, and never changes."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.mcp.legacy_client.handshake import Introduction


@dataclass(frozen=True, slots=True)
class Session:
    """key: its own, by which its state is known here and at servers; nobody else's session has it."""

    key: str
    introduction: Introduction

    @property
    def version(self) -> str:
        """The revision that is spoken in it."""
        return self.introduction.version
