"""Clients that describe themselves at their own URL. draft-ietf-oauth-client-id-metadata-document.

    fresh      from memory, else from the store, where another replica or an earlier start may have left it
    not fresh  fetched, once however many wait, through the guard for what strangers wrote
    failed     not tried again for a moment, so that strangers can't have us hammer somebody

A document that was had before and is out of reach now is no reason to throw people out, so whoever was let in
goes on with the one that is known, for a day at most. A new authorization waits: by now the document may name
other redirect URIs, and a code that went to the old one could not be called back.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from ostiary.authserver.clients.pending_fetches import PendingFetches
from ostiary.authserver.clients.registration_limit import make_room
from ostiary.authserver.clients.strangers_reach import check_keys_location, strangers_reach
from ostiary.authserver.config.settings import RegistrationSettings
from ostiary.authserver.rates import RateLimit
from ostiary.event_log import event_log
from ostiary.inline_coroutines import in_task
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.client_document import cache_lifetime, client_from_document
from ostiary.oauth.server.errors import InvalidClient, RegistrationError, TooManyRequests, Unavailable
from ostiary.rates import read_rate
from ostiary.storage.errors import SealedOtherwise, StorageError
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import clients
from ostiary.storage.store import Store
from ostiary.transport.fetch import NOT_JSON, Fetcher, FetchError
from ostiary.transport.proxies import Proxies

MAX_BYTES = 10 * 1024
TIMEOUT = 5.0
STALE = 86400.0
"""Seconds for which a document that can't be fetched again still holds for who was let in."""
FAILURE_PAUSE = 10.0
"""Seconds between fetches that fail."""
MOST_REMEMBERED = 1_000
MOST_STORED = 5_000
NEW_PER_HOST = read_rate("60/m")
"""How many documents that nobody knows yet are fetched from one host."""
NEW_PER_ADDRESS = read_rate("30/m")
"""How many of those one address may ask for: fewer, so that alone it does not use up a host's."""

_row = clients.c
_GONE = frozenset({404, 410})

