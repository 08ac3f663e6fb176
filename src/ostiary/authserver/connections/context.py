"""What the page of connected accounts is given: what sign-ins are, and what ends things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ostiary.authserver.config.clients import ClientSettings
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.sessions.ending import SessionEnder
from ostiary.authserver.upstream_grants.disconnect import Disconnector


@dataclass(frozen=True, slots=True)
class ConnectionsContext(InteractionContext):
    """Of one server."""

    configured_clients: Sequence[ClientSettings]
    disconnector: Disconnector
    session_ender: SessionEnder
