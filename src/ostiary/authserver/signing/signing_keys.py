"""The keys of all replicas: which one signs now, and which are published.

They stand in the store, sealed. What each does follows from its times alone
(`oauth/server/signing_schedule.py`), so a replica needs to read them again only every VIEW_AGE seconds, and
signs in between without asking anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from ostiary.authserver.config.settings import SigningSettings
from ostiary.authserver.signing.jws import JwsSigner
from ostiary.authserver.signing.signing_key import SealedKey, SigningKey, new_key
from ostiary.identity.key_set import KeySet, read_key_set
from ostiary.inline_coroutines import hopping
from ostiary.oauth.server.errors import Unavailable
from ostiary.oauth.server.signing_schedule import (
    KeyState,
    KeyTimes,
    new_key_times,
    next_change,
    next_rotation,
    published_keys,
    signing_key,
    state_of,
    tail,
)
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import signing_keys
from ostiary.storage.store import Store

JWKS_MAX_AGE = 300.0
"""Seconds for which others may keep the key set."""
VIEW_AGE = 30.0
"""Seconds between two readings of the keys: as old as a replica's view of them may be."""
UNKNOWN_KID_PAUSE = 1.0
"""Seconds between readings for the sake of a key id that is not there."""

_row = signing_keys.c
_LATEST = select(func.coalesce(func.max(_row.generation), 0))


