"""Whether the person still exists: their identity provider is asked when a session goes on. OIDC Core 12.

What is asked for is new tokens, as that is what every provider refuses for somebody who left. Where it gave
no refresh token, userinfo is asked with an access token that lives (GitHub's do not end). Where there is
neither, there is nothing to ask with, and the session ends by its own time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from sqlalchemy import Connection, update

from ostiary.authserver.config.idps import IdpSettings, McpIdp
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    Idps,
    IdpUnavailable,
    KnowsByAccessToken,
)
from ostiary.authserver.sessions.ending import EndReason, SessionEnder, SessionMustEnd
from ostiary.authserver.sessions.session import Session, seal_session
from ostiary.authserver.sessions.session import find as find_session
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, find
from ostiary.authserver.upstream_grants.renewal import Renewals
from ostiary.oauth.server.errors import Unavailable
from ostiary.oauth.server.revalidation import Revalidation, is_due
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store

_row = token_sessions.c
GONE = "the identity provider does not vouch for the person any more: they have to sign in again"
DOWN = "the identity provider cannot be asked now; nothing was spent"
OF_NO_USE = (
    "the identity provider gave no answer that says whether the person still exists; "
    "this refresh token is as good as before"
)
RETRY_AFTER = 10
"""Seconds, when the provider does not say."""


@dataclass(frozen=True, slots=True)
class Revalidator:
    """Asks whether people still exist. entries: of the providers, for how often each is asked."""

    store: Store
    idps: Idps
    entries: Sequence[IdpSettings]
    renewals: Renewals
    ender: SessionEnder

    async def revalidate(self, session: Session, *, address: str, now: float) -> None:
        """Ask, if it is time to, before anything of the session is spent.

        address: of the client, for the audit. Raises InvalidGrant, and ends the session, when the person is
        gone; Unavailable when the provider is down; StorageError.
        """
        grant = await self._to_ask_with(session, now)
        if grant is None:
            return
        try:
            await self._ask(grant, now)
        except GrantDead:
            gone = SessionMustEnd(session.tsid_hash, EndReason.PERSON_GONE, GONE)
            raise await self.ender.end_and_refuse(
                gone, client=session.client_id, address=address, now=now
            ) from None
        except IdpError as error:
            wait = error.retry_after if isinstance(error, IdpUnavailable) else RETRY_AFTER
            sentence = OF_NO_USE if error.may_have_spent else DOWN
            raise Unavailable(sentence, retry_after=wait, detail=str(error)) from None

        await self.store.transaction(
            lambda connection: _remember(connection, self.store, session.tsid_hash, now)
        )

    def must_revalidate(self, session: Session, *, now: float) -> bool:
        """Whether it is time to, as far as the session itself tells."""
        rule = self._rule(session.secret.idp)
        return session.secret.grant_id is not None and is_due(rule, last=session.revalidated_at, now=now)

    async def _to_ask_with(self, session: Session, now: float) -> UpstreamGrant | None:
        """The identity's grant; None when it is not time, or it is gone."""
        grant_id = session.secret.grant_id
        if grant_id is None or not self.must_revalidate(session, now=now):
            return None
        return await self.store.read(lambda connection: find(connection, self.store, grant_id))

    async def _ask(self, grant: UpstreamGrant, now: float) -> None:
        """Raises IdpError, StorageError."""
        if grant.tokens.refresh_token is not None:
            try:
                await self.renewals.renewed_tokens(grant, now=now)
            except IdpAnswerRefused as error:
                if error.left is None:
                    raise
            return  # whoever gets a refresh token exists, whatever is wrong with the rest of the answer
        idp = self.idps.get(grant.idp)
        lives = grant.expires_at is None or now < grant.expires_at
        if lives and isinstance(idp, KnowsByAccessToken):
            await idp.still_knows(grant.tokens, issuer=grant.issuer, account=grant.account)

    def _rule(self, idp: str | None) -> Revalidation:
        for entry in self.entries:
            if entry.name == idp and not isinstance(entry, McpIdp):
                said = entry.revalidate
                return said.total_seconds() if isinstance(said, timedelta) else said
        return "never"


def _remember(connection: Connection, store: Store, tsid_hash: str, now: float) -> None:
    """If nobody changes the session at the same moment; else the next refresh asks once more."""
    session = find_session(connection, store, tsid_hash)
    if session is None or session.ended_at is not None:
        return
    sealed = seal_session(msgspec.structs.replace(session, revalidated_at=now), store)["sealed"]
    as_seen = update(token_sessions).where(
        _row.tsid_hash == tsid_hash,
        _row.ended_at.is_(None),
        _row.revalidated_at == session.revalidated_at,
    )
    connection.execute(as_seen.values(revalidated_at=now, sealed=sealed))