log = event_log("ostiary.authserver")


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why there is no document. is_gone: its host says so, or it describes no client that we could take."""

    description: str
    detail: str = ""
    is_gone: bool = False


class _Known:
    """What is known of one document."""

    __slots__ = ("client", "failed_at", "failure", "fresh_until", "looking")

    def __init__(self) -> None:
        self.client: Client | None = None
        self.fresh_until = self.failed_at = float("-inf")
        self.failure: _Failure | None = None
        self.looking: asyncio.Task[None] | None = None

    def keep(self, client: Client, fresh_until: float) -> None:
        self.client, self.fresh_until, self.failure = client, fresh_until, None

    def fail(self, failure: _Failure, now: float) -> None:
        self.failure, self.failed_at = failure, now

    def fresh(self, now: float) -> Client | None:
        return self.client if now < self.fresh_until else None

    def answer(self, now: float, *, stale_ok: bool) -> Client:
        """The client, as far as it is still believed. Raises InvalidClient, Unavailable."""
        failure = self.failure
        if self.client is not None and failure is None:
            return self.client
        assert failure is not None  # noqa: S101 - for the type checker: a look ends in one or the other
        if self.client is None or failure.is_gone:
            raise InvalidClient(failure.description, detail=failure.detail)
        if stale_ok and now < self.fresh_until + STALE:
            return self.client
        raise Unavailable(
            "the client's document, which says where its codes may go, cannot be fetched now",
            retry_after=int(FAILURE_PAUSE),
            detail=failure.detail or failure.description,
        )


class DocumentClients:
    """The clients of all documents. clock: seconds since the epoch."""

    def __init__(
        self, settings: RegistrationSettings, store: Store, proxies: Proxies, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._clock = clock
        self._reach = strangers_reach(settings)
        self._fetcher = Fetcher(timeout=TIMEOUT, max_bytes=MAX_BYTES, proxies=proxies)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._new_of_host = RateLimit(NEW_PER_HOST)
        self._new_for_address = RateLimit(NEW_PER_ADDRESS)
        self.pending = PendingFetches()

    async def find(
        self, url: CanonicalUrl, client_id: str, *, asked_from: str | None, stale_ok: bool
    ) -> Client:
        """The client of a document; it does not wait while the document is fresh.

        asked_from: the address that asks; stale_ok: for who was let in before. Raises InvalidClient,
        Unavailable, TooManyRequests, StorageError.
        """
        known = self._remembered(client_id)
        now = self._clock()
        fresh = known.fresh(now)
        if fresh is not None:
            return fresh
        if known.failure is None or now - known.failed_at >= FAILURE_PAUSE:
            await self._looked(url, client_id, known, asked_from)
        return known.answer(self._clock(), stale_ok=stale_ok)

    async def _looked(self, url: CanonicalUrl, client_id: str, known: _Known, asked_from: str | None) -> None:
        """One look for all who wait. Who joined one that whoever began it had no share for begins another."""
        joined = known.looking
        if joined is not None:
            with contextlib.suppress(Unavailable, TooManyRequests):
                await asyncio.shield(joined)
                return
        if known.looking is None:
            known.looking = in_task(self._look(url, client_id, known, asked_from))
        await asyncio.shield(known.looking)

    def _remembered(self, client_id: str) -> _Known:
        known = self._known.get(client_id)
        if known is None:
            known = self._known[client_id] = _Known()
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(client_id)
        return known

    async def _look(self, url: CanonicalUrl, client_id: str, known: _Known, asked_from: str | None) -> None:
        """In the store, then at its URL. The outcome is kept for everybody who asks."""
        try:
            await self._read(client_id, known)
            now = self._clock()
            if known.fresh(now) is None:
                await self._fetch(url, client_id, known, asked_from, now=now)
        finally:
            known.looking = None

    async def _read(self, client_id: str, known: _Known) -> None:
        wanted = select(clients).where(
            _row.client_id == client_id, _row.kind == ClientKind.DOCUMENT, _row.expires_at > self._clock()
        )
        row = await self._store.read(lambda connection: connection.execute(wanted).first())
        if row is None or row.fresh_until <= known.fresh_until:
            return
        try:
            self._store.check_row(row.sealed, table=clients, row=row)
            client = client_from_document(msgspec.json.decode(row.metadata), client_id=client_id)
        except RegistrationError:  # it was taken by another version of Ostiary
            return
        except SealedOtherwise as error:  # its host still has it as it is
            log.error("client_document_changed", client=client_id, reason=str(error))  # noqa: TRY400
            return
        known.keep(client, row.fresh_until)

    async def _fetch(
        self, url: CanonicalUrl, client_id: str, known: _Known, asked_from: str | None, *, now: float
    ) -> None:
        if known.client is None:
            if asked_from is not None:
                self._new_for_address.take(asked_from, now=now)
            self._new_of_host.take(url.host, now=now)
        try:
            with self.pending.one(url, asked_from):
                document = await self._fetcher.get(url, reach=self._reach)
        except FetchError as error:
            known.fail(_Failure("the client's document cannot be fetched", str(error)), self._clock())
            return
        if document.status != 200:
            sentence = f"the client's document cannot be fetched: it answered {document.status}, not 200"
            known.fail(_Failure(sentence, is_gone=document.status in _GONE), self._clock())
            return
        fresh_until = now + cache_lifetime(document.headers, now=now)
        body = document.body.removeprefix(codecs.BOM_UTF8)  # as some editors write files
        await self._take(body, client_id, known, fresh_until)

    async def _take(self, body: bytes, client_id: str, known: _Known, fresh_until: float) -> None:
        try:
            client = client_from_document(msgspec.json.decode(body), client_id=client_id)
            check_keys_location(client, self._reach)
        except NOT_JSON:
            known.fail(_Failure("the client's document is not JSON"), self._clock())
        except RegistrationError as refused:
            known.fail(_Failure(refused.description, refused.detail, is_gone=True), self._clock())
        else:
            known.keep(client, fresh_until)
            await self._write(client_id, body, fresh_until)

    async def _write(self, client_id: str, body: bytes, fresh_until: float) -> None:
        """For other replicas, and for the next start. Who asked has it already, whatever the store does."""
        now = self._clock()
        covered: dict[str, Any] = {
            "client_id": client_id,
            "kind": str(ClientKind.DOCUMENT),
            "metadata": body.decode(),
            "secret_digest": None,
            "fresh_until": fresh_until,
        }
        sealed = self._store.seal_row(clients, covered)
        values = covered | {"used_at": now, "expires_at": fresh_until + STALE, "sealed": sealed}

        def work(connection: Connection) -> None:
            changed = clients.update().where(_row.client_id == client_id, _row.kind == ClientKind.DOCUMENT)
            if connection.execute(changed.values(values)).rowcount == 0:
                make_room(connection, ClientKind.DOCUMENT, most=MOST_STORED, now=now)
                if not _has_room(connection):
                    return
                new = {"created_at": now, **values}
                connection.execute(insert_or_ignore(connection, clients).values(new))

        try:
            await self._store.transaction(work)
        except StorageError as error:
            log.warning("client_document_not_kept", client=client_id, reason=str(error))


def _has_room(connection: Connection) -> bool:
    """A bound on what strangers can have us keep; who finds no room is fetched by each replica for itself."""
    of_documents = _row.kind == ClientKind.DOCUMENT
    count = connection.execute(select(func.count()).select_from(clients).where(of_documents)).scalar_one()
    return count < MOST_STORED