@dataclass(frozen=True)
class _View:
    """The keys as they were read."""

    keys: dict[str, SigningKey]

    @property
    def times(self) -> list[KeyTimes]:
        return [key.times for key in self.keys.values()]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What each key does from one moment to another, in seconds since the epoch."""

    since: float
    until: float
    signing: SigningKey | None
    kids: tuple[str, ...]
    """Of those that are published."""
    jwks: bytes
    key_set: KeySet


class SigningKeys:
    """The keys of one issuer. longest_life: seconds that the longest-lived token lives."""

    def __init__(
        self, store: Store, settings: SigningSettings, *, longest_life: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._settings = settings
        self._keep = tail(longest_life=longest_life, view_age=VIEW_AGE)
        self._clock = clock
        self._view = _View({})
        self._read_at = float("-inf")
        self._standing = _Standing(0, 0, None, (), b'{"keys":[]}', KeySet(()))

    def sign(self, claims: dict[str, Any], *, typ: str) -> str:
        """A token of ours. Raises Unavailable when there is no key."""
        return self.signer().sign(claims, typ=typ)

    def signer(self) -> JwsSigner:
        """What signs now. Raises Unavailable."""
        key = self._now().signing
        if key is None:
            raise Unavailable("there is no signing key yet", detail="the signing keys could not be read")
        return key.signer

    @property
    def is_ready(self) -> bool:
        """Whether something can be signed."""
        return self._now().signing is not None

    def jwks(self) -> bytes:
        """The public keys, as `/.well-known/jwks.json` has them."""
        return self._now().jwks

    def key_set(self) -> KeySet:
        """The same, to verify our own tokens with."""
        return self._now().key_set

    async def key_set_with(self, kid: str | None) -> KeySet:
        """The same; read again when this key is not among them: another replica may have made it just now.

        Raises StorageError. Strangers' key ids make us read at most once in UNKNOWN_KID_PAUSE.
        """
        keys, now = self.key_set(), self._clock()
        if kid is None or keys.has(kid) or now - self._read_at < UNKNOWN_KID_PAUSE:
            return keys
        await self.read()
        return self.key_set()

    async def refresh(self) -> str | None:
        """Read the keys again, and make the next one if it is due: its name. Raises StorageError."""
        await self.read()
        due = next_rotation(
            self._view.times,
            now=self._clock(),
            rotate_every=self._settings.rotate_every.total_seconds(),
            publish_ahead=self._settings.publish_ahead.total_seconds(),
        )
        if (due is not None and due <= self._clock()) or self._wants_other_algorithm():
            return await self.rotate()
        return None

    async def rotate(self) -> str | None:
        """Make the next key: published now, signing later. Its name.

        Of replicas that do so together one makes it, and for the others this is None.
        """
        generation = max((key.generation for key in self._view.keys.values()), default=0) + 1
        key = self._new_key(generation=generation)
        row = self._row_of(key)

        def work(connection: Connection) -> bool:
            statement = insert_or_ignore(connection, signing_keys).values(row).returning(_row.kid)
            return connection.execute(statement).first() is not None

        made = await self._store.transaction(work)
        await self.read()
        return key.kid if made else None

    def all(self) -> list[SigningKey]:
        """Every key that is known, oldest first."""
        return sorted(self._view.keys.values(), key=lambda key: key.generation)

    def state(self, key: SigningKey) -> KeyState:
        """What it is there for now."""
        return state_of(key.times, self._view.times, self._clock(), keep=self._keep)

    async def retire(self, kid: str) -> bool:
        """Withdraw a key at once: it verifies nothing any more. False when there is none of this name.

        If it is the one that signs, a new one does from now on: an older one may be published no more.
        """
        await self.read()
        now = self._clock()
        key = self._view.keys.get(kid)
        if key is None:
            return False
        signing = signing_key(self._view.times, now)
        ended = self._row_of(replace(key, times=replace(key.times, retires_at=now, gone_at=now)))
        withdraw = update(signing_keys).where(_row.kid == kid, _row.retired_at.is_(None))
        withdraw = withdraw.values(retired_at=now, sealed=ended["sealed"])
        follower = self._new_key(generation=0)
        follower = replace(follower, times=replace(follower.times, active_at=now))

        def work(connection: Connection) -> bool:
            withdrawn = connection.execute(withdraw).rowcount > 0
            if withdrawn and signing is not None and signing.kid == kid:
                latest = connection.execute(_LATEST).scalar_one()
                follow = self._row_of(replace(follower, generation=latest + 1))
                connection.execute(insert(signing_keys), follow)
            return withdrawn

        retired = await self._store.transaction(work)
        await self.read()
        return retired

    def _new_key(self, *, generation: int) -> SigningKey:
        now = self._clock()
        kid, sealed = new_key(self._settings.algorithm)
        ahead = self._settings.publish_ahead.total_seconds()
        times = new_key_times(self._view.times, now=now, publish_ahead=ahead, kid=kid)
        return SigningKey(times, generation, self._settings.algorithm, sealed)

    def _row_of(self, key: SigningKey) -> dict[str, Any]:
        row: dict[str, Any] = {
            "kid": key.kid,
            "generation": key.generation,
            "algorithm": key.algorithm,
            "published_at": key.times.published_at,
            "active_at": key.times.active_at,
            "retired_at": key.times.retires_at,
        }
        return row | {"sealed": self._store.seal(key.sealed, table=signing_keys, row=row)}

    async def reach_store(self) -> None:
        """Return when the store gives keys now, or none. Raises StorageError."""
        await self._store.read(lambda connection: connection.execute(select(_row.kid)).first())

    @hopping  # who asked for a key may go away, and for a moment nobody reads again
    async def read(self) -> None:
        """Read the keys, and make none. Raises StorageError."""

        def rows(connection: Connection) -> list[Any]:
            return list(connection.execute(select(signing_keys)).all())

        self._read_at = self._clock()
        known = self._view.keys
        keys = {}
        for row in await self._store.read(rows):
            key = self._opened(row)
            before = known.get(key.kid)
            keys[key.kid] = before if before is not None and before.times == key.times else key
        self._view = _View(keys)
        self._standing = self._standing_at(self._clock())

    def _opened(self, row: Any) -> SigningKey:
        sealed = self._store.open(row.sealed, SealedKey, table=signing_keys, row=row)
        times = KeyTimes(row.published_at, row.active_at, row.retired_at, row.retired_at, kid=row.kid)
        return SigningKey(times, row.generation, row.algorithm, sealed)

    def _wants_other_algorithm(self) -> bool:
        newest = max(self._view.keys.values(), key=lambda key: key.generation, default=None)
        return newest is not None and newest.algorithm != self._settings.algorithm

    def _now(self) -> _Standing:
        now, standing = self._clock(), self._standing
        if not standing.since <= now < standing.until:
            self._standing = standing = self._standing_at(now)
        return standing

    def _standing_at(self, now: float) -> _Standing:
        """What is published is written and read again only when it is something else."""
        times, keys, before = self._view.times, self._view.keys, self._standing
        signing = signing_key(times, now)
        kids = tuple(one.kid for one in published_keys(times, now, keep=self._keep))
        jwks, key_set = before.jwks, before.key_set
        if kids != before.kids:
            document = {"keys": [keys[kid].public_jwk for kid in kids]}
            jwks, key_set = msgspec.json.encode(document), read_key_set(document)
        return _Standing(
            now,
            next_change(times, now, keep=self._keep),
            None if signing is None else keys[signing.kid],
            kids,
            jwks,
            key_set,
        )
