"""Whether the person still exists: their identity provider is asked when a session goes on. OIDC Core 12.

What is asked for is new tokens, as that is what every provider refuses for somebody who left. Where it gave
no refresh token, userinfo is asked with an access token that lives (GitHub's do not end). Where there is
neither, there is nothing to ask with, and the session ends by its own time.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, update

from ostiary.authserver.config.idps import McpIdp
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    IdpUnavailable,
    KnowsByAccessToken,
)
from ostiary.authserver.services import Services
from ostiary.authserver.sessions.ending import EndReason, SessionMustEnd, end_and_refuse
from ostiary.authserver.sessions.session import Session
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, find
from ostiary.authserver.upstream_grants.renewal import renewed_tokens
from ostiary.oauth.server.errors import Unavailable
from ostiary.oauth.server.revalidation import Revalidation, is_due
from ostiary.storage.schema import token_sessions

_row = token_sessions.c
GONE = "the identity provider does not vouch for the person any more: they have to sign in again"
DOWN = "the identity provider cannot be asked now; nothing was spent"
OF_NO_USE = (
    "the identity provider gave no answer that says whether the person still exists; "
    "this refresh token is as good as before"
)
RETRY_AFTER = 10
"""Seconds, when the provider does not say."""


async def revalidate(services: Services, session: Session, *, address: str, now: float) -> None:
    """Ask, if it is time to, before anything of the session is spent.

    address: of the client, for the audit. Raises InvalidGrant, and ends the session, when the person is gone;
    Unavailable when the provider is down; StorageError.
    """
    grant = await _to_ask_with(services, session, now)
    if grant is None:
        return
    try:
        await _ask(services, grant, now)
    except GrantDead:
        gone = SessionMustEnd(session.tsid_hash, EndReason.PERSON_GONE, GONE)
        raise await end_and_refuse(
            gone, services, client=session.client_id, address=address, now=now
        ) from None
    except IdpError as error:
        wait = error.retry_after if isinstance(error, IdpUnavailable) else RETRY_AFTER
        sentence = OF_NO_USE if error.may_have_spent else DOWN
        raise Unavailable(sentence, retry_after=wait, detail=str(error)) from None

    def remember(connection: Connection) -> None:
        which = update(token_sessions).where(_row.tsid_hash == session.tsid_hash)
        connection.execute(which.values(revalidated_at=now))

    await services.store.transaction(remember)


def must_revalidate(services: Services, session: Session, *, now: float) -> bool:
    """Whether it is time to, as far as the session itself tells."""
    rule = _rule(services, session.secret.idp)
    return session.secret.grant_id is not None and is_due(rule, last=session.revalidated_at, now=now)


async def _to_ask_with(services: Services, session: Session, now: float) -> UpstreamGrant | None:
    """The identity's grant; None when it is not time, or it is gone."""
    grant_id = session.secret.grant_id
    if grant_id is None or not must_revalidate(services, session, now=now):
        return None
    store = services.store
    return await store.read(lambda connection: find(connection, store, grant_id))


async def _ask(services: Services, grant: UpstreamGrant, now: float) -> None:
    """Raises IdpError, StorageError."""
    if grant.tokens.refresh_token is not None:
        try:
            await renewed_tokens(services, grant, now=now)
        except IdpAnswerRefused as error:
            if error.left is None:
                raise
        return  # whoever gets a refresh token exists, whatever is wrong with the rest of the answer
    idp = services.idps.get(grant.idp)
    lives = grant.expires_at is None or now < grant.expires_at
    if lives and isinstance(idp, KnowsByAccessToken):
        await idp.still_knows(grant.tokens, issuer=grant.issuer, account=grant.account)


def _rule(services: Services, idp: str | None) -> Revalidation:
    for entry in services.settings.upstream_idps:
        if entry.name == idp and not isinstance(entry, McpIdp):
            said = entry.revalidate
            return said.total_seconds() if isinstance(said, timedelta) else said
    return "never"
