"""The parts of one ostiary.yaml on their listeners, in one process.

A part that is not in the file is not loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.serving import bind, serving

if TYPE_CHECKING:
    import socket

    from ostiary.authserver import AuthServer
    from ostiary.config import OstiaryFile
    from ostiary.settings import Listen
    from ostiary.telemetry.endpoints import Check
    from ostiary.telemetry.metrics import Count


@contextlib.asynccontextmanager
async def running(file: OstiaryFile) -> AsyncIterator[None]:
    """Run what the file names while the block does.

    Every address is taken before anything starts, and telemetry answers before the rest does. Raises
    ListenRefused, StorageError, AuditUnusable, CertificateUnusable, IdpRepointed.
    """
    async with AsyncExitStack() as stack:
        sockets = {listen: stack.enter_context(bind(listen)) for listen in _addresses(file)}
        authserver = _authserver(file)
        await _telemetry(file, authserver, sockets, stack)
        if authserver is not None:
            await _start(authserver, sockets, stack)
        if file.gateway is not None:
            from ostiary.gateway import Gateway  # noqa: PLC0415

            gateway = await stack.enter_async_context(
                Gateway(file.gateway, storage=file.storage, proxies=_proxies(file))
            )
            await stack.enter_async_context(gateway.listening(sockets[file.gateway.listen]))
        yield


def what_stands(file: OstiaryFile) -> Iterator[str]:
    """A sentence for each part: where it is, and what for."""
    if file.authserver is not None:
        idps = ", ".join(idp.name for idp in file.authserver.upstream_idps) or "no identity provider"
        yield (
            f"The authorization server {file.authserver.issuer} answers at {file.authserver.listen}; "
            f"people sign in at {idps}."
        )
        if file.authserver.mtls is not None:
            yield f"Clients with certificates ask it at {file.authserver.mtls.origin}."
    if file.gateway is not None:
        servers = ", ".join(file.gateway.servers) or "no server yet"
        yield f"The gateway answers at {file.gateway.public_url}/mcp, in front of {servers}."
    if file.telemetry.listen is not None:
        yield f"Health and metrics are at http://{file.telemetry.listen}."


def _addresses(file: OstiaryFile) -> Iterator[Listen]:
    if file.telemetry.listen is not None:
        yield file.telemetry.listen
    if file.authserver is not None:
        yield file.authserver.listen
        if file.authserver.mtls is not None:
            yield file.authserver.mtls.listen
    if file.gateway is not None:
        yield file.gateway.listen


def _authserver(file: OstiaryFile) -> AuthServer | None:
    if file.authserver is None or file.storage is None:
        return None
    from ostiary.authserver import AuthServer  # noqa: PLC0415

    audit = file.telemetry.audit
    return AuthServer(
        file.authserver,
        storage=file.storage,
        audit=None if audit is None else audit.path,
        proxies=_proxies(file),
    )


def _proxies(file: OstiaryFile) -> Proxies:
    return proxies_of(file.proxy, os.environ)


async def _start(authserver: AuthServer, sockets: dict[Listen, socket.socket], stack: AsyncExitStack) -> None:
    await stack.enter_async_context(authserver)
    apart = authserver.settings.mtls
    listening = authserver.listening(
        sockets[authserver.settings.listen], mtls=None if apart is None else sockets[apart.listen]
    )
    await stack.enter_async_context(listening)


async def _telemetry(
    file: OstiaryFile,
    authserver: AuthServer | None,
    sockets: dict[Listen, socket.socket],
    stack: AsyncExitStack,
) -> None:
    listen = file.telemetry.listen
    if listen is None:
        return
    from ostiary.telemetry.endpoints import telemetry_app  # noqa: PLC0415
    from ostiary.telemetry.metrics import Metrics  # noqa: PLC0415
    from ostiary.transport.same_origin import SameOrigin, own_hosts  # noqa: PLC0415

    counts: list[Count] = []
    checks: Mapping[str, Check] = {}
    if authserver is not None:
        from ostiary.authserver.server.metrics import AuditCounts  # noqa: PLC0415
        from ostiary.authserver.server.readiness import readiness  # noqa: PLC0415

        counted = AuditCounts(idp.name for idp in authserver.settings.upstream_idps)
        authserver.services.audit.hear(counted.heard)
        counts, checks = counted.counts, readiness(authserver.services)
    hosts = own_hosts(listen)
    app = SameOrigin(telemetry_app(Metrics(counts), checks), hosts or ())
    await stack.enter_async_context(serving(app, sockets[listen], hosts=hosts))
