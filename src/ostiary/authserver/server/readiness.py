"""Why the server cannot serve, if so: what `/readyz` asks. Keys and metadata are answered all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy import select

from ostiary.authserver.services import Parts
from ostiary.storage.errors import StorageError
from ostiary.storage.schema import signing_keys


def readiness(parts: Parts) -> Mapping[str, Callable[[], Awaitable[str | None]]]:
    """What to look at, by name: each gives a reason, or None."""

    async def storage() -> str | None:
        try:
            await parts.store.read(lambda connection: connection.execute(select(signing_keys.c.kid)).first())
        except StorageError as error:
            return str(error)
        return None

    async def keys() -> str | None:
        return None if parts.signing.is_ready else "there is no key to sign with: the store has not given one"

    async def audit() -> str | None:
        return parts.audit.failing

    return {"storage": storage, "signing keys": keys, "audit": audit}
