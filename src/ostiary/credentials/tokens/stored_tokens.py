"""Tokens shared in the store: one replica fetches, and seals the token for the others.

    fresh      another replica's token is taken until its renewal is due, or it was refused here
    ours       else the replica that gets the lease fetches
    waiting    the others look again for some seconds, and then fetch for themselves

A store that is away, or that cannot be opened, is logged and gone without: it makes a token cheaper, and no
call depends on it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Self

import msgspec

from ostiary.credentials.tokens.shared_cache_key import Unnameable, shared_key
from ostiary.credentials.tokens.token import Token
from ostiary.secrets import Secret, SecretUnavailable
from ostiary.storage.database import Database
from ostiary.storage.errors import StorageError
from ostiary.storage.sealing import KeyRing
from ostiary.storage.shared_tokens import Lease, SharedKey, SharedToken, SharedTokenTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ostiary.credentials.tokens.token import TokenSource
    from ostiary.storage.config import StorageSettings

LEASE = 60.0
"""Seconds that a replica has for a fetch before another may. No fetch takes longer."""
LOOKS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0)
"""Seconds between looks at whether another replica's fetch is done."""
RENEWED_FROM = 0.7
"""The part of its life after which a token is nobody else's any more: caches begin to renew theirs then."""

logger = logging.getLogger("ostiary.credentials")


class _Sealed(msgspec.Struct, frozen=True):
    """What of a token goes in the store."""

    value: str
    scopes: tuple[str, ...]


class StoredTokens:
    """One store's tokens. clock: seconds since the epoch; replicas' clocks should agree within seconds."""

    def __init__(self, table: SharedTokenTable, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    @classmethod
    def of(cls, settings: StorageSettings, clock: Callable[[], float]) -> Self:
        """In the store that is configured. Raises KeyFileUnusable."""
        keys = KeyRing.from_file(settings.encryption_key.path)
        return cls(SharedTokenTable(Database(settings), keys), clock)

    async def prepare(self) -> None:
        """Make or migrate the tables now; when that fails, it is tried again at the first use."""
        try:
            await self._table.prepare()
        except StorageError as error:
            logger.warning("tokens are not shared for now: %s", error)

    async def close(self) -> None:
        """Let go of the store."""
        await self._table.close()

    async def obtain(self, key: Hashable, source: TokenSource, *, refused: Token | None) -> Token:
        """Another replica's token, or one fetched now. Raises what the source raises."""
        try:
            found = await self._find(shared_key(key), refused)
        except (Unnameable, SecretUnavailable):
            found = None  # the source says better which secret is missing
        except StorageError as error:
            logger.warning("a token is fetched without the other replicas: %s", error)
            found = None
        match found:
            case Token():
                return found
            case Lease():
                return await self._fetch_for_all(found, source)
        return await source.fetch()

    async def _find(self, key: SharedKey, refused: Token | None) -> Token | Lease | None:
        """A token, or the lease to fetch it; None when somebody else's fetch takes too long."""
        for pause in LOOKS:
            now = self._clock()
            stored = await self._table.get(key)
            if stored is not None and (token := _usable(stored, refused, now)) is not None:
                return token
            lease = Lease(key, secrets.token_hex(16), now + LEASE)
            if await self._table.take(lease, seen=stored, now=now):
                return lease
            await asyncio.sleep(pause)
        return None

    async def _fetch_for_all(self, lease: Lease, source: TokenSource) -> Token:
        token: Token | None = None
        try:
            token = await source.fetch()
        finally:
            await self._hand_over(lease, token)
        return token

    async def _hand_over(self, lease: Lease, token: Token | None) -> None:
        """Give the token to the others; or the turn, when there is none or it is of no use to them."""
        try:
            if token is None or token.expires_at is None or token.dpop_key is not None:
                await self._table.release(lease)
                return
            now = self._clock()
            renew_at = now + (token.expires_at - now) * RENEWED_FROM
            plain = msgspec.json.encode(_Sealed(token.value.reveal(), token.scopes))
            await self._table.put(lease, plain, expires_at=token.expires_at, renew_at=renew_at)
            await self._table.forget_ended(now)
        except StorageError as error:
            logger.warning("a fetched token is not shared: %s", error)


def _usable(stored: SharedToken, refused: Token | None, now: float) -> Token | None:
    if now >= stored.renew_at:
        return None
    try:
        sealed = msgspec.json.decode(stored.plain, type=_Sealed)
    except msgspec.DecodeError:
        return None  # another version of ours wrote it
    if refused is not None and refused.value.reveal() == sealed.value:
        return None
    return Token(Secret(sealed.value), stored.expires_at, scopes=sealed.scopes)
