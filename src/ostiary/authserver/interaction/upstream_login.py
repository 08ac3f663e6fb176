"""One leg: the browser is sent to an identity provider, and comes back. RFC 6749 section 10.12.

The `state` that goes along is remembered with the browser, the provider and the purpose. It is taken once, by
one statement: by that browser, at that provider's own callback. Whoever else brings it spends nothing.
"""

from __future__ import annotations

import secrets

import msgspec
from sqlalchemy import Connection, delete, insert

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpError, LegMemory, LegWishes, UpstreamIdp
from ostiary.authserver.services import Parts
from ostiary.authserver.upstream_account import Connected
from ostiary.oauth.client.authorization_response import answer_of
from ostiary.storage.schema import upstream_states
from ostiary.storage.store import digest


class WalkLeg(msgspec.Struct, frozen=True, tag="walk"):
    """A leg of a walk from an authorization request to a code."""

    walk_id: str

    def __repr__(self) -> str:
        return "WalkLeg(***)"

    __str__ = __repr__


class ConnectLeg(msgspec.Struct, frozen=True, tag="connect"):
    """One more account for somebody who is signed in at the page of connected accounts."""

    user_id: str
    owner: str
    resource: str


class PageSignIn(msgspec.Struct, frozen=True, tag="page"):
    """A sign-in at the page of connected accounts."""

    return_to: str


Purpose = WalkLeg | ConnectLeg | PageSignIn


class LegFailed(Exception):
    """A leg that began properly, and failed at the provider. `error` says how."""

    def __init__(self, purpose: Purpose, error: IdpError) -> None:
        super().__init__(str(error))
        self.purpose = purpose
        self.error = error


class _Leg(msgspec.Struct, frozen=True):
    """What is sealed."""

    purpose: Purpose
    memory: LegMemory


async def begin_leg(
    parts: Parts, idp: UpstreamIdp, *, browser_hash: str, purpose: Purpose, wishes: LegWishes, now: float
) -> str:
    """The URL to send the browser to. Raises IdpError, StorageError."""
    state = secrets.token_urlsafe(32)
    departure = await idp.depart(state=state, redirect_uri=callback_url(parts, idp.name), wishes=wishes)
    leg = _Leg(purpose, departure.memory)
    key = digest(state)

    def remember(connection: Connection) -> None:
        connection.execute(
            insert(upstream_states).values(
                state_hash=key,
                browser_hash=browser_hash,
                idp=idp.name,
                sealed=parts.store.seal(leg, table=upstream_states, key=key),
                expires_at=now + parts.settings.tokens.sign_in.total_seconds(),
            )
        )

    await parts.store.transaction(remember)
    return departure.url


async def finish_leg(
    parts: Parts, idp_name: str, query: bytes, *, browser_hash: str | None, now: float
) -> tuple[Purpose, Connected]:
    """What the leg was for, and what it brought.

    query: as the browser brought it. browser_hash: None for a browser without a cookie. Raises InvalidRequest
    and PageRefused for what is no answer to a question of ours, LegFailed, StorageError.
    """
    state = answer_of(query).get("state")
    idp = parts.idps.get(idp_name)
    leg = None
    if state is not None and idp is not None and browser_hash is not None:
        leg = await _take(parts, digest(state), idp_name, browser_hash, now)
    if idp is None or leg is None:
        raise PageRefused(
            "This sign-in cannot go on",
            "It has expired, was finished already, or was begun in another browser.",
            detail=f"the state is missing, unknown, spent, expired, or another browser's or provider's; "
            f"the browser {'has a' if browser_hash else 'has no'} cookie; callback of {idp_name[:63]!r}",
        )
    try:
        return leg.purpose, await idp.arrive(query, leg.memory, now=now)
    except IdpError as error:
        raise LegFailed(leg.purpose, error) from error


def callback_url(parts: Parts, idp_name: str) -> str:
    """Our redirect URI at a provider."""
    return parts.url(f"/oauth/callback/{idp_name}")


async def _take(parts: Parts, key: str, idp_name: str, browser_hash: str, now: float) -> _Leg | None:
    def take(connection: Connection) -> bytes | None:
        columns = upstream_states.c
        return connection.execute(
            delete(upstream_states)
            .where(
                columns.state_hash == key,
                columns.browser_hash == browser_hash,
                columns.idp == idp_name,
                columns.expires_at > now,
            )
            .returning(columns.sealed)
        ).scalar_one_or_none()

    sealed = await parts.store.transaction(take)
    return None if sealed is None else parts.store.open(sealed, _Leg, table=upstream_states, key=key)
