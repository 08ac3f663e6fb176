"""The authorization server of a file as its operator reaches it: by its store, whether it runs or not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.cli.failure import BadUsage
from ostiary.config import ConfigurationError, OstiaryFile, read
from ostiary.config.secret_presence import absent
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.telemetry.logs import set_up_logs
from ostiary.transport.event_loop import run

if TYPE_CHECKING:
    from ostiary.authserver import AuthServerSettings
    from ostiary.authserver.server.services import Services
    from ostiary.config import Loaded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Administration:
    """What of it can be reached without the secrets of its clients and providers."""

    settings: AuthServerSettings
    store: Store
    audit: Audit

    def signing_keys(self) -> SigningKeys:
        """Its keys, not read yet."""
        access = self.settings.tokens.access.total_seconds()
        return SigningKeys(self.store, self.settings.signing, longest_life=access, clock=time.time)


@contextlib.asynccontextmanager
async def administering(config: Path | None) -> AsyncIterator[Administration]:
    """Reach its store. Raises ConfigurationError, BadUsage, StorageError, AuditUnusable."""
    loaded, settings = _authserver(config)
    file = loaded.settings
    assert file.storage is not None  # noqa: S101 - with an authserver there is one
    _require(replace(loaded, settings=file.model_copy(update={"gateway": None, "authserver": None})))
    path = file.telemetry.audit
    store, audit = Store.of(file.storage), Audit(None if path is None else path.path, time.time)
    try:
        await store.prepare(now=time.time())
        yield Administration(settings, store, audit)
    finally:
        await store.close()
        audit.close()


@contextlib.asynccontextmanager
async def with_services(config: Path | None) -> AsyncIterator[Services]:
    """Reach all of it, for what its providers have to be told as well. It does not listen."""
    from ostiary.authserver import AuthServer  # noqa: PLC0415 - far more than most commands need

    loaded, settings = _authserver(config)
    file = loaded.settings
    assert file.storage is not None  # noqa: S101 - with an authserver there is one
    _require(replace(loaded, settings=file.model_copy(update={"gateway": None})))
    path = file.telemetry.audit
    server = AuthServer(settings, storage=file.storage, audit=None if path is None else path.path)
    try:
        await server.services.store.prepare(now=time.time())
        yield server.services
    finally:
        await server.services.store.close()
        server.services.audit.close()


def done(work: Coroutine[Any, Any, T]) -> T:
    """Do a command's work. Audit events without a file for them are lines on standard error."""
    set_up_logs()
    answer = run(_in_a_tuple(work))
    if answer is None:
        raise KeyboardInterrupt
    return answer[0]


def moment(seconds: float | None) -> str | None:
    """A time as commands print it."""
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S UTC}"


def _authserver(config: Path | None) -> tuple[Loaded[OstiaryFile], AuthServerSettings]:
    path = config or Path(OstiaryFile.default_name)
    loaded = read(path, OstiaryFile)
    if loaded.settings.authserver is None:
        raise BadUsage(f"{path} has no authserver")
    return loaded, loaded.settings.authserver


def _require(loaded: Loaded[OstiaryFile]) -> None:
    if faults := list(absent(loaded)):
        raise ConfigurationError(faults)


async def _in_a_tuple(work: Coroutine[Any, Any, T]) -> tuple[T]:
    """`run` gives None for what was interrupted."""
    return (await work,)
