"""Puts the gateway together on a listener."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ostiary.credentials.runtime import Runtime
from ostiary.gateway.authenticate import Guard
from ostiary.gateway.availability import Availability
from ostiary.gateway.config import GatewaySettings, ServerSettings
from ostiary.gateway.endpoint import Endpoint
from ostiary.gateway.pages import pages
from ostiary.gateway.possession import Possession
from ostiary.gateway.routes import Federation, Routes, SingleServer
from ostiary.gateway.server import Server
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound import OidcInbound
from ostiary.identity.key_sets import KeySets
from ostiary.mcp.merging import ListBudget
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.protected_resource import metadata_path
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS
from ostiary.oauth.resource_server.protected_resource import metadata_url, protected_resource
from ostiary.transport.direct import Door
from ostiary.transport.limits import Limits
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.reach import reach_of
from ostiary.transport.same_origin import own_hosts
from ostiary.transport.serving import address_of, serving
from ostiary.transport.upstream import Upstream, UpstreamLimits

if TYPE_CHECKING:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens
    from ostiary.storage.config import StorageSettings

FEDERATED = "/mcp"


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
        servers = {server.url: reach_of(server) for server in settings.servers.values()}
        self._runtime = Runtime(clock=clock, shared=self._stored, proxies=self._proxies, servers=servers)
        self._key_sets = KeySets(self._runtime.fetcher, clock=clock)
        self._servers: dict[str, Server] = {}

    async def __aenter__(self) -> Self:
        if self._stored is not None:
            await self._stored.prepare()
        self._servers = {name: self._server(name, server) for name, server in self.settings.servers.items()}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.close()
        await self._runtime.close()
        if self._stored is not None:
            await self._stored.close()

    @contextlib.asynccontextmanager
    async def listening(self, sock: socket.socket) -> AsyncIterator[None]:
        """Answer on a bound socket while the block runs."""
        doors: dict[bytes, Door] = {}
        documents: dict[str, dict[str, Any]] = {}
        for path, routes in self._endpoints().items():
            doors[path.encode()] = Endpoint(self._guard(path), routes, self._origins())
            documents[metadata_path(self._resource(path))] = self._metadata(path)
        app = pages(documents, [path.decode() for path in doors], self.settings.allowed_origins)
        hosts = own_hosts(address_of(sock), self.settings.public_url.authority)
        async with serving(app, sock, limits=self._limits(), hosts=hosts, doors=doors):
            yield

    def _endpoints(self) -> dict[str, Routes]:
        prefixed = [(server, self.settings.prefix_of(name)) for name, server in self._servers.items()]
        endpoints: dict[str, Routes] = {
            FEDERATED: Federation(prefixed, list_bytes=self.settings.limits.merged_list_bytes)
        }
        for name, server in self._servers.items():
            endpoints[f"/servers/{name}/mcp"] = SingleServer(server)
        return endpoints

    def _guard(self, path: str) -> Guard | None:
        if not self.settings.inbound:
            return None
        resource = self._resource(path)
        audiences = tuple(dict.fromkeys([str(resource), str(self._resource(FEDERATED))]))
        return Guard(
            Authenticator(
                self.settings.inbound, audiences=audiences, key_sets=self._key_sets, clock=self._clock
            ),
            possession=Possession(resource, self._clock),
            resource=str(resource),
            metadata_url=metadata_url(resource),
            scopes=self._scopes(),
        )

    def _metadata(self, path: str) -> dict[str, Any]:
        issuers = [entry.issuer for entry in self.settings.inbound if isinstance(entry, OidcInbound)]
        return protected_resource(
            self._resource(path),
            authorization_servers=issuers,
            scopes=self._scopes(),
            dpop_algorithms=ALGORITHMS if issuers else (),
        )

    def _scopes(self) -> tuple[str, ...]:
        entries = [entry for entry in self.settings.inbound if isinstance(entry, OidcInbound)]
        return tuple(dict.fromkeys(scope for entry in entries for scope in entry.required_scopes))

    def _resource(self, path: str) -> CanonicalUrl:
        return replace(self.settings.public_url, path=self.settings.public_url.path + path)

    def _origins(self) -> frozenset[bytes]:
        return frozenset(origin.encode() for origin in self.settings.allowed_origins)

    def _limits(self) -> Limits:
        limits = self.settings.limits
        return Limits(
            body_bytes=limits.body_bytes,
            head_bytes=limits.head_bytes,
            header_count=limits.header_count,
            head_timeout=limits.head_timeout.total_seconds(),
            body_timeout=limits.body_timeout.total_seconds(),
            write_timeout=limits.write_timeout.total_seconds(),
            idle_timeout=limits.idle_timeout.total_seconds(),
            connections=limits.connections,
            unproven_bytes=limits.unproven_bytes,
            caller_bytes=limits.caller_bytes,
        )

    def _server(self, name: str, settings: ServerSettings) -> Server:
        limits = self.settings.limits
        upstream = Upstream(
            name,
            settings.url,
            tls=reach_of(settings).trust.context if settings.url.scheme == "https" else None,
            private_network=settings.private_network,
            proxies=self._proxies,
            limits=UpstreamLimits(
                timeout=settings.timeout.total_seconds(),
                connect_timeout=settings.connect_timeout.total_seconds(),
                connections=limits.server_connections,
                caller_connections=limits.caller_connections or max(1, limits.server_connections // 8),
                waiting_bytes=limits.body_bytes,
                answer_bytes=limits.answer_bytes,
                held_bytes=limits.held_answer_bytes,
            ),
        )
        return Server(
            name,
            upstream,
            settings.credential.attach(settings.url, runtime=self._runtime),
            credential_type=settings.credential.type,
            carried=settings.forward_headers,
            availability=Availability(name, self._clock),
            list_budget=ListBudget(self.settings.limits.list_bytes, self.settings.limits.list_items),
        )


def _stored_tokens(storage: StorageSettings, clock: Callable[[], float]) -> StoredTokens:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens  # noqa: PLC0415 - SQLAlchemy takes its time

    return StoredTokens.of(storage, clock)
