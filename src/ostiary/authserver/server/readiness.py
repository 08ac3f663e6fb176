"""Why the server cannot serve, if so: what `/readyz` asks. Keys and metadata are answered all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ostiary.authserver.server.services import Services
from ostiary.storage.errors import StorageError

Check = Callable[[], Awaitable[str | None]]


def readiness(services: Services) -> Mapping[str, Check]:
    """What to look at, by name: each gives a reason, or None."""

    async def storage() -> str | None:
        try:
            await services.signing.reach_store()
        except StorageError as error:
            return str(error)
        return None

    async def keys() -> str | None:
        return (
            None if services.signing.is_ready else "there is no key to sign with: the store has not given one"
        )

    async def audit() -> str | None:
        return services.audit.failing

    return {"storage": storage, "signing keys": keys, "audit": audit}
