"""Puts the authorization server together on its listeners."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from ostiary.authserver.audit_events import REFUSALS, AuditEvent
from ostiary.authserver.clients.assembly import client_authenticator, client_registry
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.idps.factory import make_idps
from ostiary.authserver.idps.issuer_pinning import confirm
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.rates import Rates
from ostiary.authserver.resources import Resources
from ostiary.authserver.server.documents import documents
from ostiary.authserver.server.doors import doors
from ostiary.authserver.server.mtls_listener import mtls_listening
from ostiary.authserver.server.page_routes import asgi
from ostiary.authserver.server.sweep import sweep
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.stale_sessions import end_misfits
from ostiary.authserver.signing.signing_keys import VIEW_AGE, SigningKeys
from ostiary.crash_text import crash_text
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.canonical_url import canonical_url
from ostiary.storage.config import StorageSettings
from ostiary.storage.errors import StorageError
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.addresses import network_of
from ostiary.transport.fetch import Fetcher
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.limits import Limits
from ostiary.transport.proxies import Proxies
from ostiary.transport.same_origin import own_hosts
from ostiary.transport.serving import address_of, bind, serving

log = structlog.get_logger("ostiary.authserver")

KIB, MIB = 1024, 1024 * 1024
LIMITS = Limits(body_bytes=64 * KIB, head_bytes=32 * KIB, body_timeout=10.0, unproven_bytes=32 * MIB)
"""Forms are small; a long state or an assertion travels in a head or a body of some kilobytes."""
MTLS_LIMITS = replace(LIMITS, connections=1_000, unproven_bytes=16 * MIB)
"""A connection with TLS holds eight times what one without does."""


class AuthServer:
    """An authorization server with its store, keys and connections. Use as an async context manager.

    audit: a file, None for log lines; proxies: by which its requests go, by default as the environment says;
    clock: seconds since the epoch, as `time.time`.
    """

    def __init__(
        self,
        settings: AuthServerSettings,
        *,
        storage: StorageSettings,
        audit: Path | None = None,
        proxies: Proxies | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._clock = clock
        store = Store.of(storage)
        fetcher = Fetcher(proxies=proxies)
        key_sets = KeySets(fetcher, clock)
        written = Audit(audit, clock, counted=REFUSALS, source=network_of)
        registry = client_registry(settings, store, fetcher.proxies, clock)
        self.parts = Parts(
            settings=settings,
            store=store,
            signing=SigningKeys(
                store,
                settings.signing,
                longest_life=settings.tokens.access.total_seconds(),
                clock=clock,
            ),
            resources=Resources(settings.resources, for_strangers=settings.registration.scopes),
            clients=registry,
            authenticator=client_authenticator(
                registry,
                settings,
                store=store,
                key_sets=key_sets,
                proxies=fetcher.proxies,
                audit=written,
                clock=clock,
            ),
            idps=make_idps(settings, store, Tools(fetcher, key_sets, clock)),
            audit=written,
            rates=Rates(settings.limits),
            fetcher=fetcher,
            key_sets=key_sets,
            clock=clock,
            common_scopes=frozenset(settings.scopes),
        )
        self._tending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Raises StorageError: without a store and a key nothing can be issued; and IdpRepointed."""
        await self.parts.store.database.prepare()
        entries = {entry.name: entry for entry in self.settings.upstream_idps}
        await confirm(self.parts.store, self.parts.idps, entries)
        await self._refresh_keys()
        self._tending = asyncio.create_task(self._tend())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with contextlib.AsyncExitStack() as last_first:  # each, also when somebody stops us once more
            last_first.callback(self.parts.audit.close)
            last_first.push_async_callback(self.parts.store.close)
            last_first.push_async_callback(self.parts.background.finish)
            if self._tending is not None:
                self._tending.cancel()
                await asyncio.wait({self._tending})

    @contextlib.asynccontextmanager
    async def listening(
        self, sock: socket.socket, *, mtls: socket.socket | None = None
    ) -> AsyncIterator[None]:
        """Answer on a bound socket while the block runs, and on a second one for clients with certificates.

        mtls: bound for them; by default where the settings say. Raises ListenRefused, CertificateUnusable.
        """
        posted, read = doors(self.parts), documents(self.parts)
        apart = self.settings.mtls
        async with contextlib.AsyncExitStack() as listeners:
            listeners.enter_context(contextlib.closing(sock))
            if apart is not None:
                second = listeners.enter_context(contextlib.closing(mtls or bind(apart.listen)))
                await listeners.enter_async_context(mtls_listening(second, apart, self.parts, MTLS_LIMITS))
            await listeners.enter_async_context(
                serving(
                    asgi(self.parts, doors=posted, documents=read),
                    sock,
                    limits=LIMITS,
                    hosts=own_hosts(address_of(sock), canonical_url(self.settings.issuer).authority),
                    doors=posted,
                    documents=read,
                    proxies=TrustedProxies(self.settings.trusted_proxies),
                )
            )
            yield

    async def _tend(self) -> None:
        """What has to be done from time to time. A store that is away is tried again."""
        misfits_ended = await self._tried("misfits", end_misfits(self.parts, now=self._clock()))
        while True:
            await asyncio.sleep(VIEW_AGE)
            self.parts.audit.tell_counted()
            await self._tried("signing_keys", self._refresh_keys())
            await self._tried("sweep", sweep(self.parts, now=self._clock()))
            if not misfits_ended:
                misfits_ended = await self._tried("misfits", end_misfits(self.parts, now=self._clock()))

    async def _refresh_keys(self) -> None:
        made = await self.parts.signing.refresh()
        if made is not None:
            self.parts.audit.write(AuditEvent.KEY_MADE, kid=made)

    async def _tried(self, duty: str, work: Coroutine[None, None, None]) -> bool:
        """Whether it was done. Whatever goes wrong is told in the log, and the next duty has its turn."""
        try:
            await work
        except StorageError as error:
            log.warning("tending_failed", duty=duty, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours, that must not end all tending
            log.error("tending_crashed", duty=duty, exception=crash_text(error))  # noqa: TRY400
        else:
            return True
        return False
