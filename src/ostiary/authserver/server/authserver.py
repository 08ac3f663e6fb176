"""Puts the authorization server together on its listeners."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ostiary.authserver.audit_events import REFUSALS
from ostiary.authserver.clients.assembly import client_authenticator, client_registry
from ostiary.authserver.config.settings import LISTEN, AuthServerSettings
from ostiary.authserver.idps.factory import make_idps
from ostiary.authserver.idps.issuer_pinning import pin_issuers
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.internal.listener import internal_listener
from ostiary.authserver.rates import Rates
from ostiary.authserver.replay_store import DatabaseReplayStore
from ostiary.authserver.resources import Resources
from ostiary.authserver.server.documents import documents
from ostiary.authserver.server.doors import doors
from ostiary.authserver.server.internal_endpoints import internal_endpoints
from ostiary.authserver.server.maintenance import maintain, refresh_keys
from ostiary.authserver.server.mtls_listener import mtls_listener
from ostiary.authserver.server.page_routes import asgi
from ostiary.authserver.server.readiness import Check, readiness
from ostiary.authserver.server.services import Services
from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.certificates.host_names import host_names
from ostiary.certificates.listener_tls import ListenerTls
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import CertificateSettings
from ostiary.certificates.source import CertificateSource
from ostiary.certificates.tls import server_context
from ostiary.identity.certificates import WorkloadIdentifier
from ostiary.identity.key_sets import KeySets
from ostiary.identity.possession import Possession
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.settings import Listen
from ostiary.storage.config import StorageSettings
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.addresses import network_of
from ostiary.transport.fetch import Fetcher
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.limits import CONNECTIONS, TLS_CONNECTIONS, Limits
from ostiary.transport.listeners import Listener
from ostiary.transport.proxies import Proxies

OWNER = "default/authserver"
"""Which workload it is, by its own certificate, unless `owner` or `spiffe_id` says otherwise."""
KIB, MIB = 1024, 1024 * 1024
LIMITS = Limits(
    body_bytes=64 * KIB,
    head_bytes=32 * KIB,
    body_timeout=10.0,
    address_connections=CONNECTIONS // 4,
    unproven_bytes=32 * MIB,
)
"""Forms are small; a long state or an assertion travels in a head or a body of some kilobytes."""
TLS_LIMITS = replace(LIMITS, connections=TLS_CONNECTIONS, address_connections=TLS_CONNECTIONS // 4)
MTLS_LIMITS = replace(LIMITS, connections=1_000, address_connections=1_000, unproven_bytes=16 * MIB)
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
        store = Store.of(storage)
        fetcher = Fetcher(proxies=proxies)
        key_sets = KeySets(fetcher, clock)
        written = Audit(audit, clock, counted=REFUSALS, source=network_of)
        registry = client_registry(settings, store, fetcher.proxies, clock)
        self.services = Services(
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
            possession=Possession(DatabaseReplayStore(store), clock),
            clock=clock,
            common_scopes=frozenset(settings.scopes),
        )
        self._maintenance: asyncio.Task[None] | None = None
        self._certificates: list[CertificateSource] = []
        self._tls: ListenerTls | None = None

    async def __aenter__(self) -> Self:
        """Raises StorageError: without a store and a key nothing can be issued; IdpRepointed; and
        CertificateUnusable."""
        self._tls = self._open_tls()
        await self.services.store.prepare(now=self.services.clock())
        entries = {entry.name: entry for entry in self.settings.upstream_idps}
        await pin_issuers(self.services.store, self.services.idps, entries)
        await refresh_keys(self.services)
        self._maintenance = asyncio.create_task(maintain(self.services))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with contextlib.AsyncExitStack() as last_first:  # each, also when somebody stops us once more
            last_first.callback(self.services.audit.close)
            for source in self._certificates:
                last_first.callback(source.close)
            if self._tls is not None:
                last_first.callback(self._tls.close)
            last_first.push_async_callback(self.services.store.close)
            last_first.push_async_callback(self.services.background.finish)
            if self._maintenance is not None:
                self._maintenance.cancel()
                await asyncio.wait({self._maintenance})

    def listeners(self) -> list[Listener]:
        """For people and programs, for clients with certificates, and for workloads.

        Raises CertificateUnusable, TrustBundleUnusable and DenyListUnusable.
        """
        posted, read = doors(self.services), documents(self.services)
        listener = Listener(
            name=LISTEN,
            app=asgi(self.services.pages, doors=posted, documents=read),
            doors={b"POST": posted, b"GET": read},
            authorities=(canonical_url(self.settings.issuer).authority,),
            limits=LIMITS if self._tls is None else TLS_LIMITS,
            proxies=TrustedProxies(self.settings.trusted_proxies, self.settings.proxy_protocol),
            tls=None if self._tls is None else self._tls.context,
        )
        apart, inside = self.settings.mtls, self.settings.internal
        listeners = []
        if apart is not None:
            shown = self._open(apart.certificates, apart.listen, apart.url)
            listeners.append(mtls_listener(apart, self.services, MTLS_LIMITS, shown))
        if inside is not None:
            shown = self._open(inside.certificates, inside.listen, inside.url)
            known = WorkloadIdentifier.from_settings(inside, shown.bundle, clock=self.services.clock)
            listeners.append(
                internal_listener(
                    inside,
                    internal_endpoints(self.services, known),
                    self.services.audit,
                    MTLS_LIMITS,
                    tls=server_context(shown, known.authorities),
                )
            )
        return [*listeners, listener]

    def readiness(self) -> Mapping[str, Check]:
        """What `/readyz` looks at, by name."""

        async def tls() -> str | None:
            return None if self._tls is None else await self._tls.unusable()

        checks = readiness(self.services)
        return checks if self.settings.tls is None else {**checks, "authserver.tls": tls}

    def _open_tls(self) -> ListenerTls | None:
        if self.settings.tls is None:
            return None
        names = host_names(self.settings.listen, canonical_url(self.settings.issuer))
        return ListenerTls(
            self.settings.tls, name="authserver.tls", owner=OWNER, names=names, clock=self.services.clock
        )

    def _open(
        self, settings: CertificateSettings, listen: Listen, url: CanonicalUrl | None
    ) -> CertificateSource:
        source = open_certificates(
            settings, owner=OWNER, names=host_names(listen, url), clock=self.services.clock
        )
        self._certificates.append(source)
        return source
