"""An account that waits for its person's word at the page of connected accounts, sealed.

It is kept and swept as interactions are, whose table it shares; neither is ever found as the other.
"""

from __future__ import annotations

import secrets

import msgspec
from sqlalchemy import Connection, delete, insert

from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.storage.schema import walks
from ostiary.storage.store import Store, digest

_row = walks.c


class Offer(msgspec.Struct, frozen=True):
    """What waits."""

    user_id: str
    owner: str
    account: UpstreamAccount


def keep_offer(
    connection: Connection, store: Store, offer: Offer, *, browser_hash: str, expires_at: float
) -> str:
    """Keep it for the browser's answer. Gives what the form names it by."""
    offer_id = secrets.token_urlsafe(32)
    row = {
        "walk_hash": _key(offer_id),
        "browser_hash": browser_hash,
        "version": 1,
        "expires_at": expires_at,
    }
    connection.execute(insert(walks), row | {"sealed": store.seal(offer, table=walks, row=row)})
    return offer_id


def take_offer(
    connection: Connection, store: Store, offer_id: str, *, browser_hash: str, now: float
) -> Offer | None:
    """Once, by the browser that it waits for; None for any other."""
    row = connection.execute(
        delete(walks)
        .where(_row.walk_hash == _key(offer_id), _row.browser_hash == browser_hash, _row.expires_at > now)
        .returning(walks)
    ).one_or_none()
    return None if row is None else store.open(row.sealed, Offer, table=walks, row=row)


def _key(offer_id: str) -> str:
    return digest(f"offer {offer_id}")
