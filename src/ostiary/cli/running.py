"""The parts of one ostiary.yaml on their listeners, in one process.

A part that is not in the file is not loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ostiary.transport.listeners import Listener, answering
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.serving import bind

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from ostiary.authserver import AuthServer
    from ostiary.config import OstiaryFile
    from ostiary.gateway import Gateway
    from ostiary.telemetry.endpoints import Check


@contextlib.asynccontextmanager
async def running(file: OstiaryFile) -> AsyncIterator[None]:
    """Run what the file names while the block does.

    Every address is taken before anything starts, and telemetry answers before the rest does. Raises
    ListenRefused, StorageError, AuditUnusable, CertificateUnusable, IdpRepointed.
    """
    async with AsyncExitStack() as stack:
        listens = [
            part.listens for part in (file.telemetry, file.authserver, file.gateway) if part is not None
        ]
        sockets = {
            name: stack.enter_context(bind(listen)) for where in listens for name, listen in where.items()
        }
        authserver, gateway = _authserver(file), _gateway(file)
        await stack.enter_async_context(answering(_telemetry(file, authserver, gateway), sockets))
        for part in (authserver, gateway):
            if part is not None:
                await stack.enter_async_context(part)
                await stack.enter_async_context(answering(part.listeners(), sockets))
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


def _gateway(file: OstiaryFile) -> Gateway | None:
    if file.gateway is None:
        return None
    from ostiary.gateway import Gateway  # noqa: PLC0415

    return Gateway(file.gateway, storage=file.storage, proxies=_proxies(file))


def _telemetry(file: OstiaryFile, authserver: AuthServer | None, gateway: Gateway | None) -> list[Listener]:
    if file.telemetry.listen is None:
        return []
    from ostiary.telemetry.config import LISTEN  # noqa: PLC0415
    from ostiary.telemetry.endpoints import telemetry_app  # noqa: PLC0415
    from ostiary.telemetry.metrics import Metrics  # noqa: PLC0415

    counts: list[Collector] = []
    checks: dict[str, Check] = {} if gateway is None else {**gateway.readiness()}
    if authserver is not None:
        from ostiary.authserver.server.metrics import AuthServerMetrics  # noqa: PLC0415

        counted = AuthServerMetrics(idp.name for idp in authserver.settings.upstream_idps)
        counted.listen(authserver.services)
        counts = counted.all
        checks |= authserver.readiness()
    app = telemetry_app(Metrics(counts), checks)
    return [Listener(name=LISTEN, app=app, is_for_programs_alone=True)]
