"""One login: the browser is sent to an identity provider, and comes back. RFC 6749 section 10.12.

The `state` that goes along is remembered with the browser, the provider and the purpose. It is taken once, by
one statement: by that browser, at that provider's own callback. Whoever else brings it spends nothing.
"""

from __future__ import annotations

import secrets

import msgspec
from sqlalchemy import Connection, delete, insert

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpError, LoginMemory, LoginOptions, UpstreamIdp
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.oauth.client.authorization_response import answer_of
from ostiary.storage.expiry import Expiry
from ostiary.storage.schema import upstream_states
from ostiary.storage.store import digest
from ostiary.unseen import Unseen

EXPIRY = Expiry(upstream_states.c.expires_at)


class InteractionLogin(Unseen, frozen=True, tag="walk"):
    """A login on the way from an authorization request to a code."""

    interaction_id: str = msgspec.field(name="walk_id")


class ConnectLogin(msgspec.Struct, frozen=True, tag="connect"):
    """One more account for somebody who is signed in at the page of connected accounts."""

    user_id: str
    owner: str
    resource: str


class PageLogin(msgspec.Struct, frozen=True, tag="page"):
    """A sign-in at the page of connected accounts."""

    return_to: str


Purpose = InteractionLogin | ConnectLogin | PageLogin


class LoginFailed(Exception):
    """A login that began properly, and failed at the provider. `error` says how."""

    def __init__(self, purpose: Purpose, error: IdpError) -> None:
        super().__init__(str(error))
        self.purpose = purpose
        self.error = error


class PendingLogin(msgspec.Struct, frozen=True):
    """What is sealed."""

    purpose: Purpose
    memory: LoginMemory


async def begin_login(
    context: InteractionContext,
    idp: UpstreamIdp,
    *,
    browser_hash: str,
    purpose: Purpose,
    options: LoginOptions,
    now: float,
) -> str:
    """The URL to send the browser to. Raises IdpError, StorageError."""
    state = secrets.token_urlsafe(32)
    departure = await idp.begin(state=state, redirect_uri=callback_url(context, idp.name), options=options)
    step = PendingLogin(purpose, departure.memory)
    row = {
        "state_hash": digest(state),
        "browser_hash": browser_hash,
        "idp": idp.name,
        "expires_at": now + context.life.sign_in.total_seconds(),
    }
    row["sealed"] = context.store.seal(step, table=upstream_states, row=row)
    await context.store.transaction(lambda connection: connection.execute(insert(upstream_states), row))
    return departure.url


async def complete_login(
    context: InteractionContext, idp_name: str, query: bytes, *, browser_hash: str | None, now: float
) -> tuple[Purpose, UpstreamAccount]:
    """What the login was for, and what it brought.

    query: as the browser brought it. browser_hash: None for a browser without a cookie. Raises InvalidRequest
    and PageRefused for what is no answer to a question of ours, LoginFailed, StorageError.
    """
    state = answer_of(query).get("state")
    idp = context.idps.get(idp_name)
    step = None
    if state is not None and idp is not None and browser_hash is not None:
        step = await _take(context, digest(state), idp_name, browser_hash, now)
    if idp is None or step is None:
        raise PageRefused(
            "This sign-in cannot go on",
            "It has expired, was finished already, or was begun in another browser.",
            detail=f"the state is missing, unknown, spent, expired, or another browser's or provider's; "
            f"the browser {'has a' if browser_hash else 'has no'} cookie; callback of {idp_name[:63]!r}",
        )
    try:
        return step.purpose, await idp.complete(query, step.memory, now=now)
    except IdpError as error:
        raise LoginFailed(step.purpose, error) from error


def callback_url(context: InteractionContext, idp_name: str) -> str:
    """Our redirect URI at a provider."""
    return context.url(f"/oauth/callback/{idp_name}")


async def _take(
    context: InteractionContext, key: str, idp_name: str, browser_hash: str, now: float
) -> PendingLogin | None:
    store, columns = context.store, upstream_states.c

    def take(connection: Connection) -> PendingLogin | None:
        row = connection.execute(
            delete(upstream_states)
            .where(
                columns.state_hash == key,
                columns.browser_hash == browser_hash,
                columns.idp == idp_name,
                columns.expires_at > now,
            )
            .returning(upstream_states)
        ).one_or_none()
        return None if row is None else store.open(row.sealed, PendingLogin, table=upstream_states, row=row)

    return await store.transaction(take)
