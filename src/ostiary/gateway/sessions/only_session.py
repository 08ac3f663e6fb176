"""The session of a client that has us for itself: it is the last that was begun, and never over."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from ostiary.gateway.errors import SessionUnknown
from ostiary.gateway.sessions.session import Session

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal
    from ostiary.mcp.legacy_client.handshake import Introduction


class OnlySession:
    """A SessionRegistry."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def begin(self, introduction: Introduction, _: Principal | None) -> tuple[Session, str]:
        """As of every SessionRegistry."""
        self._session = Session(secrets.token_hex(16), introduction)
        return self._session, self._session.key

    def open(self, session_id: bytes, _: Principal | None) -> Session:
        """As of every SessionRegistry."""
        if self._session is None or self._session.key.encode() != session_id:
            raise SessionUnknown
        return self._session
