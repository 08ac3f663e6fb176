"""What has to be done from time to time: keys of both kinds, what has had its time, counted refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.server.services import Services
from ostiary.authserver.server.sweep import sweep
from ostiary.authserver.sessions.stale_sessions import end_stale_sessions
from ostiary.authserver.signing.signing_keys import VIEW_AGE
from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.storage.errors import StorageError

log = event_log("ostiary.authserver")


async def maintain(services: Services) -> None:
    """Until it is cancelled. A store that is away is tried again."""
    clock = services.clock
    stale_ended = await _tried("stale_sessions", _end_stale(services))
    while True:
        await asyncio.sleep(VIEW_AGE)
        services.audit.tell_counted()
        await _tried("signing_keys", refresh_keys(services))
        await _tried("encryption_keys", services.store.keep_key_noted(now=clock()))
        await _tried("sweep", sweep(services, now=clock()))
        await _tried("grant_states", services.grant_states.count())
        if not stale_ended:
            stale_ended = await _tried("stale_sessions", _end_stale(services))


async def refresh_keys(services: Services) -> None:
    """Read the signing keys again, and make the next one when its time has come. Raises StorageError."""
    made = await services.signing.refresh()
    if made is not None:
        services.audit.write(AuditEvent.KEY_MADE, kid=made)


async def _end_stale(services: Services) -> None:
    configured = {client.client_id for client in services.settings.clients}
    await end_stale_sessions(services.session_ender, services.resources, configured, now=services.clock())


async def _tried(duty: str, work: Coroutine[None, None, None]) -> bool:
    """Whether it was done. Whatever goes wrong is told in the log, and the next duty has its turn."""
    try:
        await work
    except StorageError as error:
        log.warning("maintenance_failed", duty=duty, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours, that must not end all maintenance
        log.error("maintenance_crashed", duty=duty, exception=crash_text(error))  # noqa: TRY400
    else:
        return True
    return False
