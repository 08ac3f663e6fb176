"""The parts of one ostiary.yaml on their listeners, in one process.

A part that is not in the file is not loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

from ostiary.cli.telemetry_listener import observing, telemetry_app_for, telemetry_listeners
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.limits import Limits
from ostiary.transport.listeners import Listener, answering
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.serving import bind
from ostiary.transport.workers import ForWorkers, Worker

if TYPE_CHECKING:
    from ostiary.authserver import AuthServer
    from ostiary.cli.telemetry_listener import TelemetryApp
    from ostiary.config import OstiaryFile
    from ostiary.gateway import Gateway
    from ostiary.gateway.observation.observer import Observer
    from ostiary.transport.access_records import Hear

OWN = "worker"
"""Where one of several processes answers the others."""


@contextlib.asynccontextmanager
async def running(file: OstiaryFile, worker: Worker | None = None) -> AsyncIterator[Gateway | None]:
    """Run what the file names while the block does. worker: which of several processes does.

    Gives its gateway, whose settings may change meanwhile.

    Every address is taken before anything starts, and telemetry answers before the rest does. Raises
    ListenRefused, StorageError, AuditUnusable, AccessLogUnusable, CertificateUnusable, IdpRepointed.
    """
    async with AsyncExitStack() as stack:
        listens = [
            part.listens for part in (file.telemetry, file.authserver, file.gateway) if part is not None
        ]
        sockets = {
            name: stack.enter_context(bind(listen, shared=worker is not None))
            for where in listens
            for name, listen in where.items()
        }
        if worker is not None:
            sockets[OWN] = worker.own
        authserver = _authserver(file)
        gateway = _gateway(file, worker, await stack.enter_async_context(observing(file)))
        telemetry = telemetry_app_for(file, authserver, gateway)
        await stack.enter_async_context(answering(telemetry_listeners(file, telemetry, worker), sockets))
        hear = await _opened_access_log(file, stack)
        for part in (authserver, gateway):
            if part is not None:
                await stack.enter_async_context(part)
                listeners = [replace(listener, hear=hear) for listener in part.listeners()]
                await stack.enter_async_context(answering(listeners, sockets))
        if worker is not None:
            own = listener_for_workers(telemetry, gateway, worker)
            await stack.enter_async_context(answering([own], sockets))
        yield gateway


async def _opened_access_log(file: OstiaryFile, stack: AsyncExitStack) -> Hear | None:
    target = file.telemetry.access_log
    if target is None:
        return None
    from ostiary.telemetry.access_log import AccessLog  # noqa: PLC0415 - for who wants one

    return (await stack.enter_async_context(AccessLog(target.path))).hear


def load_parts(file: OstiaryFile) -> None:
    """Import what the file runs, for processes that begin as copies of this one."""
    if file.authserver is not None:
        import ostiary.authserver.server.metrics  # noqa: PLC0415
    if file.gateway is not None:
        import ostiary.gateway  # noqa: PLC0415
    if file.telemetry.listen is not None:
        import ostiary.telemetry.shared_endpoints  # noqa: PLC0415, F401


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
        yield f"Health, metrics and status are at http://{file.telemetry.listen}."


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


def _gateway(file: OstiaryFile, worker: Worker | None, observer: Observer | None) -> Gateway | None:
    if file.gateway is None:
        return None
    from ostiary.gateway import Gateway  # noqa: PLC0415

    return Gateway(
        file.gateway,
        storage=file.storage,
        worker=worker,
        observer=observer,
        proxies=_proxies(file),
    )


def listener_for_workers(telemetry: TelemetryApp | None, gateway: Gateway | None, worker: Worker) -> Listener:
    """What one of several workers answers the others."""
    return Listener(
        name=OWN,
        app=ForWorkers(None if telemetry is None else telemetry(), worker.word),
        doors=None if gateway is None else gateway.doors_for_workers(),
        limits=Limits() if gateway is None or gateway.plan is None else gateway.plan.limits,
        proxies=TrustedProxies([ip_network("127.0.0.1/32")]),
    )
