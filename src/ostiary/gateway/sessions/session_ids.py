"""`Mcp-Session-Id` (MCP 2025-11-25, transports): the session itself, sealed.

So a session that nobody uses costs nothing, and whatever replica has the key can go on with it; of several
workers, the one where it began. It opens for the caller alone to whom it was given, at the endpoint where it
began, for a day.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import msgspec

from ostiary.gateway.errors import SessionUnknown
from ostiary.gateway.seals import SealBroken, Seals
from ostiary.gateway.sessions.session import Session
from ostiary.mcp.legacy_client.handshake import Introduction

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal

HEADER = b"mcp-session-id"
SECONDS = 24 * 3600.0
LONGEST = 8 * 1024
"""Characters of an id that is looked at: ours are shorter."""
MOST_OPENED = 1000
LONGEST_OPENED = 1024
OPENED_SECONDS = 60.0
"""So many ids, of so many characters, are not opened anew for so long: one comes with each message."""


class _Sealed(msgspec.Struct, array_like=True):
    key: str
    version: str
    capabilities: bytes
    client_info: bytes


_READ = msgspec.msgpack.Decoder(_Sealed)


class SessionIds:
    """Of one endpoint, which is known by its path."""

    def __init__(self, path: str, seals: Seals) -> None:
        self._path = path
        self._seals = seals
        self._homes = seals.homes
        self._opened: dict[tuple[bytes, Hashable], tuple[Session, float]] = {}
        """By id and caller, until when: whose id it is not finds nothing here."""

    def __len__(self) -> int:
        """How many are open."""
        return len(self._opened)

    def begin(self, introduction: Introduction, principal: Principal | None) -> tuple[Session, str]:
        """A new session, and its id."""
        session = Session(self._homes.key(), introduction)
        told = _Sealed(session.key, introduction.version, introduction.capabilities, introduction.client_info)
        sealed = self._seals.seal(
            msgspec.msgpack.encode(told), purpose=self._purpose(principal), seconds=SECONDS
        )
        return session, sealed

    def open(self, session_id: bytes, principal: Principal | None) -> Session:
        """The session with this id. Raises SessionUnknown, Elsewhere."""
        opened_by = session_id, None if principal is None else principal.identity
        found = self._opened.get(opened_by)
        if found is not None and self._seals.clock() < found[1]:
            return found[0]
        session = self._open(session_id, principal)
        if len(session_id) <= LONGEST_OPENED:
            self._remember(opened_by, session)
        return session

    def _remember(self, opened_by: tuple[bytes, Hashable], session: Session) -> None:
        self._opened.pop(opened_by, None)
        if len(self._opened) >= MOST_OPENED:
            del self._opened[next(iter(self._opened))]
        self._opened[opened_by] = session, self._seals.clock() + OPENED_SECONDS

    def _open(self, session_id: bytes, principal: Principal | None) -> Session:
        if len(session_id) > LONGEST or not session_id.isascii():
            raise SessionUnknown
        try:
            opened = self._seals.open(session_id.decode(), purpose=self._purpose(principal))
        except SealBroken:
            raise SessionUnknown from None
        told = _READ.decode(opened)
        self._homes.require_here(told.key, SessionUnknown())
        return Session(told.key, Introduction(told.version, told.capabilities, told.client_info))

    def _purpose(self, principal: Principal | None) -> bytes:
        whose = None if principal is None else principal.identity
        return msgspec.json.encode(["Mcp-Session-Id", self._path, whose])
