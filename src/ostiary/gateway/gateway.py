"""Puts the gateway together on a listener."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ostiary.credentials.runtime import Runtime
from ostiary.gateway.config import LISTEN, GatewaySettings
from ostiary.gateway.metadata_application import metadata_application
from ostiary.gateway.plan import Means, Plan, make_plan
from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.transport.listeners import Listener
from ostiary.transport.proxies import Proxies, proxies_of

if TYPE_CHECKING:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens
    from ostiary.storage.config import StorageSettings


class Gateway:
    """A gateway with its connections, tokens and key sets. Use as an async context manager.

    storage: where it finds the tokens of its other replicas; proxies: by which its requests go, by default as
    the environment says; clock: seconds since the epoch, as `time.time`.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        storage: StorageSettings | None = None,
        proxies: Proxies | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._proxies = proxies_of("environment", os.environ) if proxies is None else proxies
        self._clock = clock
        self._stored = None if storage is None else _stored_tokens(storage, clock)
        servers = {server.url: server.reach for server in settings.servers.values() if server.url}
        self._runtime = Runtime(clock=clock, shared=self._stored, proxies=self._proxies, servers=servers)
        self._means = Means(
            self._runtime,
            self._proxies,
            Seals(storage, clock),
            LiveSessions(settings.limits.caller_subscriptions),
            clock,
        )
        self.plan: Plan | None = None

    async def __aenter__(self) -> Self:
        if self._stored is not None:
            await self._stored.prepare()
        self.plan = make_plan(self.settings, self._means)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.plan is not None:
            self.plan.close()
        await self._means.close()
        await self._runtime.close()
        if self._stored is not None:
            await self._stored.close()

    def listeners(self) -> list[Listener]:
        """The one that it has, inside of its block."""
        plan = self.plan
        assert plan is not None, "a gateway listens inside of its block"  # noqa: S101 - a fault of whoever calls
        return [
            Listener(
                name=LISTEN,
                app=metadata_application(
                    plan.documents,
                    [path.decode() for path in plan.doors[b"POST"]],
                    self.settings.origins,
                ),
                doors=plan.doors,
                authorities=(self.settings.public_url.authority,),
                limits=plan.limits,
            )
        ]


def _stored_tokens(storage: StorageSettings, clock: Callable[[], float]) -> StoredTokens:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens  # noqa: PLC0415 - SQLAlchemy takes its time

    return StoredTokens.of(storage, clock)
