"""Puts the gateway together on a listener."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ostiary.credentials.runtime import Runtime
from ostiary.gateway.config import LISTEN, GatewaySettings
from ostiary.gateway.metadata_application import metadata_application
from ostiary.gateway.plan import Means, Plan, make_plan
from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.inline_http import Doors
from ostiary.transport.listeners import Listener
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.workers import Worker, doors_for_workers

if TYPE_CHECKING:
    from ostiary.certificates.listener_tls import ListenerTls
    from ostiary.credentials.tokens.stored_tokens import StoredTokens
    from ostiary.storage.config import StorageSettings


OWNER = "default/gateway"
"""Which workload it is, by a certificate that an internal authority gives it, unless the settings say."""
Check = Callable[[], Awaitable[str | None]]


class Gateway:
    """A gateway with its connections, tokens and key sets. Use as an async context manager.

    storage: where it finds the tokens of its other replicas; worker: which of several processes it is in;
    proxies: by which its requests go, by default as the environment says; clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        storage: StorageSettings | None = None,
        worker: Worker | None = None,
        proxies: Proxies | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._proxies = proxies_of("environment", os.environ) if proxies is None else proxies
        self._clock = clock
        self._stored = None if storage is None else _stored_tokens(storage, clock)
        servers = {server.url: server.reach for server in settings.servers.values() if server.url}
        self._runtime = Runtime(
            clock=clock,
            shared=self._stored,
            proxies=self._proxies,
            servers=servers,
            most_tokens=settings.limits.remembered_tokens,
        )
        self._means = Means(
            self._runtime,
            self._proxies,
            Seals(storage, clock, worker),
            LiveSessions(settings.limits.caller_subscriptions),
            clock,
            worker,
        )
        self._worker = worker
        self._tls: ListenerTls | None = None
        self.plan: Plan | None = None

    async def __aenter__(self) -> Self:
        """Raises CertificateUnusable."""
        self._tls = _listener_tls(self.settings, self._clock)
        if self._stored is not None:
            await self._stored.prepare()
        self.plan = make_plan(self.settings, self._means)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tls is not None:
            self._tls.close()
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
                proxies=TrustedProxies(self.settings.trusted_proxies, self.settings.proxy_protocol),
                tls=None if self._tls is None else self._tls.context,
            )
        ]

    def doors_for_workers(self) -> Doors:
        """What the other workers hand over, inside of its block."""
        plan, worker = self.plan, self._worker
        assert plan is not None, "a gateway listens inside of its block"  # noqa: S101 - as above
        return {} if worker is None else doors_for_workers(plan.doors, worker.word)

    def readiness(self) -> Mapping[str, Check]:
        """What `/readyz` looks at, by name: each gives a reason why it cannot serve, or None."""

        async def tls() -> str | None:
            return None if self._tls is None else await self._tls.unusable()

        return {"gateway.tls": tls} if self.settings.tls is not None else {}


def _listener_tls(settings: GatewaySettings, clock: Callable[[], float]) -> ListenerTls | None:
    if settings.tls is None:
        return None
    from ostiary.certificates.host_names import host_names  # noqa: PLC0415 - where others end TLS, it is not needed
    from ostiary.certificates.listener_tls import ListenerTls  # noqa: PLC0415 - likewise

    names = host_names(settings.listen, settings.public_url)
    return ListenerTls(settings.tls, name="gateway.tls", owner=OWNER, names=names, clock=clock)


def _stored_tokens(storage: StorageSettings, clock: Callable[[], float]) -> StoredTokens:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens  # noqa: PLC0415 - SQLAlchemy takes its time

    return StoredTokens.of(storage, clock)
