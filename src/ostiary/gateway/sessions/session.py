"""One session of a legacy client: what was settled when it began, and never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ostiary.mcp.legacy_client.handshake import Introduction

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Session:
    """key: its own, by which its state is known here and at servers; nobody else's session has it."""

    key: str
    introduction: Introduction

    @property
    def version(self) -> str:
        """The revision that is spoken in it."""
        return self.introduction.version


class SessionRegistry(Protocol):
    """By which ids sessions are known."""

    def begin(self, introduction: Introduction, principal: Principal | None) -> tuple[Session, str]:
        """A new session, and its id."""

    def open(self, session_id: bytes, principal: Principal | None) -> Session:
        """The session with this id. Raises SessionUnknown."""
